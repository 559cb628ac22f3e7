"""Valid inputs that try to break out: of a string, of a name, of a schema, of a folder.

What is imported compiles, and says what the source said, letter by letter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import source_files as files
from click.testing import CliRunner, Result

from cm2.bundle import compile_bundle
from cm2.cli import main
from cm2dsl import ir
from cm2dsl.compiler import compile_file

TEXTS = (
    'a """ b',
    'ends """',
    'ends "',
    "ends \\",
    "{row.x} {row} \\{x} {",
    "\\n \\u0041 \\ud83d",
    "nul \0 bell \a escape \x1b[31m",
    "tab\t carriage\r\nreturn\r",
    "\u2028line\u2029paragraph\x85next\x0bvertical\x0cform",
    "\ufeffmark",
    "e\u0301 not composed, 💩 beyond, \u202eright to left",
    "\n\n  first\n    second \n\n\n",
    "# no comment\n// none",
    "x" * 5000,
)
NAMES = (
    *(
        "cm2",
        "task",
        "turn",
        "not",
        "any",
        "true",
        "nothing",
        "dialogue",
        "123",
        "é",
        "İ",
        "ﬁ",
        "²",
    ),
    *("a/b", "..", 'q"uote', "new\nline", "日本語", "x" * 400, "no_writes", "no_other_writes"),
    *("ends_with_reply", "answers", "action_0", "communicate_0", "changes_nothing", "replies"),
    *("Act", "DoMore", "says", "a b", "a-b.c"),
)
LISTS: Any = "x"
for _ in range(26):
    LISTS = [LISTS]
VALUES: tuple[Any, ...] = (
    *(10**300, 1e308, 5e-324, -0.0, True, None, "", [], {}, [[]], [{}], [[1, [2]]], {"a": {}}),
    *({"": 1, "not": 2, "a b": 3}, ["a", 1, None], LISTS),
)
SCHEMAS: tuple[Any, ...] = (
    {"properties": {"order_id": True}},
    {"properties": {"order_id": {"type": {}, "enum": "W0"}}},
    {"properties": {"order_id": {"enum": []}}},
    {"properties": {"order_id": {"enum": ["another"]}}},
    {"properties": {"order_id": {"type": "array", "items": {"type": "integer"}}}},
    {"properties": {"order_id": {"type": "object", "properties": {"a": {}}}}},
    {"properties": {"order_id": {"$ref": "#/properties/order_id"}}},
    {"properties": {"not": {}, "": {}, 'q"\n': {}, "{x}": {}}},
    {"$ref": "#", "required": 7, "additionalProperties": "x"},
    {"type": ["object", "null"], "properties": None},
    {"type": 7},
    {},
)

IMPORTED: dict[str, Any] = {
    "openai": files.chat("Ada"),
    "sharegpt": files.sharegpt("Ada"),
    "tooltalk": files.conversation("one") | {"metadata": {}},
    "cm2-json": files.annotated("Ada"),
    "tau1": [files.tau1_result(0)],
}

Import = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Import:
    """Imports a file with others beside it, into `out`."""

    def run(source: str, name: str, value: Any, *arguments: str, **beside: Any) -> Result:
        for file, content in {name: value, **beside}.items():
            path = tmp_path / file.replace("__", ".")
            path.write_text(json.dumps(content), encoding="utf-8")
        more = [each.replace("{}", str(tmp_path)) for each in arguments]
        command = ["import", source, str(tmp_path / name), "-o", str(tmp_path / "out"), *more]
        return CliRunner().invoke(main, command)

    return run


def compiled(result: Result, tmp_path: Path) -> ir.Spec:
    assert result.exit_code == 0, result.output
    (file,) = (tmp_path / "out").glob("*.cm2")
    spec = compile_file(file)
    assert spec is not None
    return spec.spec


def first_words(spec: ir.Spec) -> str:
    (task, *_) = spec.tasks
    text = task.turns[0].user if task.turns else task.simulated
    assert text is not None
    return "".join(map(str, text))


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("source", list(IMPORTED))
def test_what_the_user_says_comes_through_unchanged(
    source: str, text: str, run: Import, tmp_path: Path
) -> None:
    value = deepcopy(IMPORTED[source])
    match source:
        case "sharegpt":
            value["conversations"][0]["value"] = text
        case "tooltalk":
            value["conversation"][0]["text"] = text
        case "tau1":
            value[0]["info"]["task"]["instruction"] = text
        case _:
            value["messages"][1]["content"] = text
    spec = compiled(run(source, "log.json", value), tmp_path)
    assert first_words(spec) == text


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_name_breaks_a_spec(name: str, run: Import, tmp_path: Path) -> None:
    task = files.tau2_task(0)
    criteria = task["evaluation_criteria"]
    task["id"] = criteria["communicate_info"][0] = criteria["nl_assertions"][0] = name
    for by in ("assistant", "user"):
        criteria["actions"].append({"name": name, "arguments": {name: name}, "requestor": by})
    others = [task | {"id": f"{name}!"}, task | {"id": f"{name}_2"}]
    more = ("--diagnostics", "--name", "all")
    compiled(run("tau2", "t.json", [task, *others], *more, tools__json=files.TOOLS), tmp_path)

    talk = deepcopy(IMPORTED["tooltalk"]) | {"name": name}
    talk["conversation"][1]["apis"][0]["request"] |= {"api_name": name, "parameters": {name: name}}
    talk["conversation"] *= 2
    (tmp_path / "out" / "all.cm2").unlink()
    compiled(run("tooltalk", "talk.json", talk), tmp_path)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_no_argument_of_a_reference_call_breaks_a_spec(
    value: Any, run: Import, tmp_path: Path
) -> None:
    task = files.tau2_task(0)
    for action, compared in zip(
        task["evaluation_criteria"]["actions"], (None, ["order_id", "nowhere"]), strict=True
    ):
        action |= {"arguments": {"order_id": value, "more": value}, "compare_args": compared}
    more = ("--diagnostics", "--name", "all")
    compiled(run("tau2", "t.json", [task], *more, tools__json=files.TOOLS), tmp_path)


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_no_schema_breaks_a_spec(schema: Any, run: Import, tmp_path: Path) -> None:
    tools = deepcopy(files.TOOLS)
    for tool in tools:
        tool["function"]["parameters"] = schema
    task = files.tau2_task(0)
    more = ("--diagnostics", "--name", "all")
    compiled(run("tau2", "t.json", [task], *more, tools__json=tools), tmp_path)


