"""The compiled reward is that of the equations: to the last bit, and in exact fractions."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from credit_groups import Group, groups
from credit_oracle import OracleRollout
from hypothesis import given, settings
from hypothesis import strategies as st

from cm2.bundle import Bundle, open_spec
from cm2.score import score
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward import satisfaction
from cm2dsl.reward.card import Scored
from cm2dsl.reward.checklist import Checklist, resolve
from cm2dsl.reward.satisfaction import Held, Unreached, Verdicts
from cm2dsl.reward.worth import compiled

UNREACHED: st.SearchStrategy[Unreached] = st.sampled_from(["zero", "mask"])


# --- checklists -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Since:
    """Since which step an item holds, as a check settles it."""

    step: int | None


@st.composite
def rollouts(draw: st.DrawFn, checklist: Checklist) -> tuple[dict[str, Since], list[int]]:
    """Since when every item holds, if it does, and the steps of each turn that was reached."""
    lengths = draw(st.lists(st.integers(0, 4), max_size=checklist.turns))
    outcomes: dict[str, Since] = {}
    for t, (name, items) in enumerate(zip(checklist.names, checklist.scopes, strict=True)):
        steps = sum(lengths) if t == checklist.turns else sum(lengths[t : t + 1])
        for item in items:
            step = st.none() if not steps else st.none() | st.integers(0, steps - 1)
            outcomes[f"{name}.{item}"] = Since(draw(step))
    return outcomes, lengths


def verdicts(checklist: Checklist, found: Mapping[str, Since], lengths: Sequence[int]) -> Verdicts:
    def held(t: int, steps: int) -> Held:
        name = checklist.names[t]
        return Held(steps, {item: found[f"{name}.{item}"].step for item in checklist.scopes[t]})

    whole = len(checklist.scopes) > checklist.turns
    return Verdicts(
        [held(t, steps) for t, steps in enumerate(lengths)],
        held(checklist.turns, sum(lengths)) if whole else (),
    )


def steps_of(timeline: Any) -> list[dict[str, bool | None]]:
    """The same verdicts, after each step."""
    if not isinstance(timeline, Held):
        return []
    return [
        {item: since is not None and s >= since for item, since in timeline.since.items()}
        for s in range(timeline.steps)
    ]


@settings(deadline=None)
@given(st.data(), groups(errors=False), UNREACHED)
def test_the_compiled_reward_is_that_of_the_equations(
    data: st.DataObject, group: Group, unreached: Unreached
) -> None:
    checklist = resolve(group.task)
    at = data.draw(st.lists(st.sampled_from(range(len(checklist.names))), min_size=1, unique=True))
    scopes = sorted(at)
    outcomes, lengths = data.draw(rollouts(checklist))
    slow = verdicts(checklist, outcomes, lengths)
    reward, turn_rewards = compiled(checklist, scopes, unreached)(outcomes, lengths)

    found = satisfaction.score(checklist, slow, unreached, scopes, "")
    assert (reward, turn_rewards) == (found.reward, found.turn_rewards)

    rollout = OracleRollout([steps_of(turn) for turn in slow.turns], steps_of(slow.dialogue))
    oracle = replace(group.oracle, rollouts=[rollout])
    exact = oracle.reward(0, unreached, scopes)
    assert (reward is None) == (exact is None)
    if exact is not None:
        assert reward == pytest.approx(float(exact), abs=1e-12)


# --- specs and dialogues ----------------------------------------------------------------------

CHECKS = [
    "called search",
    "called book at_least 2 times",
    'reply contains "done"',
    "called search before pay",
    "called search or replied",
]
TOOLS = ["search", "book", "pay"]


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A task of one to three turns, most with items, and perhaps with a task scope."""
    names: list[str] = []
    turns = []
    for t in range(draw(st.integers(1, 3))):
        items = draw(_items(f"t{t}", names, needed=t == 0))
        turns.append(f'turn t{t} {{ user "go" {items} }}')
    scope = draw(_items(DIALOGUE, names, needed=False)) if draw(st.booleans()) else ""
    body = " ".join([*turns, scope])
    at = draw(st.sampled_from(["all", "t0"]))
    assign = f"assign {{ at {at} unreached {draw(UNREACHED)} }}"
    return f'cm2 1 domain d tools "tools.json" {assign} task t {{ {body} }}'


