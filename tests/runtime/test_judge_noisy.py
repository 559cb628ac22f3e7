"""Noise comes at the rates that are asked for, from the seed alone, and never out of an error."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import sqrt

import pytest
from deciding import Deciding
from judged import DIALOGUE, decided, item, question

from cm2.judge import Context, JudgeLoadError, Question, open_judge
from cm2.judge.engines.noisy import NoisyJudge
from cm2.trajectory import Step, Trajectory, Turn
from cm2dsl import prompts
from cm2dsl.reward.verdict import Decision, Evidence, Verdict

SAID = {
    "pass": Decision(Verdict.PASS, "judge", (Evidence("t0.s1.reply", "MU5101"),), 1, "So."),
    "fail": Decision(Verdict.FAIL, "judge", reason="Not so."),
    "insufficient": Decision(Verdict.INSUFFICIENT, "judge", reason="Who knows."),
    "error": Decision(Verdict.ERROR, "judge", reason="no answer within 3 s"),
}


def of(said: str) -> Deciding:
    return Deciding(lambda _: SAID[said])


def dialogue(number: int) -> Trajectory:
    return Trajectory(f"d{number}", "book", DIALOGUE.turns, DIALOGUE.system)


def questions(count: int) -> list[Question]:
    """Of as many dialogues as items, over two turns and the whole."""
    return [
        question(item(f"Is {n % 7} so?"), turn=(0, 1, None)[n % 3], trajectory=dialogue(n // 21))
        for n in range(count)
    ]


def flipped(said: str, before: Sequence[Decision]) -> int:
    return sum(one.verdict is not Verdict(said) for one in before)


@pytest.mark.parametrize(
    ("said", "rate"),
    [("pass", 0.1), ("fail", 0.1), ("insufficient", 0.1), ("pass", 0.03), ("fail", 0.25)],
)
def test_verdicts_are_flipped_at_the_rate_that_was_asked_for(said: str, rate: float) -> None:
    count = 20_000
    asked = questions(count)
    positive, negative = (0.0, rate) if said == "pass" else (rate, 0.0)
    turned = flipped(said, decided(NoisyJudge(of(said), positive, negative, 0), *asked))
    other = flipped(said, decided(NoisyJudge(of(said), negative, positive, 0), *asked))
    width = 3.3 * sqrt(rate * (1 - rate) / count)  # one seed in a thousand is outside
    assert abs(turned / count - rate) < width
    assert other == 0


def test_the_noise_of_one_seed_is_independent_between_items_dialogues_and_seeds() -> None:
    asked = questions(21_000)
    first, second = (
        [one.verdict is Verdict.FAIL for one in decided(NoisyJudge(of("pass"), 0, 0.5, s), *asked)]
        for s in (0, 1)
    )

    def agreement(one: Sequence[bool], other: Sequence[bool]) -> float:
        return sum(a is b for a, b in zip(one, other, strict=True)) / len(one)

    for one, other in ((first, second), (first[:-1], first[1:]), (first[:-21], first[21:])):
        assert abs(agreement(one, other) - 0.5) < 3.3 * sqrt(0.25 / len(one))


def test_which_verdicts_are_flipped_does_not_depend_on_order_or_on_what_is_asked_at_once() -> None:
    asked = questions(300)
    together = decided(NoisyJudge(of("fail"), 0.3, 0, seed=7), *asked)
    shuffled = list(range(300))
    random.Random(1).shuffle(shuffled)
    judge = NoisyJudge(of("fail"), 0.3, 0, seed=7)
    alone = {number: decided(judge, asked[number])[0] for number in shuffled}
    assert [alone[number] for number in range(300)] == together
    assert 0 < flipped("fail", together) < 300


def test_an_error_is_never_flipped_and_a_rate_of_nothing_changes_nothing() -> None:
    asked = questions(200)
    assert decided(NoisyJudge(of("error"), 1, 1, 0), *asked) == [SAID["error"]] * 200
    for said in SAID:
        assert decided(NoisyJudge(of(said), 0, 0, 0), *asked) == [SAID[said]] * 200


@pytest.mark.parametrize(("turn", "step"), [(0, 1), (1, 0), (None, 2)])
def test_a_flipped_pass_holds_from_the_last_step_of_its_scope_and_shows_nothing(
    turn: int | None, step: int
) -> None:
    for said in ("fail", "insufficient"):
        (one,) = decided(NoisyJudge(of(said), 1, 0, 0), question(turn=turn))
        reason = f"noise, in place of {said}: {SAID[said].reason}"
        assert one == Decision(Verdict.PASS, "judge", step=step, reason=reason)
    (one,) = decided(NoisyJudge(of("pass"), 0, 1, 0), question(turn=turn))
    assert one == Decision(Verdict.FAIL, "judge", reason="noise, in place of pass: So.")


def test_nothing_passes_where_the_agent_took_no_step() -> None:
    silent = Trajectory("d", "book", (Turn("Hello"), Turn("And now?", (Step(reply="Hm."),))))
    judge = NoisyJudge(of("insufficient"), 1, 0, 0)
    before, after = decided(judge, question(trajectory=silent), question(trajectory=silent, turn=1))
    assert (before, after.step) == (SAID["insufficient"], 0)


def test_the_judge_inside_is_charged_and_let_go_of() -> None:
    inner = of("pass")
    judge = NoisyJudge(inner, 0.5, 0.5, 0)
    with judge:
        decided(judge, question())
    assert (inner.released, judge.ledger is inner.ledger) == (1, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "`of`"),
        ({"of": {"engine": "replay"}}, "the judge's settings, `of`: .*`verdicts`"),
        ({"of": {"engine": "noise"}}, "did you mean `noisy`"),
        ({"of": {"engine": "replay", "verdicts": "x"}, "false_positive": 1.5}, "<= 1"),
        ({"of": {"engine": "replay", "verdicts": "x"}, "false_postive": 0.5}, "`false_positive`"),
    ],
)
def test_settings_that_are_wrong_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(JudgeLoadError, match=message):
        open_judge({"engine": "noisy", **settings}, Context(prompts.files()))
