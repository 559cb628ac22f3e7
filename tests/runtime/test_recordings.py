"""Recorded runs: what was played is written, read and replayed as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated import ACCOUNT, REPLAY, Message, play, recording, without_effects

from cm2.bundle import open_spec
from cm2.chat import ChatError, read
from cm2.recordings import RecordingError, read_recordings, with_answers, write_recordings
from cm2.simulate import Answer, Simulator
from cm2.simulate.recorded import recorded_calls
from cm2.trajectory import Trajectory
from cm2dsl import ir

CITY = {"type": "string", "enum": ["PEK", "SHA"], "x-aliases": {"PEK": ["北京", "Beijing"]}}
TOOLS = (
    *ACCOUNT,
    ir.Tool(name="clock", parameters={"type": "object"}, effect="generic"),
    ir.Tool(name="nothing", parameters={"type": "object"}, effect="write"),
    ir.Tool(
        name="fly",
        parameters={
            "type": "object",
            "properties": {"to": CITY, "seats": {"type": "integer", "default": 1}},
            "required": ["to"],
        },
        effect="write",
    ),
)
USER_TOOLS = (
    ir.Tool(name="toggle", parameters={"type": "object"}, effect="write"),
    ir.Tool(name="look", parameters={"type": "object"}, effect="read"),
)
CODE = """
import time

def initial(row):
    return {"money": 100, "log": []}

def balance(state, account):
    if account == "x":
        raise ValueError("no account x")
    return {"money": state["money"], "log": state["log"]}

def pay(state, account, amount, note=None):
    if amount > state["money"]:
        raise ValueError("not enough money")
    state["money"] -= amount
    return {"paid": amount}

def clock(state):
    return {"at": time.perf_counter_ns()}

def fly(state, to, seats=None):
    state["log"].append([to, seats])
    return f"to {to}"

def toggle(state):
    state["on"] = not state.get("on", False)
    return state["on"]

def look(state):
    return {"on": state.get("on", False)}
