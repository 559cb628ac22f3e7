"""Chat templates in the manner of well-known families, each with a small tokenizer of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rollout_doubles import CORPUS, chatml_tokenizer, tiny_tokenizer

from cm2.train.tiny import build_tokenizer

LLAMA3 = """\
{{- '<|begin_of_text|>' -}}
{%- if tools -%}
{{ '<|start_header_id|>system<|end_header_id|>\\n\\nTools: ' + (tools | tojson) + '<|eot_id|>' }}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'tool' -%}
{{ '<|start_header_id|>ipython<|end_header_id|>\\n\\n' }}
{{- (message.content | tojson) + '<|eot_id|>' }}
{%- else -%}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}
{{- (message.content or '') | trim }}
{%- for call in message.tool_calls or [] -%}
{{ '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- (call.function.arguments | tojson) + '}\\n</tool_call>' }}
{%- endfor -%}
{{ '<|eot_id|>' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif -%}"""
"""Headers in control tokens, text trimmed, results as JSON strings; no line after the end."""

MISTRAL = """\
{{- '<s>' -}}
{%- if messages[0].role == 'system' -%}
{%- set system = messages[0].content %}{% set messages = messages[1:] -%}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{%- if tools and loop.last %}{{ '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}
{%- endif -%}
{{ '[INST]' + (system + '\\n\\n' if system and loop.first else '') + message.content + '[/INST]' }}
{%- elif message.role == 'tool' -%}
{{ '[TOOL_RESULTS]' + ({'content': message.content} | tojson) + '[/TOOL_RESULTS]' }}
{%- else -%}
{{ message.content or '' }}
{%- for call in message.tool_calls or [] -%}
{{ '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- (call.function.arguments | tojson) + '}\\n</tool_call>' }}
{%- endfor -%}
{{ '</s>' }}
{%- endif -%}
{%- endfor -%}"""
"""No header of the assistant's at all; the tools stand before the last user message."""

SMOLLM3 = """\
{{- '<|im_start|>system\\n## Metadata\\n\\nReasoning Mode: /no_think\\n\\n' -}}
{%- if messages[0].role == 'system' %}{{ messages[0].content }}{% endif -%}
{%- if tools %}{{ '### Tools\\n' + (tools | tojson) }}{% endif -%}
{{- '<|im_end|>\\n' -}}
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{{ '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
{%- elif message.role == 'tool' -%}
{{ '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- elif message.role == 'assistant' -%}
{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] -%}
{{ '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- (call.function.arguments | tojson) + '}\\n</tool_call>' }}
{%- endfor -%}
{{ '<|im_end|>\\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n' }}
{%- endif -%}"""
"""The header of a message holds an empty thought; results are the user's, each in its own block."""


def _tokenizer(template: str, end: str, *control: str) -> Any:
    tokenizer = build_tokenizer(CORPUS, 400)
    tokenizer.add_special_tokens({"eos_token": end, "extra_special_tokens": list(control)})
    tokenizer.chat_template = template
    return tokenizer


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "tiny": tiny_tokenizer,
    "qwen": chatml_tokenizer,
    "llama3": lambda: _tokenizer(
        LLAMA3, "<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"
    ),
    "mistral": lambda: _tokenizer(
        MISTRAL, "</s>", "<s>", "[INST]", "[/INST]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"
    ),
    "smollm3": lambda: _tokenizer(SMOLLM3, "<|im_end|>", "<|im_start|>"),
}
