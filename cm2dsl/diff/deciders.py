"""Who decides an item, and how: two items with equal deciders have equal verdicts everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.diff.filled import filled
from cm2dsl.diff.meaning import Meaning, Negated, form, meaning
from cm2dsl.diff.questions import atoms, tree_of, words

Sameness = Literal["same", "asked otherwise", "other"]


@dataclass(frozen=True, slots=True)
class Decider:
    """`kind` and `check` as code decides; `prompt` what a judge is told, None where none is asked.

    `never c` is `always not c`: both are broken by the first step at which c is true. `said` is a
    check of this meaning, by which it is known what it implies.
    """

    kind: str
    check: Meaning | None
    prompt: tuple[str, ...] | None
    said: ir.Check | None = field(default=None, compare=False, repr=False)

    @property
    def closed(self) -> bool:
        """Whether it can hold from the last step alone."""
        return self.kind != "item"

    @property
    def kept(self) -> bool:
        """Whether it holds unless something happens."""
        return self.kind in ("always", "never")

    @property
    def late(self) -> bool:
        """Whether it is decided when its scope has ended: a judge looks at the whole of it."""
        return self.closed or self.prompt is not None


def decider(item: ir.Item, row: ir.Row | None) -> Decider:
    """The item's decider. Without a row, values of the row stand for themselves."""
    judged = item.ask is not None
    kind: str = item.kind
    check = said = None
    if item.expr is not None:
        tree, said = tree_of(item.expr, row), filled(item.expr, row)
        if kind == "never" and not judged:
            kind, tree, said = "always", Negated(tree), ir.Not(of=said)
        check = meaning(tree, judged)
    return Decider(kind, check, prompt(item, row), said)


def prompt(item: ir.Item, row: ir.Row | None) -> tuple[str, ...] | None:
    """What reaches the judge of an item: kind, focus, question, what passes and what fails."""
    if item.ask is None:
        return None
    passes = [f"pass {words(text, row)}" for text in item.passes]
    fails = [f"fail {words(text, row)}" for text in item.fails]
    return (item.kind, f"focus {item.focus}", f"ask {words(item.ask, row)}", *passes, *fails)


def sameness(before: Decider, after: Decider) -> Sameness:
    """How two deciders compare: a judge that is asked otherwise is still the one who decides."""
    if before == after:
        return "same"
    asked = before.prompt is not None and after.prompt is not None
    if asked and before.check == after.check and before.kind == after.kind:
        return "asked otherwise"
    return "other"


def difference(before: ir.Item, after: ir.Item, row: ir.Row | None) -> list[str]:
    """What is another in the decider of an item, in lines for people."""
    found: list[str] = []
    if before.kind != after.kind:
        found.append(f"kind {before.kind} → {after.kind}")
    if as_written(before) != as_written(after):
        before, after = as_written(before), as_written(after)
    old = atoms(before.expr, row) if before.expr is not None else {}
    new = atoms(after.expr, row) if after.expr is not None else {}
    if before.expr is not None and after.expr is not None:
        found += [f"check no longer asks: {said}" for one, said in old.items() if one not in new]
        found += [f"check now asks: {said}" for one, said in new.items() if one not in old]
        if old.keys() == new.keys() and decider(before, row).check != decider(after, row).check:
            shown = form(tree_of(before.expr, row)), form(tree_of(after.expr, row))
            found.append(f"check {shown[0]} → {shown[1]}")
    elif before.expr is not None:
        found.append("check taken away: a judge alone decides")
    elif after.expr is not None:
        found.append(f"check added: {form(tree_of(after.expr, row))}")
    return found + asked_otherwise(before, after, row)


def as_written(item: ir.Item) -> ir.Item:
    """The item with cells as they are written in the spec, and not as its tools take them."""
    if item.expr is None:
        return item
    plain = _as_written(msgspec.to_builtins(item.expr))
    return replace(item, expr=msgspec.convert(plain, ir.Check))


def _as_written(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _as_written(each) for key, each in node.items() if key != "as_text"}
    return [_as_written(each) for each in node] if isinstance(node, list | tuple) else node


def asked_otherwise(before: ir.Item, after: ir.Item, row: ir.Row | None) -> list[str]:
    """What is another in what the judge is told of an item, in lines for people."""
    old, new = prompt(before, row), prompt(after, row)
    if old is None or new is None:
        if old is not None:
            return ["ask taken away: the check alone decides"]
        return ["ask added: a judge decides where the check leaves it open"] if new else []
    gone = [f"− {one}" for one in old[1:] if one not in new[1:]]
    return gone + [f"+ {one}" for one in new[1:] if one not in old[1:]]
