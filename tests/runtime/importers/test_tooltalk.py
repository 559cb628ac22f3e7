"""ToolTalk's conversations become specs that the golden conversation satisfies, and no other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cm2 import open_spec, read_chat, score_all
from cm2.cli import main
from cm2.formats.source import SourceFault
from cm2.importers import tooltalk
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.trajectory import Call, Step, Trajectory
from cm2dsl.draft.spec import Spec
from cm2dsl.draft.text import spec_text

TOKEN = "t0k3n-77"
METADATA = {
    "location": "Oslo",
    "timestamp": "2024-05-02 10:00:00",
    "username": "ada",
    "session_token": TOKEN,
}


def api(name: str, *, exception: str | None = None, response: Any = None, **parameters: Any) -> Any:
    answer = {"status": "success"} if response is None and exception is None else response
    request = {"api_name": name, "parameters": parameters}
    return {"request": request, "response": answer, "exception": exception}


def user(text: str) -> Any:
    return {"role": "user", "text": text}


def assistant(text: str, *apis: Any) -> Any:
    return {"role": "assistant", "text": text, **({"apis": list(apis)} if apis else {})}


def conversation(name: str, *messages: Any, metadata: Any = METADATA) -> Any:
    return {"name": name, "metadata": metadata, "user": {}, "conversation": list(messages)}


ERRAND = conversation(
    "Errand-1",
    user("I am back in town."),
    assistant("Welcome back. What can I do?"),
    user("Wake me at 6:15, and tell Grace and Alan (grace, alan) that I come to Bletchley."),
    assistant(
        "Done.",
        api("AddAlarm", session_token=TOKEN, time="06:15:00"),
        api(
            "SendMessage",
            session_token=TOKEN,
            receiver="grace",
            message="I will be in Bletchley soon.",
        ),
        api(
            "SendMessage",
            session_token=TOKEN,
            receiver="alan",
            message="I will be in Bletchley soon.",
        ),
    ),
    user("What is on today?"),
    assistant(
        "Nothing.",
        api(
            "QueryCalendar",
            session_token=TOKEN,
            start_time="2024-05-02 00:00:00",
            end_time="2024-05-02 23:59:59",
            response={"events": []},
        ),
    ),
    user("Thanks"),
)


def specs_of(folder: Path, *conversations: Any, **options: Any) -> list[Spec]:
    for one in conversations:
        (folder / f"{one['name']}.json").write_text(json.dumps(one))
    return tooltalk.read(folder, Options(**options))


def imported(folder: Path, *conversations: Any) -> tuple[Any, list[Trajectory]]:
    """The compiled spec of some conversations, and its recordings."""
    source = folder / "in"
    source.mkdir()
    (path,) = write_specs(specs_of(source, *conversations), folder / "out")
    return open_spec(path), list(read_chat(path.with_suffix(".recordings.jsonl")))


def rewards(bundle: Any, *dialogues: Trajectory) -> list[float | None]:
    return [scored.reward for scored in score_all(bundle, list(dialogues))]


# --- changing one call ------------------------------------------------------------------------


def places(one: Trajectory) -> Iterator[tuple[int, int, Call]]:
    """(turn, step, call) of every call; a step of a recording has one at most."""
    for t, turn in enumerate(one.turns):
        for s, step in enumerate(turn.steps):
            for call in step.calls:
                yield t, s, call


def with_steps(one: Trajectory, turn: int, steps: list[Step]) -> Trajectory:
    turns = list(one.turns)
    turns[turn] = replace(turns[turn], steps=tuple(steps))
    return replace(one, turns=tuple(turns))


def with_call(one: Trajectory, turn: int, step: int, call: Call | None) -> Trajectory:
    """The dialogue with another call at a place, or with none."""
    steps = list(one.turns[turn].steps)
    if call is None:
        del steps[step]
    else:
        steps[step] = replace(steps[step], calls=(call,))
    return with_steps(one, turn, steps)


def with_arguments(call: Call, arguments: Mapping[str, Any]) -> Call:
    return replace(call, arguments=arguments, raw=json.dumps(arguments))


def other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, list):
        return [*value[1:], "somebody@else.example"]
    if isinstance(value, str) and value[:2] == "20" and value[4:5] == "-":
        return f"{value[:8]}{int(value[8:10]) % 28 + 1:02}{value[10:]}"
    return "quite another thing" if isinstance(value, str) else None


def changed(one: Trajectory) -> Iterator[tuple[str, Trajectory]]:
    """What was changed, and the dialogue with this one call changed, removed or renamed."""
    for t, s, call in places(one):
        where = f"{one.id} turn {t} step {s} {call.tool}"
        yield f"{where} removed", with_call(one, t, s, None)
        yield f"{where} renamed", with_call(one, t, s, replace(call, tool="Elsewhere"))
        assert call.arguments is not None
        for key, value in call.arguments.items():
            less = {k: v for k, v in call.arguments.items() if k != key}
            changes = (("changed", less | {key: other(value)}), ("dropped", less))
            for how, arguments in changes:
                made = with_call(one, t, s, with_arguments(call, arguments))
                yield f"{where} {key} {how}", made


# --- what is imported -------------------------------------------------------------------------


def test_the_golden_conversation_earns_everything(tmp_path: Path) -> None:
    bundle, recordings = imported(tmp_path, ERRAND)
    assert rewards(bundle, *recordings) == [1.0]


def test_every_change_of_one_call_costs(tmp_path: Path) -> None:
    bundle, (golden,) = imported(tmp_path, ERRAND)
    changes = dict(changed(golden))
    assert len(changes) == 30
    free = [
        what
        for what, reward in zip(changes, rewards(bundle, *changes.values()), strict=True)
        if reward == 1.0
    ]
    assert free == []


def test_doing_nothing_earns_nothing(tmp_path: Path) -> None:
    bundle, (golden,) = imported(tmp_path, ERRAND)
    turns = [replace(turn, steps=(Step(reply="Done."),)) for turn in golden.turns]
    assert rewards(bundle, replace(golden, turns=tuple(turns))) == [0.0]


def test_one_action_too_many_costs_in_every_turn(tmp_path: Path) -> None:
    bundle, (golden,) = imported(tmp_path, ERRAND)
    alarm = next(call for _, _, call in places(golden))
    for number, turn in enumerate(golden.turns):
        steps = [Step(calls=(replace(alarm, id="more"),)), *turn.steps]
        assert rewards(bundle, with_steps(golden, number, steps)) < [1.0]


def test_an_action_that_fails_and_a_look_up_cost_nothing(tmp_path: Path) -> None:
    bundle, (golden,) = imported(tmp_path, ERRAND)
    calls = [call for _, _, call in places(golden)]
    failed = replace(calls[0], id="again", result="Error: no such session", failed=True)
    looked = replace(calls[-1], id="look")
    for call in (failed, looked):
        steps = [Step(calls=(call,)), *golden.turns[1].steps]
        assert rewards(bundle, with_steps(golden, 1, steps)) == [1.0]


def test_the_same_message_in_other_words_is_as_good_for_a_check(tmp_path: Path) -> None:
    bundle, (golden,) = imported(tmp_path, ERRAND)
    t, s, call = next(place for place in places(golden) if place[2].tool == "SendMessage")
    assert call.arguments is not None
    words = {**call.arguments, "message": "Coming to bletchley!"}
    assert rewards(bundle, with_call(golden, t, s, with_arguments(call, words))) == [1.0]


def test_a_judge_is_asked_about_whole_messages(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, ERRAND)
    text = spec_text(spec)
    use = 'use says("SendMessage", "message", "I will be in Bletchley soon.")'
    assert f"{use} as sends_message_grace_message after sends_message_grace" in text
    assert "template says(tool, argument, text)" in text


def test_calls_that_the_same_pattern_finds_are_counted(tmp_path: Path) -> None:
    remind = api("AddReminder", session_token=TOKEN, task="water plants")
    bundle, (golden,) = imported(
        tmp_path, conversation("Twice", user("Remind me twice"), assistant("Done.", remind, remind))
    )
    assert rewards(bundle, golden) == [1.0]
    assert all(
        reward is not None and reward < 1.0
        for reward in rewards(bundle, *(dialogue for _, dialogue in changed(golden)))
    )


def test_a_call_that_is_expected_to_fail_must_fail(tmp_path: Path) -> None:
    login = {"username": "ada", "password": "anal1tical"}
    wrong = api("UserLogin", **login, exception="The password is wrong.")
    one = conversation("Locked", user("ada, anal1tical"), assistant("It is wrong.", wrong))
    bundle, (golden,) = imported(tmp_path, one)
    ((t, s, call),) = places(golden)
    assert (call.failed, call.result) == (True, "Error: The password is wrong.")
    assert rewards(bundle, golden) == [1.0]
    succeeded = replace(call, result='{"session_token": "x"}', failed=None)
    assert rewards(bundle, with_call(golden, t, s, succeeded)) == [0.0]


def test_what_the_agent_must_know_stands_before_the_first_words(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, ERRAND)
    (task,) = spec.tasks
    context = f"[Oslo, 2024-05-02 10:00:00 - ada is logged in - session token {TOKEN}]"
    assert task.turns[0].user == f"{context}\n\nI am back in town."
    assert task.recordings[0].turns[0].user == task.turns[0].user


def test_turns_are_named_for_what_they_are_about(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, ERRAND)
    assert [turn.name for turn in spec.tasks[0].turns] == [
        "opening",
        "alarm",
        "calendar",
        "closing",
    ]


def test_only_turns_with_golden_calls_carry_reward(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, ERRAND)
    assert spec.tasks[0].at == ("alarm", "calendar", "dialogue")


def test_user_messages_in_a_row_are_one_turn_and_reported(tmp_path: Path) -> None:
    (spec,) = specs_of(
        tmp_path,
        conversation(
            "Row", user("One"), user("Two"), assistant("Done.", api("AddAlarm", time="07:00:00"))
        ),
    )
    assert spec.tasks[0].turns[0].user.endswith("One\n\nTwo")
    assert "`Row`: user messages in a row were joined to one" in spec.unsaid


def test_schemas_are_made_of_all_calls(tmp_path: Path) -> None:
    (spec,) = specs_of(
        tmp_path,
        conversation(
            "Schemas",
            user("Hello"),
            assistant(
                "Done.",
                api(
                    "AddReminder",
                    session_token=TOKEN,
                    task="buy tea",
                    due_date="2024-05-03 08:00:00",
                ),
                api("AddReminder", session_token=TOKEN, task="buy milk"),
                api("SendEmail", session_token=TOKEN, to=["a@b.example"], subject="x", body="y"),
            ),
        ),
    )
    reminder, email = spec.tools
    assert (reminder["name"], reminder["x-effect"]) == ("AddReminder", "write")
    assert reminder["parameters"]["required"] == ["session_token", "task"]
    assert list(reminder["parameters"]["properties"]) == ["session_token", "task", "due_date"]
    assert email["parameters"]["properties"]["to"] == {
        "type": "array",
        "items": {"type": "string"},
    }


def test_apis_that_tooltalk_does_not_have_are_judged_by_their_names(tmp_path: Path) -> None:
    (spec,) = specs_of(
        tmp_path,
        conversation(
            "New",
            user("Book a room"),
            assistant("Done.", api("ListRooms"), api("BookRoom", room="Turing")),
        ),
    )
    assert {tool["name"]: tool["x-effect"] for tool in spec.tools} == {
        "BookRoom": "write",
        "ListRooms": "read",
    }
    assert [item.name for item in spec.tasks[0].turns[0].items][:2] == ["lists_rooms", "books_room"]
    assert any("`BookRoom`" in line for line in spec.unsaid)


def test_a_folder_of_conversations_is_a_spec_of_its_own(tmp_path: Path) -> None:
    for folder in ("easy", "tooltalk", "databases"):
        (tmp_path / folder).mkdir()
    specs_of(tmp_path / "easy", ERRAND)
    specs_of(tmp_path / "tooltalk", ERRAND)
    (tmp_path / "databases" / "Alarm.json").write_text("{}")
    specs = tooltalk.read(tmp_path, Options())
    assert [spec.domain for spec in specs] == ["tooltalk", "tooltalk_easy"]
    assert [spec.domain for spec in tooltalk.read(tmp_path, Options(name="own"))] == [
        "own_easy",
        "own_tooltalk",
    ]


def test_schemas_can_be_given(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas.txt"
    properties = {"session_token": {"type": "string"}, "time": {"type": "string"}}
    tool = {"name": "AddAlarm", "parameters": {"type": "object", "properties": properties}}
    schemas.write_text(json.dumps([tool]))
    one = conversation(
        "Given",
        user("7"),
        assistant("Done.", api("AddAlarm", session_token=TOKEN, time="07:00:00")),
    )
    (spec,) = specs_of(tmp_path, one, tools=schemas)
    assert spec.tools == [{"type": "function", "function": {**tool, "x-effect": "write"}}]


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ({"name": "DeleteAlarm"}, "`AddAlarm` is missing"),
        (
            {"name": "AddAlarm", "parameters": {"properties": {"when": {}}}},
            "`AddAlarm` has no parameter `time`",
        ),
    ],
)
def test_given_schemas_must_know_the_golden_calls(tmp_path: Path, tool: Any, message: str) -> None:
    schemas = tmp_path / "schemas.txt"
    schemas.write_text(json.dumps([tool]))
    one = conversation("Given", user("7"), assistant("Done.", api("AddAlarm", time="07:00:00")))
    with pytest.raises(SourceFault, match=message):
        specs_of(tmp_path, one, tools=schemas)


def test_arguments_of_any_json_are_compared(tmp_path: Path) -> None:
    odd = api(
        "OpenDialogue",
        who={"name": "ä {b}", "ids": [1, 2]},
        none=None,
        flags=[True, {"x": 0.5}],
        body="One two three four",
        description="Five six seven eight",
        **{"a key": '"'},
    )
    bundle, (golden,) = imported(tmp_path, conversation("Odd", user("Go"), assistant("Gone", odd)))
    ((t, s, call),) = places(golden)
    assert call.arguments is not None
    others = [
        with_call(golden, t, s, with_arguments(call, {**call.arguments, key: {"other": 1}}))
        for key in call.arguments
    ]
    assert rewards(bundle, golden, *others) == [1.0, *[0.0] * 6]


# --- faults -----------------------------------------------------------------------------------

FAULTY = [
    ({}, "`conversation` is missing"),
    (conversation("x"), "`conversation`: holds no user message"),
    (conversation("x", {"role": "system", "text": "?"}), "found `system`"),
    (conversation("x", user("a"), {"role": "assistant", "apis": [{}]}), "`request` is missing"),
    (
        conversation("x", user("a"), assistant("b", api("") | {"exception": 3})),
        r"conversation\[1\].apis\[0\].request.api_name`: found `\"\"`",
    ),
    (
        conversation("x", assistant("b", api("AddAlarm")), user("a")),
        "calls APIs before the user has spoken",
    ),
]


@pytest.mark.parametrize(("content", "message"), FAULTY)
def test_what_is_no_conversation_is_named(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(SourceFault, match=message) as caught:
        tooltalk.read(tmp_path, Options())
    assert caught.value.file.endswith("bad.json")
    assert caught.value.help


def test_a_folder_without_conversations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="there are no conversations"):
        tooltalk.read(tmp_path, Options())


def test_the_command_writes_a_spec_and_its_report(tmp_path: Path) -> None:
    source = tmp_path / "one.json"
    source.write_text(json.dumps(ERRAND))
    out = tmp_path / "specs"
    result = CliRunner().invoke(main, ["import", "tooltalk", str(source), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert (out / "tooltalk_one.cm2").is_file()
    assert "embeddings" in (out / "tooltalk_one.report.md").read_text()


# --- the real ones ----------------------------------------------------------------------------


@pytest.mark.skipif("CM2_DATA" not in os.environ, reason="CM2_DATA names no folder of real data")
def test_78_of_78_conversations_earn_everything_and_nothing_less_does(tmp_path: Path) -> None:
    specs = tooltalk.read(Path(os.environ["CM2_DATA"]) / "tooltalk", Options())
    golden, changes = 0, 0
    for path in write_specs(specs, tmp_path):
        bundle = open_spec(path)
        recordings = list(read_chat(path.with_suffix(".recordings.jsonl")))
        assert rewards(bundle, *recordings) == [1.0] * len(recordings)
        golden += len(recordings)
        made = [each for one in recordings for each in changed(one)]
        earned = rewards(bundle, *(dialogue for _, dialogue in made))
        free = [what for (what, _), reward in zip(made, earned, strict=True) if reward == 1.0]
        assert free == []
        changes += len(made)
    assert (golden, changes) == (78, 2 * 266 + 2 * 735)
