"""Prompts over HTTP: to the lane's server, and what came back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import httpx
import msgspec

from cm2.judge.desk import Limits
from cm2.judge.endpoint.connection import client, proxy_before
from cm2.judge.endpoint.probe import PROBE, held
from cm2.judge.endpoint.reply import Reply, read_reply, written
from cm2.judge.endpoint.request import Requests
from cm2.judge.endpoint.servers import Servers
from cm2.judge.endpoint.structured import bounded
from cm2.judge.engine import Answer, Answered, EngineError, Failed, Prompt, Usage

_CONNECT = 10.0
"""Seconds in which a server that is there takes a connection, however busy it is."""

_SHORTER = 0.9
"""The share of the deadline after which HTTP gives up: it knows better than the desk what hangs."""

_LONGEST = 16 << 20
"""Bytes of a response: what sends more sends no verdict."""


class EndpointEngine:
    """Servers of one model; see Engine for what it promises.

    Every server is asked the probe first (`probe.py`): until one has shown that it holds to the
    schema, no answer of it counts. With `logprobs`, those that refuse to give them for the probe
    are not asked for them again.
    """

    def __init__(
        self,
        urls: Sequence[str],
        requests: Requests,
        *,
        key: str | None,
        logprobs: bool,
        control_tokens: Sequence[str],
        limits: Limits,
        revision: str = "",
    ) -> None:
        self._requests = requests
        self._key = key
        self._logprobs = logprobs
        self._control_tokens = control_tokens
        self._limits = limits
        self._servers = Servers(urls)
        self._proofs: dict[str, asyncio.Task[bool | Failed]] = {}
        self._unproven = set(urls)
        self._proven = False
        self._client = _client(limits, key, urls)
        asked = (requests.structured, requests.max_tokens, requests.temperature, requests.top_p)
        more = (requests.system_role, dict(requests.extra), list(requests.leave_out))
        said = msgspec.json.encode([requests.model, revision, *asked, *more], order="sorted")
        self._identity = f"openai {said.decode()}"

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def control_tokens(self) -> Sequence[str]:
        return self._control_tokens

    async def answer(self, prompt: Prompt) -> Answer:
        url = self._servers.of(prompt.lane)
        logprobs = await self._proof(url)
        if isinstance(logprobs, Failed):
            return self._elsewhere(logprobs)
        answer, _ = await self._ask(url, prompt, logprobs)
        if isinstance(answer, Failed) and answer.trouble == "refused":
            return self._elsewhere(answer)
        return answer

    async def ready(self) -> None:
        """See `Tested`: one server that holds to the schema is enough."""
        asked = [self._proof(url) for url in list(self._unproven)]
        for found in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(found, BaseException):
                raise found

    async def close(self) -> None:
        for task in self._proofs.values():
            task.cancel()
        await asyncio.gather(*self._proofs.values(), return_exceptions=True)
        await self._client.aclose()

    # --- the probe ------------------------------------------------------------------------------

    async def _proof(self, url: str) -> bool | Failed:
        """Whether a server gives log-probabilities, once it has shown that it holds to the schema.

        All that wait for a server wait for one probe; it goes on when they give up.
        """
        task = self._proofs.get(url)
        if task is None:
            task = self._proofs[url] = asyncio.ensure_future(self._prove(url))
        found = await asyncio.shield(task)
        if isinstance(found, Failed) and self._proofs.get(url) is task:
            del self._proofs[url]
        return found

    async def _prove(self, url: str) -> bool | Failed:
        """Try the probe as often as a request is tried. Raises EngineError."""
        logprobs, pause, left = self._logprobs, self._limits.backoff, self._limits.tries
        while True:
            left -= 1
            try:
                answer, reply = await self._ask(url, PROBE, logprobs)
            except EngineError as error:
                answer, reply = Failed(error.message, "rejected"), None
                if not (logprobs and _of_logprobs(answer)):
                    raise
            if logprobs and _of_logprobs(answer):
                logprobs = False
                answer, reply = await self._ask(url, PROBE, logprobs)
            failed = held(url, answer, None if reply is None else written(reply))
            if failed is None:
                self._proven = True
                return logprobs
            if not left or (failed.trouble == "refused" and self._servers.any_up()):
                break
            wait = pause if failed.wait is None else failed.wait
            await asyncio.sleep(min(wait, self._limits.longest_wait))
            pause *= 2
        self._servers.down(url)
        self._unproven.discard(url)
        if not self._unproven and not self._proven:
            raise EngineError(
                f"no server answers a request: {failed.cause}",
                "see that it is there and ready, and that `urls` and `structured` are right",
            )
        return failed

    # --- one request ----------------------------------------------------------------------------

    def _elsewhere(self, failed: Failed) -> Failed:
        """A request whose server is down is sent again at once where another one is up."""
        return replace(failed, wait=0.0) if self._servers.any_up() else failed

    async def _ask(self, url: str, prompt: Prompt, logprobs: bool) -> tuple[Answer, Reply | None]:
        """A server's answer to a prompt, and the response that it was in."""
        body = msgspec.json.encode(self._requests.body(prompt, logprobs))
        start = perf_counter()
        reply = await self._post(url, body)
        if isinstance(reply, Failed):
            return replace(reply, usage=Usage(seconds=perf_counter() - start)), None
        reply = replace(reply, body=self._without_key(reply.body), seconds=perf_counter() - start)
        if reply.status in (502, 503, 504):
            self._servers.down(url)
        else:
            self._servers.up(url)
        answer = read_reply(reply)
        if isinstance(answer, Answered) and self._requests.structured == "strict":
            answer = replace(answer, text=bounded(answer.text, self._requests.schema(prompt)))
        return answer, reply

    async def _post(self, url: str, body: bytes) -> Reply | Failed:
        try:
            async with self._client.stream(
                "POST", f"{url}/chat/completions", content=body
            ) as response:
                whole = bytearray()
                async for piece in response.aiter_bytes():
                    whole += piece
                    if len(whole) > _LONGEST:
                        return Failed(f"{url} sends more than {_LONGEST} bytes", "outage")
                return Reply(url, response.status_code, response.headers, bytes(whole), 0.0)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._servers.down(url)
            return Failed(f"{_way(url)} takes no connection: {_said(error)}", "refused", again=True)
        except httpx.TimeoutException:
            return Failed(f"{url} did not answer in time", "timeout", again=True)
        except httpx.ProxyError as error:
            self._servers.down(url)
            return Failed(f"{_way(url)} is not reached: {_said(error)}", "refused", again=True)
        except httpx.RequestError as error:
            return Failed(f"{url} broke off: {_said(error)}", "outage", again=True)

    def _without_key(self, body: bytes) -> bytes:
        """A response in which the key, should a server repeat it, is not there."""
        return body if self._key is None else body.replace(self._key.encode(), b"[key]")


def _client(limits: Limits, key: str | None, urls: Sequence[str]) -> httpx.AsyncClient:
    headers = {"content-type": "application/json", "accept": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    whole = None if limits.deadline is None else limits.deadline * _SHORTER
    connect = _CONNECT if whole is None else min(_CONNECT, whole)
    places = limits.concurrency + len(urls)  # the probes have no place at the desk
    return client(urls, headers, httpx.Timeout(whole, connect=connect), places)


def _way(url: str) -> str:
    """A server's URL, with the proxy that is asked for it."""
    proxy = proxy_before(url)
    return url if proxy is None else f"{url}, asked through the environment's proxy {proxy},"


def _of_logprobs(answer: Answer) -> bool:
    """Whether a server refuses to give log-probabilities."""
    return isinstance(answer, Failed) and "logprob" in answer.cause.lower()


def _said(error: Exception) -> str:
    said = str(error) or type(error).__name__
    return said[:1].lower() + said[1:]
