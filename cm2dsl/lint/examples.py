"""The snippets of rules made into whole specs, with the files that they may name."""

from __future__ import annotations

import json
from pathlib import Path

HEAD = 'cm2 1\n\ndomain air "Airline"\ntools "tools.json"\n'
TASK = 'task trip "A trip" {{\n  reference "recordings.jsonl"\n  turn ask {{\n{0}  }}\n}}\n'
USER = '    user "I want to fly to Rome on Monday"\n'
STATEMENTS = ("task", "template", "import", "judge", "simulate", "assign", "test")


def _tool(name: str, effect: str, **properties: object) -> dict[str, object]:
    parameters = {"type": "object", "properties": properties}
    function = {"name": name, "x-effect": effect, "parameters": parameters}
    return {"type": "function", "function": function}


TEXT = {"type": "string"}
TOOLS = [
    _tool(
        "search", "read", to=TEXT, day=TEXT, cabin={"type": "string", "enum": ["first", "basic"]}
    ),
    _tool("book", "write", flight=TEXT, note=TEXT, seats={"type": "integer"}),
]
RECORDING = {
    "id": "r1",
    "task": "trip",
    "messages": [
        {"role": "user", "content": "I want to fly to Rome on Monday"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "1", "function": {"name": "search", "arguments": '{"to": "Rome"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": '{"flights": [{"number": "KF12"}]}'},
        {"role": "assistant", "content": "KF12 leaves at 08:00 in the morning and costs 120."},
    ],
}
ROW_RECORDING = {
    "id": "r2",
    "task": "trip/r2",
    "messages": [
        {"role": "user", "content": "To Oslo, please"},
        {"role": "assistant", "content": "KF7 flies to Oslo on Friday."},
    ],
}
LIBRARY = """cm2 1

template grounded(tool) {
  focus reply
  ask   "Is every fact in the reply found in a {tool} result?"
  fail  "States a price that no result contains"
}
"""
FILES = {
    "tools.json": json.dumps(TOOLS),
    "recordings.jsonl": json.dumps(RECORDING) + "\n",
    "rows.jsonl": json.dumps(ROW_RECORDING) + "\n",
    "library.cm2": LIBRARY,
    "rows.csv": "id,to,day,split\nr1,Rome,Monday,train\nr2,Oslo,Friday,heldout\n",
}


def whole(snippet: str) -> str:
    """The snippet as a whole spec. The items of a turn are set in where they belong."""
    text = snippet.strip("\n") + "\n"
    if text.startswith("cm2"):
        return text
    if text.split(None, 1)[0] in STATEMENTS:
        return HEAD + "\n" + text
    items = "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
    user = "" if text.lstrip().startswith("user") else USER
    return HEAD + "\n" + TASK.format(user + items)


def unpack(folder: Path) -> None:
    """Write the files that snippets may name."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
