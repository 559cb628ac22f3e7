"""A model in this process under vLLM: on a GPU, with its own scheduling and prefix cache.

vLLM batches whatever is out at once, goes on with the others when one ends or is cancelled, and
keeps what prompts begin with. The schema reaches it as Outlines hands it over, and is enforced by
its `outlines` backend, the one that allows no white space without end (docs/judge.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Literal

import msgspec
from outlines.models.vllm_offline import VLLMOfflineTypeAdapter
from outlines.types import JsonSchema

from cm2.judge.confidence import Token, confidence
from cm2.judge.config import MAX_TOKENS, AtLeastOne, Context, Deadline, Name, Prompting, prompted
from cm2.judge.engine import (
    Answer,
    Answered,
    EngineError,
    Failed,
    JudgeLoadError,
    Prompt,
    Shape,
    Usage,
    schema_of,
    tokens_of,
)
from cm2.judge.judge import Judge
from cm2.judge.model_directory import Texts, load_texts
from cm2.judge.prompt import schemas_in

_SHORTEST_ANSWER = 32
"""Tokens without which no answer fits."""

_LIKELY = 20
"""Tokens to be told of at each place, the most that vLLM gives by default. The verdict's first
letter has three, and as many more as tokens write it together with what follows."""

_NO_LIMIT = {"VLLM_REGEX_COMPILATION_TIMEOUT_S": "0"}
"""vLLM gives a schema 5 s to compile; with a vocabulary of 151k it takes 20, once."""

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Settings(Prompting, frozen=True, kw_only=True):
    """`model` is a directory that transformers saved a model in; nothing is downloaded.

    `max_tokens` bounds an answer. `gpu_memory` is the share of the GPU's memory that vLLM takes,
    `gpus` how many it splits the model over, `context` the longest prompt and answer in tokens, if
    it is to be less than the model's. `structured` is what enforces the schema. `options` are
    further arguments of vLLM's engine, by their names in Python.
    """

    model: Name
    max_tokens: AtLeastOne = MAX_TOKENS
    gpu_memory: Share = 0.9
    gpus: AtLeastOne = 1
    context: AtLeastOne | None = None
    structured: Literal["outlines", "xgrammar", "guidance"] = "outlines"
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    concurrency: AtLeastOne = 128
    deadline: Deadline | None = None

    def named(self) -> Sequence[str]:
        return [*Prompting.named(self), self.model]


def open_judge(settings: Settings, context: Context) -> Judge:
    """Raises JudgeLoadError."""
    return prompted(open_engine(settings, context), settings, context)


def open_engine(settings: Settings, context: Context) -> VllmEngine:
    """Raises JudgeLoadError."""
    own = sorted({*settings.options} & {*_arguments(Path(), settings)})
    if own:
        raise JudgeLoadError(f"{context.where}: `options` cannot set `{own[0]}`: the judge does")
    texts = load_texts(context.folder / settings.model)
    llm = _start(texts.directory, settings)
    return VllmEngine(
        llm,
        texts,
        schemas_in(context.files),
        max_tokens=settings.max_tokens,
        context=llm.model_config.max_model_len,
        started=msgspec.json.encode(_arguments(Path(), settings) | settings.options).decode(),
    )


def _arguments(directory: Path, settings: Settings) -> dict[str, Any]:
    """What vLLM's engine is started with, in plain values.

    The directory's own generation settings are for chat, and so are left out.
    """
    return {
        "model": str(directory),
        "trust_remote_code": False,
        "generation_config": "vllm",
        "enable_prefix_caching": True,
        "gpu_memory_utilization": settings.gpu_memory,
        "tensor_parallel_size": settings.gpus,
        **({} if settings.context is None else {"max_model_len": settings.context}),
        "structured_outputs_config": _structured(settings),
    }


def _structured(settings: Settings) -> dict[str, Any]:
    return {
        "backend": settings.structured,
        "disable_any_whitespace": settings.structured != "outlines",  # which allows one space
    }


def _start(directory: Path, settings: Settings) -> Any:
    """vLLM's engine. Raises JudgeLoadError."""
    for name, value in _NO_LIMIT.items():
        os.environ.setdefault(name, value)
    try:
        arguments = engine_arguments(directory, settings)
        from vllm.v1.engine.async_llm import AsyncLLM
    except ImportError as error:
        package = (error.name or "vllm").partition(".")[0]
        raise JudgeLoadError(
            f"the engine `vllm` needs the package `{package}`; "
            "run: pip install 'cm2dsl[judge,vllm]'"
        ) from error
    try:
        return AsyncLLM.from_engine_args(arguments)
    except Exception as error:  # of any type: it starts processes, drivers and kernels
        says = " ".join(str(error).split())[:300]
        raise JudgeLoadError(f"vLLM does not start with `{directory}`: {says}") from error


