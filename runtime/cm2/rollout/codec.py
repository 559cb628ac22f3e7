"""Between dialogues and token ids, for a tokenizer whose chat template knows tools.

The opening is rendered once. Afterwards only what is *added* (tool results or the next user turn,
and the header of the next assistant message) is rendered and tokenised: ids that were sampled are
never decoded and tokenised again, so the trainer sees the very tokens the policy chose.

Assistant messages are written and read in the Hermes form that the Qwen family uses:
`<think>…</think>`, then the reply, then one `<tool_call>{"name": …, "arguments": {…}}</tool_call>`
a call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cm2.trajectory import Call, Step

_SENTINEL = "assistant-message"
_THINK = "<think>"
_UNTHINK = "</think>"
_OPEN = "<tool_call>"
_CLOSE = "</tool_call>"

Message = Mapping[str, Any]


class Codec:
    """The chat format of one tokenizer, with a fixed system prompt and fixed tools.

    `tools` are OpenAI tool schemas. Raises ValueError where the tokenizer has no chat template, or
    its template does not end an assistant message with the end-of-sequence token.
    """

    def __init__(self, tokenizer: Any, *, system: str = "", tools: Sequence[Message] = ()) -> None:
        if not tokenizer.chat_template:
            raise ValueError("the tokenizer has no chat template")
        self.tokenizer = tokenizer
        self.end: int = tokenizer.eos_token_id
        self.pad: int = tokenizer.eos_token_id
        if tokenizer.pad_token_id is not None:
            self.pad = tokenizer.pad_token_id
        self._tools = [dict(tool) for tool in tools] or None
        self._head = [{"role": "system", "content": system}] if system else []
        self._control = sorted(tokenizer.all_special_tokens, key=len, reverse=True)
        self.user_suffix("")  # a template that cannot be continued is refused here

    def opening(self, user: str) -> list[int]:
        """The ids of the system prompt, the tools, the first user message and the next header."""
        return self._ids(self._render([*self._head, self._message("user", user)]))

    def user_suffix(self, user: str) -> list[int]:
        """What follows a finished assistant message: the next user turn and the next header."""
        return self._suffix({}, [self._message("user", user)])

    def result_suffix(self, results: Sequence[tuple[str, str, str]]) -> list[int]:
        """What follows an assistant message with calls. `results` are (call id, tool, text)."""
        asked = [_tool_call(call_id, tool, {}) for call_id, tool, _ in results]
        told = [
            {**self._message("tool", text), "name": tool, "tool_call_id": call_id}
            for call_id, tool, text in results
        ]
        return self._suffix({"tool_calls": asked}, told)

    def message(self, step: Step) -> list[int]:
        """The ids of an assistant message as the policy would sample it, with its end token."""
        return [*self._ids(write(step)), self.end]

    def text(self, ids: Sequence[int]) -> str:
        """Sampled ids as text, without the end token."""
        kept = ids[:-1] if ids and ids[-1] == self.end else ids
        return str(
            self.tokenizer.decode(
                list(kept), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def _suffix(self, asked: Message, added: Sequence[Message]) -> list[int]:
        assistant = {"role": "assistant", "content": _SENTINEL, **asked}
        before = [*self._head, {"role": "user", "content": "user-message"}, assistant]
        text = self._render([*before, *added])
        end = self.tokenizer.eos_token
        found = text.find(end, text.rfind(_SENTINEL))
        if _SENTINEL not in text or found < 0:
            raise ValueError(
                f"the chat template does not end an assistant message with {end!r}, "
                "so a dialogue cannot be continued token by token"
            )
        return self._ids(text[found + len(end) :])

    def _message(self, role: str, content: str) -> dict[str, Any]:
        """A message whose text cannot be read as control tokens of the chat format."""
        for token in self._control:
            content = content.replace(token, f"{token[0]} {token[1:]}")
        return {"role": role, "content": content}

    def _render(self, messages: Sequence[Message]) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                list(messages), tools=self._tools, tokenize=False, add_generation_prompt=True
            )
        )

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def write(step: Step) -> str:
    """An assistant message as text; `read` gives the step back (call ids and results aside)."""
    thought = f"{_THINK}\n{step.reasoning}\n{_UNTHINK}\n\n" if step.reasoning else ""
    calls = [f"{_OPEN}\n{_call_json(call)}\n{_CLOSE}" for call in step.calls]
    if step.malformed is not None:
        calls.append(step.malformed)
    return thought + "\n".join(part for part in (step.reply, *calls) if part)


def read(text: str, prefix: str) -> Step:
    """The step that an assistant message is. Call ids are `{prefix}.0`, `{prefix}.1` and so on.

    A call that cannot be read (an unclosed or stray tag, no JSON object, no name) becomes
    `malformed`; a call whose arguments are no object keeps `arguments` None.
    """
    reasoning, text = _split_reasoning(text)
    first, *chunks = text.split(_OPEN)
    reply = [first]
    calls: list[Call] = []
    malformed: list[str] = []
    if _CLOSE in first:
        reply, malformed = [], [first.strip()]
    for chunk in chunks:
        body, closed, rest = chunk.partition(_CLOSE)
        call = _read_call(body, f"{prefix}.{len(calls)}") if closed else None
        if call is None:
            malformed.append(f"{_OPEN}{body}{closed}")
        else:
            calls.append(call)
        if _CLOSE in rest:
            malformed.append(rest.strip())
        else:
            reply.append(rest)
    return Step(
        reply="\n".join(part.strip() for part in reply if part.strip()),
        reasoning=reasoning,
        calls=tuple(calls),
        malformed="\n".join(malformed) if malformed else None,
    )


def _split_reasoning(text: str) -> tuple[str, str]:
    """(reasoning, rest). A template may have opened the thought already; an unclosed one is all."""
    head, closed, rest = text.partition(_UNTHINK)
    if closed:
        return head.replace(_THINK, "", 1).strip(), rest
    if text.lstrip().startswith(_THINK):
        return text.lstrip()[len(_THINK) :].strip(), ""
    return "", text


def _read_call(body: str, call_id: str) -> Call | None:
    try:
        written = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(written, dict) or not isinstance(written.get("name"), str):
        return None
    arguments = written.get("arguments", {})
    return Call(
        id=call_id,
        tool=written["name"],
        arguments=arguments if isinstance(arguments, dict) else None,
        raw=arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
    )


def _call_json(call: Call) -> str:
    arguments = call.raw if call.arguments is None else dict(call.arguments)
    return json.dumps({"name": call.tool, "arguments": arguments}, ensure_ascii=False)


def _tool_call(call_id: str, tool: str, arguments: Message) -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": tool, "arguments": dict(arguments)},
    }
