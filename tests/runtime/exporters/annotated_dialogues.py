"""Annotated dialogues in the CM2 paper's format: one by hand, and others made by chance."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

THOUGHT = "They want tea. I look at the stock."
CALL = {"kind": "tea", "note": 'say "please"'}
RESULT = '{"stock": [{"name": "Assam", "grams": 250}]}'
REPLY = "We have 250 g of Assam. Shall I put it aside?"

SNIPPET = f'"name": "look_up_stock", "arguments": {json.dumps(json.dumps(CALL))}'

TOOL = {
    "type": "function",
    "function": {
        "name": "look_up_stock",
        "description": "What is there",
        "parameters": {"type": "object", "properties": {"kind": {"type": "string"}}},
    },
}


def message(role: str, content: str, *calls: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": list(calls)}


def call(name: str, arguments: Any, id: str = "call_1") -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": id, "type": "function", "function": function}


def evidence(turn: int, step: int, where: str, snippet: str) -> dict[str, Any]:
    return {"turn": turn, "step": step, "from": where, "snippet": snippet}


def item(id: str, question: str, **more: Any) -> dict[str, Any]:
    plain = {
        "id": id,
        "evidence": [],
        "focus_on": "assistant.content.user_visible_reply",
        "question": question,
        "pass_condition": "It does.",
        "failure_examples": ["It does not."],
        "required_for_next_turn": False,
        "dependence": [],
        "weight": 0.5,
    }
    return plain | more


def tea() -> dict[str, Any]:
    """Two turns, two variants of checklists."""
    return {
        "uuid": "tea-1",
        "messages": [
            message("user", "Which teas do you have?"),
            message("assistant", f"<think>\n{THOUGHT}\n</think>", call("look_up_stock", CALL)),
            message("tool", RESULT),
            message("assistant", f"<think>\nAssam.\n</think>\n\n{REPLY}"),
            message("user", "Yes, {please}."),
            message("assistant", "It is put aside."),
        ],
        "tools": [TOOL],
        "checklists": [
            [
                [
                    item(
                        "C0",
                        "Did the assistant look at the stock?",
                        focus_on="assistant.tool_calls",
                        required_for_next_turn=True,
                        evidence=[
                            evidence(
                                0,
                                1,
                                "assistant.tool_calls",
                                SNIPPET,
                            )
                        ],
                    ),
                    item(
                        "C1",
                        "Does the tool response name a tea?",
                        focus_on="tool.content",
                        weight=0.2,
                        evidence=[evidence(0, 2, "tool.content", '"name": "Assam"')],
                    ),
                    item(
                        "C2",
                        "Does the final reply say how much there is?",
                        dependence=["C1"],
                        weight=0.3,
                        evidence=[
                            evidence(0, 3, "assistant.content.user_visible_reply", "250 g of Assam")
                        ],
                    ),
                ],
                [item("C0", "Does the assistant confirm?", weight=1.0)],
            ],
            [[item("C0", "Is the reply short?", weight=2)], []],
        ],
    }


# --- made by chance ---------------------------------------------------------------------------

TEXT = st.text("ab {}\"\\'#/\n\tä茶🍵<>.,?_0", min_size=1, max_size=24).filter(
    lambda text: text.strip() != ""
)
CHANNELS = [
    "user.content",
    "assistant.content.thinking",
    "assistant.content.user_visible_reply",
    "assistant.tool_calls",
    "tool.content",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab{茶", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def dialogues(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What a file holds: dialogues with checklists, in every shape that the format leaves open."""
    return [draw(_dialogue(number)) for number in range(draw(st.integers(1, 2)))]


