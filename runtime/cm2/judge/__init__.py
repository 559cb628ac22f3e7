"""The judge: a language model that decides `ask` items under a fixed schema, with verified quotes.

    open_judge(settings, context)  a judge as its run config describes it
    load_judge(dir)                a judge that is a model in a local transformers directory
    judge.decide(question)         one decision; many may be asked for at once

Importing this package imports no model library.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cm2.judge.config import MAX_TOKENS, Context, open_judge, read_settings
from cm2.judge.engine import (
    Answer,
    Answered,
    Engine,
    EngineError,
    Failed,
    JudgeLoadError,
    Prompt,
    Usage,
)
from cm2.judge.judge import Judge
from cm2.judge.prompted import PromptedJudge
from cm2.judge.view import Question
from cm2dsl import prompts

__all__ = [
    "MAX_TOKENS",
    "Answer",
    "Answered",
    "Context",
    "Engine",
    "EngineError",
    "Failed",
    "Judge",
    "JudgeLoadError",
    "Prompt",
    "PromptedJudge",
    "Question",
    "Usage",
    "load_judge",
    "open_judge",
    "read_settings",
]


def load_judge(
    model_dir: Path,
    *,
    files: Mapping[str, str] | None = None,
    max_tokens: int = MAX_TOKENS,
    batch: int = 8,
) -> Judge:
    """A judge that is a causal language model in a local transformers directory.

    `files` are the bundle's prompt files (name -> text); without it, those of this version.
    `max_tokens` bounds each answer; one that does not end within it is an error. `batch` is how
    many prompts are decoded at once. Raises JudgeLoadError, with a message for the user.
    """
    said = {"engine": "transformers", "model": str(model_dir), "max_tokens": max_tokens}
    own = prompts.files() if files is None else files
    return open_judge(said | {"batch": batch}, Context(own))
