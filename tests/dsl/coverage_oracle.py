"""What a test covers, once more: as slowly and obviously as possible.

A dialogue is scored step by step with tests/dsl/interpreter.py and the equations of docs/credit.md,
and whether a test would notice is found out by scoring the dialogue again in which just that is
otherwise. It shares no code with cm2dsl.reward and cm2dsl.testing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from interpreter import holds

from cm2dsl import ir
from cm2dsl.trajectory import Trajectory, Turn

NEVER = 10**9


@dataclass(frozen=True)
class Outcome:
    """`since`: the step of the scope from which it holds; None is never. `at`: the step at which
    the check decided, or the last at which it was open.
    """

    verdict: str
    since: int | None
    at: int | None = None
    open: bool = False
    """Nobody decided it."""

    gate: bool = False


@dataclass
class Score:
    outcomes: dict[str, Outcome]
    reached: int
    goes_on: bool
    reward: float | None = None
    satisfied: dict[str, int] = field(default_factory=dict)
    """The step of the dialogue at which an item is satisfied."""

    starts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A test: the task, the row, the dialogue, and what the judge says."""

    task: ir.Task
    row: ir.Row | None
    dialogue: Trajectory
    judged: Mapping[str, str]
    expect: tuple[Any, ...]


def scopes(task: ir.Task) -> list[tuple[str, tuple[ir.Item, ...]]]:
    found = [(turn.name, turn.items) for turn in task.turns]
    return [*found, ("dialogue", task.items)] if task.items else found


def score(
    case: Case,
    forced: Mapping[str, Outcome] | None = None,
    ends: int = NEVER,
    missing: str = "error",
) -> Score:
    """The dialogue's outcomes and reward; `forced` are outcomes taken as they are given."""
    task, turns = case.task, list(case.dialogue.turns)
    count = min(len(turns), ends)
    outcomes: dict[str, Outcome] = {}
    reached = 0
    for number, turn in enumerate(task.turns):
        open_ = number == 0 or (
            reached == number
            and all(
                outcomes[f"{task.turns[number - 1].name}.{item.name}"].verdict in ("pass", "error")
                for item in task.turns[number - 1].items
                if item.strict
            )
        )
        if open_ and number < count:
            reached = number + 1
        for item in turn.items:
            name = f"{turn.name}.{item.name}"
            if reached == number + 1:
                outcomes[name] = _decide(name, item, turns[number], case, missing)
                if forced and name in forced:
                    outcomes[name] = forced[name]
            else:
                outcomes[name] = Outcome("fail", None, gate=True)
    if not task.turns:
        reached = len(turns)
    whole = _joined(turns[:reached])
    for item in task.items:
        name = f"dialogue.{item.name}"
        outcomes[name] = _decide(name, item, whole, case, missing)
        if forced and name in forced:
            outcomes[name] = forced[name]
    found = Score(outcomes, reached, reached < min(count, len(task.turns)))
    _reward(case, turns[:reached], found)
    return found


def _joined(turns: list[Turn]) -> Turn:
    steps = tuple(step for turn in turns for step in turn.steps)
    return Turn("", steps, tuple(act for turn in turns for act in turn.acts))


def values(check: ir.Check, turn: Turn, row: ir.Row | None, judged: bool) -> list[bool | None]:
    """What a check is after each step."""
    return [
        holds(check, replace(turn, steps=turn.steps[: step + 1]), row, judged)
        for step in range(len(turn.steps))
    ]


def _decide(name: str, item: ir.Item, turn: Turn, case: Case, missing: str) -> Outcome:
    last = len(turn.steps) - 1
    at: int | None = None
    if item.expr is not None:
        if last < 0:
            return Outcome("fail", None)
        found = values(item.expr, turn, case.row, item.ask is not None)
        if item.kind == "item":
            if True in found:
                return Outcome("pass", found.index(True), found.index(True))
            if None not in found:
                return Outcome("fail", None, last)
        elif item.kind == "at_end":
            if found[last] is not None:
                return Outcome(*(("pass", last) if found[last] else ("fail", None)), last)
        else:
            bad = item.kind == "never"
            if bad in found:
                return Outcome("fail", None, found.index(bad))
            if None not in found:
                return Outcome("pass", last, last)
        at = max(step for step, value in enumerate(found) if value is None)
    if last < 0:
        return Outcome("insufficient", None)
    verdict = case.judged.get(name)
    said = verdict or missing
    since = last if said == "pass" else None
    return Outcome(said, since, at, open=verdict is None and missing == "error")


def _reward(case: Case, turns: list[Turn], found: Score) -> None:
    task = case.task
    lengths = [len(turn.steps) for turn in turns]
    whole = sum(lengths)
    spans: dict[str, range] = {}
    for number, (scope, _) in enumerate(scopes(task)):
        if scope == "dialogue":
            spans[scope] = range(whole)
        elif number < len(turns):
            start = sum(lengths[:number])
            spans[scope] = range(start, start + lengths[number])
    items = {f"{scope}.{one.name}": one for scope, inside in scopes(task) for one in inside}
    found.starts = {name: spans[_scope(name)].start for name in items if _scope(name) in spans}
    for step in range(whole):
        now = set()
        for name, item in items.items():
            span = spans.get(_scope(name), range(0))
            since = found.outcomes[name].since
            if name in found.satisfied or step not in span or since is None:
                continue
            ready = all(other in found.satisfied for other in item.after)
            if ready and step >= span.start + since:
                now.add(name)
        found.satisfied |= dict.fromkeys(now, step)
    worths: list[float] = []
    for scope, inside in scopes(task):
        if scope not in spans:
            worths += [0.0] if task.assign.unreached == "zero" else []
            continue
        worth = sum(one.weight for one in inside if f"{scope}.{one.name}" in found.satisfied)
        worth /= sum(one.weight for one in inside)
        for one in inside:
            if found.outcomes[f"{scope}.{one.name}"].since is None:
                worth = 0.0 if one.veto else worth - one.penalty
        if any(one.veto and found.outcomes[f"{scope}.{one.name}"].since is None for one in inside):
            worth = 0.0
        worths.append(max(0.0, worth))
    errors = [name for name, one in found.outcomes.items() if one.verdict == "error"]
    if worths and not errors:
        found.reward = sum(worths) / len(worths)


