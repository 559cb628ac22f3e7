"""All recordings of a spec, by task and by rollout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from cm2.simulate.errors import ErrorShape, recorded_shape
from cm2.simulate.replay import Recordings
from cm2.simulate.tools import Tools
from cm2.trajectory import Trajectory


class Library:
    """The recordings of all tasks. `task` is `name`, or `name/row-key`, everywhere."""

    def __init__(self, recordings: Iterable[Trajectory], tools: Tools) -> None:
        self._tools = tools
        self._by_task: dict[str, list[Trajectory]] = defaultdict(list)
        self._by_name: dict[str, list[Trajectory]] = defaultdict(list)
        for trajectory in recordings:
            self._by_task[trajectory.task].append(trajectory)
            self._by_name[_name(trajectory.task)].append(trajectory)
        self._recordings = {task: Recordings(them, tools) for task, them in self._by_task.items()}
        self._shapes = {task: recorded_shape(them) for task, them in self._by_task.items()}
        self._shapes_of_names = {name: recorded_shape(them) for name, them in self._by_name.items()}
        self._none = Recordings((), tools)

    def of(self, task: str, rollout: str) -> Sequence[Recordings]:
        """What a rollout of the task replays, in the order in which it is asked: the recordings of
        this very rollout, if there are, and those of its task."""
        shared = self._recordings.get(task, self._none)
        own = self._own(task, rollout)
        return [Recordings(own, self._tools), shared] if own else [shared]

    def error_shape(self, task: str, rollout: str) -> ErrorShape:
        """The shape of errors in the rollout's own recordings, or those of its task, or of other
        rows of it; `{"error": …}` where none of them has one."""
        return (
            recorded_shape(self._own(task, rollout))
            or self._shapes.get(task)
            or self._shapes_of_names.get(_name(task))
            or "object"
        )

    def _own(self, task: str, rollout: str) -> list[Trajectory]:
        return [one for one in self._by_task.get(task, ()) if rollout and one.id == rollout]


def _name(task: str) -> str:
    return task.partition("/")[0]
