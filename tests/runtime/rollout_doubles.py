"""What the tests of rollouts and training share: tokenizers, and a spec of two turns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cm2.bundle import Bundle, compile_bundle
from cm2.rollout.codec import Codec
from cm2.rollout.generator import Generator, Line, Sampled
from cm2.train.tiny import build_tokenizer

CORPUS = [
    '<tool_call>\n{"name": "lookup", "arguments": {"booking": "AB12"}}\n</tool_call>',
    '{"booking": "AB12", "fare": "flex"}',
    "Please cancel booking AB12. Thank you, it is done.",
    "请取消订单",
] * 4

CHATML = """\
{%- if tools -%}
{{ '<|im_start|>system\\n' }}{{ tools | tojson }}{{ '<|im_end|>\\n' }}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'tool' -%}
{%- if messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif -%}
{{ '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\\n' }}{% endif -%}
{%- else -%}
{{ '<|im_start|>' + message.role + '\\n' + message.content }}
{%- for call in message.tool_calls or [] -%}
{{ '\\n' if message.content or not loop.first }}{{ '<tool_call>\\n{"name": "' }}
{{- call.function.name + '", "arguments": ' }}{{ call.function.arguments | tojson }}
{{- '}\\n</tool_call>' }}
{%- endfor -%}
{{ '<|im_end|>\\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"""
"""A template in the manner of the Qwen family: results of one step share a user block."""


def tiny_tokenizer() -> Any:
    return build_tokenizer(CORPUS, 400)


def chatml_tokenizer() -> Any:
    """A tokenizer whose messages end with `<|im_end|>` and a new line, as Qwen's do."""
    tokenizer = build_tokenizer(CORPUS, 400)
    tokenizer.add_special_tokens(
        {"eos_token": "<|im_end|>", "extra_special_tokens": ["<|im_start|>"]}
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def tool_call(name: str, **arguments: object) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


class Script(Generator):
    """Rollout i, by the last number of its key, says `scripts[i]`, message by message.

    `said` has who spoke, in order, and `before` is called with its length before each message.
    """

    def __init__(
        self,
        codec: Codec,
        scripts: Sequence[Sequence[str]],
        before: Callable[[int], None] = lambda number: None,
    ) -> None:
        super().__init__()
        self.codec = codec
        self.left = [list(script) for script in scripts]
        self.before = before
        self.said: list[int] = []

    def open(self, noise: np.random.Generator) -> Line:
        return _Scripted(self, noise.bit_generator.seed_seq.entropy[-1])  # type: ignore[attr-defined]


class _Scripted(Line):
    def __init__(self, script: Script, number: int) -> None:
        self._script = script
        self._number = number

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        script = self._script
        await asyncio.sleep(0)
        script.before(len(script.said))
        script.said.append(self._number)
        text = script.left[self._number].pop(0)
        ids = [*script.codec.tokenizer(text, add_special_tokens=False)["input_ids"]]
        ids = [*ids, script.codec.end][:budget]
        return Sampled(ids, [-1.0] * len(ids))


SPEC = """\
cm2 1

domain desk "A service desk"
tools "desk.tools.json"
system "desk.system.md"
simulate { python "desk_backend.py" }

task serve "Look up, then cancel" each row in "rows.csv" split by split {
  turn find {
    user "Look up {row.booking}."
    item looks_up strict { check called lookup(booking == row.booking) }
    item says after looks_up { check reply contains row.booking }
  }
  turn act {
    user "Cancel it."
    item cancels weight 3 { check called cancel(booking == row.booking) }
    item confirms { check reply contains "done" }
  }
}
"""

TOOLS = """\
[{"type": "function", "function": {"name": "lookup", "description": "A booking.", "parameters":
 {"type": "object", "properties": {"booking": {"type": "string"}}, "required": ["booking"]}}},
 {"type": "function", "function": {"name": "cancel", "description": "Cancels.", "parameters":
 {"type": "object", "properties": {"booking": {"type": "string"}}, "required": ["booking"]}}}]
"""

BACKEND = """\
def initial(row):
    return {"booking": row["booking"]}


def lookup(state, booking):
    if booking == "BROKEN":
        return {"booking", "which is no JSON"}
    if booking != state["booking"]:
        raise ValueError(f"no booking {booking}")
    return {"booking": booking, "fare": "flex"}


def cancel(state, booking):
    return {"cancelled": booking}
"""


def desk(folder: Path, rows: Sequence[str] = ("AB12", "CD34"), heldout: int = 1) -> Bundle:
    """A compiled spec with one task of two turns; its last rows are held out."""
    files = {
        "desk.cm2": SPEC,
        "desk.tools.json": TOOLS,
        "desk.system.md": "Be brief.\n",
        "desk_backend.py": BACKEND,
        "rows.csv": "id,booking,split\n"
        + "".join(
            f"r{i},{row},{'heldout' if i >= len(rows) - heldout else 'train'}\n"
            for i, row in enumerate(rows)
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    bundle = compile_bundle(folder / "desk.cm2", folder / "bundle")
    return replace(bundle, allow_python=True)
