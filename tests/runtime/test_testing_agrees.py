"""`cm2c test` and `cm2 score` say the same of a dialogue, whatever the judge says."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from generated import checks
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from simulated import judgement
from tested import ROWS, draw_dialogue, draw_judged, draw_spec, write_files, write_test

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.judge.view import Question
from cm2.judging import UNREADY
from cm2.score import score, verdict_records
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.testing.run import Runner
from cm2dsl.testing.subject import read_subject

EXAMPLES = 100
DIALOGUES = 10


class Given(Judge):
    """A judge that says what a test says, and has an outage where it says nothing."""

    def __init__(self, judged: Mapping[str, str]) -> None:
        super().__init__()
        self._judged = judged

    async def release(self) -> None:
        pass

    async def decide(self, question: Question) -> Decision:
        turns = question.trajectory.turns
        scope = "dialogue" if question.turn is None else question.task.turns[question.turn].name
        asked = turns if question.turn is None else turns[question.turn : question.turn + 1]
        if not any(turn.steps for turn in asked):  # as cm2.judge has it
            return Decision(Verdict.INSUFFICIENT, "judge")
        said = self._judged.get(f"{scope}.{question.item.name}", "error")
        return judgement(question, Verdict(said))


@pytest.mark.slow
def test_verdicts_evidence_and_rewards_are_those_of_the_runtime(tmp_path: Path) -> None:
    write_files(tmp_path)
    compared: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), st.integers(0, 2**32))
    def agree(data: st.DataObject, seed: int) -> None:
        rng = random.Random(seed)
        drawn = draw_spec(rng, lambda: data.draw(checks("jsonl")))
        for _ in range(DIALOGUES):
            dialogue = draw_dialogue(rng, drawn, rng.choice(ROWS))
            judged = draw_judged(rng, drawn)
            spec = read_subject(write_test(tmp_path, drawn, dialogue, judged, ["reward >= 0"]))
            assert spec is not None
            played = Runner(spec).run(spec.tests[0]).played
            assert played is not None
            bundle = Bundle(spec.spec, tmp_path, tmp_path, tmp_path, spec.checks, {})
            with Given(judged) as judge:
                scored = score(bundle, dialogue, judge)
            mine, theirs = (verdict_records(one) for one in (played.scored, scored))
            failed = False
            for name in [name for name, record in theirs.items() if record["by"] == UNREADY]:
                # Whatever the judge said of it, it could not be satisfied any more: not asked.
                failed |= "error" in (mine[name]["verdict"], theirs[name]["verdict"])
                del mine[name], theirs[name]
                compared["unready"] += 1
            for record in (*mine.values(), *theirs.values()):
                record.pop("reason", None)
                record.pop("question", None)
                record["by"] = record["by"].replace("nobody", "judge")
            assert mine == theirs
            if failed:  # an outage of a judge that is not asked, or that another outage spares
                continue
            assert played.scored.reward == scored.reward
            assert played.scored.turn_rewards == scored.turn_rewards
            compared["masked" if scored.reward is None else "rewarded"] += 1
            compared["paid"] += bool(scored.reward)

    agree()
    assert compared["rewarded"] > 300
    assert compared["masked"] > 50
    assert compared["paid"] > 100
    assert compared["unready"] > 10
