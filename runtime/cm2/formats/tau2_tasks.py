"""τ²-bench tasks, as far as both their import and their verdicts need them."""

from __future__ import annotations

from collections.abc import Sequence

from cm2.formats.criteria import Action, Criteria
from cm2.formats.source import COMPARED, Found
from cm2dsl.names import name_of


def task_ids(tasks: Found) -> list[str]:
    """The tasks' ids. Raises SourceFault, also for one twice."""
    found: dict[str, None] = {}
    for task in tasks.items():
        one = task["id"]
        text = task_id(one)
        if text in found:
            raise one.fault(f"two tasks have the id `{text}`", "give each its own")
        found[text] = None
    return list(found)


def task_id(found: Found) -> str:
    """A task's id as text: some files write numbers. Raises SourceFault."""
    is_number = isinstance(found.value, int) and not isinstance(found.value, bool)
    return str(found.whole()) if is_number else found.filled()


def task_names(ids: Sequence[str]) -> dict[str, str]:
    """id -> the task's name in a spec: `task_7` for a number, else the id itself as a name."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for one in ids:
        names[one] = name_of(one, taken, "task")
        taken.add(names[one])
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
        arguments=found["arguments"].bounded(COMPARED).object(),
        compare=tuple(compare.texts()) if compare is not None else None,
    )
