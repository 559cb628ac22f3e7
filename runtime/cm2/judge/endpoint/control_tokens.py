"""What the tokenizers of common models read as control tokens, for models that are elsewhere.

A server does not say what its tokenizer is. Its directory, where it is at hand, has the whole list;
otherwise the lists of the well-known families stand in for it, all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cm2.judge.engine import JudgeLoadError
from cm2dsl import jsonl

_FAMILIES = {
    "Llama 3 and 4": """
        <|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>
        <|eom_id|> <|python_tag|> <|finetune_right_pad_id|> <|header_start|> <|header_end|> <|eot|>
        <|eom|> <|step_id|> <|finetune_right_pad|> <|python_start|> <|python_end|> <|image|>
        <|image_start|> <|image_end|> <|patch|>
    """,
    "Llama 2, Mistral": """
        <s> </s> <unk> <pad> <<SYS>> <</SYS>> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS]
        [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CALLS] [TOOL_CONTENT] [CALL_ID] [ARGS] [SYSTEM_PROMPT]
        [/SYSTEM_PROMPT] [IMG] [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [AUDIO]
        [BEGIN_AUDIO] [THINK] [/THINK]
    """,
    "Qwen, ChatML": """
        <|im_start|> <|im_end|> <|im_sep|> <|endoftext|> <|object_ref_start|> <|object_ref_end|>
        <|box_start|> <|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|>
        <|vision_pad|> <|image_pad|> <|video_pad|> <|fim_prefix|> <|fim_middle|> <|fim_suffix|>
        <|fim_pad|> <|repo_name|> <|file_sep|> <tool_call> </tool_call> <tool_response>
        </tool_response> <think> </think>
    """,
    "Gemma": """
        <bos> <eos> <mask> <start_of_turn> <end_of_turn> <start_of_image> <end_of_image>
        <image_soft_token> <audio_soft_token> <start_of_audio> <end_of_audio>
    """,
    "DeepSeek": """
        <｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜▁pad▁｜> <｜User｜> <｜Assistant｜>
        <｜tool▁calls▁begin｜> <｜tool▁calls▁end｜> <｜tool▁call▁begin｜> <｜tool▁call▁end｜>
        <｜tool▁outputs▁begin｜> <｜tool▁outputs▁end｜> <｜tool▁output▁begin｜>
        <｜tool▁output▁end｜> <｜tool▁sep｜> <｜fim▁begin｜> <｜fim▁hole｜> <｜fim▁end｜> <|EOT|>
    """,
    "GPT-OSS, harmony": """
        <|startoftext|> <|return|> <|constrain|> <|channel|> <|start|> <|end|> <|message|> <|call|>
        <|endofprompt|>
    """,
    "Phi": """
        <|system|> <|user|> <|assistant|> <|tool|> <|/tool|> <|tool_call|> <|/tool_call|>
        <|tool_response|> <|dummy_0|>
    """,
    "GLM": """
        [gMASK] [sMASK] [MASK] <sop> <eop> <|observation|> <|begin_of_image|> <|end_of_image|>
        <|begin_of_video|> <|end_of_video|> <|code_prefix|> <|code_middle|> <|code_suffix|>
    """,
    "Command": """
        <BOS_TOKEN> <EOS_TOKEN> <EOP_TOKEN> <PAD> <UNK> <CLS> <SEP> <MASK_TOKEN>
        <|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> <|SYSTEM_TOKEN|> <|USER_TOKEN|>
        <|CHATBOT_TOKEN|> <|START_RESPONSE|> <|END_RESPONSE|> <|START_THINKING|> <|END_THINKING|>
        <|START_ACTION|> <|END_ACTION|> <|START_TOOL_RESULT|> <|END_TOOL_RESULT|> <|START_TEXT|>
        <|END_TEXT|>
    """,
    "Granite": "<|start_of_role|> <|end_of_role|> <|start_of_cite|> <|end_of_cite|>",
    "Kimi": """
        [BOS] [EOS] [EOT] [UNK] [PAD] <|im_user|> <|im_assistant|> <|im_system|> <|im_middle|>
        <|tool_calls_section_begin|> <|tool_calls_section_end|> <|tool_call_begin|>
        <|tool_call_argument_begin|> <|tool_call_end|> <|media_begin|> <|media_content|>
        <|media_end|> <|media_pad|>
    """,
    "Falcon, InternLM, OLMo": """
        <|action_start|> <|action_end|> <|interpreter|> <|plugin|> <|endofturn|> <|pad|>
        <|padding|> <|mask|>
    """,
}

WELL_KNOWN = tuple(dict.fromkeys(token for said in _FAMILIES.values() for token in said.split()))
"""The control tokens of the families above, and Llama 3's reserved ones beside them."""
WELL_KNOWN += tuple(f"<|reserved_special_token_{number}|>" for number in range(256))

_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def control_tokens_in(directory: Path) -> tuple[str, ...]:
    """The control tokens of the tokenizer in a directory: special and added ones, sorted.

    It reads the files that transformers writes and servers load, without a model library. Raises
    JudgeLoadError.
    """
    if not directory.is_dir():
        raise JudgeLoadError(f"`tokenizer`: there is no directory `{directory}`")
    if not (directory / _FILES[0]).is_file():
        raise JudgeLoadError(
            f"`tokenizer`: `{directory}` has no {_FILES[0]}; leave `tokenizer` out, and the "
            "control tokens of the well-known models are taken"
        )
    found: set[str] = set()
    for name in _FILES:
        path = directory / name
        if path.is_file():
            found.update(_tokens(_json(path)))
    return tuple(sorted(token for token in found if token.strip()))


def _json(path: Path) -> Any:
    try:
        return jsonl.parse(path.read_bytes())
    except (OSError, jsonl.JsonError) as error:
        raise JudgeLoadError(f"`tokenizer`: cannot read `{path}`: {error}") from None


def _tokens(said: Any) -> Iterator[str]:
    """The tokens in any of the three files: they name them in as many ways."""
    if not isinstance(said, dict):
        return
    added = said.get("added_tokens", [])
    decoded = said.get("added_tokens_decoder", {})
    for one in [*_listed(added), *_listed(decoded), *said.values()]:
        if isinstance(one, dict) and isinstance(one.get("content"), str):
            yield one["content"]
    for name, value in said.items():
        if name.endswith("_token") and isinstance(value, str):
            yield value
    for one in _listed(said.get("additional_special_tokens", [])):
        if isinstance(one, str):
            yield one


def _listed(said: Any) -> list[Any]:
    if isinstance(said, dict):
        return list(said.values())
    return said if isinstance(said, list) else []
