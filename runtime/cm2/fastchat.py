"""Chat lines straight to facts, for the form that nearly every line has.

The general reader (`cm2dsl.chat`) builds a `Trajectory`, which a judge and the replay need. Checks
need only calls and replies. `read_facts` gets those in one pass over the decoded line and leaves
every line that is out of the ordinary (None) to the general reader, which also finds the faults:
what the two say of a line is the same, and a test draws lines to show it. Two differences are
meant: of a key that occurs twice in a message the last one counts here, and a number too large for
a double passes where nobody reads it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from cm2dsl.scope import CallFact, Facts


class _Function(Struct, gc=False):
    name: str
    arguments: str | dict[str, Any]


class _Call(Struct, gc=False):
    function: _Function
    id: str
    malformed: None = None
    raw: str | None = None


class _User(Struct, gc=False, tag_field="role", tag="user"):
    content: str
    tool_calls: None = None
    function_call: None = None


class _Assistant(Struct, gc=False, tag_field="role", tag="assistant"):
    content: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: None = None
    reasoning_content: None = None
    reasoning: None = None
    malformed: None = None
    verbatim: None = None


class _Tool(Struct, gc=False, tag_field="role", tag="tool"):
    content: str
    tool_call_id: str
    name: str | None = None
    error: bool | None = None


class _System(Struct, gc=False, tag_field="role", tag="system"):
    content: str


class _Dialogue(Struct, gc=False):
    messages: list[_User | _Assistant | _Tool | _System]
    id: str | None = None
    task: str | None = None


_decode = msgspec.json.Decoder(_Dialogue).decode


def read_facts(line: bytes | memoryview) -> tuple[str | None, str, Facts] | None:
    """(id, task, facts) of a chat line, or None where the general reader must look at it."""
    try:
        str(line, "utf-8")  # also what is not read has to be text
        dialogue = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    facts = Facts([], [], [], 0, [])
    all_calls, said, marks = facts.calls, facts.said, facts.marks
    calls: list[CallFact] = []  # those of the last message, which may still be answered
    ids: list[str] = []
    turn, step, at, closed = -1, 0, 0, 0
    message: Any
    for message in dialogue.messages:
        kind = type(message)
        if kind is _Assistant:
            text = message.content
            made = message.tool_calls
            if turn < 0:
                if made or text is None:
                    return None
                continue  # what is said before the user speaks is in no turn
            if text:
                if "think>" in text:
                    return None
                said.append((text, turn, step, at))
                if not made:
                    closed |= 1 << at
            elif not made and text is None:
                return None
            calls, ids = [], []
            if made:
                for index, written in enumerate(made):
                    function = written.function
                    calls.append(CallFact(function.name, function.arguments, turn, step, at, index))
                    ids.append(written.id)
                all_calls += calls
            step += 1
            at += 1
        elif kind is _Tool:
            wanted = message.tool_call_id
            if not wanted or wanted not in ids:
                return None
            call = calls[ids.index(wanted)]
            if call.text is not None:
                return None
            call.text = message.content
            call.flagged = message.error
        elif kind is _User:
            turn += 1
            step = 0
            marks.append((at, len(all_calls), len(said), 0))
            calls, ids = [], []
    facts.closed = closed
    marks.append((at, len(all_calls), len(said), 0))
    return dialogue.id, dialogue.task or "", facts
