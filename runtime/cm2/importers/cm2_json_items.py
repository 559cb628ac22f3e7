"""An annotated item of the CM2 paper as an item of ours, and what must be kept beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from textwrap import shorten
from typing import Any

from cm2 import annotated
from cm2.formats.source import Found
from cm2.trajectory import Trajectory
from cm2dsl.draft.spec import Item
from cm2dsl.trajectory import Channel, segments

HEAVIEST = 1e6
"""The largest weight that the language takes."""


def read_item(
    found: Found,
    turn: int,
    index: int,
    ids: Sequence[Sequence[str]],
    names: Sequence[Sequence[str]],
    trajectory: Trajectory,
) -> tuple[Item, dict[str, Any]]:
    """The item at a place of its turn, and its residue. Raises SourceFault.

    `ids` and `names` are those of all items, by turn.
    """
    after = _after(found, turn, index, ids)
    weight, passes, strict = (
        found.get(key) for key in ("weight", "pass_condition", "required_for_next_turn")
    )
    fails = found.get("failure_examples")
    evidence = _evidence(found)
    anchors = [annotated.find_anchor(trajectory, each) for each in evidence]
    item = Item(
        names[turn][index],
        ask=found["question"].filled(),
        passes=(passes.text(),) if passes is not None and passes.text() else (),
        fails=tuple(fails.texts()) if fails is not None else (),
        focus=_focus(found),
        weight=_weight(weight) if weight is not None else None,
        after=tuple(
            names[turn][at] if of == turn else f"turn_{of + 1}.{names[of][at]}" for of, at in after
        ),
        strict=strict is not None and strict.flag(),
        anchors=tuple((place[0].channel, place[1]) for place in anchors if place is not None),
    )
    plain = annotated.plain_item(
        ids[turn][index],
        evidence,
        _focus(found),
        item.ask,
        item.passes,
        item.fails,
        item.strict,
        [ids[of][at] for of, at in after],
        1 if item.weight is None else item.weight,
    )
    kept = annotated.residue_of(plain, found.object())
    if ids[turn][index] != annotated.item_id(index):
        kept["id"] = ids[turn][index]
    said = [
        annotated.evidence_of(trajectory, place[0], place[1]) if place is not None else None
        for place in anchors
    ]
    left = annotated.evidence_residue(said, evidence)
    return item, kept if left is None else kept | {"evidence": left}


def _focus(found: Found) -> Channel:
    """The channel that `focus_on` names, or the one that it comes nearest to."""
    given = found.get("focus_on")
    said = given.text() if given is not None else ""
    hints: Mapping[str, Channel] = {
        "call": "tool_call",
        "think": "reasoning",
        "reason": "reasoning",
        "tool": "tool_result",
        "user.": "user",
    }
    near = [channel for hint, channel in hints.items() if hint in said]
    return annotated.channel_of(said) or (near[0] if near else "reply")


def _weight(found: Found) -> float:
    if not 0 <= found.number() <= HEAVIEST:
        raise found.wrong("a number from 0 to 1000000")
    return found.number()


def _evidence(found: Found) -> list[Mapping[str, Any]]:
    given = found.get("evidence")
    evidence: list[Mapping[str, Any]] = []
    for each in given.items() if given is not None else ():
        each["from"].text()
        each["snippet"].text()
        evidence.append(each.object())
    return evidence


def _after(
    found: Found, turn: int, index: int, ids: Sequence[Sequence[str]]
) -> list[tuple[int, int]]:
    """What the item depends on, as (turn, index): its own turn's, else the one that has the id."""
    given = found.get("dependence")
    after: list[tuple[int, int]] = []
    for each in given.items() if given is not None else ():
        id = each.text()
        of = turn
        if id not in ids[turn]:
            earlier = [other for other in range(turn) if id in ids[other]]
            if len(earlier) != 1:
                known = ", ".join(f"`{other}`" for other in ids[turn])
                what = "is in several earlier turns" if earlier else "is no item of this turn"
                raise each.fault(f"`{id}` {what}", f"the items of the turn are {known}")
            of = earlier[0]
        place = (of, ids[of].index(id))
        if place == (turn, index):
            raise each.fault(f"`{id}` depends on itself", "take it out")
        if place not in after:
            after.append(place)
    return after


def refuse_circles(items: Sequence[Found], drafts: Sequence[Item], ids: Sequence[str]) -> None:
    """Raises SourceFault where items of a turn depend on each other in a circle."""
    graph = {item.name: [name for name in item.after if "." not in name] for item in drafts}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names = [item.name for item in drafts]
        circle = [names.index(name) for name in reversed(error.args[1])]
        shown = " on ".join(f"`{ids[index]}`" for index in circle)
        help = "none of them could ever be satisfied: take one out"
        raise items[circle[0]]["dependence"].fault(f"runs in a circle: {shown}", help) from None


# --- the report -----------------------------------------------------------------------------------


def unsaid(found: Found, item: Item, residue: Mapping[str, Any]) -> Iterator[str]:
    """What of an item stands in the recording alone."""
    for entry in residue.get("evidence", ()):
        if entry is not None and not entry[0]:
            yield (
                f"`{item.name}` quotes as evidence what does not stand so in its channel: `"
                + shorten(entry[1]["snippet"], 60, placeholder=" …")
                + "` is kept in the recording, and is no anchor"
            )
    if "focus_on" in residue.get(annotated.CHANGED, {}):
        said = found["focus_on"].value
        yield f"`{item.name}` focuses on `{said}`, which is kept in the recording: it is no channel"
    for key in residue.get(annotated.MORE, {}):
        yield f"`{key}` of items is kept in the recordings"


def never_ready(drafts: Sequence[Item], trajectory: Trajectory, turn: int) -> Iterator[str]:
    """Items that wait for what this dialogue has no earlier than what they are about."""
    seen = {item.name: _steps(item, trajectory, turn) for item in drafts}
    for item in drafts:
        for other in item.after:
            own, before = seen[item.name], seen.get(other, [])
            if own and before and max(own) <= min(before):
                yield (
                    f"`{item.name}` waits for `{other}`, which this dialogue has no step earlier:"
                    " an item is satisfied one step after what it waits for"
                )


def _steps(item: Item, trajectory: Trajectory, turn: int) -> list[int]:
    return [
        segment.step
        for channel, words in item.anchors
        for segment in segments(trajectory)
        if segment.turn == turn and segment.channel == channel and words in segment.text
        if segment.step is not None
    ]
