"""The items of two versions of a scope: matched, and what changed in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.diff.deciders import decider
from cm2dsl.diff.match import Matched, match
from cm2dsl.diff.meaning import form
from cm2dsl.diff.questions import tree_of, words
from cm2dsl.diff.report import Impact, Note

NOWHERE = ir.Place(file="", line=1, column=1)


def match_items(before: Sequence[ir.Item], after: Sequence[ir.Item]) -> Matched[ir.Item]:
    """Which items are one: by name, by all but the name, by who decides them, or by likeness."""
    return match(
        before,
        after,
        lambda item: item.name,
        (lambda item: bare(replace(item, name="")), lambda item: decider(item, None)),
        described,
    )


def bare(item: ir.Item) -> ir.Item:
    """The item without what has no bearing on any verdict or weight: places and anchors."""
    return replace(item, place=NOWHERE, check=None, anchors=())


def described(item: ir.Item) -> str:
    """All that an item says, for likeness."""
    said = [item.ask, *item.passes, *item.fails]
    check = form(tree_of(item.expr, None)) if item.expr is not None else ""
    return " ".join([item.kind, check, *(words(text, None) for text in said if text is not None)])


def role_notes(
    place: str, before: ir.Item, after: ir.Item, names: dict[str, str]
) -> Iterator[Note]:
    """What changed in an item's roles; `names` has what items of A are called in B."""
    old = [names.get(name, name) for name in before.after]
    gone = [name for name in old if name not in after.after]
    come = [name for name in after.after if name not in old]
    for word, others in (("no longer after", gone), ("now after", come)):
        if others:
            shown = [name.removeprefix(f"{place.partition('.')[0]}.") for name in others]
            yield _role(place, f"{word} {', '.join(shown)}")
    for word in ("strict", "veto"):
        if getattr(before, word) != getattr(after, word):
            yield _role(place, f"{word} {'added' if getattr(after, word) else 'taken away'}")
    if before.penalty != after.penalty:
        shown = [f"{each.penalty:g}" if each.penalty else "none" for each in (before, after)]
        yield _role(place, f"penalty {shown[0]} → {shown[1]}")


def _role(place: str, text: str) -> Note:
    return Note("reward", place, text, Impact.NONE)


def share_note(scope: str, pairs: Sequence[tuple[ir.Item, ir.Item]]) -> Note | None:
    """How the shares of a scope's items moved, those that moved most first."""
    moved = [
        (abs(old.weight - new.weight), new.name, old.weight, new.weight)
        for old, new in pairs
        if abs(old.weight - new.weight) > 1e-9
    ]
    if not moved:
        return None
    moved.sort(key=lambda each: (-each[0], each[1]))
    shown = [f"{name} {_percent(old)} → {_percent(new)}" for _, name, old, new in moved[:4]]
    more = f", and {len(moved) - 4} more" if len(moved) > 4 else ""
    return Note("reward", scope, f"shares {', '.join(shown)}{more}", Impact.NONE)


def _percent(share: float) -> str:
    return f"{share * 100:.3g}%"


def text_notes(place: str, before: ir.Item, after: ir.Item) -> Iterator[Note]:
    """What changed that no verdict and no reward depends on."""
    if [(a.channel, a.text) for a in before.anchors] != [
        (a.channel, a.text) for a in after.anchors
    ]:
        yield Note("text", place, "anchors changed", Impact.TEXT)
    if before.focus != after.focus and before.ask is None and after.ask is None:
        yield Note("text", place, f"focus {before.focus} → {after.focus}", Impact.TEXT)
