"""The equations of credit, each on a case worked by hand in the comments."""

from __future__ import annotations

import math

import pytest

from cm2dsl.reward.credit import (
    CreditError,
    CreditItem,
    CreditTask,
    CreditTurn,
    RolloutCredit,
    Verdicts,
    assign,
    flips,
    rewards,
)

T, F, E = True, False, None


def turn(name: str, *items: CreditItem) -> CreditTurn:
    return CreditTurn(name, items)


def steps(**verdicts: list[bool | None]) -> list[dict[str, bool | None]]:
    """One list of verdicts an item, as one dict a step."""
    count = len(next(iter(verdicts.values())))
    return [{item: values[s] for item, values in verdicts.items()} for s in range(count)]


def advantages(credit: list[RolloutCredit]) -> list[list[list[float]]]:
    return [rollout.advantages for rollout in credit]


AB = CreditTask((turn("t0", CreditItem("a", 1), CreditItem("b", 3, after=("a",))),))


# --- ready, r, Sat ----------------------------------------------------------------------------


def test_an_item_flips_at_the_first_step_at_which_it_is_ready_and_true() -> None:
    # a: Sat from step 1. b is true at 0 and 1, but ready only where Sat(x_s) holds a: s >= 1.
    assert flips(AB, Verdicts([steps(a=[T, F, F], b=[T, T, T])])) == [{"a": 0, "b": 1}]


def test_what_flips_at_a_step_makes_its_dependents_ready_one_step_later() -> None:
    # b is true at the very step at which a flips, and never again: x_1 is the state before step 1.
    assert flips(AB, Verdicts([steps(a=[F, T, T], b=[F, T, F])])) == [{"a": 1, "b": None}]


def test_an_item_that_flipped_stays_satisfied_when_its_verdict_changes_back() -> None:
    assert rewards(AB, Verdicts([steps(a=[T, F], b=[F, T])])) == (1.0, [1.0])


def test_an_item_of_an_earlier_turn_is_met_by_every_step_of_a_later_one() -> None:
    task = CreditTask(
        (turn("t0", CreditItem("a")), turn("t1", CreditItem("b", after=("t0.a",)))),
    )
    met = Verdicts([steps(a=[F, T]), steps(b=[T])])
    unmet = Verdicts([steps(a=[F, F]), steps(b=[T])])
    assert flips(task, met) == [{"a": 1}, {"b": 0}]
    assert flips(task, unmet) == [{"a": None}, {"b": None}]


def test_a_task_scope_item_waits_for_a_turns_item_on_the_steps_of_the_whole_dialogue() -> None:
    task = CreditTask(
        (turn("t0", CreditItem("a")), turn("t1", CreditItem("b"))),
        (CreditItem("d", after=("t1.b",)),),
    )
    # b flips at dialogue step 1, so d is ready at step 2.
    rollout = Verdicts([steps(a=[T]), steps(b=[T, T])], steps(d=[T, T, T]))
    assert flips(task, rollout) == [{"a": 0}, {"b": 0}, {"d": 2}]


def test_a_bare_name_in_after_means_the_own_turn_before_an_earlier_one() -> None:
    task = CreditTask(
        (
            turn("t0", CreditItem("a")),
            turn("t1", CreditItem("a"), CreditItem("b", after=("a",))),
        )
    )
    rollout = Verdicts([steps(a=[T]), steps(a=[F, T, F], b=[T, T, T])])
    assert flips(task, rollout)[1] == {"a": 1, "b": 2}


# --- R_t and R --------------------------------------------------------------------------------


def test_a_turn_is_worth_the_share_of_its_weights_that_flipped() -> None:
    # w = 1/4, 3/4
    assert rewards(AB, Verdicts([steps(a=[T], b=[F])])) == (0.25, [0.25])
    assert rewards(AB, Verdicts([steps(a=[T, T], b=[F, T])])) == (1.0, [1.0])


TWO = CreditTask(
    (
        turn("t0", CreditItem("a", 1), CreditItem("b", 1)),
        turn("t1", CreditItem("c", 1)),
    )
)