@st.composite
def _dialogue(draw: st.DrawFn, number: int) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append(message("system", draw(TEXT)))
    turns = draw(st.integers(1, 3))
    for turn in range(turns):
        messages += draw(_turn(turn))
    if draw(st.booleans()):
        messages[-1] = {"role": messages[-1]["role"], "content": messages[-1]["content"]}
    pieces = [text for each in messages for text in _texts(each)]
    made: dict[str, Any] = {
        "uuid": f"dialogue-{number}",
        "messages": messages,
        "tools": [TOOL] if draw(st.booleans()) else [],
    }
    variants = [draw(_checklist(turns, pieces)) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.integers(0, 4)) == 0:
        made["checklist"] = variants[0]
    else:
        made["checklists"] = variants
    if draw(st.booleans()):
        made["price"] = draw(JSON.filter(lambda value: value is not None))
    for key in ("uuid", "tools"):
        if draw(st.integers(0, 5)) == 0:
            del made[key]
    return made


@st.composite
def _turn(draw: st.DrawFn, turn: int) -> list[dict[str, Any]]:
    made = [message("user", draw(TEXT))]
    for step in range(draw(st.integers(0, 2))):
        calls = [
            call(
                draw(st.sampled_from(["look_up_stock", "b c"])),
                draw(_arguments()),
                f"{turn}{step}{i}",
            )
            for i in range(draw(st.integers(1, 2)))
        ]
        made.append(message("assistant", f"<think>\n{draw(TEXT)}\n</think>", *calls))
        made += [message("tool", draw(TEXT)) for _ in calls]
    if draw(st.integers(0, 5)):
        made.append(message("assistant", draw(TEXT)))
    return made


def _arguments() -> st.SearchStrategy[Any]:
    return st.dictionaries(TEXT, JSON, max_size=2)


def _texts(one: dict[str, Any]) -> list[str]:
    calls = [
        f'"name": {json.dumps(each["function"]["name"])}, '
        f'"arguments": {json.dumps(each["function"]["arguments"], ensure_ascii=False)}'
        for each in one.get("tool_calls", ())
    ]
    return [one["content"], *calls]


@st.composite
def _checklist(draw: st.DrawFn, turns: int, pieces: list[str]) -> list[list[dict[str, Any]]]:
    made = [draw(_items(turn, pieces)) for turn in range(draw(st.integers(1, turns)))]
    if not any(made):
        made[0] = [item("C0", draw(TEXT))]
    return made


@st.composite
def _items(draw: st.DrawFn, turn: int, pieces: list[str]) -> list[dict[str, Any]]:
    ids = draw(st.lists(st.sampled_from(["C0", "C1", "C2", "x", "ä b"]), unique=True, max_size=4))
    items = []
    for index, id in enumerate(ids):
        one: dict[str, Any] = {
            "id": id,
            "evidence": draw(st.lists(_evidence(turn, pieces), max_size=2)),
            "focus_on": draw(st.sampled_from([*CHANNELS[1:], "tool.names"])),
            "question": draw(TEXT),
            "pass_condition": draw(st.just("") | TEXT),
            "failure_examples": draw(st.lists(st.just("") | TEXT, max_size=2)),
            "required_for_next_turn": draw(st.booleans()),
            "dependence": draw(st.lists(st.sampled_from(ids[:index]), max_size=2)) if index else [],
            "weight": draw(st.floats(1e-6, 1) | st.integers(1, 3)),
        }
        if draw(st.booleans()):
            one["extra_info"] = draw(JSON)
        for key in ("evidence", "focus_on", "pass_condition", "dependence", "weight"):
            if draw(st.integers(0, 9)) == 0:
                del one[key]
        items.append(one)
    return items


@st.composite
def _evidence(draw: st.DrawFn, turn: int, pieces: list[str]) -> dict[str, Any]:
    piece = draw(st.sampled_from(pieces))
    start = draw(st.integers(0, len(piece)))
    cut = piece if draw(st.booleans()) else piece[start : start + draw(st.integers(0, 9))]
    made = evidence(turn, draw(st.integers(0, 4)), draw(st.sampled_from(CHANNELS)), cut)
    return made | ({"note": 1} if draw(st.integers(0, 5)) == 0 else {})
