"""Votes stop early and decide the same; where the judge is sure of the first, no more are asked."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Sequence

import msgspec
import pytest
from judged import Scripted, decided, item, judge_of, question, spec, verdict

from cm2.judge import Answer, Answered, Prompt
from cm2.judge.votes import decided as by_votes
from cm2.judge.votes import majority, poll, sureness
from cm2dsl import ir
from cm2dsl.reward.verdict import Decision, Evidence, Verdict

PASS, FAIL, UNSURE, ERROR = Verdict
MOST = 5


def cast(verdicts: Sequence[Verdict], confidence: float | None = None) -> list[Decision]:
    """A vote for each verdict, no two of them alike."""
    return [
        Decision(
            one,
            "judge",
            (Evidence(f"t0.s{number}.reply", f"quote {number}"),),
            number if one is PASS else None,
            f"reason {number}",
            confidence=confidence,
        )
        for number, one in enumerate(verdicts)
    ]


class Box:
    """Votes by number; `asked` are those that were taken, `rounds` how many were there when the
    next were asked for, which are out at once."""

    def __init__(self, votes: Sequence[Decision]) -> None:
        self.votes = votes
        self.asked: list[int | None] = []
        self.rounds: list[int] = []
        self._out = 0

    async def __call__(self, number: int | None) -> Decision:
        if not self._out:
            self.rounds.append(len(self.asked))
        self._out += 1
        self.asked.append(number)
        await asyncio.sleep(0)
        self._out -= 1
        return self.votes[number or 0]


def all_of(votes: Sequence[Decision]) -> tuple[Verdict, Decision | None]:
    """What all the votes say, by the book, and the vote whose evidence and step that has.

    An error before the first pass may have been one with another step.
    """
    count = len(votes)
    failed = [vote for vote in votes if vote.verdict is ERROR]
    for one in (PASS, FAIL, UNSURE):
        for_it = [vote for vote in votes if vote.verdict is one]
        if 2 * len(for_it) > count:
            if one is PASS and failed and votes.index(failed[0]) < votes.index(for_it[0]):
                return ERROR, failed[0]
            return one, for_it[0]
    for one in (PASS, FAIL, UNSURE):
        if failed and 2 * (sum(vote.verdict is one for vote in votes) + len(failed)) > count:
            return ERROR, failed[0]
    return UNSURE, None


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_an_early_stop_changes_no_verdict_evidence_or_step_whatever_the_votes_are(
    count: int,
) -> None:
    for verdicts in itertools.product(Verdict, repeat=count):
        votes = cast(verdicts)
        box = Box(votes)
        early = asyncio.run(poll(box, count))
        wanted, by = all_of(votes)
        assert early.verdict is wanted, verdicts
        assert early.verdict is majority(votes, count).verdict
        if by is None:
            assert (early.evidence, early.step) == ((), None)
        else:
            assert (early.evidence, early.step, early.reason) == (by.evidence, by.step, by.reason)
        assert box.asked == list(range(len(box.asked)))


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_no_more_votes_are_asked_for_once_they_could_change_nothing(count: int) -> None:
    for verdicts in itertools.product(Verdict, repeat=count):
        votes = cast(verdicts)
        box = Box(votes)
        asyncio.run(poll(box, count))
        for there in box.rounds:
            endings = itertools.product(Verdict, repeat=count - there)
            known = [all_of(cast([*verdicts[:there], *ending])) for ending in endings]
            assert len({(one, by and by.reason) for one, by in known}) > 1, (verdicts, there)


def expected_calls(count: int, passes: float) -> float:
    """The mean number of votes taken of a judge that passes with a probability and else fails."""
    total = 0.0
    for verdicts in itertools.product((PASS, FAIL), repeat=count):
        box = Box(cast(verdicts))
        asyncio.run(poll(box, count))
        share = math.prod(passes if one is PASS else 1 - passes for one in verdicts)
        total += share * len(box.asked)
    return total


@pytest.mark.parametrize(
    ("passes", "three", "five"),
    [(0.5, 2.5, 4.125), (0.7, 2.42, 3.8946), (0.9, 2.18, 3.3186), (0.95, 2.095, 3.156), (1, 2, 3)],
)
def test_an_early_stop_saves_a_fifth_to_two_fifths_of_five_votes(
    passes: float, three: float, five: float
) -> None:
    assert expected_calls(3, passes) == pytest.approx(three, abs=1e-4)
    assert expected_calls(5, passes) == pytest.approx(five, abs=1e-4)


def test_the_agreement_is_the_share_of_the_answered_votes() -> None:
    def agreement(*verdicts: Verdict) -> float | None:
        return asyncio.run(poll(Box(cast(verdicts)), len(verdicts))).agreement

    assert agreement(PASS, PASS, PASS, FAIL, FAIL) == 1.0
    assert agreement(PASS, FAIL, PASS, FAIL, PASS) == 3 / 5
    assert agreement(PASS, ERROR, PASS, FAIL, PASS) == 3 / 4
    assert agreement(PASS, FAIL, UNSURE) == 1 / 3


# --- more votes where the judge is not sure -----------------------------------------------------


def escalated(
    votes: Sequence[Decision], few: int = 1, until: float = 0.9
) -> tuple[Decision, list[int | None]]:
    box = Box(votes)
    protocol = ir.JudgeProtocol(votes=len(votes), first=few, until=until)
    return asyncio.run(by_votes(box, protocol)), box.asked


def test_a_first_vote_that_is_sure_stays_alone_and_is_greedy() -> None:
    decision, asked = escalated(cast([PASS, FAIL, FAIL, FAIL, FAIL], 0.95))
    assert (decision, asked) == (cast([PASS], 0.95)[0], [None])


@pytest.mark.parametrize("confidence", [0.89, None])
def test_a_first_vote_that_is_not_sure_or_does_not_say_how_sure_is_one_of_five(
    confidence: float | None,
) -> None:
    decision, asked = escalated(cast([PASS, FAIL, FAIL, FAIL, PASS], confidence))
    assert (decision.verdict, decision.agreement) == (FAIL, 3 / 4)
    assert asked == [None, 1, 2, 3]


def test_a_failed_first_vote_is_an_error_for_it_may_have_been_sure_of_the_opposite() -> None:
    decision, asked = escalated(cast([ERROR, PASS, PASS, PASS, PASS], 1.0))
    assert (decision.verdict, asked) == (ERROR, [None])


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_vote_that_fails_changes_no_verdict_and_no_step_unless_it_makes_an_error(
    count: int,
) -> None:
    for verdicts in itertools.product((PASS, FAIL, UNSURE), repeat=count):
        votes = cast(verdicts)
        whole = asyncio.run(poll(Box(votes), count))
        for failures in range(1, 2**count):
            names = [ERROR if failures >> n & 1 else one for n, one in enumerate(verdicts)]
            touched = asyncio.run(poll(Box(cast(names)), count))
            if touched.verdict is not ERROR:
                assert (touched.verdict, touched.step) == (whole.verdict, whole.step), names


@pytest.mark.parametrize("few", range(1, MOST))
def test_where_the_first_are_not_sure_the_verdict_is_that_of_all_votes(few: int) -> None:
    for verdicts in itertools.product(Verdict, repeat=MOST):
        votes = cast(verdicts)
        decision, asked = escalated(votes, few, 0.9)
        numbered = [0 if number is None else number for number in asked]
        assert numbered == list(range(len(asked)))
        if ERROR in verdicts[:few]:
            assert (len(asked), decision.verdict) == (few, ERROR)
        elif sureness(votes[:few]) >= 0.9:
            assert len(asked) == few
            assert decision.verdict is verdicts[0]
        else:
            assert decision.verdict is all_of(votes)[0]


def test_votes_are_as_sure_as_each_is_of_what_most_are_for() -> None:
    assert sureness(cast([PASS, PASS, FAIL], 0.9)) == pytest.approx(0.6)
    assert sureness(cast([PASS, PASS, PASS])) == 1.0
    assert sureness(cast([PASS])) == 0.0
    assert sureness(cast([PASS, FAIL], 1.0)) == 0.0


REPLY = ("t0.s1.reply", "MU5101 departs at 08:00")


def own(votes: int, first: int | None = None, until: float | None = None) -> ir.Spec:
    protocol = ir.JudgeProtocol(votes=votes, first=first, until=until)
    return msgspec.structs.replace(spec(), judge=protocol)


@pytest.mark.parametrize(("confidence", "calls"), [(0.97, 1), (0.6, 3), (None, 3)])
def test_a_judge_asks_a_model_again_only_where_it_is_not_sure(
    confidence: float | None, calls: int
) -> None:
    engine = Scripted(lambda _: Answered(verdict("pass", REPLY), confidence=confidence))
    (decision,) = decided(judge_of(engine), question(item(), own=own(5, 1, 0.9)))
    assert decision.verdict is PASS
    assert [prompt.seed is None for prompt in engine.asked] == [True, *[False] * (calls - 1)]
    assert len({prompt.seed for prompt in engine.asked}) == calls
    assert len({(prompt.system, prompt.user) for prompt in engine.asked}) == 1


def test_a_pass_that_the_model_is_sure_of_and_cannot_show_is_not_sure() -> None:
    engine = Scripted(lambda _: Answered(verdict("pass", ("t0.user", "nonsense")), confidence=1.0))
    (decision,) = decided(judge_of(engine), question(item(), own=own(3, 1, 0.9)))
    assert (decision.verdict, decision.confidence) == (UNSURE, None)
    assert len({prompt.seed for prompt in engine.asked}) == 2


def test_five_votes_with_an_early_stop_give_the_verdicts_of_five_full_votes() -> None:
    """The same model behind both, of which a tenth of the answers are wrong."""

    def answer(prompt: Prompt) -> Answer | str:
        wrong = (prompt.seed or 0) % 10 == 0
        return verdict("fail") if wrong else verdict("pass", REPLY)

    engine = Scripted(answer)
    asked = [question(item(f"Is number {number} so?"), own=own(5)) for number in range(300)]
    early = decided(judge_of(engine), *asked)
    taken = len(engine.asked)

    async def full(one: int) -> Decision:
        judge = judge_of(Scripted(answer))
        votes: list[Decision] = []

        async def all_five(vote: object, protocol: ir.JudgeProtocol) -> Decision:
            votes.extend([await vote(number) for number in range(5)])  # type: ignore[operator]
            return majority(votes, 5)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cm2.judge.prompted.decided", all_five)
            return await judge.decide(asked[one])

    for number in range(len(asked)):
        whole = asyncio.run(full(number))
        got = early[number]
        assert (got.verdict, got.evidence, got.step) == (
            whole.verdict,
            whole.evidence,
            whole.step,
        )
    assert taken == pytest.approx(300 * expected_calls(5, 0.9), rel=0.03)