def test_the_reward_is_the_mean_of_the_assigned_turns() -> None:
    rollout = Verdicts([steps(a=[T], b=[F]), steps(c=[T])])
    assert rewards(TWO, rollout) == (0.75, [0.5, 1.0])  # (1/2 + 1) / 2
    assert rewards(TWO, rollout, at=["t0"]) == (0.5, [0.5, 1.0])
    assert rewards(TWO, rollout, at=["t1", "t0"]) == (0.75, [0.5, 1.0])


def test_an_unreached_turn_is_worth_zero_or_left_out() -> None:
    rollout = Verdicts([steps(a=[T], b=[F])])
    assert rewards(TWO, rollout, unreached="zero") == (0.25, [0.5, 0.0])  # L = 2
    assert rewards(TWO, rollout, unreached="mask") == (0.5, [0.5, None])  # L = 1


def test_a_rollout_that_reached_no_assigned_turn_has_no_reward_under_mask() -> None:
    rollout = Verdicts([steps(a=[T], b=[F])])
    assert rewards(TWO, rollout, unreached="mask", at=["t1"]) == (None, [0.5, None])
    credit = assign(TWO, [rollout], level="trajectory", unreached="mask", at=["t1"])
    assert advantages(credit) == [[[0.0]]]


def test_task_scope_items_are_one_more_turn() -> None:
    task = CreditTask(AB.turns, (CreditItem("d", 1), CreditItem("e", 1)))
    rollout = Verdicts([steps(a=[T, T], b=[F, T])], steps(d=[F, T], e=[F, F]))
    assert rewards(task, rollout) == (0.75, [1.0, 0.5])
    assert rewards(task, rollout, at=["dialogue"]) == (0.5, [1.0, 0.5])
    assert rewards(task, rollout, at=["t0"]) == (1.0, [1.0, 0.5])


def test_a_turn_without_items_is_worth_zero_and_counts() -> None:
    task = CreditTask((turn("t0", CreditItem("a")), turn("t1")))
    assert rewards(task, Verdicts([steps(a=[T]), [{}, {}]])) == (0.5, [1.0, 0.0])


def test_a_turn_that_was_reached_may_have_no_steps() -> None:
    credit = assign(AB, [Verdicts([[]]), Verdicts([steps(a=[T], b=[F])])], level="turn")
    assert [rollout.reward for rollout in credit] == [0.0, 0.25]
    assert advantages(credit) == [[[]], [[0.125]]]


# --- veto and penalty -------------------------------------------------------------------------


def test_a_violated_veto_makes_the_turn_worth_nothing() -> None:
    task = CreditTask((turn("t0", CreditItem("a"), CreditItem("n", 0, veto=True)),))
    assert rewards(task, Verdicts([steps(a=[T, T], n=[F, T])])) == (1.0, [1.0])
    assert rewards(task, Verdicts([steps(a=[T, T], n=[F, F])])) == (0.0, [0.0])


def test_a_violated_penalty_is_taken_off_and_never_below_zero() -> None:
    task = CreditTask(
        (turn("t0", CreditItem("a", 1), CreditItem("b", 1), CreditItem("n", 0, penalty=0.75)),)
    )
    assert rewards(task, Verdicts([steps(a=[T], b=[T], n=[F])])) == (0.25, [0.25])
    assert rewards(task, Verdicts([steps(a=[T], b=[F], n=[F])])) == (0.0, [0.0])
    assert rewards(task, Verdicts([steps(a=[T], b=[F], n=[T])])) == (0.5, [0.5])


def test_violation_looks_at_verdicts_and_not_at_readiness() -> None:
    item = CreditItem("b", 1, after=("a",), veto=True)
    task = CreditTask((turn("t0", CreditItem("a", 1), CreditItem("c", 2), item),))
    # b is true, so it is not violated; a never flips, so b is never ready and earns nothing.
    assert rewards(task, Verdicts([steps(a=[F], b=[T], c=[T])])) == (0.5, [0.5])


