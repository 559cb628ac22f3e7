"""The judge: a language model that decides `ask` items under a fixed schema, with verified quotes.

`Judge(engine, files).decide(questions)` is all of it; `load_judge` makes one from a directory.
Importing this package imports no model library.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cm2.judge.engine import Answer, Answered, Engine, Failed, JudgeLoadError, Prompt
from cm2.judge.judge import Judge
from cm2.judge.view import Question
from cm2dsl import prompts

__all__ = [
    "MAX_NEW_TOKENS",
    "Answer",
    "Answered",
    "Engine",
    "Failed",
    "Judge",
    "JudgeLoadError",
    "Prompt",
    "Question",
    "load_judge",
]

MAX_NEW_TOKENS = 2048
"""Room for the longest answer that the schema allows, even at one token a byte."""


def load_judge(
    model_dir: Path,
    *,
    files: Mapping[str, str] | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    batch_size: int = 8,
) -> Judge:
    """A judge that is a causal language model in a local transformers directory.

    `files` are the bundle's prompt files (name -> text); without it, those of this version.
    `max_new_tokens` bounds each answer; one that does not end within it is an error. `batch_size`
    is how many prompts are decoded at once.

    Raises JudgeLoadError, with a message for the user, where the directory holds no model that can
    judge, or the packages of the extra `judge` are not installed.
    """
    own = prompts.files() if files is None else files
    try:
        from cm2.judge.transformers_engine import load_engine
    except ImportError as error:
        raise JudgeLoadError(
            f"judging needs the package `{error.name}`; run: pip install 'cm2dsl[judge]'"
        ) from error
    engine = load_engine(
        model_dir, own[prompts.SCHEMA], max_new_tokens=max_new_tokens, batch_size=batch_size
    )
    return Judge(engine, own)
