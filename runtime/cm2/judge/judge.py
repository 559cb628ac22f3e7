"""What a judge is: something that decides questions, and says what that took."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, TypeVar

from cm2.judge import interruptible
from cm2.judge.desk import Limits
from cm2.judge.ledger import Ledger
from cm2.judge.view import Question
from cm2dsl.reward.verdict import Decision

BY = "judge"

T = TypeVar("T")


class Judge(ABC):
    """Decides questions, many at once. `ledger` has what it took.

    One that judges `whole_dialogues` is shown them, whatever the spec's `view` says, and so is
    asked when they are over; a gate's item excepted. `ratings` are the scores that it gives to
    them, if it gives any, by the dialogue's task and id. `places` are the requests that it has out
    at once: so many dialogues keep it busy, and more would wait for each other.

    A judge lives on one event loop, as its connections do: that of `run`, which callers that are
    not asynchronous use, or the caller's own.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.whole_dialogues = False
        self.places = Limits().concurrency
        self.ratings: dict[tuple[str, str], float] = {}
        self._runner: asyncio.Runner | None = None

    @abstractmethod
    async def decide(self, question: Question) -> Decision:
        """The decision on one item; `by` is `judge`.

        What goes wrong with this question is a decision too: its verdict is `error`, its reason the
        cause. Raises ValueError for an item without an `ask` and for a turn that the trajectory
        does not have, EngineError where nothing can be decided at all.
        """

    async def ready(self) -> None:  # noqa: B027 - most have nothing to see to
        """See that the judge can be asked at all, before much is done that would be for nothing.

        Raises EngineError where it cannot. A judge that has nothing to see to does nothing.
        """

    @abstractmethod
    async def release(self) -> None:
        """Let go of what the judge holds: connections, files, threads."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do asynchronous work on the judge's own loop; an interrupt ends it in order."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return interruptible.run(self._runner, work)

    def close(self) -> None:
        """Release everything, and end the judge's own loop. A second time does nothing."""
        self.run(self.release())
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