def test_an_unreached_turn_violates_nothing() -> None:
    task = CreditTask((turn("t0", CreditItem("a")), turn("t1", CreditItem("n", 1, penalty=0.5))))
    assert rewards(task, Verdicts([steps(a=[T])]), unreached="zero") == (0.5, [1.0, 0.0])


def test_a_task_scope_veto_takes_the_task_scopes_worth_alone() -> None:
    task = CreditTask(AB.turns, (CreditItem("d", 1), CreditItem("n", 0, veto=True)))
    rollout = Verdicts([steps(a=[T, T], b=[F, T])], steps(d=[T, T], n=[F, F]))
    assert rewards(task, rollout) == (0.5, [1.0, 0.0])


# --- trajectory level -------------------------------------------------------------------------

# Rewards 1, 1/4, 1/4 and 0: mean 3/8; deviations 5/8, -1/8, -1/8, -3/8;
# variance (25 + 1 + 1 + 9) / 64 / 4 = 9/64, so the standard deviation is 3/8.
GROUP = [
    Verdicts([steps(a=[T, T], b=[F, T])]),
    Verdicts([steps(a=[T], b=[F])]),
    Verdicts([steps(a=[F, T], b=[F, F])]),
    Verdicts([steps(a=[F], b=[T])]),
]


def test_trajectory_level_puts_the_centred_reward_on_every_step() -> None:
    credit = assign(AB, GROUP, level="trajectory")
    assert advantages(credit) == [[[0.625, 0.625]], [[-0.125]], [[-0.125, -0.125]], [[-0.375]]]


def test_scale_std_divides_by_the_population_standard_deviation() -> None:
    credit = assign(AB, GROUP, level="trajectory", scale="std")
    values = [rollout.advantages[0][0] for rollout in credit]
    assert values == pytest.approx([5 / 3, -1 / 3, -1 / 3, -1])


@pytest.mark.parametrize("level", ["trajectory", "turn", "step"])
@pytest.mark.parametrize("scale", ["none", "std"])
def test_a_group_that_earned_the_same_gets_exactly_nothing(level, scale) -> None:
    task = CreditTask((turn("t0", CreditItem("a", 1), CreditItem("b", 2)),))
    group = [Verdicts([steps(a=[T], b=[F])])] * 3  # three times 1/3, whose sum is rounded
    assert advantages(assign(task, group, level=level, scale=scale)) == [[[0.0]]] * 3


def test_rewards_that_differ_by_rounding_alone_are_not_blown_up_by_std() -> None:
    weights = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
    task = CreditTask((turn("t0", *(CreditItem(i, w) for i, w in weights.items())),))
    group = [
        Verdicts([steps(a=[T], b=[T], c=[F], d=[F])]),  # 0.1 + 0.2
        Verdicts([steps(a=[F], b=[F], c=[T], d=[F])]),  # 0.3
    ]
    first, second = (rewards(task, rollout)[0] for rollout in group)
    assert first is not None
    assert second is not None
    assert math.isclose(first, second)
    assert advantages(assign(task, group, level="trajectory", scale="std")) == [[[0.0]], [[0.0]]]


# --- turn level -------------------------------------------------------------------------------

# R_t0 = 1/2, 1, 0; only the first two reach t1, with R_t1 = 1 and 0.
THREE = [
    Verdicts([steps(a=[T], b=[F]), steps(c=[F, T])]),
    Verdicts([steps(a=[T], b=[T]), steps(c=[F])]),
    Verdicts([steps(a=[F], b=[F])]),
]


def test_turn_level_centres_each_turn_and_counts_an_unreached_one_as_zero() -> None:
    # mean R_t0 = 1/2; mean R_t1 over all three = 1/3
    expected = [[[0.0], [2 / 3, 2 / 3]], [[0.5], [-1 / 3]], [[-0.5]]]
    for options in ({}, {"baseline": "all"}, {"unreached": "mask", "baseline": "all"}):
        credit = advantages(assign(TWO, THREE, level="turn", **options))
        for values, wanted in zip(credit, expected, strict=True):
            assert [x for turn in values for x in turn] == pytest.approx(
                [x for turn in wanted for x in turn]
            )


