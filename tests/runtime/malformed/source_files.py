"""Small inputs in every format that is imported or scored: what the mutations start from.

Every file has a letter outside ASCII, so that no encoding but UTF-8 can pass for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["json", "lines", "text"]


@dataclass(frozen=True, slots=True)
class File:
    """What a file holds: one JSON value, a list with a JSON value a line, or text."""

    kind: Kind
    value: Any

    def data(self) -> bytes:
        return written(self.kind, self.value).encode()


@dataclass(frozen=True, slots=True)
class Input:
    """Files of which `given` (a file, or `.` for their folder) is named on the command line.

    `mutated` are the files to mutate, `dialogues` where the dialogues stand in the first of them,
    and `arguments` more of the command line, in which `{}` is the folder of the files.
    """

    command: Literal["import", "score"]
    format: str
    name: str
    files: Mapping[str, File]
    given: str
    mutated: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    dialogues: tuple[str, ...] = ()
    needed: tuple[str, ...] = field(default=())
    """Keys without which a file of `mutated` is not what it should be, wherever they stand."""
    lenient: tuple[str, ...] = ()
    """Mutations that a reader may overlook where it does not look: our own chat lines are read so
    fast that what is wrong in a key that no check needs is not seen."""
    optional: tuple[str, ...] = ()
    """Files that need not be there."""


def written(kind: Kind, value: Any) -> str:
    if kind == "text":
        return str(value)
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in value)


# --- tools ------------------------------------------------------------------------------------


def _tool(name: str, effect: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    description = f"What {name} does: wählt"
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function, "x-effect": effect}


TEXT = {"type": "string"}
TOOLS = [
    _tool("find_order", "read", order_id=TEXT),
    _tool("cancel_order", "write", order_id=TEXT, reason={"enum": ["late", "wrong"]}),
]


# --- chat -------------------------------------------------------------------------------------


def _call(id: str, name: str, arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": id, "type": "function", "function": function}


def chat(word: str, **more: Any) -> dict[str, Any]:
    return {
        **more,
        "messages": [
            {"role": "system", "content": "You keep a café."},
            {"role": "user", "content": f"{word}, is order W7 on its way?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [_call("c1", "find_order", {"order_id": "W7"})],
            },
            {"role": "tool", "tool_call_id": "c1", "content": '{"state": "sent", "price": 1.5}'},
            {"role": "assistant", "content": "Yes, it is on its way: £1.50."},
            {"role": "user", "content": "Thanks, señor."},
            {"role": "assistant", "content": "You are welcome."},
        ],
    }


def sharegpt(word: str, **more: Any) -> dict[str, Any]:
    return {
        **more,
        "system": "You keep a café.",
        "tools": json.dumps([TOOLS[0]]),
        "conversations": [
            {"from": "human", "value": f"{word}, is order W7 on its way?"},
            {
                "from": "function_call",
                "value": '{"name": "find_order", "arguments": {"order_id": "W7"}}',
            },
            {"from": "observation", "value": '{"state": "sent"}'},
            {"from": "gpt", "value": "Yes, it is on its way: £1.50."},
        ],
    }


# --- τ-bench ----------------------------------------------------------------------------------


def _action(number: int, name: str, **arguments: Any) -> dict[str, Any]:
    return {"action_id": f"{number}", "requestor": "assistant", "name": name} | {
        "arguments": arguments,
        "compare_args": None,
    }


def tau2_task(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "description": {"purpose": f"Cancel the {number}. order of the café"},
        "user_scenario": {
            "persona": "In a hurry",
            "instructions": {
                "domain": "shop",
                "reason_for_call": f"You want to cancel order W{number}.",
                "known_info": "You are Ada.",
                "unknown_info": None,
                "task_instructions": "Be brief.",
            },
        },
        "initial_state": None,
        "evaluation_criteria": {
            "actions": [
                _action(0, "find_order", order_id=f"W{number}"),
                _action(1, "cancel_order", order_id=f"W{number}", reason="late"),
            ],
            "communicate_info": ["12,50 £"],
            "nl_assertions": ["Agent should not cancel another order."],
            "reward_basis": ["DB", "COMMUNICATE"],
        },
    }


def _tau2_simulation(number: int) -> dict[str, Any]:
    arguments = {"order_id": f"W{number}", "reason": "late"}
    return {
        "id": f"s{number}",
        "task_id": str(number),
        "trial": 0,
        "termination_reason": "user_stop",
        "messages": [
            {"role": "assistant", "content": "How can I help?"},
            {"role": "user", "content": f"Please cancel order W{number} of the café."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "name": "cancel_order", "arguments": arguments}],
            },
            {"role": "tool", "id": "c1", "content": '{"state": "gone"}', "error": False},
            {"role": "assistant", "content": "Done; 12,50 £ come back."},
        ],
        "reward_info": {
            "reward": 1.0,
            "action_checks": [
                {
                    "action": _action(1, "cancel_order", **arguments),
                    "action_match": True,
                }
            ],
            "communicate_checks": [{"info": "12,50 £", "met": True}],
        },
    }


def tau2_run() -> dict[str, Any]:
    return {
        "info": {"environment_info": {"domain_name": "shop", "policy": "Be kind to the café."}},
        "tasks": [tau2_task(0), tau2_task(1)],
        "simulations": [_tau2_simulation(0), _tau2_simulation(1)],
    }


def tau1_result(number: int) -> dict[str, Any]:
    arguments = {"order_id": f"W{number}", "reason": "late"}
    task = {
        "user_id": "ada",
        "instruction": f"You are Ada and want to cancel order W{number} of the café.",
        "actions": [{"name": "cancel_order", "kwargs": arguments}],
        "outputs": ["12,50 £"],
    }
    return {
        "task_id": number,
        "trial": 0,
        "reward": 1.0,
        "traj": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": f"Please cancel order W{number}."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [_call("c1", "cancel_order", arguments)],
            },
            {"role": "tool", "tool_call_id": "c1", "name": "cancel_order", "content": "gone"},
            {"role": "assistant", "content": "Done; 12,50 £ come back."},
        ],
        "info": {"task": task, "reward_info": {"info": {"outputs": {"12,50 £": True}}}},
    }


# --- BFCL -------------------------------------------------------------------------------------

QUESTIONS = "BFCL_v4_multi_turn_base.json"
RESULTS = "BFCL_v4_multi_turn_base_result.json"
SCORES = "BFCL_v4_multi_turn_base_score.json"


def _document(name: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "dict", "properties": properties, "required": list(properties)[:1]}
    return {"name": name, "description": f"What {name} does: wählt", "parameters": parameters}


def _entry(number: int) -> dict[str, Any]:
    return {
        "id": f"multi_turn_base_{number}",
        "question": [
            [{"role": "user", "content": f"Water bed {number} of the café."}],
            [{"role": "user", "content": "And what grows there?"}],
        ],
        "initial_config": {"GardenAPI": {}},
        "path": ["GardenAPI.water"],
        "involved_classes": ["GardenAPI"],
    }


def _answer(number: int) -> dict[str, Any]:
    truth = [[f"water(bed='{number}', liters=2.5)"], ["list_plants(bed='é')", "list_plants('ü')"]]
    return {"id": f"multi_turn_base_{number}", "ground_truth": truth}


def _result(number: int) -> dict[str, Any]:
    log = [{"begin_of_turn_query": [{"role": "user", "content": "Water the café."}]}]
    return {
        "id": f"multi_turn_base_{number}",
        "result": [[[{"water": '{"bed": "1"}'}, {"list_plants": {"bed": "é"}}], "Done."], ["No."]],
        "inference_log": log,
    }


# --- ToolTalk and CM2 -------------------------------------------------------------------------


def conversation(name: str) -> dict[str, Any]:
    parameters = {"session_token": "t0k", "time": "06:15:00"}
    request = {"api_name": "AddAlarm", "parameters": parameters}
    return {
        "name": name,
        "metadata": {"location": "Orléans", "timestamp": "2024-05-02 10:00:00"},
        "user": {"username": "ada"},
        "conversation": [
            {"index": 0, "role": "user", "text": "Wake me at 6:15 in the café."},
            {
                "index": 1,
                "role": "assistant",
                "text": "Done.",
                "apis": [
                    {"request": request, "response": {"alarm_id": "a-1"}, "exception": None},
                ],
            },
        ],
    }


def annotated(word: str) -> dict[str, Any]:
    item = {
        "id": "C0",
        "evidence": [
            {
                "turn": 0,
                "step": 2,
                "from": "assistant.content.user_visible_reply",
                "snippet": "on its way",
            }
        ],
        "focus_on": "assistant.content.user_visible_reply",
        "question": "Does the reply say where the order is?",
        "pass_condition": "It says that it is on its way to the café.",
        "failure_examples": ["It says nothing."],
        "required_for_next_turn": False,
        "dependence": [],
        "weight": 0.5,
    }
    other = item | {"id": "C1", "dependence": ["C0"], "question": "Does it name the price?"}
    return chat(word, uuid=f"u-{word}") | {
        "tools": [{key: TOOLS[0][key] for key in ("type", "function")}],
        "checklists": [[[item, other], []]],
    }


# --- all of them ------------------------------------------------------------------------------

SPEC = """\
cm2 1

