"""Between the judge and its engine: who may ask when, how often, and for how long.

A request waits for one of a limited number of places, is sent, and gives its place back, also while
it waits to be sent again: a slow or limited request holds up no other. Its deadline runs from when
it is sent, so that a long queue lets none of them fail. Nothing that happens to one request changes
what another is answered.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from cm2.judge.engine import Answer, Answered, Engine, Failed, Prompt, Usage
from cm2.judge.ledger import Ledger

Usable = Callable[[Answered], Failed | None]
"""What is wrong with an answer, if anything: it may be asked for again, and is never stored."""


class Cache(Protocol):
    """Answers that were given before, by a key of all that they depend on."""

    def get(self, key: str) -> Answered | None: ...

    def put(self, key: str, answer: Answered) -> None: ...

    def close(self) -> None: ...


class NoCache:
    """Keeps nothing."""

    def get(self, key: str) -> Answered | None:
        return None

    def put(self, key: str, answer: Answered) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Limits:
    """How requests are sent.

    `concurrency` are out at once. Each is sent up to `tries` times, where that can help: the second
    time after about `backoff` seconds, then after twice as long, or after what the server asks for,
    and never after more than `longest_wait`. A try that takes more than `deadline` seconds is over;
    None waits as long as it takes.
    """

    concurrency: int = 32
    deadline: float | None = 120.0
    tries: int = 4
    backoff: float = 0.5
    longest_wait: float = 30.0


@dataclass(slots=True)
class _Shared:
    """A request that is out, and how many wait for its answer."""

    task: asyncio.Task[Answer]
    waiting: int = 0


class Desk:
    """Requests in, answers out: from the cache, or from the engine within the limits."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        ledger: Ledger,
        cache: Cache,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.engine = engine
        self._limits = limits
        self._ledger = ledger
        self._cache = cache
        self._sleep = sleep
        self._places = asyncio.Semaphore(limits.concurrency)
        self._out: dict[str, _Shared] = {}

    async def ask(self, prompt: Prompt, key: str, item: str, usable: Usable) -> Answer:
        """The answer to a prompt; `key` is its cache key, `item` whose cost it is.

        Requests with one key that are asked at once share an answer, and the request is withdrawn
        when none waits for it any more. Raises EngineError.
        """
        known = self._cache.get(key)
        if known is not None:
            self._ledger.hit(item)
            return known
        shared = self._out.get(key)
        if shared is None:
            task = asyncio.ensure_future(self._tries(prompt, key, item, usable))
            shared = self._out[key] = _Shared(task)
        else:
            self._ledger.hit(item)
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                shared.task.cancel()  # of no effect once it is done
                self._out.pop(key, None)

    async def _tries(self, prompt: Prompt, key: str, item: str, usable: Usable) -> Answer:
        limits = self._limits
        pause = limits.backoff * _spread(key)
        for left in reversed(range(limits.tries)):
            answer = await self._once(prompt)
            if isinstance(answer, Answered):
                answer = usable(answer) or answer
            self._ledger.called(item, answer, retry=left < limits.tries - 1)
            if isinstance(answer, Answered):
                self._cache.put(key, answer)
            if isinstance(answer, Answered) or not answer.again or not left:
                break
            await self._sleep(
                min(pause if answer.wait is None else answer.wait, limits.longest_wait)
            )
            pause *= 2
        return answer

    async def _once(self, prompt: Prompt) -> Answer:
        deadline = self._limits.deadline
        async with self._places:
            try:
                async with asyncio.timeout(deadline) as limit:
                    return await self.engine.answer(prompt)
            except TimeoutError:
                if deadline is None or not limit.expired():
                    raise  # not ours: the engine broke its word
                cause = f"no answer within {deadline:g} s"
                return Failed(cause, "timeout", again=True, usage=Usage(seconds=deadline))

    async def close(self) -> None:
        """Withdraw what is still out, and let go of the engine and the cache."""
        tasks = [shared.task for shared in self._out.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.engine.close()
        self._cache.close()


def _spread(key: str) -> float:
    """Between 0.5 and 1, by the key: what failed together does not come back all at once."""
    return 0.5 + int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / (1 << 33)