def test_baseline_reached_leaves_out_who_never_reached_the_turn() -> None:
    # mean R_t1 over the first two = 1/2
    expected = [[[0.0], [0.5, 0.5]], [[0.5], [-0.5]], [[-0.5]]]
    for options in ({"baseline": "reached"}, {"unreached": "mask"}):
        assert advantages(assign(TWO, THREE, level="turn", **options)) == expected


def test_turn_level_std_is_over_the_rollouts_of_the_baseline() -> None:
    # t0: deviations 0, 1/2, -1/2, variance 1/6. t1, all: 2/3, -1/3, -1/3, variance 2/9.
    # t1, reached: 1/2, -1/2, standard deviation 1/2.
    credit = advantages(assign(TWO, THREE, level="turn", scale="std"))
    assert credit[1][0][0] == pytest.approx(0.5 * math.sqrt(6))
    assert credit[0][1][1] == pytest.approx(math.sqrt(2))
    credit = advantages(assign(TWO, THREE, level="turn", scale="std", baseline="reached"))
    assert credit[0][1] == [1.0, 1.0]
    assert credit[1][1] == [-1.0]


def test_turns_that_carry_no_reward_get_no_advantage() -> None:
    assert advantages(assign(TWO, THREE, level="turn", at=["t0"])) == [
        [[0.0], [0.0, 0.0]],
        [[0.5], [0.0]],
        [[-0.5]],
    ]


def test_the_task_scopes_advantage_is_added_on_every_step() -> None:
    task = CreditTask(TWO.turns, (CreditItem("d"),))
    group = [
        Verdicts(THREE[0].turns, steps(d=[F, F, T])),
        Verdicts(THREE[1].turns, steps(d=[F, F])),
    ]
    # t0: 1/2 and 1, mean 3/4. t1: 1 and 0, mean 1/2. dialogue: 1 and 0, mean 1/2.
    expected = [[[-0.25 + 0.5], [0.5 + 0.5, 0.5 + 0.5]], [[0.25 - 0.5], [-0.5 - 0.5]]]
    assert advantages(assign(task, group, level="turn")) == expected
    assert advantages(assign(task, group, level="turn", at=["dialogue"])) == [
        [[0.5], [0.5, 0.5]],
        [[-0.5], [-0.5]],
    ]


# --- step level -------------------------------------------------------------------------------


def test_step_level_backfills_from_ready_to_the_flip() -> None:
    # w = 1/4, 3/4; b_a = 3/4, b_b = 1/4.
    # rollout 0: a is ready at 0 and flips there; b is ready at 1 and flips there.
    #   step 0: E = {a}: (1 - 3/4) = 1/4.  step 1: E = {b}: 1 - 1/4 = 3/4.
    # rollout 1: a flips at 0; E = {a}: 1/4.
    # rollout 2: a flips at 1, backfilled: 1/4 at both steps; b is not ready at step 1.
    # rollout 3: a never flips, b is never ready: E = {a}: -3/4.
    credit = assign(AB, GROUP, level="step")
    assert advantages(credit) == [[[0.25, 0.75]], [[0.25]], [[0.25, 0.25]], [[-0.75]]]


def test_step_level_std_divides_each_item_by_its_own_spread() -> None:
    # F_a = F_b = sqrt(3/4 * 1/4) = sqrt(3)/4
    spread = math.sqrt(3) / 4
    credit = advantages(assign(AB, GROUP, level="step", scale="std"))
    assert credit[0][0] == pytest.approx([0.25 / spread, 0.75 / spread])
    assert credit[3][0] == pytest.approx([-0.75 / spread])


