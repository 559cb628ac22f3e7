"""A repair workshop in τ²-bench's format, invented for the tests: its tools, tasks and runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.bundle import Bundle, open_spec
from cm2.importers import tau2
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.score import score
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl.draft.spec import Item, Spec, Use
from cm2dsl.reward.card import Scored

Json = dict[str, Any]
TEXT = {"type": "string"}


def tool(name: str, effect: str, /, **properties: Any) -> Json:
    parameters = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    function = {"name": name, "x-effect": effect, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = [
    tool("find_customer", "read", name=TEXT),
    tool("get_job", "read", job=TEXT),
    tool("list_services", "read"),
    tool("book_slot", "write", job=TEXT, day=TEXT, note=TEXT),
    tool("order_parts", "write", job=TEXT, parts={"type": "array", "items": TEXT}),
    tool("cancel_job", "write", job=TEXT),
    tool(
        "split_bill",
        "write",
        job=TEXT,
        shares={
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"payer": TEXT, "amount": {"type": "number"}},
                "additionalProperties": False,
            },
        },
    ),
    tool("estimate", "generic", sum=TEXT),
    tool("transfer_to_mechanic", "generic", summary=TEXT),
]


def action(name: str, /, by: str = "assistant", compare: Any = None, **arguments: Any) -> Json:
    """A reference action."""
    return {
        "action_id": f"{name}_0",
        "requestor": by,
        "name": name,
        "arguments": arguments,
        "info": None,
        "compare_args": compare,
    }


def task(id: Any = "repair", told: Any = "The bell of job J1 is broken.", **criteria: Any) -> Json:
    """A task; `criteria` are members of its evaluation criteria."""
    return {
        "id": id,
        "description": {"purpose": "Something is broken", "relevant_policies": None},
        "user_scenario": {
            "persona": None,
            "instructions": told
            if not isinstance(told, str)
            else {
                "domain": "workshop",
                "reason_for_call": told,
                "known_info": "You are Ines.",
                "unknown_info": None,
                "task_instructions": ".",
            },
        },
        "initial_state": None,
        "evaluation_criteria": {
            "actions": [],
            "communicate_info": [],
            "nl_assertions": None,
            "reward_basis": ["DB", "COMMUNICATE"],
            **criteria,
        },
    }


def simulation(task: Any, *messages: Json, reward: float | None = 1.0, **info: Any) -> Json:
    """A recorded dialogue."""
    found = {"reward": reward, "action_checks": None, "communicate_checks": None, **info}
    return {
        "id": f"{task}-run",
        "task_id": task,
        "trial": 0,
        "messages": list(messages),
        "reward_info": found,
    }


def run_of(tasks: Sequence[Json], *simulations: Json) -> Json:
    environment = {"domain_name": "workshop", "policy": "Be quick.", "tool_defs": None}
    return {
        "info": {"environment_info": environment},
        "tasks": list(tasks),
        "simulations": list(simulations),
    }


def written(folder: Path, *tasks: Json, tools: Any = None, name: str = "tasks.json") -> Path:
    """A domain folder."""
    domain = folder / "workshop"
    domain.mkdir(exist_ok=True)
    (domain / name).write_text(json.dumps(tasks), encoding="utf-8")
    (domain / "tools.json").write_text(json.dumps(TOOLS if tools is None else tools))
    (domain / "policy.md").write_text("Be kind.\n")
    return domain


def imported(path: Path, out: str = "out", **options: Any) -> tuple[Spec, Bundle]:
    """The one spec of a source, and what its file compiles to."""
    (spec,) = tau2.read(path, Options(**options))
    (file,) = write_specs([spec], path.parent / out)
    return spec, open_spec(file)


def made(folder: Path, *tasks: Json, **options: Any) -> tuple[Spec, Bundle]:
    return imported(written(folder, *tasks), **options)


def items(spec: Spec, number: int = 0) -> dict[str, Item]:
    """The items of a task by name; a used template's item stands under the template's name."""
    known = {template.name: template.item for template in spec.templates}
    return {
        one.template if isinstance(one, Use) else one.name: known[one.template]
        if isinstance(one, Use)
        else one
        for one in spec.tasks[number].items
    }


# --- dialogues --------------------------------------------------------------------------------


def call(name: str, result: str = "ok", /, **arguments: Any) -> Call:
    return Call("1", name, arguments, "", result, result.startswith("Error"))


def dialogue(
    *calls: Call, reply: str = "Done.", user: str = "Hello", acts: Sequence[Call] = (), **more: Any
) -> Trajectory:
    """A dialogue in which the agent makes these calls, one a step, and then replies, or says no
    word where `reply` is empty."""
    steps = [*(Step(calls=(one,)) for one in calls), *([Step(reply=reply)] if reply else [])]
    turns = (Turn(user, tuple(steps), tuple(acts)), Turn("###STOP###"))
    return Trajectory("d", more.get("task", ""), turns)


def result(bundle: Bundle, trajectory: Trajectory) -> Scored:
    return score(bundle, trajectory)


def reward(bundle: Bundle, *calls: Call, **words: Any) -> float | None:
    return result(bundle, dialogue(*calls, **words)).reward


def holds(bundle: Bundle, *calls: Call, **words: Any) -> Mapping[str, bool]:
    """Whether each item that was decided passed, by its short name."""
    decided = result(bundle, dialogue(*calls, **words)).decisions
    return {name.split(".")[-1]: one.verdict.value == "pass" for name, one in decided.items()}
