"""Verdicts and rewards of dialogues: of a judge that is asked now, and of rows written before.

Rows are what `cm2 score` writes with --json or -o. With --evidence they say which items a judge
decided; without it, every item that has an `ask` may be one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2.bundle import Bundle
from cm2.judge.judge import BY, Judge
from cm2.score import ScoreError, find_instance, score_judged
from cm2.trajectory import Trajectory
from cm2dsl.fields import shown
from cm2dsl.ir import DIALOGUE
from cm2dsl.jsonl import JsonError, lines, parse
from cm2dsl.reward.verdict import Verdict

VERDICTS = tuple(verdict.value for verdict in Verdict)

Key = tuple[str, str]
"""A dialogue: (instance, id)."""


class RowError(Exception):
    """A row that cannot be compared: where, what is wrong (`message`), what to do (`help`)."""

    def __init__(self, place: str, message: str, help: str) -> None:
        super().__init__(f"{place}: {message}; {help}")
        self.place = place
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Row:
    """One dialogue as it was scored.

    `verdicts` are those on items with an `ask`, by full name with the task's; `judged` are the
    names of those that the judge gave, None where that is not known. `rating` is the score that
    the judge gave to the whole dialogue, where it gives one.
    """

    reward: float | None
    verdicts: Mapping[str, str]
    judged: frozenset[str] | None
    rating: float | None = None


Rows = Mapping[Key, Row]


async def score_rows(bundle: Bundle, dialogues: Sequence[Trajectory], judge: Judge) -> Rows:
    """What a judge makes of dialogues.

    Raises RowError where two of one task have one id, and EngineError.
    """
    found: dict[Key, Row] = {}
    for one, scored in zip(dialogues, await score_judged(bundle, dialogues, judge), strict=True):
        instance = scored.plan.instance
        asked = _asked(bundle, instance.task.name)
        decisions = {f"{instance.task.name}.{n}": each for n, each in scored.decisions.items()}
        kept = {name: each for name, each in decisions.items() if name in asked}
        verdicts = {name: each.verdict.value for name, each in kept.items()}
        judged = frozenset(name for name, each in kept.items() if each.by == BY)
        row = Row(scored.reward, verdicts, judged, judge.ratings.get((one.task, one.id)))
        _add(found, (instance.id, one.id), row, "the dialogues")
    return found


def read_rows(bundle: Bundle, path: Path) -> Rows:
    """The rows of a file. Raises RowError at the first that is none of this spec's, and OSError."""
    found: dict[Key, Row] = {}
    with path.open("rb") as file:
        for number, line in lines(file):
            place = f"{path}:{number}"
            try:
                value = parse(line)
            except JsonError as error:
                raise RowError(place, error.message, error.help) from None
            key, row = _row(bundle, place, value)
            _add(found, key, row, place)
    if not found:
        raise RowError(str(path), "there is no row", "write some with `cm2 score --judge … -o`")
    return found


def _row(bundle: Bundle, place: str, value: Any) -> tuple[Key, Row]:
    """A row, checked against the spec."""
    if not isinstance(value, dict) or not isinstance(value.get("items"), dict):
        help = "expected a row that `cm2 score` wrote, or a judge's TOML file"
        raise RowError(place, f"found {shown(value)}", help)
    try:
        instance = find_instance(bundle, str(value.get("task") or ""))
    except ScoreError as error:
        raise RowError(place, error.message, error.help) from None
    reward = value.get("reward")
    if isinstance(reward, bool) or not isinstance(reward, int | float | None):
        raise RowError(place, f"`reward` is {shown(reward)}", "expected a number, or null")
    task = instance.task.name
    asked = _asked(bundle, task)
    verdicts: dict[str, str] = {}
    judged = value.get("judged")
    by: set[str] | None = {f"{task}.{name}" for name in judged} if judged is not None else None
    for name, said in value["items"].items():
        full = f"{task}.{name}"
        if isinstance(said, dict):  # a rollout of a training run
            by = by or set()
            by |= {full} if said.get("by") == BY else set()
            said = said.get("verdict")
        if said not in VERDICTS:
            raise RowError(place, f"`{name}` is {shown(said)}", f"expected {_LIST}")
        if full in asked:
            verdicts[full] = said
    known = None if by is None else frozenset(by & asked)
    return (instance.id, str(value.get("id", ""))), Row(reward, verdicts, known)


_LIST = ", ".join(VERDICTS)


def _add(found: dict[Key, Row], key: Key, row: Row, place: str) -> None:
    if key in found:
        message = f"two dialogues of `{key[0]}` have the id `{key[1]}`"
        raise RowError(place, message, "give each an id of its own")
    found[key] = row


def _asked(bundle: Bundle, task: str) -> frozenset[str]:
    """The items of a task that a judge may have to decide, by full name with the task's."""
    one = next(each for each in bundle.spec.tasks if each.name == task)
    scopes = [*((turn.name, turn.items) for turn in one.turns), (DIALOGUE, one.items)]
    return frozenset(
        f"{task}.{scope}.{item.name}"
        for scope, items in scopes
        for item in items
        if item.ask is not None
    )
