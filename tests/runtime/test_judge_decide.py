"""How answers become decisions: verified quotes, steps, votes, and failures that stay failures."""

from __future__ import annotations

import itertools
import re
import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged import DIALOGUE, Scripted, decided, item, judge_of, question, spec, verdict

from cm2.judge import Answer, Failed, Prompt
from cm2.trajectory import Step, Trajectory, Turn, segments
from cm2dsl.reward.verdict import Decision, Evidence, Verdict

REPLY = ("t0.s1.reply", "MU5101 departs at 08:00")


def decide(answer: Answer | str, *, turn: int | None = 0, kind: str = "item") -> Decision:
    asked = question(item(kind=kind), turn=turn)
    (decision,) = decided(judge_of(Scripted(lambda _: answer)), asked)
    return decision


def test_a_pass_with_a_verified_quote_passes_at_the_step_of_its_evidence() -> None:
    decision = decide(verdict("pass", REPLY))
    assert decision == Decision(
        Verdict.PASS, "judge", (Evidence(*REPLY),), step=1, reason="So it is."
    )


def test_a_pass_without_a_verified_quote_is_insufficient() -> None:
    invented = decide(verdict("pass", ("t0.s1.reply", "CA1234 departs at 09:00")))
    assert (invented.verdict, invented.evidence, invented.step) == (Verdict.INSUFFICIENT, (), None)
    assert "So it is." in invented.reason
    assert decide(verdict("pass")).verdict is Verdict.INSUFFICIENT


def test_a_quote_from_what_the_judge_was_not_shown_does_not_count() -> None:
    hidden = ("t0.s0.reasoning", "They want a flight.")
    later = ("t1.s0.reply", "Your flight is booked.")
    assert decide(verdict("pass", hidden)).verdict is Verdict.INSUFFICIENT
    assert decide(verdict("pass", later)).verdict is Verdict.INSUFFICIENT
    assert decide(verdict("pass", later), turn=None).verdict is Verdict.PASS


def test_unverified_evidence_is_dropped_beside_verified_evidence() -> None:
    invented = ("t0.s0.tool_result", "price 99")
    assert decide(verdict("pass", invented, REPLY)).evidence == (Evidence(*REPLY),)
    assert decide(verdict("fail", invented, REPLY)).evidence == (Evidence(*REPLY),)


def test_a_fail_or_insufficient_needs_no_quote_and_has_no_step() -> None:
    for kind in ("fail", "insufficient"):
        decision = decide(verdict(kind, REPLY if kind == "fail" else ("t0.user", "x y")))
        assert (decision.verdict, decision.step) == (Verdict(kind), None)


RESULT = ("t0.s0.tool_result", "MU5101")
USER = ("t0.user", "Find me a flight")
BOOKED = ("t1.s0.reply", "Your flight is booked.")


@pytest.mark.parametrize(
    ("turn", "evidence", "step"),
    [
        (0, [RESULT], 0),
        (0, [RESULT, REPLY], 1),
        (0, [RESULT, USER], 0),
        (0, [USER], 1),
        (1, [BOOKED], 0),
        (1, [REPLY], 0),
        (None, [BOOKED], 2),
        (None, [RESULT], 0),
        (None, [USER], 2),
    ],
)
def test_the_step_is_counted_in_the_scope_of_the_item(
    turn: int | None, evidence: list[tuple[str, str]], step: int
) -> None:
    assert decide(verdict("pass", *evidence), turn=turn).step == step


@pytest.mark.parametrize("kind", ["always", "never", "at_end"])
def test_what_is_decided_when_the_turn_ends_holds_from_its_last_step(kind: str) -> None:
    assert decide(verdict("pass", RESULT), kind=kind).step == 1


@pytest.mark.parametrize(
    "text", ["", "yes", verdict("pass", REPLY)[:-3], '{"verdict": "pass"}', verdict("error")]
)
def test_an_answer_off_the_schema_is_an_error_and_never_a_fail(text: str) -> None:
    decision = decide(text)
    assert (decision.verdict, decision.step, decision.evidence) == (Verdict.ERROR, None, ())
    assert decision.reason.startswith("the answer is")