domain malformed
tools "tools.json"

task greet {
  turn one { user "Hi"  item looks { check called find_order }  at_end says { check replied } }
}
task task_0 { user simulated "Cancel"  item cancels { check called cancel_order } }
task task_1 { user simulated "Cancel"  item cancels { check called cancel_order } }
task multi_turn_base_0 { turn one { user "Hi"  item waters { check called water } } }
task multi_turn_base_1 { turn one { user "Hi"  item waters { check called water } } }
"""
"""A spec whose tasks are those of every input's dialogues."""

SPEC_TOOLS = [*TOOLS, _tool("water", "write", bed=TEXT)]
GREET = ("--task", "greet")
TAU2_FILES = {"tools.json": File("json", TOOLS), "policy.md": File("text", "Be kind, café.\n")}
BFCL_FILES = {
    QUESTIONS: File("lines", [_entry(0), _entry(1)]),
    f"possible_answer/{QUESTIONS}": File("lines", [_answer(0), _answer(1)]),
    "multi_turn_func_doc/garden_api.json": File(
        "lines",
        [
            _document("water", bed=TEXT, liters={"type": "float", "default": 1.5}),
            _document("list_plants", bed=TEXT),
        ],
    ),
}

IMPORTS = (
    Input(
        "import",
        "tau2",
        "domain folder",
        {"tasks.json": File("json", [tau2_task(0), tau2_task(1)]), **TAU2_FILES},
        ".",
        ("tasks.json", "tools.json", "policy.md"),
        needed=("user_scenario", "instructions"),
        optional=("policy.md",),
    ),
    Input(
        "import",
        "tau2",
        "run file",
        {"run.json": File("json", tau2_run()), **TAU2_FILES},
        "run.json",
        ("run.json",),
        needed=("environment_info", "domain_name", "tasks", "simulations"),
    ),
    Input(
        "import",
        "tau1",
        "results",
        {"shop.json": File("json", [tau1_result(0)])},
        "shop.json",
        ("shop.json",),
        needed=("instruction", "kwargs"),
    ),
    Input(
        "import",
        "tau1",
        "results, --tools, --diagnostics",
        {
            "shop.json": File("json", [tau1_result(0), tau1_result(1)]),
            "tools.json": File("json", {"tools": TOOLS}),
        },
        "shop.json",
        ("shop.json", "tools.json"),
        ("--tools", "{}/tools.json", "--diagnostics"),
    ),
    Input(
        "import",
        "tau2",
        "domain folder, --diagnostics",
        {"tasks.json": File("json", [tau2_task(0), tau2_task(1)]), **TAU2_FILES},
        "tasks.json",
        ("tasks.json", "tools.json"),
        ("--diagnostics",),
        needed=("user_scenario", "instructions"),
    ),
    Input(
        "import",
        "bfcl",
        "data folder",
        BFCL_FILES,
        ".",
        tuple(BFCL_FILES),
        needed=("id", "question", "involved_classes", "role", "content", "ground_truth"),
    ),
    Input(
        "import",
        "tooltalk",
        "folder",
        {
            "easy/one.json": File("json", conversation("one")),
            "easy/two.json": File("json", conversation("two")),
        },
        ".",
        ("easy/one.json",),
        needed=("conversation", "role", "api_name", "parameters", "response", "request"),
        optional=("easy/one.json",),
    ),
    Input(
        "import",
        "tooltalk",
        "one file, --tools",
        {
            "one.json": File("json", conversation("one")),
            "tools.json": File("json", [_tool("AddAlarm", "write", session_token=TEXT, time=TEXT)]),
        },
        "one.json",
        ("one.json", "tools.json"),
        ("--tools", "{}/tools.json"),
    ),
    Input(
        "import",
        "openai",
        "lines",
        {"log.jsonl": File("lines", [chat("Ada", tools=TOOLS)])},
        "log.jsonl",
        ("log.jsonl",),
        needed=("messages", "role"),
    ),
    Input(
        "import",
        "openai",
        "list, --tools and --system",
        {
            "log.json": File("json", [chat("Ada")]),
            "tools.json": File("json", TOOLS),
            "system.md": File("text", "Be kind to the café.\n"),
        },
        "log.json",
        ("log.json", "tools.json", "system.md"),
        ("--tools", "{}/tools.json", "--system", "{}/system.md"),
        needed=("messages", "role"),
    ),
    Input(
        "import",
        "sharegpt",
        "lines",
        {"log.jsonl": File("lines", [sharegpt("Ada")])},
        "log.jsonl",
        ("log.jsonl",),
        needed=("conversations", "from", "value"),
    ),
    Input(
        "import",
        "cm2-json",
        "one list",
        {"annotated.json": File("json", [annotated("Ada"), annotated("Grace")])},
        "annotated.json",
        ("annotated.json",),
        needed=("messages", "question", "snippet"),
    ),
    Input(
        "import",
        "cm2-json",
        "lines",
        {"annotated.jsonl": File("lines", [annotated("Ada"), annotated("Grace")])},
        "annotated.jsonl",
        ("annotated.jsonl",),
        needed=("messages", "question", "snippet"),
    ),
)

