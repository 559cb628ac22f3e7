"""The importer `openai`: chat logs become tasks with recordings and a checklist to fill in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cm2.bundle import open_spec
from cm2.chat import read as read_dialogues
from cm2.formats.source import SourceFault
from cm2.importers import openai
from cm2.importers.chatlog import REQUEST, SHOWN
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.score import score_all
from cm2dsl.draft.spec import Item, Spec, Turn
from cm2dsl.draft.text import spec_text


def tool(name: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [tool("find_book", title={"type": "string"}), tool("lend", copy={"type": "integer"})]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def calls(name: str, result: str = "{}", **arguments: Any) -> list[dict[str, Any]]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": "c", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": result},
    ]


LOAN = [
    user("Do you have Middlemarch?"),
    *calls("find_book", title="Middlemarch"),
    says("Yes, on shelf 4.\nShall I put it aside?"),
    user("Please do"),
    *calls("find_book", title="Middlemarch, 1871"),
    *calls("lend", copy=31),
    says("It waits for you."),
    user("Thanks"),
    says("You are welcome."),
]


def log(tmp_path: Path, *dialogues: Any, name: str = "library.jsonl") -> Path:
    path = tmp_path / name
    lines = (json.dumps(each if isinstance(each, dict) else chat(*each)) for each in dialogues)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def chat(*messages: dict[str, Any], **beside: Any) -> dict[str, Any]:
    return {"messages": list(messages), "tools": TOOLS, **beside}


def imported(path: Path, **options: Any) -> Spec:
    """The one spec of a log, after it was written and compiled."""
    (spec,) = openai.read(path, Options(**options))
    write_specs([spec], path.parent / "out")
    return spec


def items(turn: Turn) -> dict[str, Item]:
    return {item.name: item for item in turn.items if isinstance(item, Item)}


def tool_names(spec: Spec) -> list[str]:
    return [schema["function"]["name"] for schema in spec.tools]


# --- tasks and turns --------------------------------------------------------------------------


def test_a_dialogue_becomes_a_task_with_its_turns_and_its_recording(tmp_path: Path) -> None:
    spec = imported(log(tmp_path, LOAN))
    (task,) = spec.tasks
    assert (spec.domain, task.name) == ("library", "do_you_have_middlemarch")
    assert task.title == "Do you have Middlemarch?"
    assert [turn.user for turn in task.turns] == ["Do you have Middlemarch?", "Please do", "Thanks"]
    assert [turn.name for turn in task.turns] == ["find_book", "lend", "turn_3"]
    (recording,) = read_dialogues(tmp_path / "out" / "library.recordings.jsonl")
    assert recording.task == task.name
    assert "tools" not in recording.extra


def test_a_turn_asks_for_each_tool_that_was_called_or_else_for_a_reply(tmp_path: Path) -> None:
    first, second, third = imported(log(tmp_path, LOAN)).tasks[0].turns
    assert {n: i.check for n, i in items(first).items()} == {"calls_find_book": "called find_book"}
    assert list(items(second)) == ["calls_find_book", "calls_lend"]
    assert items(third)["replies"].kind == "at_end"
    assert items(third)["replies"].check == "replied"


def test_the_recordings_satisfy_the_checklist_that_was_made_from_them(tmp_path: Path) -> None:
    path = log(tmp_path, LOAN, [user("Hello"), says("Good day")], LOAN)
    imported(path)
    bundle = open_spec(tmp_path / "out" / "library.cm2")
    dialogues = list(read_dialogues(tmp_path / "out" / "library.recordings.jsonl"))
    assert [scored.reward for scored in score_all(bundle, dialogues)] == [1.0, 1.0, 1.0]


def test_dialogues_in_which_the_user_says_the_same_are_one_task(tmp_path: Path) -> None:
    hello = [user("Hello"), says("Good day")]
    other = [user("Hello"), says("Hi"), user("Bye"), says("Bye")]
    spec = imported(log(tmp_path, hello, other, [user("Hello"), says("Yes?")]))
    assert [(task.name, len(task.recordings)) for task in spec.tasks] == [
        ("hello", 2),
        ("hello_2", 1),
    ]


def test_a_tool_that_only_some_recordings_call_is_a_comment_and_no_item(tmp_path: Path) -> None:
    request = user("Lend me Emma")
    both = [request, *calls("find_book", title="Emma"), *calls("lend", copy=2), says("Here")]
    one = [request, *calls("find_book", title="Emma"), says("It is lent")]
    (turn,) = imported(log(tmp_path, both, one)).tasks[0].turns
    assert list(items(turn)) == ["calls_find_book"]
    assert "Only in some recordings: lend" in turn.note


def test_a_recorded_call_stands_beside_its_item_as_a_pattern_that_compiles(tmp_path: Path) -> None:
    imported(log(tmp_path, LOAN))
    written = tmp_path / "out" / "library.cm2"
    text = written.read_text()
    (pattern,) = re.findall(r"# recorded: (find_book.*)\n +item calls_find_book .*\n +# rec", text)
    assert pattern == 'find_book(title == "Middlemarch, 1871")'
    written.write_text(text.replace("{ check called find_book }", f"{{ check called {pattern} }}"))
    open_spec(written)


def test_a_long_call_is_cut_after_whole_arguments(tmp_path: Path) -> None:
    arguments = {"title": "Emma", **{f"note_{i}": "n" * 20 for i in range(9)}}
    path = log(tmp_path, [user("Emma?"), *calls("find_book", **arguments), says("Yes")])
    note = items(imported(path).tasks[0].turns[0])["calls_find_book"].note
    assert note.startswith('recorded: find_book(title == "Emma", note_0 == "nnn')
    assert note.endswith('", …)')
    assert "\n" not in note


def test_the_words_shown_of_a_reply_can_be_an_anchor(tmp_path: Path) -> None:
    spec = imported(log(tmp_path, LOAN))
    assert 'The recorded reply begins "Yes, on shelf 4."' in spec.tasks[0].turns[0].note
    written = tmp_path / "out" / "library.cm2"
    item = 'item answers after calls_find_book { ask "Right?" anchor reply "Yes, on shelf 4." }'
    head, found, tail = written.read_text().partition("item calls_find_book")
    written.write_text(f"{head}{item}\n{found}{tail}")
    open_spec(written)


def test_the_head_shows_how_to_ask_and_names_an_item_that_is_there(tmp_path: Path) -> None:
    text = spec_text(imported(log(tmp_path, LOAN)))
    assert "#   item answers weight 2 after calls_find_book {" in text
    assert '#     ask    "Does the reply …?"' in text


def test_requests_in_any_script_and_shape_become_names(tmp_path: Path) -> None:
    requests = ["我想借一本书", "I'd like 2 books!", "42", "?!", "", "x" * 90, "a\n\nb {row.c} \\"]
    spec = imported(log(tmp_path, *[[user(text), says("Yes")] for text in requests]))
    assert [task.name for task in spec.tasks] == [
        "我想借一本书",
        "id_like_2_books",
        "task_42",
        "task",
        "task_2",
        "x" * 20,
        "a_b_row_c",
    ]
    assert [task.turns[0].user for task in spec.tasks] == requests


def test_a_long_request_is_cut_for_the_title_with_or_without_spaces(tmp_path: Path) -> None:
    requests = ["word " * 30, "我想借一本关于花园的书" * 9]
    spec = imported(log(tmp_path, *[[user(text), says("Yes")] for text in requests]))
    english, chinese = (task.title for task in spec.tasks)
    assert english == "word " * 10 + "word…"
    assert chinese == requests[1][:55] + "…"


def test_tools_named_as_words_of_the_language_are_quoted(tmp_path: Path) -> None:
    names = ["not", "any", "item", "dialogue", "get-book", "*", "a b"]
    messages = [user("Go"), *(message for name in names for message in calls(name)), says("Gone")]
    spec = imported(log(tmp_path, chat(*messages, tools=[tool(name) for name in names])))
    assert len(items(spec.tasks[0].turns[0])) == len(names)


# --- tools ------------------------------------------------------------------------------------


def test_tools_are_read_wrapped_bare_legacy_and_from_mcp(tmp_path: Path) -> None:
    bare = {"name": "b", "description": "Bare", "parameters": None}
    mcp = {"name": "m", "inputSchema": {"type": "object", "properties": {"q": {}}}}
    spec = imported(
        log(tmp_path, chat(user("Hi"), says("Hi"), tools=[tool("w"), bare, mcp], functions=[bare]))
    )
    assert tool_names(spec) == ["w", "b", "m"]
    assert spec.tools[1]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert spec.tools[2]["function"]["parameters"] == mcp["inputSchema"]


def test_a_tool_that_is_no_function_is_left_out(tmp_path: Path) -> None:
    spec = imported(log(tmp_path, chat(user("Hi"), says("Hi"), tools=[{"type": "web_search"}])))
    assert spec.tools == []


def test_of_different_schemas_the_most_common_stands_and_the_report_says_so(
    tmp_path: Path,
) -> None:
    old, new = tool("lend", copy={"type": "string"}), tool("lend", copy={"type": "integer"})
    spec = imported(
        log(tmp_path, *[chat(user("Hi"), says("Hi"), tools=[each]) for each in (old, new, new)])
    )
    assert spec.tools == [new]
    assert any("`lend` has 2 different schemas" in line for line in spec.unsaid)


def test_dialogues_with_other_tools_are_merged_and_the_report_says_so(tmp_path: Path) -> None:
    spec = imported(
        log(tmp_path, *[chat(user("Hi"), says("Hi"), tools=[tool(name)]) for name in "ab"])
    )
    assert tool_names(spec) == ["a", "b"]
    assert any("Missing in some: `a`, `b`" in line for line in spec.unsaid)


def test_tools_without_schemas_are_made_from_the_calls(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = [
        {"title": "Emma", "year": 1815, "tags": ["a", 1], "by": {"name": "Austen"}},
        {"title": None, "year": 1815.5, "tags": []},
    ]
    messages = [user("Hi"), *calls("find", **seen[0]), *calls("find", **seen[1]), says("Two")]
    spec = imported(log(tmp_path, chat(*messages, tools=None)))
    assert spec.tools[0]["function"] == {
        "name": "find",
        "parameters": {
            "type": "object",
            "properties": {
                "title": {"type": ["string", "null"]},
                "year": {"type": "number"},
                "tags": {"type": "array", "items": {"type": ["string", "integer"]}},
                "by": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "additionalProperties": True,
                },
            },
            "additionalProperties": True,
        },
    }
    assert any("no tool schemas" in line for line in spec.unsaid)


def test_the_report_names_the_tools_of_which_nothing_says_what_they_change(tmp_path: Path) -> None:
    known = [{**TOOLS[0], "x-effect": "read"}, tool("mend")]
    known[1]["function"]["x-effect"] = "write"
    spec = imported(log(tmp_path, chat(user("Hi"), says("Hello"), tools=[*known, TOOLS[1]])))
    (line,) = [line for line in spec.unsaid if "x-effect" in line]
    assert line.startswith(
        "Nothing says what `lend` would change, so `any write` and `any read` match"
    )
    spec = imported(log(tmp_path, chat(user("Hi"), says("Hello"), tools=known), name="two.jsonl"))
    assert not any("x-effect" in line for line in spec.unsaid)


def test_a_tools_file_stands_for_the_tools_of_the_dialogues(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    file.write_text(json.dumps({"tools": [tool("find_book")]}))
    spec = imported(log(tmp_path, LOAN), tools=file)
    assert tool_names(spec) == ["find_book"]
    assert any("lacks: `lend`" in line for line in spec.unsaid)
    assert any("`lend` is called in 1 dialogue" in line for line in spec.unsaid)
    assert list(items(spec.tasks[0].turns[1])) == ["calls_find_book"]


@pytest.mark.parametrize("content", ["3", "[]", '{"tools": 1}', '[{"parameters": {}}]', "{"])
def test_a_tools_file_of_another_shape_is_a_fault(tmp_path: Path, content: str) -> None:
    file = tmp_path / "t.json"
    file.write_text(content)
    with pytest.raises(SourceFault, match=r"t\.json"):
        openai.read(log(tmp_path, LOAN), Options(tools=file))


# --- system prompts ---------------------------------------------------------------------------


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def test_the_most_common_system_prompt_stands_and_the_report_says_so(tmp_path: Path) -> None:
    prompts = ["Be brief.", "Be kind.", "Be kind."]
    dialogues = [[system(text), user(text), says("Yes")] for text in prompts]
    spec = imported(log(tmp_path, *dialogues, [user("Hi"), says("Hi")]))
    assert spec.system == "Be kind."
    assert any("2 different system prompts" in line for line in spec.unsaid)
    assert "1 dialogue had no system prompt; the spec has one." in spec.unsaid


def test_a_system_file_stands_for_the_prompts_of_the_dialogues(tmp_path: Path) -> None:
    file = tmp_path / "s.md"
    file.write_text("Be quick.")
    spec = imported(log(tmp_path, [system("Be slow."), *LOAN]), system=file)
    assert spec.system == "Be quick."


# --- what cannot be used ----------------------------------------------------------------------


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"messages": [{"role": "bot"}]}, "(line 2, `messages[0]`): `role` is"),
        (chat(says("Anybody?")), "the user says nothing"),
        (chat(user("x" * (REQUEST + 1))), "characters at once"),
        (chat(user("Hi"), tools="find"), "(line 2, `tools`): found"),
        (chat(user("Hi"), tools=[{"parameters": {}}]), "(line 2, `tools[0]`): `name` is missing"),
        (chat(user("Hi"), tools=[{"name": "f", "x-effect": "none"}]), "expected `read`, `write`"),
        (chat(user("Hi"), tools=[{"name": "f", "parameters": deep(90)}]), "levels deep"),
        (chat(user("Hi"), *calls("f", a=deep(90))), "levels deep"),
        (chat(user("Hi"), note=deep(90)), "levels deep"),
    ],
)
def test_a_dialogue_that_cannot_be_used_is_left_out_and_reported(
    tmp_path: Path, bad: Any, reason: str
) -> None:
    spec = imported(log(tmp_path, LOAN, bad))
    assert len(spec.tasks) == 1
    (line,) = [line for line in spec.unsaid if "left out" in line]
    assert reason in line


def test_the_report_counts_what_is_left_out_beyond_the_first(tmp_path: Path) -> None:
    spec = imported(log(tmp_path, LOAN, *[{"messages": 3}] * (SHOWN + 5)))
    assert "5 more dialogues were left out." in spec.unsaid


def test_a_log_without_one_usable_dialogue_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="the user says nothing"):
        openai.read(log(tmp_path, [says("Anybody?")]), Options())


def test_the_report_names_what_only_the_recordings_say(tmp_path: Path) -> None:
    greeting = [says("Welcome"), user("Hi"), says("Yes?"), user("Never mind")]
    acting = [{"role": "user", "tool_calls": calls("scan")[0]["tool_calls"]}, *LOAN]
    acting.insert(1, {"role": "tool", "tool_call_id": "c", "content": "ok"})
    unsaid = imported(log(tmp_path, greeting, acting, chat(user("A"), task="x"))).unsaid
    for words in ("speaks first in 1", "user calls tools in 1", "says nothing", "task is named in"):
        assert any(words in line for line in unsaid), words