def _scope(name: str) -> str:
    return name.split(".")[0]


def passes(case: Case, found: Score) -> bool:
    """Whether everything is as expected."""
    return all(_is_so(one, found) for one in case.expect)


def _is_so(wanted: Any, found: Score) -> bool:
    if isinstance(wanted, ir.ItemExpectation):
        return found.outcomes[wanted.item].verdict == wanted.verdict
    if found.reward is None:
        return False
    off = found.reward - wanted.value
    near = abs(off) < 1e-9
    return {
        "==": near,
        "!=": not near,
        "<": off < 0 and not near,
        "<=": off < 0 or near,
        ">": off > 0 and not near,
        ">=": off > 0 or near,
    }[wanted.op]


# --- coverage -------------------------------------------------------------------------------------


def covered(case: Case) -> set[tuple[str, str, int, str]]:
    """(kind, name, number, outcome) of what a test that passes would notice."""
    found = score(case)
    if not passes(case, found):
        return set()
    return {
        *_items(case, found),
        *_edges(case, found),
        *_gates(case, found),
    }


def _notices(case: Case, **otherwise: Any) -> bool:
    return not passes(case, score(case, missing="fail", **otherwise))


def _items(case: Case, found: Score) -> Iterator[tuple[str, str, int, str]]:
    turns = {turn.name: n for n, turn in enumerate(case.task.turns)}
    for scope, inside in scopes(case.task):
        if scope in turns and turns[scope] >= found.reached:
            continue
        seen = list(case.dialogue.turns[: found.reached])
        turn = seen[turns[scope]] if scope in turns else _joined(seen)
        last = len(turn.steps) - 1
        for item in inside:
            name = f"{scope}.{item.name}"
            outcome = found.outcomes[name]
            if outcome.verdict == "error":
                continue
            came = "pass" if outcome.verdict == "pass" else "fail"
            other = Outcome("pass", last if last >= 0 else None)
            if came == "pass":
                other = Outcome("fail", None)
            if not _notices(case, forced={name: other}):
                continue
            yield "item", name, 0, came
            if item.expr is not None and outcome.at is not None:
                for number, atom in enumerate(_atoms(item.expr)):
                    value = values(atom, turn, case.row, item.ask is not None)[outcome.at]
                    words = {True: "true", False: "false", None: "undecided"}
                    yield "check", name, number, words[value]


def _atoms(check: Any) -> list[Any]:
    if isinstance(check, ir.And | ir.Or):
        return [atom for part in check.of for atom in _atoms(part)]
    return _atoms(check.of) if isinstance(check, ir.Not) else [check]


def _edges(case: Case, found: Score) -> Iterator[tuple[str, str, int, str]]:
    for scope, inside in scopes(case.task):
        for item in inside:
            name = f"{scope}.{item.name}"
            outcome = found.outcomes[name]
            if outcome.since is None:
                continue
            for number, awaited in enumerate(item.after):
                if _gate_sees_to(case.task, scope, awaited):
                    continue
                if name in found.satisfied:
                    late = Outcome("pass", NEVER)
                    if _notices(case, forced={name: late}):
                        yield "edge", name, number, "satisfied"
                if _notices(replace(case, task=_without_edge(case.task, scope, item, number))):
                    yield "edge", name, number, "waits"


def _gate_sees_to(task: ir.Task, scope: str, awaited: str) -> bool:
    """Whether an earlier turn than this one ends the dialogue unless the item is satisfied."""
    for turn in task.turns:
        if turn.name == scope:
            return False
        if awaited in [f"{turn.name}.{item.name}" for item in turn.items if item.strict]:
            return scope in [one.name for one in task.turns]
    return False


def _without_edge(task: ir.Task, scope: str, item: ir.Item, number: int) -> ir.Task:
    after = tuple(other for n, other in enumerate(item.after) if n != number)
    return _changed(
        task, lambda where, one: {"after": after} if (where, one) == (scope, item) else {}
    )


def _gates(case: Case, found: Score) -> Iterator[tuple[str, str, int, str]]:
    for number, turn in enumerate(case.task.turns[:-1]):
        if not any(item.strict for item in turn.items):
            continue
        if found.reached > number + 1:
            if _notices(case, ends=number + 1):
                yield "gate", turn.name, 0, "open"
        elif found.goes_on and found.reached == number + 1:
            task = _changed(
                case.task,
                lambda where, one, name=turn.name: {"strict": False} if where == name else {},
            )
            if _notices(replace(case, task=task)):
                yield "gate", turn.name, 0, "closed"


def _changed(task: ir.Task, change: Any) -> ir.Task:
    """The task with some fields of some items changed."""
    from msgspec.structs import replace as altered

    def mended(scope: str, items: tuple[ir.Item, ...]) -> tuple[ir.Item, ...]:
        return tuple(altered(item, **change(scope, item)) for item in items)

    turns = tuple(altered(turn, items=mended(turn.name, turn.items)) for turn in task.turns)
    return altered(task, turns=turns, items=mended("dialogue", task.items))
