"""Assistant messages as text and as steps, in the Hermes form that the Qwen family uses:
`<think>…</think>`, then the reply, then one `<tool_call>{"name": …, "arguments": {…}}</tool_call>`
a call.

Whatever a policy writes is some step. JSON is read as strictly as everywhere else
(`cm2dsl.jsonl`): what two readers could understand differently, or what could not be written down
again, is no call but `malformed` text, which is kept as it was sampled.
"""

from __future__ import annotations

import json
import math
from typing import Any

from cm2.jsonl import JsonError, parse
from cm2.trajectory import Call, Step

THINK = "<think>"
UNTHINK = "</think>"
OPEN = "<tool_call>"
CLOSE = "</tool_call>"

DEEPEST = 64
"""Levels of lists and objects in a call: what is deeper overflows some reader's stack."""

_SHOWN = 160
"""Letters of a fault: it goes into the policy's context, and may repeat what the policy wrote."""

_FORM = "a call is one object with name and arguments, between tool_call tags"


def write(step: Step) -> str:
    """An assistant message as text; `read` gives the step back (call ids and results aside)."""
    thought = f"{THINK}\n{step.reasoning}\n{UNTHINK}\n\n" if step.reasoning else ""
    calls = [f"{OPEN}\n{_call_json(call)}\n{CLOSE}" for call in step.calls]
    if step.malformed is not None:
        calls.append(step.malformed)
    return thought + "\n".join(part for part in (step.reply, *calls) if part)


def read(text: str, prefix: str) -> Step:
    """The step that an assistant message is. Call ids are `{prefix}.0`, `{prefix}.1` and so on.

    A call that cannot be read (an unclosed or stray tag, no strict JSON object, no name) becomes
    `malformed`; a call whose arguments are no object keeps `arguments` None. `fault` says what is
    wrong with what is malformed.
    """
    reasoning, text = _split_reasoning(text)
    first, *chunks = text.split(OPEN)
    reply = [first]
    calls: list[Call] = []
    malformed: list[str] = []
    if CLOSE in first:
        reply, malformed = [], [first.strip()]
    for chunk in chunks:
        body, closed, rest = chunk.partition(CLOSE)
        call = _read_call(body, f"{prefix}.{len(calls)}") if closed else "it is not closed"
        if isinstance(call, str):
            malformed.append(f"{OPEN}{body}{closed}")
        else:
            calls.append(call)
        if CLOSE in rest:
            malformed.append(rest.strip())
        else:
            reply.append(rest)
    return Step(
        reply="\n".join(part.strip() for part in reply if part.strip()),
        reasoning=reasoning,
        calls=tuple(calls),
        malformed="\n".join(malformed) if malformed else None,
    )


def fault(malformed: str) -> str:
    """What is wrong with a call that could not be read, for the policy to read: the first fault."""
    _, opened, rest = malformed.partition(OPEN)
    body, closed, _ = rest.partition(CLOSE)
    if not opened:
        why: Call | str = "it is closed and was not opened"
    elif not closed:
        why = "it is not closed"
    else:
        why = _read_call(body, "")
    if not isinstance(why, str):
        return _FORM  # the text around it is at fault
    shown = why.encode("utf-8", "replace").decode()
    shown = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
    return f"the call cannot be read: {shown}; {_FORM}"


def _split_reasoning(text: str) -> tuple[str, str]:
    """(reasoning, rest). A template may have opened the thought already; an unclosed one is all."""
    head, closed, rest = text.partition(UNTHINK)
    if closed:
        return head.replace(THINK, "", 1).strip(), rest
    if text.lstrip().startswith(THINK):
        return text.lstrip()[len(THINK) :].strip(), ""
    return "", text


def _read_call(body: str, call_id: str) -> Call | str:
    """The call that is written between tags, or why it is none."""
    try:
        written = parse(body)
    except JsonError as error:
        return error.message
    if not isinstance(written, dict):
        return "it is no object"
    name = written.get("name")
    if not isinstance(name, str) or not name:
        return "`name` is no text"
    why = unfit(written)
    if why is not None:
        return why
    arguments = written.get("arguments", {})
    return Call(
        id=call_id,
        tool=name,
        arguments=arguments if isinstance(arguments, dict) else None,
        raw=arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
    )


def unfit(value: Any) -> str | None:
    """Why a JSON value cannot be handed on to everybody, if it cannot; looked at level by level."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, int) and not _fits(one):
                return "a number is too large"
        if not below:
            return None
        level = below
    return f"it is nested deeper than {DEEPEST} levels"


def _fits(number: int) -> bool:
    """Whether a whole number fits a double, as JSON's readers elsewhere expect."""
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False


def _call_json(call: Call) -> str:
    arguments = call.raw if call.arguments is None else dict(call.arguments)
    return json.dumps({"name": call.tool, "arguments": arguments}, ensure_ascii=False)
