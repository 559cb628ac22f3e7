"""The format `tau2`: run files with the tasks embedded in them, and their official verdicts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cm2.formats import tau2
from cm2.formats.criteria import Action, baselines
from cm2.formats.record import Record, Reject
from cm2.formats.source import SourceFault
from cm2.trajectory import Call, Step, Trajectory, Turn

Json = dict[str, Any]
ACTION = {
    "action_id": "a",
    "requestor": "assistant",
    "name": "water",
    "arguments": {"plant": "fern", "litres": 1},
    "compare_args": None,
}


def user(text: str | None, *calls: Json) -> Json:
    return {"role": "user", "content": text, "tool_calls": list(calls) or None}


def agent(text: str | None, *calls: Json) -> Json:
    return {"role": "assistant", "content": text, "tool_calls": list(calls) or None}


def called(id: str, name: str, **arguments: Any) -> Json:
    return {"id": id, "name": name, "arguments": arguments}


def answer(id: str, text: str, error: bool = False) -> Json:
    return {"role": "tool", "id": id, "content": text, "error": error}


def simulation(*messages: Json, **changes: Any) -> Json:
    found = {"reward": 1.0, "action_checks": None, "communicate_checks": None}
    whole = {"id": "s1", "task_id": "7", "messages": list(messages), "reward_info": found}
    return {**whole, **changes}


def run(*simulations: Any, tasks: Any = None) -> Json:
    criteria = {"actions": [ACTION], "communicate_info": ["green"]}
    return {
        "tasks": [{"id": "7", "evaluation_criteria": criteria}] if tasks is None else tasks,
        "simulations": list(simulations),
    }


def read(folder: Path, value: Any, name: str = "run.json") -> list[Record | Reject]:
    path = folder / name
    text = json.dumps(value).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return list(tau2.read(path))


def record(folder: Path, *messages: Json, **changes: Any) -> Record:
    (found,) = read(folder, run(simulation(*messages, **changes)))
    assert isinstance(found, Record), found
    return found


HELLO = [user("Hello"), agent("Hi")]


# --- dialogues --------------------------------------------------------------------------------


def test_a_dialogue_has_its_opening_turns_steps_and_calls(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        {"role": "system", "content": "Be kind"},
        agent("Plants, how can I help?"),
        user("Water the fern"),
        agent(None, called("1", "look", plant="fern"), called("2", "look", plant="ivy")),
        answer("2", "dry"),
        answer("1", "Error: gone", error=True),
        agent("The ivy is dry."),
        user("###STOP###"),
    ).trajectory
    calls = (
        Call("1", "look", {"plant": "fern"}, '{"plant": "fern"}', "Error: gone", True),
        Call("2", "look", {"plant": "ivy"}, '{"plant": "ivy"}', "dry", False),
    )
    assert found == Trajectory(
        "s1",
        "task_7",
        (
            Turn("Water the fern", (Step(calls=calls), Step(reply="The ivy is dry."))),
            Turn("###STOP###"),
        ),
        opening=(Step(reply="Plants, how can I help?"),),
    )


def test_what_the_user_calls_belongs_to_the_turn_in_which_it_then_speaks(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        user("It drips"),
        agent("Turn the tap"),
        user(None, called("1", "turn_tap", way="left")),
        answer("1", "turned"),
        user(None, called("2", "look_at_tap")),
        answer("2", "dry"),
        user("It is dry"),
        agent("Good"),
    ).trajectory
    acts = (
        Call("1", "turn_tap", {"way": "left"}, '{"way": "left"}', "turned", False),
        Call("2", "look_at_tap", {}, "{}", "dry", False),
    )
    assert found.turns == (
        Turn("It drips", (Step(reply="Turn the tap"),)),
        Turn("It is dry", (Step(reply="Good"),), acts),
    )


def test_the_same_id_twice_is_answered_in_order(tmp_path: Path) -> None:
    calls = (called("", "look", plant="a"), called("", "look", plant="b"))
    found = record(tmp_path, user("Go"), agent(None, *calls), answer("", "one"), answer("", "two"))
    assert [call.result for call in found.trajectory.turns[0].steps[0].calls] == ["one", "two"]


def test_a_call_without_an_answer_has_no_result(tmp_path: Path) -> None:
    found = record(tmp_path, user("Go"), agent(None, called("1", "look")))
    assert found.trajectory.turns[0].steps[0].calls[0].result is None


@pytest.mark.parametrize(
    ("messages", "path", "reason"),
    [
        ([answer("1", "ok")], "messages[0]", "a result before any call"),
        ([*HELLO, answer("1", "ok")], "messages[2]", "no call waits for this result"),
        ([user("Go"), agent(None, called("1", "look")), answer("2", "ok")], "messages[2]", "`2`"),
        ([{"role": "robot", "content": ""}], "messages[0].role", 'found `"robot"`'),
        ([{"content": ""}], "messages[0]", "`role` is missing"),
        ([user("Go"), agent(7)], "messages[1].content", "found"),  # type: ignore[arg-type]
        (
            [user("Go"), {**agent(None), "tool_calls": [{"name": "look", "arguments": "{}"}]}],
            "messages[1].tool_calls[0].arguments",
            "found",
        ),
    ],
)
def test_a_dialogue_of_another_shape_is_rejected_with_its_place(
    tmp_path: Path, messages: list[Json], path: str, reason: str
) -> None:
    good = simulation(*HELLO, id="s2")
    bad, kept = read(tmp_path, run(simulation(*messages), good))
    assert isinstance(bad, Reject)
    assert bad.path == f"simulations[0].{path}"
    assert reason in bad.reason
    assert bad.file.endswith("run.json")
    assert isinstance(kept, Record)


# --- tasks ------------------------------------------------------------------------------------


def test_tasks_are_named_as_the_import_names_them(tmp_path: Path) -> None:
    tasks = [{"id": one, "evaluation_criteria": None} for one in (7, "fern [dry]")]
    runs = [simulation(*HELLO, task_id=one) for one in ("7", 7, "fern [dry]")]
    found = read(tmp_path, run(*runs, tasks=tasks))
    names = [one.trajectory.task for one in found if isinstance(one, Record)]
    assert names == ["task_7", "task_7", "fern_dry"]


def test_a_dialogue_of_a_task_that_is_not_there_is_rejected(tmp_path: Path) -> None:
    (found,) = read(tmp_path, run(simulation(*HELLO, task_id="8")))
    assert isinstance(found, Reject)
    assert (found.path, found.reason) == (
        "simulations[0].task_id",
        "there is no task `8` in the file",
    )


@pytest.mark.parametrize("name", ["run.json", "run.json.gz"])
def test_the_true_task_is_taken_from_the_file_beside_the_run(tmp_path: Path, name: str) -> None:
    tasks = [{"id": one, "evaluation_criteria": None} for one in ("7", "8")]
    (tmp_path / "run.true_task_id.json").write_text(json.dumps({"s1": 8}))
    runs = [simulation(*HELLO), simulation(*HELLO, id="s2")]
    found = read(tmp_path, run(*runs, tasks=tasks), name)
    assert [one.trajectory.task for one in found if isinstance(one, Record)] == ["task_8", "task_7"]


# --- official verdicts ------------------------------------------------------------------------


def checks(*actions: tuple[Json, bool], said: tuple[str, bool] | None = None) -> Json:
    return {
        "reward": 0.5,
        "action_checks": [{"action": one, "action_match": match} for one, match in actions],
        "communicate_checks": [{"info": said[0], "met": said[1]}] if said else None,
    }


def test_verdicts_have_the_names_of_the_diagnostic_items(tmp_path: Path) -> None:
    info = checks((ACTION, True), said=("green", False))
    official = record(tmp_path, *HELLO, reward_info=info).official
    assert official is not None
    assert official.reward == 0.5
    assert official.items == {"action_0": True, "communicate_0": False}
    assert official.criteria is not None
    assert official.criteria.actions == (
        Action(False, "water", {"plant": "fern", "litres": 1}, None),
    )
    assert official.criteria.communicate == ("green",)


def test_verdicts_on_another_edition_of_the_task_are_none_on_this(tmp_path: Path) -> None:
    other = {**ACTION, "arguments": {"plant": "ivy"}}
    info = checks((other, True), (ACTION, True), said=("red", True))
    official = record(tmp_path, *HELLO, reward_info=info).official
    assert official is not None
    assert official.items == {}


@pytest.mark.parametrize(
    ("actions", "of_task"),
    [
        ([(ACTION, True)], True),
        ([], True),
        ([({**ACTION, "arguments": {"plant": "ivy"}}, True)], False),
        ([(ACTION, True), (ACTION, True)], False),
    ],
)
def test_a_dialogue_that_was_judged_by_other_actions_is_of_another_task(
    tmp_path: Path, actions: list[tuple[Json, bool]], of_task: bool
) -> None:
    official = record(tmp_path, *HELLO, reward_info=checks(*actions)).official
    assert official is not None
    assert official.of_task is of_task


@pytest.mark.parametrize("info", [None, {}, {"reward": None}])
def test_a_dialogue_without_a_reward_has_no_official_result(tmp_path: Path, info: object) -> None:
    assert record(tmp_path, *HELLO, reward_info=info).official is None


@pytest.mark.parametrize(
    "changes",
    [
        {"reward_info": {"reward": "1"}},
        {"reward_info": checks((ACTION, "yes"))},  # type: ignore[arg-type]
        {"id": ""},
        {"messages": None},
    ],
)
def test_what_is_beside_the_messages_is_checked_too(tmp_path: Path, changes: Json) -> None:
    (found,) = read(tmp_path, run(simulation(*HELLO, **changes)))
    assert isinstance(found, Reject)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "expected an object"),
        ({"simulations": []}, "`tasks` is missing"),
        ({"tasks": []}, "`simulations` is missing"),
        (run(tasks=[{"id": "a"}, {"id": "a"}]), "two tasks have the id `a`"),
        (run(tasks=[{"id": True}]), "expected"),
        (run(tasks=[{"id": " "}]), "a string that is not empty"),
    ],
)
def test_a_file_of_another_shape_is_a_fault(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(SourceFault, match=words):
        read(tmp_path, value)


# --- criteria ---------------------------------------------------------------------------------


def a_call(plant: Any = "fern", litres: Any = 1, **more: Any) -> Call:
    return Call("1", "water", {"litres": litres, "plant": plant, **more}, "")


@pytest.mark.parametrize(
    ("compare", "call", "matches"),
    [
        (None, a_call(), True),
        (None, a_call(litres=1.0), True),
        (None, a_call(litres=True), False),
        (None, a_call(litres="1"), False),
        (None, a_call(slowly=True), False),
        (("plant",), a_call(litres=9, slowly=True), True),
        (("plant",), a_call(plant="ivy"), False),
        (("slowly",), a_call(), True),
        ((), Call("1", "water", {}, ""), True),
        (None, Call("1", "water", None, "{"), False),
        (None, Call("1", "look", {"plant": "fern", "litres": 1}, ""), False),
    ],
)
def test_an_action_is_a_call_with_equal_arguments(
    compare: tuple[str, ...] | None, call: Call, matches: bool
) -> None:
    action = Action(False, "water", {"plant": "fern", "litres": 1}, compare)
    assert action.matches(False, call) is matches
    assert not action.matches(True, call)


def test_the_baselines_tell_missing_other_and_unsaid_apart(tmp_path: Path) -> None:
    look = {**ACTION, "name": "look", "arguments": {"plant": "fern"}}
    tasks = [
        {
            "id": "7",
            "evaluation_criteria": {"actions": [look, ACTION], "communicate_info": ["1200 ml"]},
        }
    ]
    looks = agent(None, called("1", "look", plant="fern"))
    waters = agent(None, called("2", "water", plant="fern", litres=1))
    other = agent(None, called("3", "water", plant="ivy", litres=1))
    said = agent("That is 1,200 ML.")

    def of(*messages: Json) -> list[bool]:
        value = run(simulation(user("Go"), *messages), tasks=tasks)
        (found,) = read(tmp_path, value)
        assert isinstance(found, Record)
        assert found.official is not None
        assert found.official.criteria is not None
        effects: dict[str, Any] = {"look": "read", "water": "write"}
        return list(baselines(found.trajectory, found.official.criteria, effects).values())

    assert of(looks, waters, said) == [True, True, True]
    assert of(waters, said) == [False, True, True]
    assert of(looks, waters, other, said) == [True, True, False]
    assert of(looks, waters, agent("Done")) == [True, True, False]
    assert of(looks, said) == [False, False, False]