SCORES_OF = (
    Input(
        "score",
        "cm2",
        "lines",
        {
            "log.jsonl": File(
                "lines",
                [
                    chat("Ada", id="a", task="greet"),
                    chat("Grace", id="b", task="greet"),
                ],
            )
        },
        "log.jsonl",
        ("log.jsonl",),
        needed=("messages", "role"),
        lenient=("key twice", "not finite", "huge number", "half pair", "not utf8"),
    ),
    Input(
        "score",
        "openai",
        "one list",
        {"log.json": File("json", [chat("Ada"), chat("Grace")])},
        "log.json",
        ("log.json",),
        GREET,
        needed=("messages", "role"),
    ),
    Input(
        "score",
        "openai",
        "lines, --agree",
        {
            "log.jsonl": File(
                "lines",
                [
                    chat("Ada", official={"reward": 1, "items": {"one": True}}),
                    chat("Grace", official={"reward": 0}),
                ],
            )
        },
        "log.jsonl",
        ("log.jsonl",),
        (*GREET, "--agree"),
        needed=("messages", "role"),
    ),
    Input(
        "score",
        "sharegpt",
        "lines",
        {"log.jsonl": File("lines", [sharegpt("Ada"), sharegpt("Grace")])},
        "log.jsonl",
        ("log.jsonl",),
        GREET,
        needed=("conversations", "from", "value"),
    ),
    Input(
        "score",
        "tau2",
        "run file, --agree",
        {"run.json": File("json", tau2_run())},
        "run.json",
        ("run.json",),
        ("--agree",),
        dialogues=("simulations",),
        needed=("tasks", "simulations", "task_id", "messages", "role"),
    ),
    Input(
        "score",
        "tau1",
        "results, --agree",
        {"shop.json": File("json", [tau1_result(0), tau1_result(1)])},
        "shop.json",
        ("shop.json",),
        ("--agree",),
        needed=("task_id", "reward", "traj", "role"),
    ),
    Input(
        "score",
        "bfcl",
        "results and scores",
        {
            RESULTS: File("lines", [_result(0), _result(1)]),
            SCORES: File(
                "lines",
                [
                    {"accuracy": 0.5, "correct_count": 1, "total_count": 2},
                    {"id": "multi_turn_base_1", "valid": False, "error": "café"},
                ],
            ),
        },
        RESULTS,
        (RESULTS, SCORES),
        ("--agree",),
        needed=("id", "result", "correct_count", "total_count", "valid"),
        optional=(SCORES,),
    ),
)

INPUTS = (*IMPORTS, *SCORES_OF)
