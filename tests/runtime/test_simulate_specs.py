"""The shipped specs: their recordings are what their worlds say, and their test blocks hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from simulated import judgement, open_world, recorded, simulator

from cm2.bundle import Bundle, open_spec
from cm2.chat import read
from cm2.judge import Judge, Question
from cm2.judging import UNREADY
from cm2.score import score_all
from cm2.trajectory import Call, Trajectory
from cm2dsl import ir
from cm2dsl.reward.instance import instances
from cm2dsl.reward.verdict import Decision, Verdict

SPECS = Path(__file__).parents[2] / "specs"
SPOKEN = ["airline", "tutor", "挂号"]
WITH_TOOLS = ["airline", "挂号"]


@pytest.fixture(scope="module")
def bundles() -> dict[str, Bundle]:
    return {name: open_spec(SPECS / f"{name}.cm2") for name in SPOKEN}


def calls(trajectory: Trajectory) -> list[Call]:
    return [call for turn in trajectory.turns for step in turn.steps for call in step.calls]


@pytest.mark.parametrize("name", WITH_TOOLS)
@pytest.mark.parametrize("replay", [False, True])
def test_the_world_answers_every_recorded_call_as_it_was_recorded(
    bundles: dict[str, Bundle], name: str, replay: bool
) -> None:
    bundle = bundles[name]
    worlds = simulator(bundle, replay=replay)
    fixtures = [one for test in bundle.spec.tests for one in read(bundle.files / test.trajectory)]
    dialogues = [one for task in bundle.spec.tasks for one in recorded(bundle, task)]
    by_id = {instance.id: instance for instance in instances(bundle.spec)}

    async def compare() -> None:
        for dialogue in [*dialogues, *fixtures]:
            world = open_world(worlds, by_id[dialogue.task])
            for call in calls(dialogue):
                answer = await world.call(call.tool, call.arguments)
                assert answer.text == call.result, dialogue.id

    asyncio.run(compare())


@pytest.mark.parametrize("name", SPOKEN)
def test_recordings_say_what_the_user_of_their_row_says(
    bundles: dict[str, Bundle], name: str
) -> None:
    by_id = {instance.id: instance for instance in instances(bundles[name].spec)}
    for task in bundles[name].spec.tasks:
        for dialogue in recorded(bundles[name], task):
            instance = by_id[dialogue.task]
            assert instance.split == "train"
            said = [ir.fill(turn.user, instance.row) for turn in task.turns]
            assert [turn.user for turn in dialogue.turns] == said


# --- test blocks ----------------------------------------------------------------------------------


class Given(Judge):
    """A judge that knows the verdicts of a test block; it is asked nothing else."""

    def __init__(self, judged: Sequence[ir.ItemExpectation]) -> None:
        super().__init__()
        self._verdicts = {one.item: Verdict(one.verdict) for one in judged}
        self.asked: set[str] = set()

    async def release(self) -> None:
        pass

    async def decide(self, question: Question) -> Decision:
        scope = "dialogue" if question.turn is None else question.task.turns[question.turn].name
        name = f"{scope}.{question.item.name}"
        assert name in self._verdicts, f"{name} goes to the judge, and the test does not judge it"
        self.asked.add(name)
        return judgement(question, self._verdicts[name])


def test_blocks() -> list[tuple[str, ir.Test]]:
    return [(name, test) for name in SPOKEN for test in open_spec(SPECS / f"{name}.cm2").spec.tests]


test_blocks.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "block"), [pytest.param(n, b, id=f"{n}: {b.name}") for n, b in test_blocks()]
)
def test_the_test_blocks_of_the_specs_hold(
    bundles: dict[str, Bundle], name: str, block: ir.Test
) -> None:
    bundle = bundles[name]
    judge = Given(block.judged)
    (scored,) = score_all(bundle, list(read(bundle.files / block.trajectory)), judge)
    unasked = {one.item for one in block.judged} - judge.asked
    assert {scored.decisions[name].by for name in unasked} <= {UNREADY}
    for wanted in block.expect:
        if isinstance(wanted, ir.ItemExpectation):
            assert scored.decisions[wanted.item].verdict == wanted.verdict, wanted.item
        else:
            assert scored.reward is not None
            assert holds(scored.reward, wanted.op, wanted.value), scored.reward


def holds(reward: float, op: str, value: float) -> bool:
    return {
        "==": reward == pytest.approx(value),
        "!=": reward != pytest.approx(value),
        "<": reward < value,
        "<=": reward <= value,
        ">": reward > value,
        ">=": reward >= value,
    }[op]