@st.composite
def _items(draw: st.DrawFn, scope: str, names: list[str], needed: bool) -> str:
    """Items that wait for items before them."""
    written = []
    for number in range(draw(st.integers(needed, 4))):
        kind = draw(st.sampled_from(["item", "item", "never", "always", "at_end"]))
        own = f"i{len(names)}"
        after = draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
        roles = [f"weight {draw(st.integers(number == 0, 4))}"]
        roles += [f"after {', '.join(after)}"] if after else []
        roles += ["strict"] if scope != DIALOGUE and draw(st.integers(0, 3)) == 0 else []
        roles += [draw(st.sampled_from(["", "", "", "veto", "penalty 0.25", "penalty 1"]))]
        check = draw(st.sampled_from(CHECKS))
        written.append(f"{kind} {own} {' '.join(roles)} {{ check {check} }}")
        names.append(f"{scope}.{own}")
    return " ".join(written)


@st.composite
def dialogues(draw: st.DrawFn) -> Trajectory:
    def step() -> Step:
        tools = draw(st.lists(st.sampled_from(TOOLS), max_size=2))
        calls = tuple(Call(str(i), tool, {}, "{}", "{}") for i, tool in enumerate(tools))
        return Step(reply=draw(st.sampled_from(["", "done", "no"])), calls=calls)

    turns = [
        Turn("go", tuple(step() for _ in range(draw(st.integers(0, 3)))))
        for _ in range(draw(st.integers(0, 4)))
    ]
    return Trajectory("d", "t", tuple(turns))


def opened(text: str, folder: Path) -> Bundle:
    schemas = [{"name": tool, "parameters": {"type": "object"}} for tool in TOOLS]
    (folder / "tools.json").write_text(json.dumps(schemas))
    (folder / "spec.cm2").write_text(text)
    return open_spec(folder / "spec.cm2")


def slowly(scored: Scored) -> tuple[float | None, list[float | None]]:
    checklist = resolve(scored.task)
    unreached = scored.instance.task.assign.unreached
    scopes = checklist.select(scored.at)
    found = satisfaction.score(checklist, scored.verdicts, unreached, scopes, "")
    return found.reward, found.turn_rewards


@settings(max_examples=40, deadline=None)
@given(specs(), st.lists(dialogues(), min_size=1, max_size=8))
def test_every_dialogue_of_every_spec_is_worth_what_its_verdicts_are(
    text: str, drawn: list[Trajectory]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bundle = opened(text, Path(folder))
        for trajectory in drawn:
            scored = score(bundle, trajectory)
            assert scored.plan.worth is not None
            assert (scored.reward, scored.turn_rewards) == slowly(scored)


def test_with_a_simulated_user_the_dialogue_has_as_many_turns_as_it_took(tmp_path: Path) -> None:
    text = """cm2 1 domain d tools "tools.json" task t {
      user simulated "You want to book."
      item searches weight 3 { check called search }
      item books after searches weight 1 penalty 0.25 { check called book }
    }"""
    bundle = opened(text, tmp_path)
    search, book = (Step(calls=(Call("1", tool, {}, "{}", "{}"),)) for tool in ("search", "book"))
    for turns, reward in [
        ((), 0.0),
        ((Turn("a", (search,)),), 0.5),
        ((Turn("a", (search,)), Turn("b", ()), Turn("c", (book,))), 1.0),
        ((Turn("a", (book,)), Turn("b", (search,))), 0.75),
    ]:
        scored = score(bundle, Trajectory("d", "t", turns))
        assert scored.reward == reward
        assert (scored.reward, scored.turn_rewards) == slowly(scored)