def engine_arguments(directory: Path, settings: Settings) -> Any:
    """vLLM's AsyncEngineArgs. Raises JudgeLoadError for an option that it does not have."""
    from vllm.config import StructuredOutputsConfig
    from vllm.engine.arg_utils import AsyncEngineArgs

    said = _arguments(directory, settings)
    # A table of plain values would be taken as it is, and break later.
    said["structured_outputs_config"] = StructuredOutputsConfig(**_structured(settings))
    try:
        return AsyncEngineArgs(**said, **settings.options)
    except (TypeError, ValueError) as error:
        raise JudgeLoadError(f"vLLM does not take the settings: {error}") from error


class VllmEngine:
    """A running vLLM engine; see Engine for what it promises."""

    def __init__(
        self,
        llm: Any,
        texts: Texts,
        schemas: Mapping[Shape, str],
        *,
        max_tokens: int,
        context: int,
        started: str,
    ) -> None:
        """`llm` is an AsyncLLM for the model that `texts` are of; `started` says how it was made.

        `context` is how many tokens a prompt and its answer may have together.
        """
        self._llm = llm
        self._texts = texts
        self._schemas = schemas
        self._max_tokens = max_tokens
        self._context = context
        self._numbers = count()
        self._identity = f"vllm {texts.digest()} {max_tokens} {started}"

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def control_tokens(self) -> Sequence[str]:
        return self._texts.control_tokens

    async def answer(self, prompt: Prompt) -> Answer:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        ids = self._texts.encode(prompt)
        most = tokens_of(prompt.shape, self._max_tokens)
        room = min(most, self._context - len(ids))
        if room < min(_SHORTEST_ANSWER, most):
            return Failed(
                f"the prompt of {len(ids)} tokens leaves no room for an answer in the model's "
                f"context of {self._context}",
                "too_long",
                usage=Usage(prompt=len(ids)),
            )
        start = perf_counter()
        try:
            last = None
            async for output in self._llm.generate(
                {"prompt_token_ids": ids},
                self.parameters(prompt, room),
                f"judge-{next(self._numbers)}",
            ):
                last = output
        except EngineDeadError as error:
            raise EngineError("vLLM's engine has died", "see what it wrote above") from error
        except VLLMClientError as error:
            return Failed(f"vLLM refuses the request: {error}", "rejected")
        except EngineGenerateError as error:
            return Failed(f"vLLM failed: {error.__cause__}", "outage", again=True)
        return self._read(last, perf_counter() - start)

    async def close(self) -> None:
        self._llm.shutdown()

    def parameters(self, prompt: Prompt, room: int) -> Any:
        """vLLM's SamplingParams for a prompt, whose answer has at most `room` tokens."""
        from vllm.sampling_params import (
            RequestOutputKind,
            SamplingParams,
            StructuredOutputsParams,
        )

        schema = JsonSchema(schema_of(prompt.shape, self._schemas))
        held = VLLMOfflineTypeAdapter().format_output_type(schema)
        return SamplingParams(
            temperature=0.0 if prompt.seed is None else 1.0,
            seed=prompt.seed,
            max_tokens=room,
            logprobs=_LIKELY,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            structured_outputs=StructuredOutputsParams(**held),
        )

    def _read(self, output: Any, seconds: float) -> Answer:
        """An answer out of vLLM's RequestOutput; None where it sent nothing."""
        if output is None or not output.outputs:
            return Failed("vLLM ended without an answer", "outage", again=True)
        (written,) = output.outputs
        usage = Usage(
            prompt=len(output.prompt_token_ids or ()),
            cached=output.num_cached_tokens,
            output=len(written.token_ids),
            seconds=seconds,
        )
        if written.finish_reason == "stop":
            text = self._texts.decode(list(written.token_ids))
            return Answered(text, usage, self._confidence(written.token_ids, written.logprobs))
        if written.finish_reason == "length":
            cause = f"the answer did not end within {len(written.token_ids)} tokens"
            return Failed(cause, "truncated", usage=usage)
        cause = f"vLLM gave up: {written.finish_reason}"
        return Failed(cause, "outage", again=True, usage=usage)

    def _confidence(self, ids: Sequence[int], places: Sequence[Any] | None) -> float | None:
        """`places` has, for each token, the log-probabilities of the likely ones by id."""
        if places is None:
            return None
        text = self._texts.tokens
        return confidence(
            [
                Token(
                    text.get(chosen, b""),
                    likely[chosen].logprob,
                    [(text.get(i, b""), one.logprob) for i, one in likely.items()],
                )
                for chosen, likely in zip(ids, places, strict=True)
            ]
        )
