"""The annotated JSON of the CM2 paper, and how its words and ours stand to each other.

    [{"uuid", "messages", "tools", "checklists": [variant: [turn: [item]]]}]

    item    {"id", "evidence": [{"turn", "step", "from", "snippet"}], "focus_on", "question",
             "pass_condition", "failure_examples", "required_for_next_turn", "dependence", "weight"}

What a spec cannot say travels as a *residue* in its recordings, under `cm2_json`: importing works
out what exporting would write, and keeps the differences. Each is kept with what it differs from,
so that what is changed in the spec later is not undone by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cm2.trajectory import Call, Step, Trajectory
from cm2dsl.trajectory import Channel, Segment, Turn, call_text, segments

RESIDUE = "cm2_json"
"""The key of a recording that holds the residue."""

SAID_IN: dict[Channel, str] = {
    "user": "user.content",
    "reasoning": "assistant.content.thinking",
    "reply": "assistant.content.user_visible_reply",
    "tool_call": "assistant.tool_calls",
    "tool_result": "tool.content",
}
"""A channel, as `from` and `focus_on` call it."""

ABSENT = "absent"
CHANGED = "changed"
MORE = "more"


def channel_of(name: str) -> Channel | None:
    """The channel that `from` or `focus_on` names; None for a name that the paper does not have."""
    return next((channel for channel, other in SAID_IN.items() if other == name), None)


def item_id(index: int) -> str:
    """What the paper calls the item at this place of a turn."""
    return f"C{index}"


def plain_item(
    id: str,
    evidence: Sequence[Any],
    focus: Channel,
    question: str,
    passes: Sequence[str],
    fails: Sequence[str],
    strict: bool,
    dependence: Sequence[str],
    weight: float,
) -> dict[str, Any]:
    """An item as the paper writes it. It has one pass condition: several are its lines."""
    return {
        "id": id,
        "evidence": list(evidence),
        "focus_on": SAID_IN[focus],
        "question": question,
        "pass_condition": "\n".join(passes),
        "failure_examples": list(fails),
        "required_for_next_turn": strict,
        "dependence": list(dependence),
        "weight": weight,
    }


# --- messages -----------------------------------------------------------------------------------


def messages_of(trajectory: Trajectory) -> list[dict[str, Any]]:
    """A dialogue as the paper writes it: thoughts in tags, results without ids."""
    system = [_message("system", trajectory.system)] if trajectory.system else []
    steps = [message for step in trajectory.opening for message in _step_messages(step)]
    return [*system, *steps, *(each for turn in trajectory.turns for each in _turn_messages(turn))]


def _turn_messages(turn: Turn) -> list[dict[str, Any]]:
    return [
        _message("user", turn.user),
        *(message for step in turn.steps for message in _step_messages(step)),
    ]


def _step_messages(step: Step) -> list[dict[str, Any]]:
    thought = f"<think>\n{step.reasoning}\n</think>" if step.reasoning else ""
    said = step.reply or step.malformed or ""
    content = "\n\n".join(part for part in (thought, said) if part)
    message = _message("assistant", content)
    message["tool_calls"] = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.tool, "arguments": call.raw},
        }
        for call in step.calls
    ]
    results = [_message("tool", call.result) for call in step.calls if call.result is not None]
    return [message, *results]


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": []}


def messages_residue(plain: Sequence[Any], source: Sequence[Any]) -> Any:
    """What must be kept of the messages: those that differ, by number; else all of them."""
    if len(plain) != len(source):
        return list(source)
    pairs = enumerate(zip(plain, source, strict=True))
    return {str(i): theirs for i, (ours, theirs) in pairs if not same(ours, theirs)}


def restored_messages(plain: Sequence[Any], kept: Any) -> list[Any]:
    """The messages, with what was kept of them in their place."""
    if isinstance(kept, list):
        return kept
    return [kept.get(str(i), message) for i, message in enumerate(plain)]


# --- evidence -----------------------------------------------------------------------------------


def evidence_of(trajectory: Trajectory, segment: Segment, words: str) -> dict[str, Any]:
    """Words of a segment as the paper writes evidence.

    The paper's steps are the messages of a turn, the user's is 0. What stands in a call is cut out
    of the message's JSON there.
    """
    call = _call_at(trajectory, segment) if segment.channel == "tool_call" else None
    snippet = call_snippet(call) if call is not None and call_text(call) == words else words
    return {
        "turn": segment.turn,
        "step": _message_number(trajectory, segment),
        "from": SAID_IN[segment.channel],
        "snippet": snippet,
    }


def find_anchor(trajectory: Trajectory, evidence: Mapping[str, Any]) -> tuple[Segment, str] | None:
    """Where evidence stands in a dialogue, and the words that an anchor can quote; None if nowhere.

    The first place counts, as it does for the compiler.
    """
    channel, snippet = channel_of(evidence["from"]), evidence["snippet"]
    if channel is None or not snippet:
        return None
    words = snippet
    if channel == "tool_call":
        calls = [call for turn in trajectory.turns for step in turn.steps for call in step.calls]
        whole = (call_text(call) for call in calls if call_snippet(call) == snippet)
        words = next(whole, snippet)
    for segment in segments(trajectory):
        if segment.channel == channel and words in segment.text:
            return segment, words
    return None


def call_snippet(call: Call) -> str:
    """A call as it stands in the JSON of a message."""
    name, arguments = (json.dumps(text, ensure_ascii=False) for text in (call.tool, call.raw))
    return f'"name": {name}, "arguments": {arguments}'


def _call_at(trajectory: Trajectory, segment: Segment) -> Call | None:
    calls = trajectory.turns[segment.turn].steps[segment.step or 0].calls
    index = _index(segment)
    return calls[index] if index < len(calls) else None


def _index(segment: Segment) -> int:
    """Which call or result of its step a segment is: `t1.s2.tool_call.1` is the second."""
    last = segment.name.rpartition(".")[2]
    return int(last) if last.isdigit() else 0


def _message_number(trajectory: Trajectory, segment: Segment) -> int:
    if segment.step is None:
        return 0
    number = 1
    steps = trajectory.turns[segment.turn].steps
    for step in steps[: segment.step]:
        number += 1 + sum(call.result is not None for call in step.calls)
    if segment.channel != "tool_result":
        return number
    before = steps[segment.step].calls[: _index(segment)]
    return number + 1 + sum(call.result is not None for call in before)


# --- residue ------------------------------------------------------------------------------------


def residue_of(plain: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """What must be kept to make `source` out of `plain`; empty where they are equal."""
    changed = {
        key: [plain[key], source[key]]
        for key in source
        if key in plain and not same(plain[key], source[key])
    }
    more = {key: source[key] for key in source if key not in plain}
    absent = {key: plain[key] for key in plain if key not in source}
    kept = {CHANGED: changed, MORE: more, ABSENT: absent}
    return {key: value for key, value in kept.items() if value}


def restored(plain: Mapping[str, Any], residue: Mapping[str, Any]) -> dict[str, Any]:
    """`plain` with what was kept of its source, except where it is not what it was then."""
    made = dict(plain)
    for key, (was, is_) in residue.get(CHANGED, {}).items():
        if key in made and same(made[key], was):
            made[key] = is_
    for key, was in residue.get(ABSENT, {}).items():
        if key in made and same(made[key], was):
            del made[key]
    return made | dict(residue.get(MORE, {}))


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same to the letter: 1 is not 1.0, and not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def evidence_residue(
    anchored: Sequence[Mapping[str, Any] | None], source: Sequence[Any]
) -> list[Any] | None:
    """What must be kept of a list of evidence; `anchored` is what its anchor says of each, if any.

    One entry for each: null where the next anchor says it, else [whether it has an anchor, it].
    """
    kept = [
        None if plain is not None and same(plain, each) else [plain is not None, each]
        for plain, each in zip(anchored, source, strict=True)
    ]
    return None if all(entry is None for entry in kept) else kept


def restored_evidence(
    plain: Sequence[dict[str, Any]], kept: Sequence[Any] | None
) -> list[dict[str, Any]]:
    """The evidence of an item whose anchors say `plain`.

    Where there are more or fewer anchors than there were, they stand for themselves.
    """
    if kept is None:
        return list(plain)
    anchors = sum(entry is None or entry[0] for entry in kept)
    if anchors != len(plain):
        return [*plain, *(each for has, each in filter(None, kept) if not has)]
    waiting = iter(plain)
    made = []
    for entry in kept:
        own = next(waiting) if entry is None or entry[0] else None
        made.append(own if entry is None and own is not None else entry[1])
    return made