def test_a_failure_of_the_engine_is_an_error_with_its_cause() -> None:
    assert decide(Failed("the answer did not end within 5 tokens", "truncated")) == Decision(
        Verdict.ERROR, "judge", reason="the answer did not end within 5 tokens"
    )


def test_a_failure_touches_no_other_question() -> None:
    def reply(prompt: Prompt) -> Answer | str:
        return Failed("outage", "outage") if "number 1" in prompt.user else verdict("pass", REPLY)

    asked = [question(item(f"number {i}?")) for i in range(3)]
    verdicts = [decision.verdict for decision in decided(judge_of(Scripted(reply)), *asked)]
    assert verdicts == [Verdict.PASS, Verdict.ERROR, Verdict.PASS]


def test_decisions_come_in_the_order_of_the_questions() -> None:
    def reply(prompt: Prompt) -> str:
        return verdict("fail", reason=prompt.user.partition("number ")[2].partition("?")[0])

    asked = [question(item(f"number {i}?"), turn=i % 2) for i in range(7)]
    reasons = [decision.reason for decision in decided(judge_of(Scripted(reply)), *asked)]
    assert reasons == [str(i) for i in range(7)]


def test_the_same_item_on_the_same_view_is_asked_once() -> None:
    engine = Scripted(lambda _: verdict("pass", REPLY))
    other = question(item("Is it other?"))
    decisions = decided(judge_of(engine), question(), other, question(), question(turn=1))
    assert len(engine.asked) == 3
    assert decisions[0] == decisions[2]


def test_a_turn_in_which_the_agent_took_no_step_is_insufficient_without_asking() -> None:
    engine = Scripted(lambda _: verdict("pass", ("t0.user", "Hello there")))
    silent = Trajectory("d", "book", (Turn("Hello there"),))
    for turn in (0, None):
        (decision,) = decided(judge_of(engine), question(turn=turn, trajectory=silent))
        assert (decision.verdict, decision.step) == (Verdict.INSUFFICIENT, None)
    assert engine.asked == []


def test_a_question_that_cannot_be_asked_is_the_callers_mistake() -> None:
    judge = judge_of(Scripted(lambda _: verdict("fail")))
    with pytest.raises(ValueError, match="no turn 2"):
        decided(judge, question(turn=2))
    with pytest.raises(ValueError, match="`so` has no `ask`"):
        decided(judge, question(msgspec.structs.replace(item(), ask=None)))


# --- votes ------------------------------------------------------------------------------------

PASS, FAIL = verdict("pass", REPLY), verdict("fail")
UNSURE, LIE = verdict("insufficient"), verdict("pass", ("t0.user", "nonsense"))
DOWN = Failed("outage", "outage")


def vote(*answers: Answer | str) -> Decision:
    queue, given = iter(answers), dict[int | None, Answer | str]()

    def reply(prompt: Prompt) -> Answer | str:
        if prompt.seed not in given:
            given[prompt.seed] = next(queue)
        return given[prompt.seed]

    engine = Scripted(reply)
    (decision,) = decided(judge_of(engine), question(own=spec(votes=len(answers))))
    return decision


@pytest.mark.parametrize(
    ("answers", "verdict_"),
    [
        ((PASS, FAIL, PASS), Verdict.PASS),
        ((FAIL, FAIL, PASS), Verdict.FAIL),
        ((PASS, PASS, DOWN), Verdict.PASS),
        ((PASS, FAIL, DOWN), Verdict.ERROR),
        ((PASS, DOWN, DOWN), Verdict.ERROR),
        ((DOWN, DOWN, DOWN), Verdict.ERROR),
        ((PASS, FAIL, UNSURE), Verdict.INSUFFICIENT),
        ((PASS, FAIL), Verdict.INSUFFICIENT),
        ((PASS, LIE, LIE), Verdict.INSUFFICIENT),
        ((PASS, FAIL, UNSURE, UNSURE, DOWN), Verdict.ERROR),
        ((PASS, PASS, FAIL, FAIL, UNSURE), Verdict.INSUFFICIENT),
        ((PASS, "not json", PASS), Verdict.PASS),
    ],
)
def test_the_majority_of_all_votes_decides(
    answers: tuple[Answer | str, ...], verdict_: Verdict
) -> None:
    decision = vote(*answers)
    assert decision.verdict is verdict_
    assert (decision.step is not None) == (verdict_ is Verdict.PASS)