def test_step_level_weighs_the_items_that_are_ready_and_not_yet_satisfied() -> None:
    task = CreditTask((turn("t0", CreditItem("a", 1), CreditItem("b", 3)),))
    group = [
        Verdicts([steps(a=[T, T, T], b=[F, F, F])]),
        Verdicts([steps(a=[F, F], b=[F, T])]),
    ]
    # b_a = b_b = 1/2.  rollout 0, step 0: (1 * 1/2 + 3 * -1/2) / 4 = -1/4; then b alone: -1/2.
    # rollout 1: (1 * -1/2 + 3 * 1/2) / 4 = 1/4 at both steps.
    assert advantages(assign(task, group, level="step")) == [[[-0.25, -0.5, -0.5]], [[0.25, 0.25]]]


def test_a_step_at_which_nothing_is_left_to_satisfy_gets_nothing() -> None:
    task = CreditTask((turn("t0", CreditItem("a")),))
    group = [Verdicts([steps(a=[T, F])]), Verdicts([steps(a=[F])])]
    assert advantages(assign(task, group, level="step")) == [[[0.5, 0.0]], [[-0.5]]]


def test_a_step_whose_open_items_weigh_nothing_gets_nothing() -> None:
    task = CreditTask((turn("t0", CreditItem("a", 1), CreditItem("z", 0)),))
    group = [Verdicts([steps(a=[T, T], z=[F, F])]), Verdicts([steps(a=[F], z=[F])])]
    assert advantages(assign(task, group, level="step")) == [[[0.5, 0.0]], [[-0.5]]]


def test_an_unreached_turn_counts_in_b_as_never_flipped() -> None:
    # b_c = 1/3 over all three, whatever the baseline
    for baseline in ("all", "reached"):
        credit = advantages(
            assign(TWO, THREE, level="step", unreached="mask", baseline=baseline, at=["t1"])
        )
        assert credit[0][1] == pytest.approx([2 / 3, 2 / 3])
        assert credit[1][1] == pytest.approx([-1 / 3])


def test_the_task_scopes_step_advantage_is_its_own_and_added() -> None:
    task = CreditTask(
        (turn("t0", CreditItem("a")), turn("t1", CreditItem("b"))), (CreditItem("d"),)
    )
    group = [
        Verdicts([steps(a=[T]), steps(b=[F, F])], steps(d=[F, T, T])),
        Verdicts([steps(a=[F])], steps(d=[F])),
    ]
    # a: b = 1/2. b: nobody, b = 0. d: b = 1/2, open at dialogue steps 0 and 1 of rollout 0.
    assert advantages(assign(task, group, level="step")) == [
        [[0.5 + 0.5], [0.0 + 0.5, 0.0]],
        [[-0.5 - 0.5]],
    ]


# --- errors and small groups ------------------------------------------------------------------


@pytest.mark.parametrize("level", ["trajectory", "turn", "step"])
def test_an_error_masks_its_rollout_and_changes_no_other(level) -> None:
    broken = Verdicts([steps(a=[T, T], b=[T, E])])
    with_error = assign(AB, [GROUP[0], broken, *GROUP[1:]], level=level)
    assert with_error[1] == RolloutCredit(None, [None], [[0.0, 0.0]])
    assert [with_error[0], *with_error[2:]] == assign(AB, GROUP, level=level)


def test_an_error_hides_the_worth_of_its_own_turn_alone() -> None:
    rollout = Verdicts([steps(a=[T], b=[E]), steps(c=[T])])
    assert rewards(TWO, rollout) == (None, [None, 1.0])


def test_an_error_in_a_verdict_that_no_longer_matters_masks_all_the_same() -> None:
    assert rewards(AB, Verdicts([steps(a=[T, E], b=[F, T])])) == (None, [None])


@pytest.mark.parametrize("level", ["trajectory", "turn", "step"])
@pytest.mark.parametrize("scale", ["none", "std"])
def test_a_group_of_one_gets_nothing_and_a_group_of_none_is_empty(level, scale) -> None:
    assert advantages(assign(AB, GROUP[:1], level=level, scale=scale)) == [[[0.0, 0.0]]]
    assert assign(AB, [], level=level, scale=scale) == []


