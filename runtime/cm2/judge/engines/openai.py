"""A model behind servers that speak OpenAI's chat completions: vLLM, SGLang, llama.cpp, hosted."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from cm2.judge.config import MAX_TOKENS, AtLeastOne, Context, Name, Prompting, prompted
from cm2.judge.endpoint.client import EndpointEngine
from cm2.judge.endpoint.connection import is_url
from cm2.judge.endpoint.control_tokens import WELL_KNOWN, control_tokens_in
from cm2.judge.endpoint.request import LEFT_OUT, OWN, Requests
from cm2.judge.endpoint.structured import Structured
from cm2.judge.engine import JudgeLoadError
from cm2.judge.judge import Judge
from cm2.judge.prompt import schemas_in

_URL = re.compile(r"https?://[^/?#@\s]+(/[^?#@\s]*)?")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,60}")


class Settings(Prompting, frozen=True, kw_only=True):
    """`urls` are base URLs (`http://localhost:8000/v1`) of servers of one model, named `model`.

    `key_env` names the environment variable that holds the key. `structured` is how the servers
    take a schema. `temperature` and `top_p` are those of votes; a single answer is greedy.
    `logprobs` asks for what `confidence` is read from. `tokenizer` is a directory to take the
    model's control tokens from. `system_role` false puts the instructions into the user message.
    `extra` are further fields of a request, `leave_out` names those that the servers refuse.
    `revision` tells models apart that have one name, where answers are cached.
    """

    model: Name
    urls: Annotated[list[str], msgspec.Meta(min_length=1)]
    key_env: str | None = None
    structured: Structured = "json_schema"
    max_tokens: AtLeastOne = MAX_TOKENS
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    logprobs: bool = True
    tokenizer: Name | None = None
    system_role: bool = True
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    leave_out: list[str] = msgspec.field(default_factory=list)
    revision: str = ""

    def named(self) -> Sequence[str]:
        tokenizer = [] if self.tokenizer is None else [self.tokenizer]
        return [*Prompting.named(self), *tokenizer]


def open_judge(settings: Settings, context: Context) -> Judge:
    """Raises JudgeLoadError."""
    return prompted(open_engine(settings, context), settings, context)


def open_engine(settings: Settings, context: Context) -> EndpointEngine:
    """Raises JudgeLoadError."""
    where = context.where
    own = sorted({*settings.extra} & {*OWN})
    if own:
        raise JudgeLoadError(f"{where}: `extra` cannot set `{own[0]}`: the judge does")
    for name in settings.leave_out:
        if name not in LEFT_OUT:
            raise JudgeLoadError(
                f"{where}: `leave_out` cannot name `{name}`; it may name {', '.join(LEFT_OUT)}"
            )
    directory = settings.tokenizer
    schemas = schemas_in(context.files)
    return EndpointEngine(
        _base_urls(settings.urls, where),
        Requests(
            model=settings.model,
            schemas={shape: msgspec.json.decode(text) for shape, text in schemas.items()},
            structured=settings.structured,
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            system_role=settings.system_role,
            extra=settings.extra,
            leave_out=settings.leave_out,
        ),
        key=_key(settings.key_env, where),
        logprobs=settings.logprobs,
        control_tokens=(
            WELL_KNOWN if directory is None else control_tokens_in(context.folder / directory)
        ),
        limits=settings.limits,
        revision=settings.revision,
    )


def _base_urls(urls: Sequence[str], where: str) -> list[str]:
    for url in urls:
        if "@" in url or "?" in url:  # not shown: it may hold a password or a key
            raise JudgeLoadError(
                f"{where}: `urls`: a URL here has no user, password or query; "
                "a key is in the environment, and `key_env` names its variable"
            )
        if not (_URL.fullmatch(url) and is_url(url)):
            raise JudgeLoadError(
                f"{where}: `urls`: `{url}` is no base URL; write it as http://localhost:8000/v1"
            )
    return list(dict.fromkeys(url.rstrip("/") for url in urls))


def _key(variable: str | None, where: str) -> str | None:
    """The key. What stands in place of a variable's name is not shown: it may be the key itself."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if key and key.isascii() and key.isprintable():
        return key
    if not _VARIABLE.fullmatch(variable):
        raise JudgeLoadError(
            f"{where}: `key_env` is the name of an environment variable, such as OPENAI_API_KEY; "
            "a key itself is never in a file"
        )
    wrong = "holds no valid key" if key else "is not set"
    raise JudgeLoadError(
        f"{where}: the environment variable `{variable}`, which `key_env` names, {wrong}"
    )
