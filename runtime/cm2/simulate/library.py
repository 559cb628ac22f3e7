"""All recordings of a spec, by task and by rollout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from cm2.simulate.errors import ErrorShape, recorded_shape
from cm2.simulate.replay import Recordings
from cm2.simulate.tools import Tools
from cm2.trajectory import Trajectory


class Library:
    """The recordings of all tasks; what is made of them is made when a task is first played.

    `task` is `name`, or `name/row-key`, everywhere.
    """

    def __init__(self, recordings: Iterable[Trajectory], tools: Tools) -> None:
        self._tools = tools
        self._by_task: dict[str, list[Trajectory]] = defaultdict(list)
        self._by_name: dict[str, list[Trajectory]] = defaultdict(list)
        self._by_rollout: dict[tuple[str, str], list[Trajectory]] = defaultdict(list)
        for trajectory in recordings:
            self._by_task[trajectory.task].append(trajectory)
            self._by_name[_name(trajectory.task)].append(trajectory)
            self._by_rollout[trajectory.task, trajectory.id].append(trajectory)
        self._recordings: dict[str, Recordings] = {}
        self._shapes: dict[str, ErrorShape] = {}
        self._shapes_of_names: dict[str, ErrorShape] = {}

    def of(self, task: str, rollout: str) -> Sequence[Recordings]:
        """What a rollout of the task replays, in the order in which it is asked: the recordings of
        this very rollout, if there are, and those of its task."""
        if task not in self._recordings:
            self._recordings[task] = Recordings(self._by_task.get(task, ()), self._tools)
        own = self._own(task, rollout)
        shared = self._recordings[task]
        return [Recordings(own, self._tools), shared] if own else [shared]

    def error_shape(self, task: str, rollout: str) -> ErrorShape:
        """The shape of errors in the rollout's own recordings, or those of its task, or of other
        rows of it; `{"error": …}` where none of them has one."""
        name = _name(task)
        if name not in self._shapes_of_names:
            shape = recorded_shape(self._by_name.get(name, ()))
            self._shapes_of_names[name] = shape or "object"
        if task not in self._shapes:
            shape = recorded_shape(self._by_task.get(task, ()))
            self._shapes[task] = shape or self._shapes_of_names[name]
        return recorded_shape(self._own(task, rollout)) or self._shapes[task]

    def _own(self, task: str, rollout: str) -> Sequence[Trajectory]:
        return self._by_rollout.get((task, rollout), ()) if rollout else ()


def _name(task: str) -> str:
    return task.partition("/")[0]
