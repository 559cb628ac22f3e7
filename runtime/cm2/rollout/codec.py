"""Between dialogues and token ids, for a tokenizer whose chat template knows tools.

The opening is rendered once. Afterwards only what is *added* (tool results or the next user turn,
and the header of the next assistant message) is rendered and tokenised: ids that were sampled are
never decoded and tokenised again, so the trainer sees the very tokens the policy chose.

How assistant messages are written and read is in `cm2.rollout.messages`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from cm2.rollout.messages import write
from cm2.trajectory import Step

_SENTINEL = "assistant-message"

Message = Mapping[str, Any]

_USER: Message = {"role": "user", "content": "user-message"}

_OPENINGS = 64
"""Openings that are kept: the rollouts of a group have one, and tools make it long."""

_ENDLESS = (
    "the chat template does not end an assistant message with a control token, "
    "so a dialogue cannot be continued token by token"
)


class Codec:
    """The chat format of one tokenizer, with a fixed system prompt and fixed tools.

    `tools` are OpenAI tool schemas. `end` is the token that ends an assistant message, as the
    template has it: not every tokenizer calls it its end-of-sequence token. Raises ValueError where
    the tokenizer has no chat template, or one by which a dialogue cannot be continued.

    Most templates show the tools at the beginning alone. Where that is so, what is added is
    rendered with one tool in place of all: with many, they would take most of the time.
    """

    def __init__(self, tokenizer: Any, *, system: str = "", tools: Sequence[Message] = ()) -> None:
        if not tokenizer.chat_template:
            raise ValueError("the tokenizer has no chat template")
        self.tokenizer = tokenizer
        self._tools = [dict(tool) for tool in tools] or None
        self._head = [{"role": "system", "content": system}] if system else []
        self._control = sorted(tokenizer.all_special_tokens, key=len, reverse=True)
        self._end_text = self._found_end()
        self.end: int = tokenizer.convert_tokens_to_ids(self._end_text)
        self.pad: int = self.end if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self._opened = lru_cache(_OPENINGS)(self._opening)
        self._beside = self._tools
        # What cannot be continued is refused here, and not in the middle of a dialogue.
        shown = self._suffixes()
        if self._tools is not None:
            self._beside = [min(self._tools, key=lambda tool: len(json.dumps(tool)))]
            if self._suffixes() != shown:
                self._beside = self._tools

    def opening(self, user: str) -> list[int]:
        """The ids of the system prompt, the tools, the first user message and the next header."""
        return list(self._opened(user))

    def _opening(self, user: str) -> tuple[int, ...]:
        return tuple(
            self._ids(self._render([*self._head, self._message("user", user)], self._tools))
        )

    def _suffixes(self) -> list[list[int]]:
        """What is added of each kind: a user's words, one result, and results of all tools."""
        kinds = [self.user_suffix(""), self.user_suffix("a")]
        if self._tools is not None:
            names = ["tool", *(tool["function"]["name"] for tool in self._tools)]
            results = [(f"a{number}", name, str(number)) for number, name in enumerate(names)]
            kinds += [self.result_suffix(results[:1]), self.result_suffix(results)]
        return kinds

    def user_suffix(self, user: str) -> list[int]:
        """What follows a finished assistant message: the next user turn and the next header."""
        return self._suffix([self._message("user", user)])

    def result_suffix(self, results: Sequence[tuple[str, str, str]]) -> list[int]:
        """What follows an assistant message with calls. `results` are (call id, tool, text)."""
        named = [(call_id, self._plain(tool), text) for call_id, tool, text in results]
        told = [
            {**self._message("tool", text), "name": tool, "tool_call_id": call_id}
            for call_id, tool, text in named
        ]
        return self._suffix(told, [(call_id, tool) for call_id, tool, _ in named])

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

    def _suffix(self, added: Sequence[Message], asked: Sequence[tuple[str, str]] = ()) -> list[int]:
        """The ids of what is added behind an assistant message, which asked for some calls.

        The message is rendered with a mark in it, also in its last call: not every template shows
        what is said beside calls. What follows the mark and the end of the message is added.
        """
        mark = _SENTINEL
        while any(mark in str(message["content"]) for message in added):
            mark += "-"
        assistant: dict[str, Any] = {"role": "assistant", "content": mark}
        if asked:
            assistant["tool_calls"] = [_tool_call(id, tool, {"mark": mark}) for id, tool in asked]
        text = self._render([*self._head, _USER, assistant, *added], self._beside)
        found = text.find(self._end_text, text.rfind(mark))
        if mark not in text or found < 0:
            raise ValueError(_ENDLESS)
        return self._ids(text[found + len(self._end_text) :])

    def _found_end(self) -> str:
        """The control token that the template puts behind what an assistant says."""
        said_last = {"role": "assistant", "content": _SENTINEL}
        text = self._render([*self._head, _USER, said_last], self._tools, header=False)
        _, said, rest = text.rpartition(_SENTINEL)
        known = [*self._control, *sorted(self.tokenizer.get_added_vocab(), key=len, reverse=True)]
        end = next((token for token in known if token and rest.lstrip().startswith(token)), None)
        if not said or end is None:
            raise ValueError(_ENDLESS)
        return str(end)

    def _message(self, role: str, content: str) -> dict[str, Any]:
        return {"role": role, "content": self._plain(content)}

    def _plain(self, text: str) -> str:
        """The text, which cannot be read as control tokens of the chat format."""
        for token in self._control:
            apart = f"{token[0]} {token[1:]}" if len(token) > 1 else "\N{REPLACEMENT CHARACTER}"
            text = text.replace(token, apart)
        return text

    def _render(
        self, messages: Sequence[Message], tools: Sequence[Message] | None, *, header: bool = True
    ) -> str:
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    list(messages), tools=tools, tokenize=False, add_generation_prompt=header
                )
            )
        except TemplateError as error:
            said = " ".join(str(error).split())
            raise ValueError(f"the chat template does not show such a dialogue: {said}") from error

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _tool_call(call_id: str, tool: str, arguments: Message) -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": tool, "arguments": dict(arguments)},
    }