def test_one_vote_is_greedy_and_several_have_seeds_that_differ_and_stay() -> None:
    replies = itertools.cycle([FAIL, PASS, UNSURE])
    engine = Scripted(lambda _: FAIL)
    decided(judge_of(engine), question())
    several = [Scripted(lambda _: next(replies)) for _ in range(2)]
    for one in several:
        decided(judge_of(one), question(own=spec(votes=3)))
    greedy, first, second = engine.asked, several[0].asked, several[1].asked
    assert [prompt.seed for prompt in greedy] == [None]
    assert len({prompt.seed for prompt in first}) == 3
    assert first == second
    assert len({prompt.user for prompt in greedy + first}) == 1


# --- a judge that lies ------------------------------------------------------------------------

SHOWN = {s.name: s.text for s in segments(DIALOGUE) if s.channel != "reasoning"}
NAMES = [*SHOWN, "t0.s0.reasoning", "t7.s0.reply", "t0.s1.tool_call.3"]
LETTERS = st.characters(exclude_characters='"\\', exclude_categories=["Cc", "Cs"])


def alphanumerics(text: str) -> str:
    """Every letter and digit, and nothing else: two texts that differ here differ in substance."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


@st.composite
def quotes(draw: st.DrawFn) -> tuple[str, str]:
    """A segment's name and words: a piece of some segment, mostly with something put into it."""
    name, source = draw(st.sampled_from(NAMES)), draw(st.sampled_from([*SHOWN.values()]))
    start, length = draw(st.integers(0, len(source) - 2)), draw(st.integers(2, 60))
    piece = source[start : start + length].replace('"', "'")
    at, added = draw(st.integers(0, len(piece))), draw(st.text(LETTERS, max_size=3))
    return name, piece[:at] + added + piece[at:]


@settings(max_examples=400, deadline=None)
@given(st.lists(quotes(), max_size=3))
def test_a_judge_that_quotes_what_is_not_there_never_passes(pairs: list[tuple[str, str]]) -> None:
    decision = decide(verdict("pass", *pairs), turn=None)
    there = [
        (name, quote)
        for name, quote in pairs
        if name in SHOWN and alphanumerics(quote) in alphanumerics(SHOWN[name])
    ]
    assert {(piece.segment, piece.quote) for piece in decision.evidence} <= {*there}
    assert decision.verdict is (Verdict.PASS if decision.evidence else Verdict.INSUFFICIENT)


@settings(deadline=None)
@given(st.sampled_from([*SHOWN]), st.data())
def test_a_judge_that_quotes_what_is_there_passes(name: str, data: st.DataObject) -> None:
    text = SHOWN[name]
    starts = [match.start() for match in re.finditer(r"(?<!\S)\S", text[: len(text) // 2])]
    start = data.draw(st.sampled_from(starts))
    quote = text[start : start + 100].replace('"', "'")
    assert decide(verdict("pass", (name, quote)), turn=None).verdict is Verdict.PASS


def test_no_step_of_a_long_dialogue_is_confused_with_another() -> None:
    replies = [Step(reply=f"This is reply number {i}.") for i in range(12)]
    turns = tuple(Turn("go on", tuple(replies[t * 4 : t * 4 + 4])) for t in range(3))
    trajectory = Trajectory("d", "book", turns)
    for t, s in itertools.product(range(3), range(4)):
        quote = (f"t{t}.s{s}.reply", f"reply number {t * 4 + s}.")
        engine = Scripted(lambda _, quote=quote: verdict("pass", quote))
        whole, own = decided(
            judge_of(engine),
            question(turn=None, trajectory=trajectory),
            question(turn=t, trajectory=trajectory),
        )
        assert (whole.step, own.step) == (t * 4 + s, s)
