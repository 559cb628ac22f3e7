"""What a world that a model plays has shown so far, in one form for all that comes to the same.

Writes stand in their order. What was read between two of them is a set: who read the same in
another order, or twice, is in the same state. A call that was refused never reached the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cm2.simulate.backend import Asked, Event
from cm2.trajectory import has_failed


def reached(history: Sequence[Event]) -> list[Event]:
    """The calls that were answered by the world, and not refused by whoever stands before it."""
    return [event for event in history if event.answer.source not in ("schema", "nobody")]


def may_have_written(event: Event) -> bool:
    """Whether the world may be another after a call: a write, or a tool of which nobody knows."""
    return event.wrote or (event.effect is None and not failed(event))


def failed(event: Event) -> bool:
    """Whether the answer was an error."""
    return has_failed(event.answer.text, event.answer.failed)


@dataclass(frozen=True, slots=True)
class State:
    """`parts` are the reads before the first write, then those after it, and so on, in canonical
    order; each but the last ends with its write."""

    parts: tuple[tuple[Event, ...], ...]

    @classmethod
    def after(cls, history: Sequence[Event]) -> State:
        parts: list[tuple[Event, ...]] = []
        reads: dict[tuple[str, ...], Event] = {}
        for event in reached(history):
            if may_have_written(event):
                parts.append((*_in_order(reads), event))
                reads = {}
            else:
                reads.setdefault(_name(event), event)
        return cls((*parts, _in_order(reads)))

    @property
    def events(self) -> list[Event]:
        """All that was shown, in canonical order."""
        return [event for part in self.parts for event in part]

    def again(self, asked: Asked) -> Event | None:
        """An equal call that was answered since the last write, if there was one."""
        called = (asked.requestor, asked.tool, asked.key)
        return next((one for one in self.parts[-1] if _called(one) == called), None)


def _in_order(reads: dict[tuple[str, ...], Event]) -> tuple[Event, ...]:
    return tuple(reads[name] for name in sorted(reads))


def _called(event: Event) -> tuple[str, str, str]:
    return event.requestor, event.tool, event.key


def _name(event: Event) -> tuple[str, ...]:
    return *_called(event), event.answer.text
