"""`cm2c init`: what it writes compiles, is laid out, is clean to lint, and passes its own tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cm2dsl.chat import read
from cm2dsl.cm2c import main
from cm2dsl.compiler import compile_file
from cm2dsl.draft import write
from cm2dsl.init.effects import by_name, effect_of
from cm2dsl.init.patterns import is_free, pattern_of
from cm2dsl.init.texts import text_of
from cm2dsl.init.tools import Tool
from cm2dsl.init.values import arguments_for

SPECS = Path(__file__).parents[2] / "specs"

DESK = [
    {
        "name": "find_loan",
        "description": "Finds a loan by its number",
        "parameters": {
            "type": "object",
            "properties": {"loan": {"type": "string", "pattern": "^L[0-9]{4}$"}},
            "required": ["loan"],
        },
    },
    {
        "name": "renew_loan",
        "description": "Renews a loan.",
        "parameters": {
            "type": "object",
            "properties": {
                "loan": {"type": "string", "pattern": "^L[0-9]{4}$"},
                "weeks": {"type": "integer", "minimum": 1, "maximum": 4},
            },
            "required": ["loan", "weeks"],
        },
    },
    {
        "name": "send_note",
        "description": "Sends a note to a member",
        "parameters": {
            "type": "object",
            "properties": {"member": {"type": "string"}, "text": {"type": "string"}},
            "required": ["member", "text"],
        },
    },
]


def tool_call(id: str, name: str, /, **arguments: object) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": id, "type": "function", "function": function}


def asks(id: str, name: str, result: object, /, **arguments: object) -> list[dict[str, Any]]:
    """A message that calls a tool, and its result."""
    call = tool_call(id, name, **arguments)
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": id, "content": json.dumps(result)},
    ]


RENEWAL = {
    "id": "d1",
    "messages": [
        {"role": "system", "content": "You are the desk of the library."},
        {"role": "user", "content": "Hi! Is loan L1234 still mine?"},
        *asks("a", "find_loan", {"loan": "L1234", "due": "2026-03-02"}, loan="L1234"),
        {"role": "assistant", "content": "Yes. It is due on 2 March."},
        {"role": "user", "content": "Two more weeks, please"},
        *asks("b", "find_loan", {"error": "too many calls"}, loan="L9999"),
        *asks("c", "renew_loan", {"due": "2026-03-16"}, loan="L1234", weeks=2),
        {"role": "assistant", "content": "Renewed: it is now due on 16 March."},
    ],
}

NOTE = {
    "id": "d2",
    "messages": [
        {"role": "user", "content": "Tell member M7 that the book is here"},
        *asks("a", "send_note", {"ok": True}, member="M7", text="Your book is here. Come by soon."),
        {"role": "assistant", "content": "I have told member M7."},
    ],
}

CHAT = {
    "id": "d3",
    "messages": [
        {"role": "user", "content": "When do you open?"},
        {"role": "assistant", "content": "On weekdays we are there from nine o'clock."},
    ],
}


def write_tools(folder: Path, tools: object = DESK, name: str = "desk.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(tools, ensure_ascii=False), encoding="utf-8")
    return path


def write_log(folder: Path, *dialogues: Mapping[str, Any]) -> Path:
    path = folder / "log.jsonl"
    lines = (json.dumps(each, ensure_ascii=False) + "\n" for each in dialogues)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def init(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["init", *map(str, arguments)], prog_name="cm2c")


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], prog_name="cm2c")


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def drafted(folder: Path, *arguments: object, lint: Sequence[str] = ()) -> str:
    """The text of a spec that was drafted, after it was found to work."""
    out = folder / "out" / "desk.cm2"
    result = init(*arguments, "--out", out)
    assert result.exit_code == 0, result.output
    works(out, lint=lint)
    return out.read_text(encoding="utf-8")


def works(spec: Path, *, lint: Sequence[str] = ()) -> None:
    """It compiles, is laid out, lint finds nothing in it, and its tests pass."""
    assert compile_file(spec) is not None
    laid_out = command("fmt", "--check", spec)
    assert laid_out.exit_code == 0, laid_out.output
    found = command("lint", spec, "--no-cache", "--format", "concise", *lint)
    assert found.exit_code == 0, found.output + spec.read_text(encoding="utf-8")
    tested = command("test", spec)
    assert tested.exit_code == 0, tested.output + spec.read_text(encoding="utf-8")


# --- without recordings ------------------------------------------------------------------------


def test_the_example_is_on_the_most_telling_tool_and_looks_before_it_acts(tmp_path: Path) -> None:
    text = drafted(tmp_path, write_tools(tmp_path))
    assert 'user "Renew a loan, please: loan L7218, weeks 2"' in text
    assert 'item calls_find_loan { check called find_loan(loan == "L7218") }' in text
    assert "item calls_renew_loan weight 3 after calls_find_loan {" in text
    assert 'check called renew_loan(loan == "L7218", weeks == 2)' in text
    assert "use once(renew_loan)" in text
    assert "Made up from the schemas" in text


@pytest.mark.parametrize("tools", sorted(SPECS.glob("*.tools.json")), ids=lambda path: path.stem)
def test_the_tools_of_the_shipped_specs_make_a_spec_that_works(tmp_path: Path, tools: Path) -> None:
    drafted(tmp_path, tools)


def test_chinese_tools_make_chinese_criteria(tmp_path: Path) -> None:
    text = drafted(tmp_path, SPECS / "挂号.tools.json")
    assert "回复有没有告诉用户“挂号”的结果？" in text
    assert "called 挂号(" in text
    assert "你用给定的工具" in (tmp_path / "out/desk.system.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "tools",
    [
        [{"name": "now"}],
        [{"name": "get-flight"}, {"name": "any"}, {"name": "not"}, {"name": "tool"}],
        [{"name": 'say "hi"\n{row.x}', "description": "a\tb {tool} \\ # \u2028"}],
        [{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}],
        {"tools": [{"name": "查询", "inputSchema": {"type": "object", "properties": {}}}]},
        [{"name": f"tool_{number}", "description": "Books one"} for number in range(200)],
        [{"name": "mark", "parameters": {"type": "object", "properties": {"a": False, "b": 3}}}],
        [
            {
                "name": "book",
                "parameters": {
                    "type": "object",
                    "properties": {"a b": {"type": "string", "enum": ["no longer needed by me"]}},
                    "required": ["a b"],
                },
            }
        ],
    ],
    ids=["no arguments", "no names", "odd", "wrapped", "mcp", "200", "odd schema", "long enum"],
)
def test_tools_of_all_kinds_make_a_spec_that_works(tmp_path: Path, tools: object) -> None:
    drafted(tmp_path, write_tools(tmp_path, tools))


def test_the_same_tools_give_the_same_files(tmp_path: Path) -> None:
    log = write_log(tmp_path, RENEWAL, NOTE, CHAT)
    for folder in ("a", "b"):
        assert init(write_tools(tmp_path), "-o", tmp_path / folder / "x.cm2").exit_code == 0
        out = tmp_path / folder / "y.cm2"
        assert init(write_tools(tmp_path), "-o", out, "--recordings", log).exit_code == 0
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")


# --- with recordings ---------------------------------------------------------------------------


def test_each_recording_becomes_a_task_with_its_tests(tmp_path: Path) -> None:
    log = write_log(tmp_path, RENEWAL, NOTE, CHAT)
    text = drafted(tmp_path, write_tools(tmp_path), "--recordings", log)
    assert re.findall(r"^task (\w+)", text, re.MULTILINE) == [
        "is_loan_l1234_still_mine",
        "tell_member_m7_that_the_book_is",
        "when_do_you_open",
    ]
    assert "item calls_renew_loan weight 3 {" in text
    assert 'check called renew_loan(loan == "L1234", weeks == 2)' in text
    assert 'anchor reply "Renewed: it is now due on 16 March"' in text
    assert "# Answered with an error: find_loan." in text
    assert "use changes_nothing" in text
    tests = re.findall(r'^test "(.*?)"', text, re.MULTILINE)
    assert tests == [
        "is_loan_l1234_still_mine: as it is recorded",
        "is_loan_l1234_still_mine: without calling renew_loan",
        "is_loan_l1234_still_mine: calling renew_loan twice",
        "tell_member_m7_that_the_book_is: as it is recorded",
        "tell_member_m7_that_the_book_is: without calling send_note",
        "tell_member_m7_that_the_book_is: calling send_note twice",
        "when_do_you_open: as it is recorded",
        "when_do_you_open: without an answer",
    ]


def test_the_recording_is_kept_and_what_is_missing_is_missing(tmp_path: Path) -> None:
    log = write_log(tmp_path, RENEWAL)
    drafted(tmp_path, write_tools(tmp_path), "--recordings", log)
    folder = tmp_path / "out/desk"
    (kept,) = read(folder / "recordings/is_loan_l1234_still_mine.jsonl")
    (original,) = read(log)
    assert (kept.turns, kept.system) == (original.turns, original.system)
    assert kept.task == "is_loan_l1234_still_mine"
    (less,) = read(folder / "fixtures/is_loan_l1234_still_mine_incomplete.jsonl")
    assert less.turns[0] == original.turns[0]
    called = [call.tool for step in less.turns[1].steps for call in step.calls]
    assert called == ["find_loan"]


def test_free_text_is_asked_of_a_judge_and_never_compared(tmp_path: Path) -> None:
    text = drafted(tmp_path, write_tools(tmp_path), "--recordings", write_log(tmp_path, NOTE))
    assert 'called send_note(member == "M7", text exists)' in text
    assert "Does the call of `send_note` say in `text` what the user wanted said?" in text
    assert 'anchor tool_call "Your book is here. Come by soon."' in text


def test_the_texts_of_one_tool_are_one_question(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "Tell M7 and M8 that their books are here"},
        *asks("a", "send_note", {}, member="M7", text="Your book is here, please come by."),
        *asks("b", "send_note", {}, member="M8", text="Your books are here, please come by."),
        {"role": "assistant", "content": "Both of them know now."},
    ]
    log = write_log(tmp_path, {"messages": messages})
    text = drafted(tmp_path, write_tools(tmp_path), "--recordings", log)
    assert text.count("say in `text` what the user wanted said?") == 1
    assert "item calls_send_note_2 weight 3 after calls_send_note {" in text


def test_recorded_reads_wait_for_nothing_and_a_write_for_one_at_most(tmp_path: Path) -> None:
    reads = [asks(f"r{n}", "find_loan", {}, loan=f"L000{n}") for n in range(5)]
    messages = [
        {"role": "user", "content": "Renew L0004"},
        *(message for pair in reads for message in pair),
        *asks("w", "renew_loan", {}, loan="L0004", weeks=1),
        {"role": "assistant", "content": "It is renewed for a week."},
    ]
    log = write_log(tmp_path, {"messages": messages})
    text = drafted(tmp_path, write_tools(tmp_path), "--recordings", log)
    assert text.count("check called find_loan") == 3
    assert "item calls_renew_loan weight 3 after calls_find_loan_3 {" in text
    assert "# Called as well, and not asked for: find_loan." in text


def test_the_system_prompt_of_the_recordings_is_taken_unless_one_is_given(tmp_path: Path) -> None:
    log = write_log(tmp_path, RENEWAL)
    drafted(tmp_path, write_tools(tmp_path), "--recordings", log)
    written = tmp_path / "out/desk.system.md"
    assert written.read_text(encoding="utf-8") == "You are the desk of the library.\n"
    own = tmp_path / "own.md"
    own.write_text("Be brief.", encoding="utf-8")
    tools = write_tools(tmp_path)
    drafted(tmp_path, tools, "--recordings", log, "--system", own, "--force")
    assert written.read_text(encoding="utf-8") == "Be brief.\n"


def test_no_more_recordings_become_tasks_than_are_wanted(tmp_path: Path) -> None:
    log = write_log(tmp_path, RENEWAL, NOTE, CHAT)
    out = tmp_path / "desk.cm2"
    result = init(write_tools(tmp_path), "-o", out, "--recordings", log, "--tasks", 1)
    assert result.exit_code == 0
    assert "left out: 2 dialogues beyond 1 task; --tasks makes more" in result.output
    assert out.read_text(encoding="utf-8").count("\ntask ") == 1


def test_a_dialogue_that_cannot_be_a_task_is_left_out_and_said(tmp_path: Path) -> None:
    silent = {"id": "s", "messages": [{"role": "user", "content": "Hello?"}]}
    empty = {"id": "e", "messages": []}
    blank = {"id": "b", "messages": [{"role": "user", "content": " "}]}
    log = write_log(tmp_path, silent, empty, blank, RENEWAL, {**RENEWAL, "id": "d9"})
    result = init(write_tools(tmp_path), "-o", tmp_path / "desk.cm2", "--recordings", log)
    assert result.exit_code == 0
    assert "`s`: the agent calls no tool of the tools file, and says nothing that" in result.output
    assert "`e`: the user says nothing" in result.output
    assert "`b`: a message of the user is empty" in result.output
    assert "`d9`: the user says the same as in `d1`" in result.output


def test_turns_that_show_nothing_carry_no_reward(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "Hm"},
        {"role": "user", "content": "Is loan L1234 mine?"},
        *asks("a", "find_loan", {"loan": "L1234"}, loan="L1234"),
        {"role": "assistant", "content": "Yes, it is yours."},
        {"role": "user", "content": "Thanks"},
    ]
    log = write_log(tmp_path, {"messages": messages})
    text = drafted(tmp_path, write_tools(tmp_path), "--recordings", log)
    assert "assign { at find_loan }" in text
    assert text.count("  turn ") == 2


# --- files -------------------------------------------------------------------------------------


def test_nothing_is_written_over_without_force(tmp_path: Path) -> None:
    out = tmp_path / "desk.cm2"
    (tmp_path / "desk.system.md").write_text("mine", encoding="utf-8")
    before = files_in(tmp_path)
    tools = write_tools(tmp_path, name="t.json")
    result = init(tools, "-o", out)
    assert result.exit_code == 1
    assert f"error: `{tmp_path / 'desk.system.md'}` is there already" in result.output
    assert "add --force" in result.output
    assert files_in(tmp_path) == {**before, "t.json": tools.read_bytes()}
    assert init(tools, "-o", out, "--force").exit_code == 0
    works(out)


@pytest.mark.parametrize("at", [0, 2, 4])
def test_what_is_interrupted_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    tools = write_tools(tmp_path)
    out = tmp_path / "out/desk.cm2"
    out.parent.mkdir()
    out.write_text("mine", encoding="utf-8")
    (out.parent / "desk.system.md").write_text("mine too", encoding="utf-8")
    before = files_in(tmp_path)
    moved: list[Path] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        moved.append(target)
        if len(moved) > at:
            raise KeyboardInterrupt

    monkeypatch.setattr(write.shutil, "move", move)
    result = init(tools, "-o", out, "--force")
    assert result.exit_code != 0
    assert len(moved) == at + 1
    assert files_in(tmp_path) == before
    assert [path.name for path in out.parent.iterdir() if path.is_dir()] == []


def test_a_tools_file_that_says_every_effect_is_used_where_it_is(tmp_path: Path) -> None:
    full = [{**tool, "x-effect": "read"} for tool in DESK]
    tools = write_tools(tmp_path, full, "all.json")
    assert init(tools, "-o", tmp_path / "desk.cm2").exit_code == 0
    assert 'tools  "all.json"' in (tmp_path / "desk.cm2").read_text(encoding="utf-8")
    assert not (tmp_path / "desk.tools.json").exists()
    works(tmp_path / "desk.cm2")


def test_a_tools_file_without_effects_is_copied_with_them_and_stays_as_it_is(
    tmp_path: Path,
) -> None:
    tools = write_tools(tmp_path, name="desk.tools.json")
    before = tools.read_bytes()
    assert init(tools, "-o", tmp_path / "desk.cm2", "--force").exit_code == 0
    assert tools.read_bytes() == before
    copy = json.loads((tmp_path / "desk/tools.json").read_text(encoding="utf-8"))
    assert [tool["x-effect"] for tool in copy] == ["read", "write", "write"]
    assert [{k: v for k, v in tool.items() if k != "x-effect"} for tool in copy] == DESK
    works(tmp_path / "desk.cm2")


def test_without_a_name_the_spec_is_named_after_the_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tools(tmp_path, name="front desk.tools.json")
    assert init("front desk.tools.json").exit_code == 0
    text = (tmp_path / "front desk.cm2").read_text(encoding="utf-8")
    assert 'domain front_desk "Front desk"' in text
    works(tmp_path / "front desk.cm2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not JSON"),
        ("[]", "there is no tool in here"),
        ('{"tools": []}', "there is no tool in here"),
        ("3", "the tools are not a list"),
        ('[{"name": "a"}, {"name": "a"}]', "tool `a` stands twice"),
        ('[{"description": "a"}]', "this tool has no name"),
        ('[{"name": "a", "parameters": 3}]', "the parameters of `a` are not an object"),
    ],
)
def test_a_tools_file_that_is_not_right_is_an_error_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    tools = tmp_path / "t.json"
    tools.write_text(text, encoding="utf-8")
    result = init(tools, "-o", tmp_path / "out/desk.cm2")
    assert result.exit_code == 1
    assert message in result.output
    assert f"{tools}:1:" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "log.jsonl:1: error"),
        ("", "nothing in"),
        ('{"messages": 3}', "messages"),
        ('{"messages": []}', "the user says nothing"),
    ],
)
def test_recordings_that_are_not_right_are_an_error(
    tmp_path: Path, text: str, message: str
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(text, encoding="utf-8")
    out = tmp_path / "out/desk.cm2"
    result = init(write_tools(tmp_path), "-o", out, "--recordings", log)
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_a_system_prompt_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    own = tmp_path / "own.md"
    own.write_bytes(b"\xff\xfe\xfa")
    result = init(write_tools(tmp_path), "-o", tmp_path / "x.cm2", "--system", own)
    assert result.exit_code == 1
    assert "is not UTF-8 text" in result.output


@pytest.mark.parametrize("out", ["desk", "desk.json"])
def test_a_spec_is_named_cm2(tmp_path: Path, out: str) -> None:
    result = init(write_tools(tmp_path), "-o", tmp_path / out)
    assert result.exit_code == 2
    assert "write `--out desk.cm2`" in result.output


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = init(write_tools(tmp_path), "-o", tmp_path / "file/desk.cm2")
    assert result.exit_code == 1
    assert "cannot write" in result.output


# --- effects, values, patterns -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("get_user", "read"),
        ("flight_search", "read"),
        ("order_status", "read"),
        ("order_pizza", "write"),
        ("cancelBooking", "write"),
        ("trading_get_login_status", "read"),
        ("ticket_login", "write"),
        ("calculate", "generic"),
        ("gallon_to_liter", "generic"),
        ("transfer_to_human_agents", "generic"),
        ("transfer_money", "write"),
        ("查号源", "read"),
        ("退号", "write"),
        ("frobnicate", None),
        ("", None),
    ],
)
def test_the_words_of_a_name_suggest_an_effect(name: str, effect: str | None) -> None:
    assert by_name(name) == effect


@pytest.mark.parametrize(
    ("said", "effect"),
    [
        ({"x-effect": "generic", "annotations": {"readOnlyHint": True}}, ("generic", "schema")),
        ({"annotations": {"readOnlyHint": True}}, ("read", "annotations")),
        ({"annotations": {"readOnlyHint": False}}, ("write", "annotations")),
        ({"annotations": {"destructiveHint": False}}, ("write", "annotations")),
        ({"annotations": {"title": "Books"}}, ("read", "name")),
        ({"annotations": 3}, ("read", "name")),
    ],
)
def test_what_a_schema_says_goes_before_what_a_name_suggests(
    said: dict[str, Any], effect: tuple[str, str]
) -> None:
    tool = {"name": "get_it", **said}
    assert effect_of(tool, tool) == effect


def test_a_pattern_holds_ids_and_choices_and_leaves_the_rest(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "cabin": {"enum": ["a", "b"]},
            "seats": {"type": "array", "items": {"type": "string"}},
            "who": {"type": "object", "properties": {"age": {"type": "integer"}}},
            "note": {"type": "string"},
            "limit": {"type": "integer"},
        },
    }
    tool = Tool("book", "", schema, "write", "schema")
    arguments = {
        "id": "K7",
        "cabin": "c",
        "seats": ["1A", "1B"],
        "who": {"age": 7, "unknown": 1},
        "note": "a window, please",
        "limit": 2,
        "unknown": 3,
        "none": None,
    }
    pattern = pattern_of(tool, arguments)
    assert pattern.text == (
        'book(id == "K7", seats[0] == "1A", seats[1] == "1B", not seats[2] exists, '
        "who.age == 7, note exists, limit == 2)"
    )
    assert pattern.free == ("note",)
    read = Tool("find", "", {**schema, "required": ["id"]}, "read", "schema")
    assert pattern_of(read, arguments).text == 'find(id == "K7")'


@pytest.mark.parametrize(
    ("text", "name", "free"),
    [
        ("K7Q2MB", "id", False),
        ("New York", "city", False),
        ("I want my money back", "id", True),
        ("Done.", "id", True),
        ("too late", "reason", True),
        ("北京", "城市", False),
        ("我想把这张机票退掉，越快越好", "x", True),
    ],
)
def test_somebodys_own_words_are_told_from_names(text: str, name: str, free: bool) -> None:
    assert is_free(text, name) is free


PATTERNS = st.sampled_from(
    [
        "^[A-Z]{3}$",
        "^#W\\d{7}$",
        "^(red|green)-\\d+$",
        "[^a-z]{2,4}",
        "^\\w+@\\w+\\.com$",
        "^a?b*c+$",
        "^(?:x[0-9a-f]{2}){2}$",
        "^.{5}$",
        "^\\s\\S$",
        "[\u4e00-\u9fff]{2}",
        "^$",
        "x{2,}y",
        "^\\u0041\\x42$",
        "(?P<year>\\d{4})-(?:0[1-9]|1[0-2])",
    ]
)


@given(PATTERNS)
def test_a_text_for_a_pattern_has_no_row_of_the_same_and_matches(pattern: str) -> None:
    text = text_of({"type": "string", "pattern": pattern}, "frob", ())
    assert (text is None) == (pattern in ("^$", "[\u4e00-\u9fff]{2}") and not text)
    assert text is None or re.search(pattern, text)


# --- any schemas at all ------------------------------------------------------------------------

WORDS = st.one_of(
    st.sampled_from(
        ["id", "name", "date", "note", "flight", "查询", "预约号", "a b", "x-y", "any"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    WORDS,
    st.just("a sentence of somebody who wants it"),
)


@st.composite
def strings(draw: st.DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": draw(st.sampled_from(["string", ["string", "null"]]))}
    formats = st.sampled_from(["date", "email", "uuid", "uri", "phone", "time"])
    extra: dict[str, st.SearchStrategy[Any]] = {
        "pattern": PATTERNS,
        "format": formats,
        "minLength": st.integers(0, 9),
        "maxLength": st.integers(0, 30),
        "description": st.sampled_from(["e.g. 'PEK'", "such as 2026-01-15", "如“儿科”", "Any."]),
        "default": WORDS,
        "examples": st.lists(WORDS, max_size=2),
    }
    for key in draw(st.sets(st.sampled_from(sorted(extra)), max_size=3)):
        schema[key] = draw(extra[key])
    return schema


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"]))}
    for key in draw(
        st.sets(st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]))
    ):
        schema[key] = draw(st.integers(-20, 20))
    if draw(st.booleans()):
        schema["multipleOf"] = draw(st.sampled_from([1, 2, 5, 0.5]))
    return schema


LEAVES = st.one_of(
    strings(),
    numbers(),
    st.just({"type": "boolean"}),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"const": value}),
    st.sampled_from([{}, True, {"type": "dict"}, {"not": {}}]),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def build(properties: dict[str, Any], required: int, more: bool | None) -> dict[str, Any]:
        schema = {"type": "object", "properties": properties, "required": [*properties][:required]}
        return schema if more is None else {**schema, "additionalProperties": more}

    properties = st.dictionaries(WORDS, inner, max_size=4)
    return st.builds(build, properties, st.integers(0, 4), st.sampled_from([None, False, True]))


def a_list(items: Any, least: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


ABOUT = st.one_of(st.sampled_from(["", "Books a seat.", "查一个号", "An API: gets it"]), WORDS)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        objects(inner),
        st.builds(a_list, inner, st.integers(0, 2)),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"oneOf": options}),
    ),
    max_leaves=6,
)
NAMES = st.one_of(
    st.sampled_from(["get_user", "book", "cancel", "查询", "预订", "tool", "any", "get-it", "now"]),
    WORDS,
)
TOOLS = st.lists(
    st.builds(
        lambda name, about, schema, effect: {
            "name": name,
            "description": about,
            "parameters": schema,
            **({"x-effect": effect} if effect else {}),
        },
        NAMES,
        ABOUT,
        objects(SCHEMAS),
        st.sampled_from([None, "read", "write", "generic"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda tool: tool["name"],
)


def dialect_out(schema: dict[str, Any]) -> str:
    """The schema with the types of JSON Schema only."""
    return json.dumps(schema).replace('{"type": "dict"}', '{"type": "object"}')


@given(objects(SCHEMAS))
@settings(deadline=None, max_examples=300)
def test_arguments_that_are_made_up_meet_their_schema(schema: dict[str, Any]) -> None:
    made = arguments_for(schema, schema["required"])
    if made is not None:
        jsonschema.Draft202012Validator(json.loads(dialect_out(schema))).validate(made)


@given(TOOLS)
@settings(
    deadline=None, max_examples=25, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
def test_a_spec_from_any_schemas_works(tools: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as name:
        # A schema that leaves hardly a choice is met by who acts blindly, and lint says so.
        drafted(Path(name), write_tools(Path(name), tools), lint=["--ignore", "L410"])


REQUESTS = st.sampled_from(["Please", "Hi, book it", "请帮我查一下", "OK"])
REPLIES = st.sampled_from(
    ["", "Done.", "OK", "It costs 120 in all, and leaves at nine.", "好的，已经办好了。"]
)


@st.composite
def dialogues(draw: st.DrawFn, tools: list[dict[str, Any]]) -> dict[str, Any]:
    """A dialogue with calls of these tools and of one that is not there."""
    names = st.sampled_from([*(tool["name"] for tool in tools), "none"])
    keys = [key for tool in tools for key in tool["parameters"]["properties"]] or ["x"]
    values = st.recursive(
        SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(WORDS, one, max_size=3)
    )
    arguments = st.dictionaries(st.sampled_from(keys), values, max_size=4)
    messages: list[dict[str, Any]] = []
    for turn in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(REQUESTS)})
        for step in range(draw(st.integers(0, 3))):
            calls = [
                tool_call(f"{turn}.{step}.{number}", draw(names), **draw(arguments))
                for number in range(draw(st.integers(1, 2)))
            ]
            messages.append({"role": "assistant", "content": draw(REPLIES), "tool_calls": calls})
            for call in calls:
                result = draw(st.sampled_from(["{}", '{"error": "no"}', "fine", None]))
                if result is not None:
                    answer = {"role": "tool", "tool_call_id": call["id"], "content": result}
                    messages.append(answer)
        if draw(st.booleans()):
            messages.append({"role": "assistant", "content": draw(REPLIES)})
    return {"messages": messages}


@given(st.data())
@settings(
    deadline=None, max_examples=25, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
def test_a_spec_from_any_dialogues_works(data: st.DataObject) -> None:
    tools = data.draw(TOOLS)
    log = [
        {**data.draw(dialogues(tools)), "id": f"d{n}"} for n in range(data.draw(st.integers(1, 3)))
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out/desk.cm2"
        result = init(
            write_tools(folder, tools), "-o", out, "--recordings", write_log(folder, *log)
        )
        assert result.exception is None or isinstance(result.exception, SystemExit)
        if result.exit_code:
            assert "nothing in" in result.output, result.output
        else:
            works(out, lint=["--ignore", "L408,L409,L410"])


def test_the_page_names_every_option_and_no_other() -> None:
    page = (SPECS.parent / "docs" / "init.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"--[a-z]+", command("init", "--help").output)) - {"--help"}
    assert set(re.findall(r"^\| .*?`(?:-o`, `)?(--[a-z]+)", page, re.MULTILINE)) == shown
