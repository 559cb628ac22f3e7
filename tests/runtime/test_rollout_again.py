"""Facts about playing the same again: the same rollouts, however many at once, and from records."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from rollout_doubles import Script, desk, tiny_tokenizer, tool_call

from cm2.bundle import Bundle, compile_bundle
from cm2.chat import from_chat
from cm2.judge.asking import Asker
from cm2.judge.engine import Answer, Answered, Prompt
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.generator import Generator, Line, Sampled
from cm2.rollout.report import record
from cm2.rollout.stage import Stage
from cm2.trajectory import Trajectory
from cm2dsl import ir

CODEC = Codec(tiny_tokenizer(), system="Be brief.")
LIMITS = Limits(steps=5, step_tokens=300, tokens=4_000, turns=4)
SAYS = [
    tool_call("lookup", booking="AB12"),
    tool_call("lookup", booking="CD34"),
    tool_call("lookup", booking="AB12") + tool_call("lookup", booking="ZZ99"),
    tool_call("cancel", booking="AB12") + tool_call("lookup", booking="AB12"),
    tool_call("lookup", reservation="AB12"),
    tool_call("launch"),
    tool_call("toggle", on=True),
    "<tool_call>{</tool_call>",
    "AB12 it is.",
    "It is done.",
]


class Choosy(Generator):
    """Says what its dialogue's own noise chooses, after waiting for as long as that says."""

    def open(self, noise: np.random.Generator) -> Line:
        return _Choosing(noise)


class _Choosing(Line):
    def __init__(self, noise: np.random.Generator) -> None:
        self._noise = noise

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        chosen = SAYS[self._noise.integers(len(SAYS))]
        await asyncio.sleep(float(self._noise.random()) / 500)
        ids = [*CODEC.tokenizer(chosen, add_special_tokens=False)["input_ids"], CODEC.end]
        return Sampled(ids[:budget], [-0.5] * len(ids[:budget]))


