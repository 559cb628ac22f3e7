"""What there is to score of a spec, and its checks as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.scope import Scope

Check = Callable[[Scope, ir.Row | None], int | tuple[int, int]]
"""A function of reward.py: the steps after which it is true, or those and where it is false."""


class Instance(Struct, frozen=True):
    """One thing to roll out or score: a task, and its row where it has rows.

    `id` is `task` or `task/row-key`, which is what a trajectory's `task` says.
    """

    id: str
    task: ir.Task
    row: ir.Row | None = None

    @property
    def split(self) -> ir.Split:
        return self.row.split if self.row is not None else "train"


def instances(spec: ir.Spec) -> list[Instance]:
    """Every instance of a spec, tasks and rows in the spec's order."""
    return [
        Instance(f"{task.name}/{row.key}" if row is not None else task.name, task, row)
        for task in spec.tasks
        for row in (task.rows if task.rows is not None else (None,))
    ]


def load_checks(reward: str | bytes, file: str) -> Mapping[str, Check]:
    """The functions of a reward.py by name, as `ir.Item.check` gives it.

    The text must be the compiler's own: it is run. `file` is what a traceback calls it.
    """
    namespace: dict[str, Any] = {}
    exec(compile(reward, file, "exec"), namespace)
    checks: Mapping[str, Check] = namespace["CHECKS"]
    return checks
