"""Rollouts whose tools a model plays: siblings, masking, what it cost, and who is shown what."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from actors import BOOKING, PATIENT, Actor
from rollout_doubles import Script, desk, tiny_tokenizer, tool_call
from simulated import recording

from cm2.bundle import Bundle
from cm2.judge.asking import Asker
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.stage import Played, Stage
from cm2.train.config import Credit
from cm2.train.credit import group_credit
from cm2dsl import ir

CODEC = Codec(tiny_tokenizer(), system="Be brief.")
LIMITS = Limits(steps=4, step_tokens=200, tokens=4_000)
LOOK, CANCEL = tool_call("lookup", booking="AB12"), tool_call("cancel", booking="AB12")
GOOD = [LOOK, LOOK, "AB12 is there.", CANCEL, "It is done."]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    made = desk(tmp_path_factory.mktemp("desk"), rows=["AB12", "CD34", "EF56"])
    effects: dict[str, ir.Effect] = {"lookup": "read", "cancel": "write"}
    tools = tuple(
        ir.Tool(name=one.name, parameters=one.parameters, effect=effects[one.name], returns=BOOKING)
        for one in made.spec.tools
    )
    backend = (ir.LLMBackend(examples=8),)
    return replace(made, spec=msgspec.structs.replace(made.spec, tools=tools, simulate=backend))


def play(
    bundle: Bundle,
    say: Callable[[str, str], Any],
    scripts: list[list[str]],
    *,
    concurrent: int = 8,
    recordings: Any = (),
) -> tuple[list[Played], Actor, Any]:
    engine = Actor(say)
    llm = Asker(engine, limits=PATIENT)
    stage = Stage(bundle, CODEC, LIMITS, list(recordings), llm=llm)
    rows = [bundle.by_id["serve/r0"]] * len(scripts)
    keys = [(0, number) for number in range(len(scripts))]
    played = stage.play(rows, Script(CODEC, scripts), keys, concurrent)
    costs = stage.costs
    stage.close()
    return played, engine, costs


def answers(played: Played) -> list[str]:
    turns = played.rollout.trajectory.turns
    return [call.result or "" for turn in turns for step in turn.steps for call in step.calls]


def totals() -> Callable[[str, str], Any]:
    """Another total each time it is asked, so that equal answers are no accident."""
    count = itertools.count(1)
    known: dict[str, int] = {}

    def say(call: str, user: str) -> Any:
        total = known.setdefault(json.loads(call[7:-1])["booking"], next(count))
        status = "active" if call.startswith("lookup") else "cancelled"
        name = json.loads(call[7:-1])["booking"]
        return {"result": {"booking": name, "status": status, "total": total}}

    return say


@pytest.mark.parametrize("concurrent", [1, 8])
def test_siblings_that_do_the_same_are_told_the_same_however_many_play_at_once(
    bundle: Bundle, concurrent: int
) -> None:
    played, engine, costs = play(
        bundle, totals(), [list(GOOD) for _ in range(6)], concurrent=concurrent
    )
    assert len({tuple(answers(one)) for one in played}) == 1
    assert {one.scored.reward for one in played} == {1.0}
    first, second, third = answers(played[0])
    assert first == second != third
    assert len(engine.prompts) == 2
    assert (costs["llm"].calls, costs["llm"].hits) == (2, 10)


def test_a_model_that_contradicts_itself_masks_its_rollout_and_no_other(bundle: Bundle) -> None:
    again = [LOOK, CANCEL.replace("AB12", "CD34"), LOOK, "AB12 is there.", CANCEL, "It is done."]

    def say(call: str, user: str) -> Any:
        name = json.loads(call.partition("(")[2][:-1])["booking"]
        total = 5 if "CD34" in user and call.startswith("lookup") else 4
        return {"result": {"booking": name, "status": "active", "total": total}}

    played, _, _ = play(bundle, say, [list(GOOD), again, [LOOK, "No.", "Yes."]])
    assert [one.masked for one in played] == [False, True, False]
    assert "`total` is `4`, and now it is `5`" in str(played[1].rollout.fault)
    first, _, third = group_credit(played, Credit())
    assert [first, third] == group_credit([played[0], played[2]], Credit())


def test_recordings_of_held_out_rows_are_no_examples(bundle: Bundle) -> None:
    recordings = [
        recording(f"serve/r{n}", ("lookup", {"booking": name}, json.dumps({"of": f"row {n}"})))
        for n, name in enumerate(["AB12", "CD34", "EF56"])
    ]
    _, engine, _ = play(bundle, totals(), [list(GOOD)], recordings=recordings)
    assert "row 0" in engine.prompts[0].user
    assert "row 1" in engine.prompts[0].user
    assert "row 2" not in engine.prompts[0].user
