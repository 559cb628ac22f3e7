"""τ²-bench tasks, as far as both their import and their verdicts need them."""

from __future__ import annotations

from collections.abc import Sequence

from cm2.formats.criteria import Action, Criteria
from cm2.importers.source import Found
from cm2.importers.syntax import name_of


def task_ids(tasks: Found) -> list[str]:
    """The tasks' ids as text (some files write numbers). Raises SourceFault, also for one twice."""
    found: list[str] = []
    for task in tasks.items():
        one = task["id"]
        text = str(one.value) if isinstance(one.value, int) else one.filled()
        if text in found:
            raise one.fault(f"two tasks have the id `{text}`", "give each its own")
        found.append(text)
    return found


def task_names(ids: Sequence[str]) -> dict[str, str]:
    """id -> the task's name in a spec: `task_7` for a number, else the id itself as a name."""
    names: dict[str, str] = {}
    for one in ids:
        names[one] = name_of(one, names.values(), "task")
    return names


def criteria(task: Found) -> Criteria:
    """A task's reference actions and what must be said. Raises SourceFault."""
    found = task.get("evaluation_criteria")
    if found is None:
        return Criteria()
    actions = found.get("actions")
    said = found.get("communicate_info")
    return Criteria(
        actions=tuple(action(one) for one in actions.items()) if actions is not None else (),
        communicate=tuple(said.texts()) if said is not None else (),
    )


def action(found: Found) -> Action:
    """A reference action. Raises SourceFault."""
    by = found.get("requestor")
    if by is not None and by.text() not in ("assistant", "user"):
        raise by.wrong("assistant or user")
    compare = found.get("compare_args")
    return Action(
        by_user=by is not None and by.text() == "user",
        tool=found["name"].filled(),
        arguments=found["arguments"].object(),
        compare=tuple(compare.texts()) if compare is not None else None,
    )
