"""The task of a dialogue that names none: the one whose user says the same, word by word.

`cm2 import` makes a task of each distinct sequence of user messages in a chat log, and leaves the
log as it is. So its dialogues are known by what the user says.
"""

from __future__ import annotations

from functools import cached_property

from cm2.bundle import Bundle
from cm2.score import ScoreError
from cm2.trajectory import Trajectory
from cm2dsl import ir

NAMED = 3
"""Tasks that a message names."""


class Scripts:
    """What the user says in each of a spec's tasks."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @cached_property
    def _tasks(self) -> dict[tuple[str, ...], list[str]]:
        """Instances by their user messages; those with a simulated user have none."""
        found: dict[tuple[str, ...], list[str]] = {}
        for id, instance in self.bundle.by_id.items():
            if instance.task.turns:
                script = tuple(ir.fill(turn.user, instance.row) for turn in instance.task.turns)
                found.setdefault(script, []).append(id)
        return found

    def task_of(self, trajectory: Trajectory) -> str:
        """The one task with the dialogue's user messages. Raises ScoreError."""
        tasks = self._tasks.get(tuple(turn.user for turn in trajectory.turns), [])
        if len(tasks) == 1:
            return tasks[0]
        message = "the dialogue names no task"
        if tasks:
            named = " and ".join(f"`{task}`" for task in tasks[:NAMED])
            more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
            message += f", and its user messages are those of {named}{more}"
        elif self._tasks:
            message += ", and its user messages are those of no task"
        raise ScoreError(message, self._help())

    def _help(self) -> str:
        help = 'add `"task": "NAME"`, or name the task of all with --task'
        files = {task.reference: None for task in self.bundle.spec.tasks if task.reference}
        if len(files) == 1:
            help += f"; the dialogues of `{next(iter(files))}` name theirs"
        return help
