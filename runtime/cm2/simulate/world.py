"""One rollout's world: it checks each call, asks the backends in order, and keeps a log.

The calls of one message are answered together. Those that only read are answered at the same time;
a write, or a tool of which nobody knows whether it writes, is answered alone: when all that stand
before it in the message are answered, and before any that stands behind it is asked. The log and
the answers are in the order of the message, whatever was ready first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cm2.simulate.arguments import canonical
from cm2.simulate.backend import Answer, Asked, Backend, Event, Passed, Requestor, ToolFailure
from cm2.simulate.errors import ErrorShape, error
from cm2.simulate.tools import Tools
from cm2.tasks import task_group
from cm2.trajectory import Call

__all__ = ["ToolFailure", "World"]

NO_OBJECT = "the arguments are no JSON object"


@dataclass(frozen=True, slots=True)
class _Checked:
    """A call of a message: what the backends are asked, or the answer that refuses it."""

    call: Call
    key: str
    asked: Asked | None = None
    refusal: Answer | None = None

    @property
    def reads(self) -> bool:
        """Whether it may be answered at the same time as others: no backend changes by it."""
        return self.asked is None or self.asked.effect in ("read", "generic")


class World:
    """Answers the calls of one rollout, a message at a time.

    The same calls in the same order get the same answers, as far as the backends give the same.
    `log` holds every call that was answered. `errors` is the shape of the world's own errors.
    """

    def __init__(
        self, tools: Tools, backends: Sequence[Backend], errors: ErrorShape = "object"
    ) -> None:
        self.log: list[Event] = []
        self._tools = tools
        self._backends = tuple(backends)
        self._errors: ErrorShape = errors

    async def answer(self, calls: Sequence[Call], requestor: Requestor = "agent") -> list[Answer]:
        """The results of the calls of one message, in their order; `requestor` is who called.

        A call that is wrong gets an error as its answer, as from a real service. Raises ToolFailure
        where the world broke (mask the rollout), SimulationError where the spec cannot be simulated
        (end the run); what else is being answered is given up, and the log ends before it.
        """
        start = len(self.log)
        checked = [self._check(call, requestor) for call in calls]
        for together in _groups(checked):
            await self._answer(together, requestor)
        return [event.answer for event in self.log[start:]]

    async def call(
        self, tool: str, arguments: Mapping[str, Any] | None, requestor: Requestor = "agent"
    ) -> Answer:
        """The result of a message's only call; `arguments` is None where it wrote no JSON object.

        Raises as `answer` does.
        """
        (answer,) = await self.answer([Call("", tool, arguments, "")], requestor)
        return answer

    def error(self, message: str) -> str:
        """A tool's error with this message, as the tools of this world write it."""
        return error(message, self._errors)

    async def close(self) -> None:
        """The rollout is over."""
        for backend in self._backends:
            await backend.close()

    async def __aenter__(self) -> World:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    def _check(self, call: Call, requestor: Requestor) -> _Checked:
        tool, arguments = call.tool, call.arguments
        try:
            key = "" if arguments is None else canonical(arguments)
            if arguments is None:
                return self._refused(call, "", NO_OBJECT, "no object")
            schema = self._tools.schema(requestor, tool)
            if schema is None:
                known = ", ".join(self._tools.names(requestor)) or "none"
                return self._refused(call, key, f"unknown tool; there are {known}", "unknown tool")
            complaint = schema.complaint(arguments)
            if complaint is not None:
                return self._refused(call, key, complaint.text, complaint.rule)
            meant = schema.meant(arguments)
            key = canonical(meant)
        except (ValueError, RecursionError):
            return self._refused(call, "", NO_OBJECT, "no object")
        effect = self._tools.effect(requestor, tool)
        return _Checked(call, key, Asked(tool, meant, key, effect, requestor=requestor))

    def _refused(self, call: Call, key: str, message: str, rule: str) -> _Checked:
        return _Checked(call, key, refusal=Answer(self.error(message), "schema", rule))

    async def _answer(self, together: Sequence[_Checked], requestor: Requestor) -> None:
        """Answer calls that only read at the same time, or one call of another kind."""
        history = tuple(self.log)
        settled = [asyncio.Event() for _ in together]

        async def one(index: int) -> None:
            beside = [other.asked for other in together[:index] if other.asked is not None]
            earlier = settled[index - 1] if index else None
            await self._answer_one(together[index], history, beside, earlier, requestor)
            settled[index].set()

        if len(together) == 1:
            await one(0)
            return
        async with task_group() as group:
            for index in range(len(together)):
                group.create_task(one(index))

    async def _answer_one(
        self,
        checked: _Checked,
        history: Sequence[Event],
        beside: Sequence[Asked],
        earlier: asyncio.Event | None,
        requestor: Requestor,
    ) -> None:
        """Find an answer at once, and write it down when the call before it (`earlier`) is."""
        answer = checked.refusal
        later: Sequence[Backend] = ()
        if checked.asked is not None:
            asked = replace(checked.asked, history=history, beside=beside)
            answer, later = await self._ask(asked, earlier)
        assert answer is not None  # a call is asked of the backends, or refused
        if earlier is not None:
            await earlier.wait()
        if checked.asked is not None and later:
            asked = self._now(checked.asked)
            for backend in later:
                await backend.follow(asked, answer)
        call = checked.call
        effect = self._tools.effect(requestor, call.tool)
        self.log.append(Event(call.tool, call.arguments, checked.key, effect, answer, requestor))

    async def _ask(
        self, asked: Asked, earlier: asyncio.Event | None
    ) -> tuple[Answer, Sequence[Backend]]:
        """The first backend's answer, and the backends that stand behind it."""
        passed: list[str] = []
        for index, backend in enumerate(self._backends):
            if backend.in_order and earlier is not None:
                await earlier.wait()
                asked = self._now(asked)
            answer = await backend.answer(asked)
            if isinstance(answer, Answer):
                return answer, self._backends[index + 1 :]
            if isinstance(answer, Passed):
                passed.append(answer.why)
        why = "; ".join(passed) or "no backend"
        return Answer(self.error(f"{asked.tool} has no answer to this"), "nobody", why), ()

    def _now(self, asked: Asked) -> Asked:
        """The call when all that stand before it are answered."""
        return replace(asked, history=tuple(self.log), beside=())


def _groups(checked: Sequence[_Checked]) -> Iterator[Sequence[_Checked]]:
    """The calls of a message, those together that are answered at the same time."""
    together: list[_Checked] = []
    for one in checked:
        if one.reads:
            together.append(one)
            continue
        if together:
            yield together
        yield [one]
        together = []
    if together:
        yield together
