"""Dialogues at hand, scored with both versions: recordings, and the fixtures of tests."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cm2dsl import ir
from cm2dsl.chat import from_chat
from cm2dsl.compiler import Compiled
from cm2dsl.diff.table import CLOSE
from cm2dsl.emit.reward import emit_reward
from cm2dsl.ir import DIALOGUE
from cm2dsl.jsonl import lines, parse
from cm2dsl.reward.card import score_facts
from cm2dsl.reward.decide import settle
from cm2dsl.reward.instance import Check, Instance, load_checks
from cm2dsl.reward.plan import plan_for, unjudged
from cm2dsl.scope import Facts, Scope, facts_of


@dataclass(frozen=True, slots=True)
class AtHand:
    """A dialogue that a version of the spec has: `place` is file and line."""

    place: str
    row: str | None
    text: bytes
    facts: Facts


class Version:
    """A compiled spec whose checks can be asked."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.checks: Mapping[str, Check] = load_checks(emit_reward(compiled.spec), "reward.py")

    def dialogues(self, task: ir.Task) -> Iterator[AtHand]:
        """The recordings of a task, then the fixtures of its tests."""
        rows = {row.key for row in task.rows or ()}
        if task.reference is not None:
            for place, name, text, facts in self._read(task.reference):
                named, _, key = name.partition("/")
                if named in ("", task.name) and (task.rows is None or key in rows):
                    yield AtHand(place, key if task.rows is not None else None, text, facts)
        for test in self.compiled.spec.tests:
            if test.task == task.name:
                for place, _, text, facts in self._read(test.trajectory):
                    yield AtHand(place, test.row, text, facts)

    def _read(self, file: str) -> Iterator[tuple[str, str, bytes, Facts]]:
        for number, line in lines(io.BytesIO(self.compiled.read[file])):
            dialogue = from_chat(parse(line), file=file, line=number)
            yield f"{file}:{number}", dialogue.task, line, facts_of(dialogue)

    def verdict(self, task: ir.Task, scope: str, item: ir.Item, at_hand: AtHand) -> str:
        """What the item's check says of a dialogue, in words."""
        turns = [turn.name for turn in task.turns]
        if scope == DIALOGUE:
            part = Scope(at_hand.facts)
        elif turns.index(scope) < len(at_hand.facts.lengths):
            part = Scope(at_hand.facts, turn=turns.index(scope))
        else:
            return "not reached"
        if item.check is None:
            return "left to the judge"
        row = row_of(task, at_hand.row)
        settled = settle(item.kind, self.checks[item.check], part, row)
        if settled is None:
            return "left to the judge"
        return f"holds since step {settled.step}" if settled.holds else "does not hold"

    def reward(self, task: ir.Task, at_hand: AtHand) -> float | None:
        """What the dialogue earns without a judge: None where that cannot be said."""
        instance = Instance(task.name, task, row_of(task, at_hand.row))
        return score_facts(plan_for(instance, self.checks, judged=False), at_hand.facts).reward


def row_of(task: ir.Task, key: str | None) -> ir.Row | None:
    return next((row for row in task.rows or () if row.key == key), None)


Changed = tuple[str, ir.Item, str, ir.Item]
"""Scope and item before, scope and item after."""


def tell_apart(
    versions: tuple[Version, Version], tasks: tuple[ir.Task, ir.Task], changed: Sequence[Changed]
) -> tuple[dict[int, str], int]:
    """For changed items, by place in the list: the first dialogue at hand of which the checks say
    something else, in words; and one that earns something else before one that does not. Also how
    many dialogues there were.
    """
    found: dict[int, str] = {}
    earning: set[int] = set()
    seen: dict[tuple[str | None, bytes], AtHand] = {}
    for version, task in zip(versions, tasks, strict=True):
        for at_hand in version.dialogues(task):
            seen.setdefault((at_hand.row, at_hand.text), at_hand)
    for at_hand in seen.values():
        if tasks[0].rows is not None and (
            row_of(tasks[0], at_hand.row) is None or row_of(tasks[1], at_hand.row) is None
        ):
            continue
        for number, (scope, item, new_scope, new_item) in enumerate(changed):
            if number in earning:
                continue
            old = versions[0].verdict(tasks[0], scope, item, at_hand)
            new = versions[1].verdict(tasks[1], new_scope, new_item, at_hand)
            if old == new:
                continue
            earned, otherwise = _earned(versions, tasks, at_hand)
            if otherwise:
                earning.add(number)
            if otherwise or number not in found:
                found[number] = f"{at_hand.place}{earned}: {old} → {new}"
    return found, len(seen)


def _earned(
    versions: tuple[Version, Version], tasks: tuple[ir.Task, ir.Task], at_hand: AtHand
) -> tuple[str, bool]:
    """What the dialogue earns in both versions, in words, and whether that is not the same."""
    old, new = (
        version.reward(task, at_hand) for version, task in zip(versions, tasks, strict=True)
    )
    if old is None or new is None:
        return "", False
    judged = any(map(unjudged, tasks))
    how = " as scored without a judge" if judged else ""
    if abs(old - new) <= CLOSE:
        return f", which earns {old:.4g} in both{how}", False
    return f", which earns {old:.4g} → {new:.4g}{how}", True