"""
agents_calls = st.sampled_from(
    [
        ("balance", {"account": "a"}),
        ("balance", {"account": "x"}),
        ("balance", {}),
        ("balance", None),
        ("pay", {"account": "a", "amount": 30}),
        ("pay", {"amount": 30.0, "account": "a"}),
        ("pay", {"account": "a", "amount": 80}),
        ("pay", {"account": "a", "amount": -1}),
        ("clock", {}),
        ("nothing", {}),
        ("gone", {"x": 1}),
        ("toggle", {}),
        ("fly", {"to": "PEK"}),
        ("fly", {"to": "北京", "seats": 1}),
        ("fly", {"to": "London"}),
    ]
)
users_calls = st.sampled_from([("toggle", {}), ("look", {}), ("look", {"at": 1}), ("pay", {})])
messages = st.lists(
    st.one_of(
        st.tuples(st.just("agent"), st.lists(agents_calls, min_size=1, max_size=4)),
        st.tuples(st.just("user"), st.lists(users_calls, min_size=1, max_size=2)),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "code.py").write_text(CODE, encoding="utf-8")
    return folder


def texts(trajectory: Trajectory) -> list[tuple[str | None, bool | None]]:
    return [(one.call.result, one.call.failed) for one in recorded_calls(trajectory)]


def sources(trajectory: Trajectory) -> set[str]:
    return {one.source for one in recorded_calls(trajectory)}


def with_code(folder: Path, recordings: Sequence[Trajectory] = (), **kept: Any) -> Simulator:
    """Worlds of `replay then python`."""
    chain = (REPLAY, ir.PythonBackend(file="code.py"))
    return worlds(chain, recordings, folder, **kept)


def worlds(
    chain: Sequence[ir.Backend],
    recordings: Sequence[Trajectory],
    folder: Path = Path(),
    effects: bool = True,
) -> Simulator:
    tools, users = (TOOLS, USER_TOOLS) if effects else map(without_effects, (TOOLS, USER_TOOLS))
    return Simulator(tools, chain, folder, recordings, user_tools=users, allow_python=True)


FAILED = recording("t/1", ("balance", {"account": "x"}, "Error: there is none"))
SEEN = recording("t", ("balance", {"account": "a"}, '{"money":3}'), ("toggle", {}, "on"))


@pytest.fixture(scope="module", params=["effects", "no effects"])
def recorders(folder: Path, request: pytest.FixtureRequest) -> tuple[bool, list[Simulator]]:
    """Worlds that record: alone, with errors of another shape, and with some results replayed."""
    effects = request.param == "effects"
    kinds = [[], [FAILED], [SEEN]]
    return effects, [with_code(folder, kind, effects=effects) for kind in kinds]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=messages, second=messages, kind=st.integers(0, 2))
def test_a_recorded_run_replayed_from_its_recordings_alone_is_the_same(
    recorders: tuple[bool, list[Simulator]],
    tmp_path: Path,
    first: list[Message],
    second: list[Message],
    kind: int,
) -> None:
    """Also where two rollouts of one task saw different things, such as a clock."""
    effects, simulators = recorders
    runs = {"0-0": first, "0-1": second, "0-2": first}

    async def play_all(simulator: Simulator) -> list[Trajectory]:
        return [await play(simulator.world("t", None, id), runs[id], id, "t") for id in runs]

    played = asyncio.run(play_all(simulators[kind]))
    file = tmp_path / "run.jsonl"
    write_recordings(file, played)
    kept = list(read(file))
    assert kept == played

    alone = worlds((REPLAY,), kept, effects=effects)
    again = asyncio.run(play_all(alone))
    assert [texts(one) for one in again] == [texts(one) for one in played]
    assert set().union(*map(sources, again)) <= {"replay", "schema", "nobody"}

    twice = worlds((REPLAY,), again, effects=effects)
    assert [texts(one) for one in asyncio.run(play_all(twice))] == [texts(one) for one in played]


def test_a_rollout_that_was_not_recorded_gets_what_the_earlier_recording_of_its_task_has() -> None:
    first, second = (
        recording("t", ("clock", {}, at), id=id) for at, id in (("1", "a"), ("2", "b"))
    )
    simulator = worlds((REPLAY,), [first, second])
    said = {
        rollout: asyncio.run(simulator.world("t", None, rollout).call("clock", {})).text
        for rollout in ("a", "b", "c", "")
    }
    assert said == {"a": "1", "b": "2", "c": "1", "": "1"}


def test_what_a_rollout_did_not_do_when_it_was_recorded_is_replayed_from_the_others() -> None:
    first, second = recording("t", ("clock", {}, "1"), id="a"), recording("t", id="b")
    world = worlds((REPLAY,), [first, second]).world("t", None, "b")
    assert (
        asyncio.run(world.call("clock", {})).why
        == "recording `a`, t0.s0.tool_call: call 1 after 0 writes"
    )


def test_a_rollout_recorded_for_a_row_is_replayed_for_that_row_only() -> None:
    simulator = worlds((REPLAY,), [recording("t/r1", ("clock", {}, "1"), id="0-0")])
    for task, source in (("t/r1", "replay"), ("t/r2", "nobody"), ("t", "nobody")):
        world = simulator.world(task, None, "0-0")
        assert asyncio.run(world.call("clock", {})).source == source


def test_a_recorded_refusal_or_gap_is_no_result_for_another_world(folder: Path) -> None:
    calls: list[Message] = [("agent", [("balance", {}), ("balance", {"account": "a"})])]
    played = asyncio.run(play(worlds((REPLAY,), ()).world("t"), calls, "0-0", "t"))
    assert sources(played) == {"schema", "nobody"}
    world = with_code(folder, [played]).world("t", None, "0-0")
    assert asyncio.run(world.call("balance", {"account": "a"})).source == "python"


def test_a_run_refuses_as_it_did_though_its_tools_answered_with_errors_of_another_shape() -> None:
    failures = [recording("t", ("balance", {"account": x}, "Error: no")) for x in "xyz"]
    calls: list[Message] = [("agent", [*[("balance", {"account": x}) for x in "xyz"], ("pay", {})])]
    errors = recording("t", *[("pay", {"account": "a", "amount": 1}, '{"error":"no"}')] * 4)
    played = asyncio.run(play(worlds((REPLAY,), [*failures, errors]).world("t"), calls, "0-0", "t"))
    assert [result for result, _ in texts(played)] == ["Error: no"] * 3 + [
        '{"error":"`account`, `amount` are missing"}'
    ]
    again = asyncio.run(
        play(worlds((REPLAY,), [played]).world("t", None, "0-0"), calls, "0-0", "t")
    )
    assert texts(again) == texts(played)


def test_a_recording_says_who_answered_each_call_and_why() -> None:
    calls: list[Message] = [
        ("agent", [("balance", {"account": "a"}), ("balance", {})]),
        ("user", [("look", {})]),
    ]
    played = asyncio.run(play(worlds((REPLAY,), [SEEN]).world("t"), calls, "0-0", "t"))
    assert played.extra["answers"] == {
        "t0.s0.tool_call": {
            "source": "replay",
            "why": "recording `r`, t0.s0.tool_call: call 1 after 0 writes",
        },
        "t0.s0.tool_call.1": {"source": "schema", "why": "required"},
        "t1.user_call": {"source": "nobody", "why": "replay: `look` is not recorded"},
    }


def test_the_answers_of_a_dialogue_of_another_make_are_no_matter() -> None:
    for answers in (["B"], {"t0.s0.tool_call": 5}, {"t0.s0.tool_call": {"source": 1}}, None):
        found = recording("t", ("clock", {}, "1"))
        found = Trajectory("r", "t", found.turns, extra={"answers": answers})
        world = worlds((REPLAY,), [found]).world("t")
        assert asyncio.run(world.call("clock", {})).text == "1"


def test_a_dialogue_without_answered_calls_is_kept_as_it_is() -> None:
    found = recording("t", ("clock", {}, "1"))
    assert with_answers(found, {"other": Answer("1", "replay")}) is found


# --- files ----------------------------------------------------------------------------------------

SPEC = """\
cm2 1
domain desk "Desk"
tools "tools.json"
task serve "Serve" {
  reference "own.jsonl"
  turn ask { user "hello"  item looks { check called clock } }
}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    tool = {"name": "clock", "parameters": {"type": "object"}}
    (tmp_path / "tools.json").write_text(json.dumps([tool]), encoding="utf-8")
    write_recordings(tmp_path / "own.jsonl", [recording("serve", ("clock", {}, "1"), id="own")])
    (tmp_path / "desk.cm2").write_text(SPEC, encoding="utf-8")
    return tmp_path


def test_recordings_of_other_files_stand_behind_those_of_the_spec(desk: Path) -> None:
    more = [recording("serve", ("clock", {}, "2"), id="0-0"), recording("other", id="0-1")]
    write_recordings(desk / "run.jsonl", more)
    found = read_recordings(open_spec(desk / "desk.cm2"), [desk / "run.jsonl"])
    assert [one.id for one in found] == ["own", "0-0", "0-1"]


def test_a_file_with_recordings_of_no_task_of_the_spec_is_refused(desk: Path) -> None:
    write_recordings(desk / "run.jsonl", [recording("serves", id="0-0")])
    bundle = open_spec(desk / "desk.cm2")
    with pytest.raises(RecordingError, match="the first names `serves`, and the spec has `serve`"):
        read_recordings(bundle, [desk / "run.jsonl"])


def test_a_line_that_is_no_dialogue_is_named(desk: Path) -> None:
    (desk / "run.jsonl").write_text("{}\n", encoding="utf-8")
    bundle = open_spec(desk / "desk.cm2")
    with pytest.raises(ChatError, match=r"run\.jsonl:1: error: `messages` is missing"):
        read_recordings(bundle, [desk / "run.jsonl"])
