"""What holds of credit on every task and group."""

from __future__ import annotations

import pytest
from credit_groups import Group, groups
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cm2dsl.reward.credit import (
    CreditItem,
    CreditTask,
    CreditTurn,
    RolloutCredit,
    Verdicts,
    assign,
    flips,
    rewards,
)

LEVELS = st.sampled_from(["trajectory", "turn", "step"])
SCALES = st.sampled_from(["none", "std"])
UNREACHED = st.sampled_from(["zero", "mask"])
BASELINES = st.sampled_from([None, "all", "reached"])


def options(draw: st.DataObject) -> dict[str, str | None]:
    return {
        "level": draw.draw(LEVELS),
        "scale": draw.draw(SCALES),
        "unreached": draw.draw(UNREACHED),
        "baseline": draw.draw(BASELINES),
    }


@settings(max_examples=250, deadline=None)
@given(groups(), LEVELS, SCALES, UNREACHED, BASELINES, st.data())
def test_credit_equals_the_equations(group, level, scale, unreached, baseline, data) -> None:
    oracle = group.oracle
    names = [turn.name for turn in group.task.turns] + ["dialogue"] * bool(group.task.items)
    at = data.draw(st.lists(st.sampled_from(range(len(names))), unique=True))
    counted = at or list(range(len(names)))
    credit = assign(
        group.task,
        group.rollouts,
        level=level,
        scale=scale,
        unreached=unreached,
        baseline=baseline,
        at=[names[t] for t in at] or None,
    )
    filled = baseline or ("all" if unreached == "zero" else "reached")
    for i, rollout in enumerate(credit):
        assert rollout.reward == pytest.approx(oracle.reward(i, unreached, counted))
        assert rollout.turn_rewards == pytest.approx(oracle.turn_rewards(i, unreached))
        expected = oracle.advantages(i, level, scale, unreached, filled, counted)
        assert [len(turn) for turn in rollout.advantages] == [len(turn) for turn in expected]
        for values, wanted in zip(rollout.advantages, expected, strict=True):
            assert values == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(groups())
def test_flips_are_where_the_recurrence_first_holds(group: Group) -> None:
    for i, rollout in enumerate(group.rollouts):
        states = group.oracle.states(i)
        for scope, found in enumerate(flips(group.task, rollout)):
            steps = sorted(group.oracle.verdicts(i, scope))
            for item, step in found.items():
                held = [s for s in steps if (scope, item) in states[s + 1]]
                assert step == (steps.index(held[0]) if held else None)


@settings(max_examples=100, deadline=None)
@given(groups(), st.data())
def test_any_order_of_rollouts_items_and_keys_gives_the_same_numbers(group, data) -> None:
    chosen = options(data)

    def shuffled(turn: CreditTurn) -> CreditTurn:
        return replace(turn, items=tuple(data.draw(st.permutations(turn.items))))

    def rekeyed(step: dict[str, bool | None]) -> dict[str, bool | None]:
        return {key: step[key] for key in data.draw(st.permutations(sorted(step)))}

    dialogue = shuffled(CreditTurn("dialogue", group.task.items))
    task = CreditTask(tuple(shuffled(turn) for turn in group.task.turns), dialogue.items)
    order = data.draw(st.permutations(range(len(group.rollouts))))
    rollouts = [
        Verdicts(
            [[rekeyed(step) for step in turn] for turn in group.rollouts[i].turns],
            [rekeyed(step) for step in group.rollouts[i].dialogue],
        )
        for i in order
    ]
    before = assign(group.task, group.rollouts, **chosen)
    assert assign(task, rollouts, **chosen) == [before[i] for i in order]


@settings(max_examples=100, deadline=None)
@given(groups(), st.data())
def test_a_rollout_with_an_error_leaves_the_others_as_if_it_were_not_there(group, data) -> None:
    chosen = options(data)
    everyone = assign(group.task, group.rollouts, **chosen)
    whole = [i for i in range(len(group.rollouts)) if not group.oracle.any_error(i)]
    assert [everyone[i] for i in whole] == assign(
        group.task, [group.rollouts[i] for i in whole], **chosen
    )
    for i in set(range(len(group.rollouts))) - set(whole):
        assert everyone[i].reward is None
        assert not any(value for turn in everyone[i].advantages for value in turn)


@settings(max_examples=100, deadline=None)
@given(groups(), UNREACHED)
def test_rewards_lie_between_zero_and_one(group: Group, unreached) -> None:
    for rollout in group.rollouts:
        reward, turn_rewards = rewards(group.task, rollout, unreached=unreached)
        for value in [reward, *turn_rewards]:
            assert value is None or 0 <= value <= 1


@settings(max_examples=100, deadline=None)
@given(groups(penalties=False, errors=False))
def test_trajectory_and_turn_advantages_sum_to_zero_over_their_baseline(group: Group) -> None:
    credit = assign(group.task, group.rollouts, level="trajectory")
    mean = sum(rollout.reward for rollout in credit) / len(credit)
    for rollout in credit:
        for value in (value for turn in rollout.advantages for value in turn):
            assert value == pytest.approx(rollout.reward - mean)


@given(
    st.lists(st.floats(0, 1e300), min_size=1, max_size=8).filter(any),
    st.sampled_from(["zero", "mask"]),
)
def test_a_rollout_that_satisfies_everything_is_worth_exactly_one(weights, unreached) -> None:
    items = tuple(CreditItem(str(i), weight) for i, weight in enumerate(weights))
    task = CreditTask((CreditTurn("t0", items), CreditTurn("t1", items)), items)
    step = {item.id: True for item in items}
    rollout = Verdicts([[step], [step]], [step, step])
    assert rewards(task, rollout, unreached=unreached) == (1.0, [1.0, 1.0, 1.0])


@settings(deadline=None)
@given(groups(), st.data())
def test_credit_does_not_change_what_it_was_given(group: Group, data) -> None:
    before = repr((group.task, group.rollouts))
    credit = assign(group.task, group.rollouts, **options(data))
    assert repr((group.task, group.rollouts)) == before
    assert all(isinstance(rollout, RolloutCredit) for rollout in credit)