def test_weights_of_any_size_are_shares() -> None:
    for big in (1e-300, 1e308):
        task = CreditTask((turn("t0", CreditItem("a", big), CreditItem("b", big)),))
        group = [Verdicts([steps(a=[T], b=[F])]), Verdicts([steps(a=[F], b=[F])])]
        credit = assign(task, group, level="step", scale="std")
        assert [rollout.reward for rollout in credit] == [0.5, 0.0]
        assert advantages(credit) == [[[0.5]], [[-0.5]]]


# --- what makes no sense ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (CreditTask(()), "the task has no turns"),
        (CreditTask((turn("t"), turn("t"))), "there are two turns named `t`"),
        (CreditTask((turn("dialogue"),)), "a turn is named `dialogue`, as the task scope is"),
        (
            CreditTask((turn("t", CreditItem("a"), CreditItem("a")),)),
            "there are two items in turn `t` named `a`",
        ),
        (CreditTask((turn("t", CreditItem("a", -1.0)),)), "item `t.a` has the weight -1.0"),
        (CreditTask((turn("t", CreditItem("a", math.nan)),)), "item `t.a` has the weight nan"),
        (CreditTask((turn("t", CreditItem("a", 0.0)),)), "the weights of turn `t` are all zero"),
        (
            CreditTask((turn("t", CreditItem("a", penalty=1.5)),)),
            "item `t.a` has the penalty 1.5",
        ),
        (
            CreditTask((turn("t", CreditItem("a", after=("a",))),)),
            "an item waits for itself: `t.a` after `t.a`",
        ),
        (
            CreditTask(
                (turn("t", CreditItem("a", after=("b",)), CreditItem("b", after=("t.a",))),)
            ),
            "an item waits for itself: `t.",
        ),
        (
            CreditTask((turn("t", CreditItem("a", after=("u.b",))), turn("u", CreditItem("b")))),
            "`after` of `t.a` names `u.b`, which is no item of its turn or an earlier one",
        ),
        (
            CreditTask((turn("t", CreditItem("a", after=("d",))),), (CreditItem("d"),)),
            "`after` of `t.a` names `d`, which is no item of its turn or an earlier one",
        ),
        (
            CreditTask(
                (
                    turn("t", CreditItem("a")),
                    turn("u", CreditItem("a")),
                    turn("v", CreditItem("b", after=("a",))),
                )
            ),
            "`after` of `v.b` names `a`, which is ambiguous; write one of `t.a`, `u.a`",
        ),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(task: CreditTask, message: str) -> None:
    with pytest.raises(CreditError) as error:
        assign(task, [], level="turn")
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("rollout", "message"),
    [
        (
            Verdicts([steps(a=[T])]),
            "rollouts[0].turns[0][0]: no verdict on item `b`; give true, false, or null",
        ),
        (
            Verdicts([steps(a=[T], b=[T], bb=[T])]),
            "rollouts[0].turns[0][0]: there is no item `bb`; did you mean `b`?",
        ),
        (
            Verdicts([steps(a=[T], b=[T]), []]),
            "rollouts[0].turns: 2 turns, but the task has 1",
        ),
        (
            Verdicts([steps(a=[T], b=[T])], [{}, {}]),
            "rollouts[0].dialogue: 2 steps, but its turns have 1",
        ),
    ],
)
def test_verdicts_that_do_not_fit_the_task_are_refused(rollout: Verdicts, message: str) -> None:
    with pytest.raises(CreditError) as error:
        assign(AB, [rollout], level="turn")
    assert str(error.value).startswith(message)


def test_assigning_at_an_unknown_turn_is_refused() -> None:
    with pytest.raises(CreditError, match="the task has no turn `dialogue`; there is `t0`"):
        assign(AB, GROUP, level="turn", at=["dialogue"])
    with pytest.raises(CreditError, match="no turn carries reward"):
        assign(AB, GROUP, level="turn", at=[])
