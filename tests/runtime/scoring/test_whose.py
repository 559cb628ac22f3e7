"""Of which task a dialogue is, and of which domain a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from score_runs import records, score_here, write_spec

from cm2.cli import main

# --- dialogues that name no task ----------------------------------------------------------------

SAID = [
    ["go"],
    ["go", "on"],
    ['a {row.x} "quoted" \\ text,\n over\tlines\r\n'],
    ["  spaces around  "],
    ["ﬁ is not fi"],
    ["fi is not ﬁ"],
    ["订最早的那班"],
]


def chat(*said: str, **extra: Any) -> dict[str, Any]:
    messages = []
    for text in said:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}]
    return {"messages": messages, **extra}


def sharegpt(*said: str) -> dict[str, Any]:
    pairs = [({"from": "human", "value": s}, {"from": "gpt", "value": "yes"}) for s in said]
    return {"conversations": [entry for pair in pairs for entry in pair]}


def write(path: Path, dialogues: list[dict[str, Any]], as_list: bool = False) -> Path:
    lines = "".join(json.dumps(one) + "\n" for one in dialogues)
    path.write_text(json.dumps(dialogues) if as_list else lines)
    return path


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(("form", "made"), [("openai", chat), ("sharegpt", sharegpt)])
def test_a_log_is_scored_with_the_spec_that_was_made_of_it(
    form: str, made: Any, as_list: bool, tmp_path: Path
) -> None:
    log = write(tmp_path / "log.json", [made(*said) for said in [*SAID, *SAID]], as_list)
    done = CliRunner().invoke(main, ["import", form, str(log), "-o", str(tmp_path / "spec")])
    assert done.exit_code == 0, done.output
    out = tmp_path / "rows.jsonl"
    run = score_here(tmp_path / "spec" / "log.cm2", log, "--format", form, "-o", out)
    assert run.exit_code == 0, run.stderr
    tasks = [row["task"] for row in records(out)]
    assert len(set(tasks)) == len(SAID)
    assert tasks[: len(SAID)] == tasks[len(SAID) :]


TASKS = """cm2 1 domain d tools "tools.json"
task one { turn u { user "go" item a { check replied } } }
task two { turn u { user "go" item a { check replied } } turn v { user "on" } }
task twin { turn u { user "go" item a { check replied } } turn v { user "on" } }
task played { user simulated "you want to go" item a { check replied } }"""


@pytest.mark.parametrize("agree", [[], ["--agree"]], ids=["fast", "general"])
def test_a_dialogue_of_no_task_or_of_several_is_a_reject(agree: list[str], tmp_path: Path) -> None:
    spec = write_spec(tmp_path, TASKS)
    log = [chat("go"), chat("go", "on"), chat("go "), chat("x", task="played")]
    path = write(tmp_path / "chat.jsonl", log)
    run = score_here(spec, path, *agree, "-o", tmp_path / "rows.jsonl")
    assert run.exit_code == 1
    assert [row["task"] for row in records(tmp_path / "rows.jsonl")] == ["one", "played"]
    two, none = records(tmp_path / "rows.rejects.jsonl")
    start = "the dialogue names no task, and its user messages are those of"
    assert (two["line"], two["reason"]) == (2, f"{start} `two` and `twin`")
    assert (none["line"], none["reason"]) == (3, f"{start} no task")
    assert none["help"] == 'add `"task": "NAME"`, or name the task of all with --task'


def test_the_option_names_the_task_of_all_that_name_none(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, TASKS)
    path = write(tmp_path / "chat.jsonl", [chat("go"), chat("x"), chat("x", task="one")])
    run = score_here(spec, path, "--task", "played", "--json")
    assert [json.loads(row)["task"] for row in run.stdout.splitlines()] == [
        "played",
        "played",
        "one",
    ]


def test_another_number_is_no_suggestion(tmp_path: Path) -> None:
    body = '{ turn u { user "go" item a { check replied } } }'
    tasks = " ".join(f"task task_{number} {body}" for number in (9, 95))
    spec = write_spec(tmp_path, f'cm2 1 domain d tools "tools.json" {tasks}')
    said = score_here(spec, write(tmp_path / "chat.jsonl", [chat("go", task="task_950")])).stderr
    assert "= help: there is `task_9`, `task_95`\n" in said


# --- runs of a domain -----------------------------------------------------------------------------

AIR = ["search", "book", "cancel", "transfer"]


def air_spec(folder: Path, domain: str = "air") -> Path:
    path = write_spec(
        folder,
        f'cm2 1 domain {domain} tools "tools.json" '
        'task task_1 { turn u { user "go" item a { check called search } } }',
    )
    tools = [{"name": tool, "parameters": {}} for tool in AIR]
    (folder / "tools.json").write_text(json.dumps(tools))
    return path


def tau2(path: Path, domain: str, tools: list[str], by: str = "assistant") -> Path:
    actions = [
        {"name": tool, "arguments": {}, "action_id": tool, "requestor": by} for tool in tools
    ]
    calls = [{"id": str(i), "name": tool, "arguments": {}} for i, tool in enumerate(tools)]
    task = {"id": "1", "evaluation_criteria": {"actions": actions}}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": calls},
    ]
    run = {
        "info": {"environment_info": {"domain_name": domain}},
        "tasks": [task],
        "simulations": [{"id": "s", "task_id": "1", "messages": messages}],
    }
    path.write_text(json.dumps(run))
    return path


def tau1(path: Path, tools: list[str]) -> Path:
    actions = [{"name": tool, "kwargs": {}} for tool in tools]
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "yes"}]
    run = [{"task_id": 1, "reward": 0, "traj": messages, "info": {"task": {"actions": actions}}}]
    path.write_text(json.dumps(run))
    return path


SHOP = ["order", "refund", "transfer"]


@pytest.mark.parametrize("by", ["assistant", "user"])
def test_a_run_of_another_domain_is_not_scored(by: str, tmp_path: Path) -> None:
    run = tau2(tmp_path / "run.json", "shop", SHOP, by)
    done = score_here(air_spec(tmp_path), run, "--format", "tau2")
    assert done.exit_code == 2
    has = "of the 3 tools of its tasks, the spec `air` has 1"
    assert done.stderr.splitlines() == [
        f"{run}: rejected: a run of the domain `shop`: {has}",
        "  = help: give a run of `air`, or the spec of `shop`",
        "error: nothing was scored: the only file was rejected",
    ]


def test_a_run_that_names_no_domain_is_known_by_its_tools(tmp_path: Path) -> None:
    spec = air_spec(tmp_path)
    done = score_here(spec, tau1(tmp_path / "shop.json", SHOP), "--format", "tau1")
    assert done.exit_code == 2
    assert "rejected: a run of another domain: of the 3 tools" in done.stderr
    done = score_here(spec, tau1(tmp_path / "air.json", AIR), "--format", "tau1")
    assert (done.exit_code, done.stderr) == (0, "")


def test_the_other_files_are_scored_and_the_one_counted(tmp_path: Path) -> None:
    runs = [tau2(tmp_path / "a.json", "shop", SHOP), tau2(tmp_path / "b.json", "air", AIR)]
    done = score_here(air_spec(tmp_path), *runs, "--format", "tau2")
    assert done.exit_code == 1
    assert "\nmean reward 1.000 over 1 dialogue\n" in done.stdout
    assert done.stderr.endswith("\n1 file was rejected as a whole\n")


def test_a_spec_of_another_name_whose_tools_fit_is_warned_of(tmp_path: Path) -> None:
    run = tau2(tmp_path / "run.json", "air", AIR)
    done = score_here(air_spec(tmp_path, "flights"), run, "--format", "tau2")
    assert done.exit_code == 0
    of = f"`{run}` is a run of the domain `air`, and the spec's is `flights`"
    assert done.stderr == f"warning: {of}; their tools fit\n"


def test_a_run_of_the_same_name_is_not_looked_at_more_closely(tmp_path: Path) -> None:
    run = tau2(tmp_path / "run.json", "air", SHOP)
    done = score_here(air_spec(tmp_path), run, "--format", "tau2")
    assert (done.exit_code, done.stderr) == (0, "")
