"""Why an expectation failed, for people: who decided, the parts of the check, the dialogue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from cm2dsl import ir, nodes
from cm2dsl.report.words import counted
from cm2dsl.reward.decide import Settled
from cm2dsl.scope import Scope
from cm2dsl.testing.columns import shortened
from cm2dsl.testing.decisive import decisive
from cm2dsl.testing.excerpt import excerpt, step_name, step_of
from cm2dsl.testing.parts import Part, Parts
from cm2dsl.testing.play import Played
from cm2dsl.testing.run import Complaint, Ran
from cm2dsl.testing.standing import standing
from cm2dsl.testing.subject import Written
from cm2dsl.walk import walk

TRUTH = {True: "true ", False: "false", None: "open "}
LONGEST = 100
"""Characters of a value that are shown."""


def explain(complaint: Complaint, ran: Ran, parts: Parts) -> list[str]:
    """What there is to say of an expectation that failed or cannot be decided, a line each."""
    played = ran.played
    if played is None:
        return []
    match complaint.wanted:
        case ir.ItemExpectation(item=name):
            return _item(name, ran, played, parts)
        case ir.RewardExpectation():
            return [*standing(played, ran.task), "", *excerpt(ran.dialogue)]
    checked = [name for name in complaint.open if name in parts.of(ran.task)]
    stories = [_item(name, ran, played, parts) for name in checked]
    return [line for story in stories for line in ("", *story)][1:]


def _item(name: str, ran: Ran, played: Played, parts: Parts) -> list[str]:
    task, one = ran.task, ran.task.items[name]
    scope_name = name.partition(".")[0]
    turns = [turn.name for turn in task.task.turns]
    outcome = played.scored.outcomes[name]
    if not isinstance(outcome, Settled) and outcome.by == "gate":
        return [_unreached(scope_name, turns, played), "", *excerpt(ran.dialogue)]
    scope = played.scope(turns.index(scope_name) if scope_name in turns else None)
    check = parts.of(task).get(name)
    step = decisive(outcome, check, scope, ran.row) if check is not None else scope.steps - 1
    at = step_of(scope_name, turns, played.facts, step) if step is not None and step >= 0 else None
    if at is None:
        return ["the agent took no step, so nothing holds", "", *excerpt(ran.dialogue)]
    lines = [_decided(one, outcome, step_name(at))] if isinstance(outcome, Settled) else []
    if not isinstance(outcome, Settled):
        lines += _judged(name, ran, step_name(at) if check is not None else None)
    if check is None:
        return [*lines, "", *excerpt(ran.dialogue, at)]
    assert step is not None
    lines += _parts(check, one, ran, scope, step)
    matched = _evidence([check], ran, scope, step)
    near = _evidence([each for atom in check.atoms() for each in atom.alone], ran, scope, step)
    return [*lines, "", *excerpt(ran.dialogue, at, matched, near)]


def _evidence(parts: Iterable[Part], ran: Ran, scope: Scope, step: int) -> list[str]:
    """The segments that match some parts of a check, up to and with a step."""
    scope.found = []
    for part in parts:
        part.function(scope, ran.row)
    return scope.evidence(scope.found, step)


def _parts(check: Part, one: Written, ran: Ran, scope: Scope, step: int) -> Iterator[str]:
    """What each part of a check is after a step, and what the names in it stand for."""
    for part, depth in _deep(check):
        truth = part.after(scope, ran.row, step)
        indented = "  " * depth
        yield f"  {TRUTH[truth]}  {indented}{_said(part)}"
        for each in part.alone if truth is False else ():
            found = TRUTH[each.after(scope, ran.row, step)]
            yield f"         {indented}{found}  of some call: {each.text}"
        for value in _values(part, one, ran):
            yield f"         {indented}{value}"


def _decided(one: Written, outcome: Settled, step: str) -> str:
    """What the check said, and when."""
    match one.item.kind, outcome.holds:
        case "item", True:
            return f"its check is true at {step}:"
        case "item", False:
            return f"its check is true at no step; at the last, {step}:"
        case "always", True:
            return f"its check is true at every step; at the last, {step}:"
        case "always", False:
            return f"its check is false at {step}:"
        case "never", True:
            return f"its check is true at no step; at the last, {step}:"
        case "never", False:
            return f"its check is true at {step}, and must never be:"
        case _, True:
            return f"its check is true at the last step, {step}:"
        case _:
            return f"its check is false at the last step, {step}:"


def _judged(name: str, ran: Ran, step: str | None) -> list[str]:
    """What the test says in the judge's place; `step` is where the check leaves the item open."""
    said = [f"`judged` in line {s.line}" for one, s in ran.test.judged if one.item == name]
    if not said:
        return [f"the check of `{name}` leaves it open at {step}:"]
    open_ = f", where its check leaves it open at {step}:" if step else ""
    return [f"the test says so itself, with {said[0]}{open_}"]


def _unreached(scope: str, turns: list[str], played: Played) -> str:
    closed = played.closed
    if closed is None or turns.index(scope) <= closed:
        turns_ = counted(played.card.reached, "turn")
        return f"turn `{scope}` was not reached: the dialogue has {turns_}"
    turn = played.card.plan.instance.task.turns[closed]
    failed = [
        f"`{turn.name}.{item.name}`"
        for item in turn.items
        if item.strict and played.scored.decisions[f"{turn.name}.{item.name}"].step is None
    ]
    strict = f"{', '.join(failed)} {'is' if len(failed) == 1 else 'are'} strict and"
    return f"turn `{scope}` was not reached: {strict} not satisfied, so `{turn.name}` is the last"


def _deep(part: Part, depth: int = 0) -> Iterator[tuple[Part, int]]:
    yield part, depth
    for inner in part.of:
        yield from _deep(inner, depth + 1)


def _said(part: Part) -> str:
    match part.node:
        case nodes.AllOf():
            return "and"
        case nodes.AnyOf():
            return "or"
        case nodes.Negate():
            return "not"
    return part.text


def _values(part: Part, one: Written, ran: Ran) -> Iterator[str]:
    """What the names in an atom stand for: the template's parameters, and the row's values."""
    if part.of:
        return
    for name, given in one.given.items():
        if name in _names(part.node):
            yield f"{name} is {shortened(given, LONGEST)}"
    for ref in dict.fromkeys(walk(part.check, ir.RowRef)):
        path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in ref.path)
        value = shortened(_quoted(ir.look_up(ref, ran.row)), LONGEST)
        yield f"{ran.task.row}{path} is {value}"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _names(node: object) -> set[str]:
    """The names that a part of a check mentions."""
    names = {name.text for name in walk(node, nodes.Name)}
    return names | {str(one.path[0]) for one in walk(node, nodes.Reference)}