def test_a_reference_call_that_the_schema_forbids_is_right_and_reported(
    run: Import, tmp_path: Path
) -> None:
    task = files.tau2_task(0)
    task["evaluation_criteria"]["actions"][1]["arguments"]["reason"] = "neither"
    spec = compiled(
        run("tau2", "t.json", [task], "--name", "all", tools__json=files.TOOLS), tmp_path
    )
    assert 'reason == "neither"' in (tmp_path / "out" / "all.cm2").read_text(encoding="utf-8")
    (tool,) = (tool for tool in spec.tools if tool.name == "cancel_order")
    assert tool.parameters["properties"]["reason"] == {}
    report = (tmp_path / "out" / "all.report.md").read_text(encoding="utf-8")
    assert "gives `cancel_order` a `reason` that its schema forbids" in report


def test_dialogues_that_cannot_be_read_are_in_the_report(run: Import, tmp_path: Path) -> None:
    value = files.tau2_run()
    value["simulations"][0]["messages"][1]["role"] = 7
    compiled(run("tau2", "run.json", value, tools__json=files.TOOLS), tmp_path)
    report = (tmp_path / "out" / "shop.report.md").read_text(encoding="utf-8")
    assert "A dialogue was left out (`simulations[0].messages[1].role`)" in report


# --- where it is written ----------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(IMPORTED["openai"]))
    for out in (log, log / "below", tmp_path / ("x" * 300), tmp_path / "circle"):
        if out.name == "circle":
            out.symlink_to(out)
        result = CliRunner().invoke(main, ["import", "openai", str(log), "-o", str(out)])
        assert result.exit_code == 2
        assert "error: cannot write `" in result.stderr
        assert "  = help: name a" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "log.jsonl"]


def test_folders_are_made_and_taken_back_where_nothing_comes_of_it(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(IMPORTED["openai"]))
    name = "x" * 250  # too long for a file with an ending
    command = ["import", "openai", str(log), "-o", str(tmp_path / "a" / "b"), "--name"]
    assert CliRunner().invoke(main, [*command, name]).exit_code == 2
    assert not (tmp_path / "a").exists()
    assert CliRunner().invoke(main, [*command, "fits"]).exit_code == 0
    assert (tmp_path / "a" / "b" / "fits.cm2").is_file()


@pytest.fixture
def score(tmp_path: Path) -> Callable[..., Result]:
    """Scores `log.jsonl`, a good line and a bad one."""
    (tmp_path / "s.cm2").write_text(files.SPEC, encoding="utf-8")
    (tmp_path / "tools.json").write_text(json.dumps(files.SPEC_TOOLS), encoding="utf-8")
    compile_bundle(tmp_path / "s.cm2", tmp_path / "s")
    chat = {"messages": [{"role": "user", "content": "Hi"}], "official": {"reward": 1}}
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(chat) + "\nnothing\n", encoding="utf-8")
    command = ["score", str(tmp_path / "s"), str(log), "--task", "greet"]
    return lambda *arguments: CliRunner().invoke(main, [*command, *map(str, arguments)])


def test_scoring_replaces_neither_what_it_reads_nor_what_is_no_file(
    score: Callable[..., Result], tmp_path: Path
) -> None:
    log = (tmp_path / "log.jsonl").read_bytes()
    (tmp_path / "link.jsonl").symlink_to("log.jsonl")
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "rows.rejects.jsonl").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, reason in (
        ("log.jsonl", "is a file of dialogues"),
        ("link.jsonl", "is a file of dialogues"),
        ("pipe.jsonl", "is there and is no file"),
        ("rows.jsonl", "is there and is no file"),
        ("none/rows.jsonl", "there is no folder"),
    ):
        result = score("-o", tmp_path / name)
        assert result.exit_code == 2, result.output
        assert reason in result.stderr
        assert "  = help: " in result.stderr
    assert (tmp_path / "pipe.jsonl").is_fifo()
    assert (tmp_path / "log.jsonl").read_bytes() == log
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_disagreements_that_cannot_be_written_are_an_error_before_anything_is_scored(
    score: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    result = score("-o", out, "--agree", "--disagreements", tmp_path / "none" / "all.jsonl")
    assert result.exit_code == 2, result.output
    assert "there is no folder" in result.stderr
    assert not out.exists()


def test_one_dialogue_agrees_without_an_interval(score: Callable[..., Result]) -> None:
    result = score("--agree")
    assert result.exit_code == 1, result.output
    assert "log.jsonl  reward         1" in result.stdout
