"""Recorded results, given again where the recording fits what has happened so far.

A recorded result is given to a call of the same tool by the same requestor with the same canonical
arguments, if the world is in the same state. How that is known depends on the tools' `x-effect`:

- Where every tool has one, the state is the list of writes that went before and were not answered
  with an error, the agent's and the user's. It must be the same. Of several recorded calls in that
  state, the n-th answers the n-th repetition, and the last all later ones.
- Where some tool has none, nobody knows which calls change the world: the n-th recorded call
  answers the n-th such call, and nothing answers a later one.

The n-th of equal calls in one message is the n-th by its place, also where they are answered at
the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cm2.simulate.backend import Answer, Asked, Event, Passed, Requestor
from cm2.simulate.recorded import Recorded, recorded_calls
from cm2.simulate.tools import Tools
from cm2.trajectory import Trajectory, has_failed

Called = tuple[Requestor, str, str]
"""Who called which tool with which canonical arguments."""

State = tuple[Called, ...]


class Recordings:
    """The recorded results of some dialogues of one task (of one row, where the task has rows).

    Where they disagree, the earlier one holds. Where a recording says that its world refused a
    call or that nobody answered it, it has no result for it, and counts it all the same.
    """

    def __init__(self, trajectories: Iterable[Trajectory], tools: Tools) -> None:
        self._stateful = tools.stateful
        self._results: dict[tuple[Called, State], list[Answer | Passed]] = {}
        self._called: set[Called] = set()
        for trajectory in trajectories:
            self._add(trajectory, tools)

    def _add(self, trajectory: Trajectory, tools: Tools) -> None:
        seen: Counter[tuple[Called, State]] = Counter()
        writes: State = ()
        for recorded in recorded_calls(trajectory):
            call, requestor = recorded.call, recorded.requestor
            if call.arguments is None or call.result is None:
                continue
            key = tools.key(requestor, call.tool, call.arguments)
            if key is None:
                continue
            called = (requestor, call.tool, key)
            slot = (called, writes if self._stateful else ())
            self._keep(slot, seen[slot], _answer(trajectory.id, recorded))
            seen[slot] += 1
            wrote = tools.effect(requestor, call.tool) == "write"
            if wrote and not has_failed(call.result, call.failed):
                writes = (*writes, called)

    def _keep(self, slot: tuple[Called, State], number: int, answer: Answer | Passed) -> None:
        """Of several recordings the first that has a result holds."""
        self._called.add(slot[0])
        results = self._results.setdefault(slot, [])
        if number == len(results):
            results.append(answer)
        elif isinstance(results[number], Passed):
            results[number] = answer

    def find(self, asked: Asked) -> Answer | Passed | None:
        """The recorded result of this call in its state.

        Passed where the recording says that there was none, None where it says nothing.
        """
        called = (asked.requestor, asked.tool, asked.key)
        since = _since_last_write(asked.history) if self._stateful else asked.history
        before = [(event.requestor, event.tool, event.key) for event in since]
        before += [(other.requestor, other.tool, other.key) for other in asked.beside]
        number = before.count(called)
        state = _writes(asked.history) if self._stateful else ()
        results = self._results.get((called, state))
        if results is None or (number >= len(results) and not self._stateful):
            return None
        found = results[min(number, len(results) - 1)]
        if isinstance(found, Passed):
            return found
        last = ", the last one" if number >= len(results) else ""
        after = f" after {_counted(len(state), 'write')}" if self._stateful else ""
        return replace(found, why=f"{found.why}: call {number + 1}{after}{last}")

    def why_not(self, asked: Asked) -> str:
        """Why `find` found nothing."""
        if not self._called:
            return "nothing is recorded for this task"
        called = (asked.requestor, asked.tool, asked.key)
        if called in self._called:
            return "not recorded in this state" if self._stateful else "not recorded that often"
        whose, tool = called[:2]
        if any(other[:2] == (whose, tool) for other in self._called):
            return f"`{tool}` is not recorded with these arguments"
        return f"`{tool}` is not recorded"


class Replay:
    """The `replay` backend: what the first of `recordings` that says something says.

    It has no state but the history that it is shown.
    """

    in_order = False

    def __init__(self, *recordings: Recordings) -> None:
        self._recordings = recordings

    async def answer(self, asked: Asked) -> Answer | Passed:
        for recordings in self._recordings:
            found = recordings.find(asked)
            if found is not None:
                return found
        return Passed(f"replay: {self._recordings[-1].why_not(asked)}")

    async def follow(self, asked: Asked, answer: Answer) -> None:
        return None

    async def close(self) -> None:
        return None


def _answer(recording: str, recorded: Recorded) -> Answer | Passed:
    where = f"recording `{recording}`, {recorded.name}"
    call = recorded.call
    if recorded.by_world or call.result is None:
        return Passed(f"replay: nobody answered it in {where}")
    return Answer(call.result, "replay", where, call.failed)


def _writes(history: Sequence[Event]) -> State:
    return tuple((event.requestor, event.tool, event.key) for event in history if event.wrote)


def _since_last_write(history: Sequence[Event]) -> Sequence[Event]:
    last = max((index for index, event in enumerate(history) if event.wrote), default=-1)
    return history[last + 1 :]


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
