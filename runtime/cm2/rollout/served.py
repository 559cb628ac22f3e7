"""A policy behind a server of completions that takes and gives token ids, as vLLM's does.

What was sampled must be what is trained on. A text-only server cannot say which tokens it sampled:
the same text has many spellings in tokens, and the likeliest is not the one that was drawn. So the
server is tried before it is used, and refused where it does not show its tokens, reads other tokens
than it was sent, or gives log-probabilities of another distribution than it samples from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from cm2.judge.endpoint.connection import client
from cm2.judge.engine import EngineError, JudgeLoadError
from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.prefixes import PrefixGenerator, checked
from cm2.rollout.sampling import Sampling

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""

_SURE = -1e-3
"""A log-probability above it is that of the only token there was."""


@dataclass(frozen=True, slots=True)
class Server:
    """`url` ends before `/completions`. A request is tried `tries` times, `pause` seconds after the
    first failure, twice as many after each further one, and given up after `deadline` seconds."""

    url: str
    model: str
    key: str | None = None
    concurrency: int = 256
    tries: int = 4
    pause: float = 0.5
    deadline: float = 600.0


class _Logprobs(msgspec.Struct):
    token_logprobs: list[float | None]


class _Choice(msgspec.Struct):
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: _Logprobs | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class ServedGenerator(PrefixGenerator):
    """Messages end at one of `ends`. Entering it raises EngineError for a server that cannot be
    used; one that fails later fails the dialogues that ask, and those are masked."""

    def __init__(
        self, server: Server, *, ends: Sequence[int], sampling: Sampling | None = None
    ) -> None:
        super().__init__()
        self.sampling = sampling or Sampling()
        self._server = server
        self._ends = sorted(set(ends))
        self._tried = False
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        server = self._server
        headers = {"authorization": f"Bearer {server.key}"} if server.key else {}
        timeout = httpx.Timeout(server.deadline, connect=10.0)
        try:
            self._client = client([server.url], headers, timeout, server.concurrency)
        except JudgeLoadError as error:
            raise EngineError(str(error), "give the address of the policy's server") from error
        if not self._tried:
            try:
                await self._try()
            except BaseException:
                await self._client.aclose()
                raise
            self._tried = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._client is not None
        await self._client.aclose()

    async def continued(self, ids: Sequence[int], budget: int, seed: int) -> Sampled:
        start = perf_counter()
        try:
            choice = await self._ask(self._request(ids, budget, seed))
        finally:
            self.usage.add("waiting", perf_counter() - start)
        return self._read(choice, ids, budget)

    def _request(self, ids: Sequence[int], budget: int, seed: int) -> dict[str, Any]:
        sampling = self.sampling
        return {
            "model": self._server.model,
            "prompt": list(ids),
            "max_tokens": budget,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or -1,
            "min_p": sampling.min_p,
            "repetition_penalty": 1.0,
            "seed": seed,
            "logprobs": 0,
            "stop_token_ids": self._ends,
            "return_token_ids": True,
            "skip_special_tokens": False,
        }

    def _read(self, choice: _Choice, ids: Sequence[int], budget: int) -> Sampled:
        if choice.prompt_token_ids is not None and choice.prompt_token_ids != list(ids):
            raise PolicyFailure("the server read other tokens than it was sent")
        if choice.token_ids is None or choice.logprobs is None:
            raise PolicyFailure("the server did not show its tokens and their probabilities")
        return checked(
            choice.token_ids,
            choice.logprobs.token_logprobs,
            budget=budget,
            stopped=choice.finish_reason == "stop",
            ends=self._ends,
        )

    # --- requests -------------------------------------------------------------------------------

    async def _ask(self, request: dict[str, Any]) -> _Choice:
        """The answer, after as many tries as it takes. Raises PolicyFailure."""
        pause, left = self._server.pause, self._server.tries
        while True:
            left -= 1
            try:
                return await self._once(request)
            except _Outage as outage:
                if not left:
                    raise PolicyFailure(str(outage)) from outage
            await asyncio.sleep(pause)
            pause *= 2

    async def _once(self, request: dict[str, Any]) -> _Choice:
        assert self._client is not None
        try:
            reply = await self._client.post(f"{self._server.url}/completions", json=request)
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise _Outage(f"the policy's server does not answer: {what}") from error
        if reply.status_code != 200:
            says = " ".join(reply.text.split())[:300]
            message = f"the policy's server answers {reply.status_code}: {says}"
            raise (_Outage if reply.status_code in _AGAIN else PolicyFailure)(message)
        try:
            completion = msgspec.json.decode(reply.content, type=_Completion)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Outage(f"the policy's server sends no completion: {error}") from error
        if not completion.choices:
            raise _Outage("the policy's server sends no completion")
        return completion.choices[0]

    # --- trying it ------------------------------------------------------------------------------

    async def _try(self) -> None:
        """Raises EngineError unless the server is one that a policy can be trained from."""
        where, ids = self._server.url, [self._ends[0]] * 2
        try:
            choice = await self._ask({**self._request(ids, 2, 0), "stop_token_ids": []})
        except PolicyFailure as failure:
            raise EngineError(
                f"{where} cannot be asked for tokens: {failure}",
                "start a server that continues token ids, such as vLLM's",
            ) from failure
        if choice.token_ids is None:
            raise EngineError(
                f"{where} answers with text alone, and does not say which tokens it sampled",
                "use a server that gives token ids (`return_token_ids`), such as vLLM's: "
                "what was sampled must be what is trained on",
            )
        if choice.logprobs is None or len(choice.logprobs.token_logprobs) != len(choice.token_ids):
            raise EngineError(
                f"{where} gives no log-probabilities of its tokens",
                "allow `logprobs` on the server",
            )
        if choice.prompt_token_ids is not None and choice.prompt_token_ids != ids:
            raise EngineError(
                f"{where} reads other tokens than it is sent", "serve the policy's own model"
            )
        if self.sampling.cuts or self.sampling.temperature not in (0, 1):
            await self._try_probabilities(ids)

    async def _try_probabilities(self, ids: list[int]) -> None:
        """With one token left to sample from, its probability is 1, if it is of what is sampled."""
        only = {**self._request(ids, 1, 0), "temperature": 1.0, "top_k": 1, "stop_token_ids": []}
        choice = await self._ask(only)
        found = choice.logprobs.token_logprobs[0] if choice.logprobs else None
        if found is None or found < _SURE:
            raise EngineError(
                f"{self._server.url} gives log-probabilities of the model, and not of what it "
                "samples from at this temperature, top_p, top_k or min_p",
                "start vLLM with `--logprobs-mode processed_logprobs`, or sample at temperature 1 "
                "from all tokens",
            )


class _Outage(Exception):  # noqa: N818 - says what it is
    """What may be better the next time."""
