"""What a τ²-bench task says in words: its title, what the user is told, and what is reported."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from textwrap import fill
from typing import Any

from cm2.formats.criteria import Action, Criteria
from cm2.formats.source import Found
from cm2.importers.questions import title

HISTORY = "message_history"

FREE = (
    "the reward compares no database, so another write than the reference's costs nothing, here as "
    "officially; the veto that forbids it stands at the end of the task as a comment"
)
"""Of tasks whose reward is not made of the database."""

ACTION = ("action_id", "requestor", "name", "arguments", "compare_args")
USED: dict[str, Any] = {
    "id": {},
    "description": {"purpose": {}, "notes": {}},
    "user_scenario": {},
    "initial_state": {},
    "evaluation_criteria": {
        "actions": {key: {} for key in ACTION},
        "communicate_info": {},
        "nl_assertions": {},
        "env_assertions": {},
        "reward_basis": {},
    },
}
"""The members of a task that the import uses or reports one by one; {} is all of a member."""


def topic(task: Found) -> str:
    """What the task is there to test; without that, what the user calls for: a title's text."""
    purpose = _described(task, "purpose")
    if purpose:
        return purpose
    scenario = task.get("user_scenario")
    told = scenario.get("instructions") if scenario is not None else None
    reason = told.get("reason_for_call") if told and isinstance(told.value, dict) else None
    return reason.text() if reason is not None else ""


def about(task: Found) -> list[str]:
    """What a reader should know beside the title: the whole purpose where it was cut, the notes."""
    purpose, notes = _described(task, "purpose"), _described(task, "notes")
    return [*([purpose] if title(purpose) != purpose else []), *([notes] if notes else [])]


def _described(task: Found, key: str) -> str:
    description = task.get("description")
    if description is None or not isinstance(description.value, dict):
        return ""
    found = description.get(key)
    return " ".join(found.text().split()) if found is not None else ""


def instructions(task: Found) -> str:
    """What the simulated user is told, in paragraphs."""
    scenario = task["user_scenario"]
    told = scenario["instructions"]
    persona = scenario.get("persona")
    parts = [persona.text()] if persona is not None else []
    if isinstance(told.value, str):
        parts.append(told.text())
    else:
        for key in ("reason_for_call", "known_info", "unknown_info", "task_instructions"):
            part = told.get(key)
            if part is not None and part.text().strip(" ."):
                parts.append(part.text())
    lines = "\n\n".join(part.strip() for part in parts).split("\n")
    filled = [fill(line, 92, break_long_words=False, break_on_hyphens=False) for line in lines]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(filled))
    if not text:
        raise told.fault("the user is told nothing", "write what the user wants")
    return text


def unused(task: Found) -> Iterator[str]:
    """A sentence on each member of a task that an import knows nothing to do with."""
    for path in dict.fromkeys(_beyond(task.value, USED, "")):
        yield f"`{path}` has no place in a spec"


def _beyond(value: Any, used: dict[str, Any], path: str) -> Iterator[str]:
    """The paths of members that are not `used`, and hold anything."""
    if isinstance(value, list):
        for each in value:
            yield from _beyond(each, used, path)
    elif isinstance(value, dict) and used:
        for key, inner in value.items():
            inside = f"{path}.{key}" if path else key
            if key in used:
                yield from _beyond(inner, used[key], inside)
            elif inner not in (None, "", [], {}):
                yield inside


def on_basis(basis: Sequence[str], goal: Criteria) -> Iterator[str]:
    """What a report says of what the official reward is made of."""
    if goal.communicate and "COMMUNICATE" not in basis:
        yield (
            "the official reward leaves out what must be said (`communicate_info`), which counts "
            "here"
        )
    for word in basis:
        if word not in ("DB", "COMMUNICATE", "ACTION", "NL_ASSERTION", "ENV_ASSERTION"):
            yield f"the reward basis `{word}` is not known, and nothing of it made"


def on_assertions(found: Found | None, required: Collection[Action]) -> Iterator[str]:
    """What a report says of the assertions on the world in the evaluation criteria `found`.

    Whether the `required` actions bring about what is asserted, only the benchmark's tools know.
    """
    env = found.get("env_assertions") if found is not None else None
    for assertion in env.items() if env is not None else ():
        side = assertion.get("env_type")
        of_user = side is not None and side.value == "user"
        if not required:
            instead = "nothing stands for it"
        elif of_user and not any(action.by_user for action in required):
            instead = "it is not checked, and no action of the user is required"
        else:
            instead = "it is not checked, and the required actions are, whatever they bring about"
        yield (
            f"`{assertion['func_name'].text()}` asserts the state of the world, which no dialogue "
            f"shows; {instead}"
        )


def on_state(task: Found) -> Iterator[str]:
    """What a report says of the state that a task begins in."""
    state = task.get("initial_state")
    for key, value in state.members() if state is not None else ():
        if value.value and key == HISTORY:
            yield "the dialogue begins with messages of its own, which are not here"
        elif value.value:
            yield f"the world starts from a state of its own (`{key}`)"
