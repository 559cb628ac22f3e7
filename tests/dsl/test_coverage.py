"""What `cm2c test` counts as covered: what a test would notice, and nothing else."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from coverage_oracle import Case, covered, passes, score
from generated import checks
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tested import ROWS, draw_dialogue, draw_judged, draw_spec, write_files, write_test

from cm2dsl.testing.cover import Cover
from cm2dsl.testing.points import points
from cm2dsl.testing.run import Ran, Runner
from cm2dsl.testing.subject import Subject, read_subject

EXAMPLES = 80
DIALOGUES = 6


def subject(path: Path) -> Subject:
    found = read_subject(path)
    assert found is not None
    return found


def shown(runner: Runner, ran: Ran) -> set[tuple[str, str, int, str]]:
    """What a test covers, by the tool."""
    every = {point.key for point in points(runner.subject, runner.parts)}
    cover = Cover(runner, every)
    cover.add(ran)
    return {(kind, name, index, outcome) for kind, _, name, index, outcome in every - cover.open}


def expectations(rng: random.Random, ran: Ran) -> list[str]:
    """Something that holds of a dialogue: some verdicts, and mostly something of its reward."""
    assert ran.played is not None
    scored = ran.played.scored
    found = [
        f"{name} {decision.verdict}"
        for name, decision in scored.decisions.items()
        if name not in ran.played.undecided and rng.random() < 0.25
    ]
    if scored.reward is not None and rng.random() < 0.8:
        order, value = rng.choice(
            [("==", scored.reward), (">=", scored.reward), ("<", 1.5), ("<", scored.reward + 0.2)]
        )
        found.append(f"reward {order} {value:.12f}")
    return found or ["reward >= 0"]


def test_coverage_verdicts_and_rewards_are_those_of_the_slow_oracle(tmp_path: Path) -> None:
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
            row = rng.choice(ROWS)
            dialogue = draw_dialogue(rng, drawn, row)
            judged = draw_judged(rng, drawn)
            first = subject(write_test(tmp_path, drawn, dialogue, judged, ["reward >= 0"]))
            expected = expectations(rng, Runner(first).run(first.tests[0]))
            spec = subject(write_test(tmp_path, drawn, dialogue, judged, expected))
            runner = Runner(spec)
            ran = runner.run(spec.tests[0])
            assert ran.played is not None
            found = ran.played.scored
            case = Case(spec.spec.tasks[0], ran.row, dialogue, judged, ran.test.block.expect)
            slow = score(case)
            verdicts = {name: one.verdict for name, one in slow.outcomes.items()}
            assert {name: d.verdict.value for name, d in found.decisions.items()} == verdicts
            assert found.reward == pytest.approx(slow.reward, abs=1e-9)
            if ran.status != "error":
                assert (ran.status == "passed") == passes(case, slow)
                meant = covered(case)
                assert shown(runner, ran) == meant
                compared.update(f"{kind} {outcome}" for kind, _, _, outcome in meant)
            compared[ran.status] += 1

    agree()
    assert compared["passed"] > 200
    for what in ("item pass", "item fail", "check true", "check false", "check undecided"):
        assert compared[what] > 50, compared
    for what in ("edge satisfied", "edge waits", "gate open", "gate closed"):
        assert compared[what] > 3, compared