class Person:
    """Plays the user by what a hash of the prompt and the seed says."""

    identity = "person"
    control_tokens = ()

    def __init__(self) -> None:
        self.asked = 0

    async def answer(self, prompt: Prompt) -> Answer:
        self.asked += 1
        text = f"{prompt.seed} {prompt.user}"
        number = hashlib.sha256(text.encode()).digest()[0]
        await asyncio.sleep(number / 50_000)
        does: list[dict[str, Any]] = [{"say": f"Number {number}?"}] * 5
        does += [{"call": {"tool": "toggle", "arguments": {"on": number % 2 == 0}}}] * 3
        if "[you]" in prompt.user:
            does += [{"stop": True}] * 2
        return Answered(json.dumps({"thought": "", **does[number % len(does)]}))

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return desk(tmp_path_factory.mktemp("scripted"), rows=["AB12", "CD34"])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same tools with a user who has one, too."""
    folder = tmp_path_factory.mktemp("simulated")
    desk(folder)
    toggle = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}
    tool = {"name": "toggle", "x-effect": "write", "parameters": toggle}
    (folder / "phone.json").write_text(json.dumps([{"type": "function", "function": tool}]))
    with (folder / "desk_backend.py").open("a") as file:
        file.write("\n\ndef toggle(state, on):\n    state['on'] = on\n    return state\n")
    head = (folder / "desk.cm2").read_text("utf-8").partition("task serve")[0]
    (folder / "user.cm2").write_text(
        head.replace('system "', 'user tools "phone.json"\nsystem "')
        + 'task serve each row in "rows.csv" {\n  user simulated "Cancel {row.booking}."\n'
        + "  item cancels { check called cancel }\n}\n",
        "utf-8",
    )
    return replace(compile_bundle(folder / "user.cm2", folder / "other"), allow_python=True)


def lines(
    bundle: Bundle,
    concurrent: int,
    recordings: Sequence[Trajectory] = (),
    person: Person | None = None,
    group: int = 6,
) -> list[str]:
    """The records of rollouts of every row, as lines of a file."""
    stage = Stage(bundle, CODEC, LIMITS, recordings, user=None if person is None else Asker(person))
    instances = [one for one in bundle.by_id.values() for _ in range(group)]
    keys = [(7, number // group, number % group) for number in range(len(instances))]
    played = stage.play(instances, Choosy(), keys, concurrent)
    stage.close()
    return [json.dumps(record(one), ensure_ascii=False) for one in played]


def without_answers(rows: Sequence[str]) -> list[dict[str, Any]]:
    """The rows without who answered."""
    return [{k: v for k, v in json.loads(row).items() if k != "answers"} for row in rows]


def replayed(bundle: Bundle, rows: Sequence[str]) -> tuple[Bundle, list[Trajectory]]:
    """The bundle with recordings alone as its tools, and the rows as recordings."""
    spec = msgspec.structs.replace(bundle.spec, simulate=(ir.Replay(),))
    recordings = [from_chat(json.loads(row), file="f", line=1) for row in rows]
    return replace(bundle, spec=spec), recordings


@pytest.mark.parametrize("concurrent", [2, 8])
def test_scripted_rollouts_are_the_same_one_by_one_and_several_at_once(
    scripted: Bundle, concurrent: int
) -> None:
    alone = lines(scripted, 1)
    assert alone == lines(scripted, concurrent)
    stops = {json.loads(line)["stop"] for line in alone}
    assert len(stops) > 1
    assert len(set(alone)) == len(alone)


def test_rollouts_with_a_simulated_user_are_the_same_however_many_at_once(
    simulated: Bundle,
) -> None:
    alone = lines(simulated, 1, person=Person())
    assert alone == lines(simulated, 8, person=Person())
    acts = [m for line in alone for m in json.loads(line)["messages"] if "tool_calls" in m]
    assert any(message["role"] == "user" for message in acts)


def test_scripted_rollouts_are_the_same_from_their_recordings(scripted: Bundle) -> None:
    first = lines(scripted, 4)
    bundle, recordings = replayed(scripted, first)
    again = lines(bundle, 8, recordings)
    assert without_answers(again) == without_answers(first)
    sources = {
        said["source"] for row in again for said in json.loads(row).get("answers", {}).values()
    }
    assert sources <= {"replay", "schema"}
    third = lines(bundle, 1, recordings)
    assert third == again


def test_a_recorded_user_says_again_what_it_said_and_no_model_is_asked(simulated: Bundle) -> None:
    first = lines(simulated, 4, person=Person())
    bundle, recordings = replayed(simulated, first)
    nobody = Person()
    for person in (None, nobody):
        again = lines(bundle, 8, recordings, person)
        assert without_answers(again) == without_answers(first)
    assert nobody.asked == 0


def test_a_user_whose_recording_does_not_fit_any_more_is_played_by_the_model(
    simulated: Bundle,
) -> None:
    first = lines(simulated, 4, person=Person(), group=2)
    other = [row.replace("It is done.", "It was done.") for row in first]
    assert other != first
    recordings = [from_chat(json.loads(row), file="f", line=1) for row in other]
    person = Person()
    again = lines(simulated, 4, recordings, person, group=2)
    assert person.asked > 0
    assert without_answers(again) == without_answers(first)


def test_siblings_get_equal_answers_for_equal_calls_in_equal_states(scripted: Bundle) -> None:
    """The state is what a rollout wrote before: here, which bookings it cancelled."""
    said: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for line in lines(scripted, 8, group=24):
        row = json.loads(line)
        wrote: list[str] = []
        for turn in from_chat(row, file="f", line=1).turns:
            for call in (call for step in turn.steps for call in step.calls):
                if call.result is not None:
                    said[row["task"], *wrote, call.tool, call.raw].add(call.result)
                    if call.tool == "cancel":
                        wrote.append(call.raw)
    assert len(said) > 10
    assert all(len(results) == 1 for results in said.values())


@pytest.mark.parametrize(
    ("said", "limited", "stop"),
    [
        ("go_on", None, "done"),
        ("end", None, "malformed"),
        ("end", "go_on", "done"),
        ("go_on", "end", "malformed"),
    ],
)
def test_the_spec_says_what_follows_a_call_that_cannot_be_read_unless_the_limits_do(
    scripted: Bundle, said: str, limited: Any, stop: str
) -> None:
    spec = msgspec.structs.replace(scripted.spec, malformed=said)  # type: ignore[arg-type]
    limits = replace(LIMITS, malformed=limited)
    stage = Stage(replace(scripted, spec=spec), CODEC, limits, [])
    wrong = ["<tool_call>{</tool_call>", tool_call("lookup", booking="AB12"), "AB12.", "done"]
    row = scripted.by_id["serve/r0"]
    (played,) = stage.play([row], Script(CODEC, [wrong]), [(0, 0, 0)])
    stage.close()
    assert played.rollout.stop == stop
    assert played.scored.reward is not None
