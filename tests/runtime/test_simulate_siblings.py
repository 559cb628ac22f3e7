"""Siblings of a group: equal calls in equal states get equal answers, whatever comes when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import ACCOUNT, REPLAY, Message, recording

from cm2.simulate import Simulator, World
from cm2.simulate.backend import Event
from cm2.trajectory import Call
from cm2dsl import ir

CODE = """
def initial(row):
    return {"money": 100, "on": False}

def balance(state, account):
    if account == "x":
        raise ValueError("no account x")
    return {"money": state["money"], "on": state["on"]}

def pay(state, account, amount, note=None):
    if amount > state["money"]:
        raise ValueError("not enough money")
    state["money"] -= amount
    return {"paid": amount}

def toggle(state):
    state["on"] = not state["on"]
    return state["on"]
"""
USER_TOOLS = (ir.Tool(name="toggle", parameters={"type": "object"}, effect="write"),)
A = {"account": "a"}
PAY = {"account": "a", "amount": 30}
PYTHON = ir.PythonBackend(file="code.py")
RECORDED = [
    recording(
        "t", ("balance", A, "7"), ("balance", A, "8"), ("pay", PAY, "{}"), ("balance", A, "9")
    ),
    recording("t", ("balance", A, "5"), ("pay", {**PAY, "amount": 80}, '{"error": "no"}')),
]
CHAINS = {
    "python": ((PYTHON,), []),
    "replay": ((REPLAY,), RECORDED),
    "replay then python": ((REPLAY, PYTHON), RECORDED),
    "python then replay": ((PYTHON, REPLAY), RECORDED),
}

agents_calls = st.sampled_from(
    [
        ("balance", A),
        ("balance", {"account": "x"}),
        ("balance", {}),
        ("pay", PAY),
        ("pay", {"amount": 30.0, "account": "a"}),
        ("pay", {**PAY, "amount": 80}),
        ("gone", {}),
    ]
)
messages = st.lists(
    st.one_of(
        st.tuples(st.just("agent"), st.lists(agents_calls, min_size=1, max_size=4)),
        st.tuples(st.just("user"), st.just([("toggle", {})])),
    ),
    max_size=5,
)


@pytest.fixture(scope="module", params=CHAINS)
def simulator(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Simulator:
    folder = tmp_path_factory.mktemp("siblings")
    (folder / "code.py").write_text(CODE, encoding="utf-8")
    chain, recordings = CHAINS[request.param]
    return Simulator(ACCOUNT, chain, folder, recordings, user_tools=USER_TOOLS, allow_python=True)


def play_all(
    simulator: Simulator, group: Sequence[Sequence[Message]], pauses: Sequence[Sequence[int]]
) -> list[World]:
    """The worlds of siblings that play at the same time. Before its n-th message a sibling waits
    for as many turns of the event loop as its n-th pause says."""
    worlds = [simulator.world("t") for _ in group]

    async def one(world: World, made: Sequence[Message], waits: Sequence[int]) -> None:
        for (requestor, calls), wait in zip(made, [*waits, *[0] * len(made)], strict=False):
            for _ in range(wait):
                await asyncio.sleep(0)
            await world.answer([Call("", *call, "") for call in calls], requestor)

    async def together() -> None:
        waits = [*pauses, *[[]] * len(group)]
        await asyncio.gather(*map(one, worlds, group, waits))

    asyncio.run(together())
    return worlds


def seen(log: Sequence[Event]) -> dict[object, str]:
    """The answers of a rollout by call and state: the writes before it, and its repetitions."""
    found: dict[object, str] = {}
    writes: list[object] = []
    since: list[object] = []
    for event in log:
        called = (event.requestor, event.tool, event.key)
        slot = (called, tuple(writes), since.count(called))
        assert found.setdefault(slot, event.answer.text) == event.answer.text
        since.append(called)
        if event.wrote:
            writes.append(called)
            since = []
    return found


pauses = st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=4, max_size=4)


@settings(max_examples=40, deadline=None)
@given(group=st.lists(messages, min_size=2, max_size=4), pauses=pauses)
def test_equal_calls_in_equal_states_get_equal_answers(
    simulator: Simulator, group: list[list[Message]], pauses: list[list[int]]
) -> None:
    answers: dict[object, str] = {}
    for world in play_all(simulator, [*group, group[0]], [*pauses, []]):
        for slot, text in seen(world.log).items():
            assert answers.setdefault(slot, text) == text, slot


@settings(max_examples=40, deadline=None)
@given(group=st.lists(messages, min_size=2, max_size=4), pauses=pauses)
def test_a_rollout_is_the_same_alone_and_among_its_siblings(
    simulator: Simulator, group: list[list[Message]], pauses: list[list[int]]
) -> None:
    together = [world.log for world in play_all(simulator, group, pauses)]
    alone = [play_all(simulator, [made], [])[0].log for made in group]
    assert together == alone
