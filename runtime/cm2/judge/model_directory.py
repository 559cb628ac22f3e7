"""A model directory as transformers saves it: weights, tokenizer, and how to prompt it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from cm2.judge.engine import JudgeLoadError, Prompt
from cm2.judge.token_bytes import token_bytes

Message = dict[str, str]

_PARTS = {".json", ".safetensors", ".bin", ".jinja", ".model", ".txt"}
_PIECE = 1 << 16
_PIECES = 64

_LONGEST = 200
"""Letters of a loader's own message to show: some go on for pages."""


@dataclass(frozen=True)
class Texts:
    """A directory's tokenizer: what prompts become, and what tokens write.

    `tokens` are the bytes of each, `end` is the one that ends an answer.
    """

    directory: Path
    tokenizer: Any
    messages: Callable[[Prompt], list[Message]] | None
    tokens: Mapping[int, bytes]
    control_tokens: tuple[str, ...]
    end: int
    pad: int

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's token ids: through the chat template, or as plain text without one."""
        if self.messages is None:
            text, special = f"{prompt.system}\n\n{prompt.user}\n\n", True
        else:  # the template writes the special tokens itself
            text, special = _chat(self.tokenizer, self.messages(prompt)), False
        ids: list[int] = self.tokenizer(text, add_special_tokens=special, verbose=False)[
            "input_ids"
        ]
        return ids

    def digest(self) -> str:
        """A hash that two directories share only if they hold the same model and tokenizer.

        Of files of more than a megabyte it takes the size and pieces from beginning to end: the
        weights of a trained model differ everywhere from those it was trained from.
        """
        whole = hashlib.sha256()
        for path in sorted(self.directory.iterdir()):
            if path.suffix not in _PARTS:
                continue
            size = path.stat().st_size
            whole.update(f"{path.name} {size}\0".encode())
            with path.open("rb") as file:
                for start in range(0, size, max(_PIECE, size // _PIECES)):
                    file.seek(start)
                    whole.update(file.read(_PIECE))
        return whole.hexdigest()

    def decode(self, ids: list[int]) -> str:
        """The text that these tokens write."""
        return b"".join(self.tokens.get(i, b"") for i in ids).decode("utf-8", "replace")


@dataclass(frozen=True)
class Loaded(Texts):
    """The same with the model. `context` is in tokens; None where there is no limit."""

    model: Any
    context: int | None


_LOCAL = {"local_files_only": True, "trust_remote_code": False}


def load_texts(directory: Path) -> Texts:
    """The tokenizer in a local directory, of which no code is run. Raises JudgeLoadError."""
    if not directory.is_dir():
        raise JudgeLoadError(f"there is no directory `{directory}`; give a transformers model's")
    if not (directory / "config.json").is_file():
        raise JudgeLoadError(
            f"`{directory}` has no config.json; give the directory of a model saved by transformers"
        )
    with _reading(directory, "a tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(directory, **_LOCAL)
    end = tokenizer.eos_token_id
    if end is None:
        raise JudgeLoadError(f"the tokenizer of `{directory}` has no end token; set its eos_token")
    return Texts(
        directory=directory,
        tokenizer=tokenizer,
        messages=_roles(directory, tokenizer),
        tokens=token_bytes(tokenizer),
        control_tokens=_control_tokens(tokenizer),
        end=end,
        pad=end if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
    )


def load_model(directory: Path) -> Loaded:
    """The model in a local directory, on the GPU where there is one.

    Nothing is downloaded, and no code from the directory is run. Raises JudgeLoadError.
    """
    texts = load_texts(directory)
    with _reading(directory, "a causal language model"):
        model, report = AutoModelForCausalLM.from_pretrained(
            directory, dtype="auto", output_loading_info=True, **_LOCAL
        )
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise JudgeLoadError(f"the weights in `{directory}` are not complete: no {missing}")
    _check_vocabulary(directory, model, texts.tokenizer)
    model.generation_config = GenerationConfig()  # the directory's is for chat: penalties, sampling
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Loaded(
        **vars(texts),
        model=model.to(device).eval(),
        context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
    )


@contextmanager
def _reading(directory: Path, what: str) -> Iterator[None]:
    """Raises JudgeLoadError, in one line, for whatever a loader of transformers raises."""
    try:
        yield
    except Exception as error:  # any type at all: tokenizers raises Exception itself
        says = " ".join(str(error).split())
        says = says if len(says) <= _LONGEST else f"{says[:_LONGEST]}…"
        raise JudgeLoadError(f"`{directory}` does not load as {what}: {says}") from error


def _check_vocabulary(directory: Path, model: Any, tokenizer: Any) -> None:
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise JudgeLoadError(
            f"the tokenizer of `{directory}` has {len(tokenizer)} tokens, but the model {rows}; "
            "they do not belong together"
        )


def _control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Every token that is matched in the text before it is split: special ones and added ones."""
    added = (str(token) for token in tokenizer.added_tokens_decoder.values())
    every = {*tokenizer.all_special_tokens, *added}
    return tuple(sorted(token for token in every if token.strip()))


def _chat(tokenizer: Any, messages: list[Message]) -> str:
    text: str = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return text


def _with_system(prompt: Prompt) -> list[Message]:
    return [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]


def _user_only(prompt: Prompt) -> list[Message]:
    return [{"role": "user", "content": f"{prompt.system}\n\n{prompt.user}"}]


def _roles(directory: Path, tokenizer: Any) -> Callable[[Prompt], list[Message]] | None:
    """How to lay a prompt out for the chat template; None where there is no template.

    Some templates refuse a system message, and some leave it out without a word.
    """
    if not tokenizer.chat_template:
        return None
    probe = Prompt("instructions", "question")
    for messages in (_with_system, _user_only):
        try:
            text = _chat(tokenizer, messages(probe))
        except TemplateError:
            continue
        if probe.system in text and probe.user in text:
            return messages
    raise JudgeLoadError(f"the chat template of `{directory}` does not render a user message")
