"""A judge that decides by a function, for judges that wrap another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cm2.judge import Judge, Question
from cm2dsl.reward.verdict import Decision


class Deciding(Judge):
    """Gives each decision after a while that differs; `asked` has every question's name."""

    def __init__(self, decision: Callable[[Question], Decision]) -> None:
        super().__init__()
        self._decision = decision
        self.asked: list[str] = []
        self.released = 0

    async def decide(self, question: Question) -> Decision:
        self.asked.append(question.name)
        await asyncio.sleep(len(self.asked) % 3 / 10_000)
        return self._decision(question)

    async def release(self) -> None:
        self.released += 1
