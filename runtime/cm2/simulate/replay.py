"""Recorded results, given again where the recording fits what has happened so far.

A recorded result is given to a call of the same tool with the same canonical arguments, if the
world is in the same state. How that is known depends on the tools' `x-effect`:

- Where every tool has one, the state is the list of writes that went before and were not answered
  with an error. It must be the same. Of several recorded calls in that state, the n-th answers the
  n-th repetition, and the last all later ones.
- Where some tool has none, nobody knows which calls change the world: the n-th recorded call
  answers the n-th such call, and nothing answers a later one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cm2.simulate.arguments import canonical
from cm2.simulate.backend import Answer, Asked, Effect, Event
from cm2.trajectory import Call, Trajectory, has_failed

State = tuple[tuple[str, str], ...]


class Recordings:
    """The recorded results of one task (of one row, where the task has rows).

    `effects` are the tools' `x-effect`. Where recordings disagree, the earlier one holds.
    """

    def __init__(self, trajectories: Iterable[Trajectory], effects: Mapping[str, Effect]) -> None:
        self.stateful = None not in effects.values()
        self._results: dict[tuple[str, str, State], dict[int, str]] = {}
        for trajectory in trajectories:
            seen: Counter[tuple[str, str, State]] = Counter()
            writes: list[tuple[str, str]] = []
            for call in recorded_calls(trajectory):
                if call.arguments is None or call.result is None:
                    continue
                key = canonical(call.arguments)
                slot = (call.tool, key, tuple(writes) if self.stateful else ())
                self._results.setdefault(slot, {}).setdefault(seen[slot], call.result)
                seen[slot] += 1
                if effects.get(call.tool) == "write" and not has_failed(call.result, call.failed):
                    writes.append((call.tool, key))

    def find(self, tool: str, key: str, history: Sequence[Event]) -> str | None:
        """The recorded result for this call after that history, or None."""
        writes = [(event.tool, event.key) for event in history if event.wrote]
        results = self._results.get((tool, key, tuple(writes) if self.stateful else ()))
        if results is None:
            return None
        if not self.stateful:
            same = [event for event in history if (event.tool, event.key) == (tool, key)]
            return results.get(len(same))
        since = _since_last_write(history)
        same = [event for event in since if (event.tool, event.key) == (tool, key)]
        return results[min(len(same), len(results) - 1)]


class Replay:
    """The `replay` backend. It has no state but the history that it is shown."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    async def answer(self, asked: Asked) -> Answer | None:
        found = self._recordings.find(asked.tool, asked.key, asked.history)
        return None if found is None else Answer(found, "replay")

    async def follow(self, asked: Asked, answer: Answer) -> None:
        return None

    async def close(self) -> None:
        return None


def recorded_calls(trajectory: Trajectory) -> Iterator[Call]:
    """The calls of a dialogue in order."""
    for step in trajectory.opening:
        yield from step.calls
    for turn in trajectory.turns:
        for step in turn.steps:
            yield from step.calls


def _since_last_write(history: Sequence[Event]) -> Sequence[Event]:
    last = max((index for index, event in enumerate(history) if event.wrote), default=-1)
    return history[last + 1 :]
