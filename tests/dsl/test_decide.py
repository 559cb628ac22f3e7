"""What checks decide of a turn, step by step: kinds of item, facts and evidence."""

from __future__ import annotations

from typing import Any

import pytest

from cm2dsl.reward.decide import settle
from cm2dsl.reward.verdict import Verdict
from cm2dsl.scope import Facts, Scope, facts_of
from cm2dsl.trajectory import Call, Step, Trajectory, Turn, segments

JUDGE = "judge"


def decide(kind: Any, values: list[bool | None]) -> tuple[str, int | None]:
    """(verdict, step) of an item whose check has these values after steps 0, 1, …"""
    scope = Scope(Facts([], [], [], 0, [(0, 0, 0, 0), (len(values), 0, 0, 0)]))
    true = sum(1 << s for s, value in enumerate(values) if value is True)
    false = sum(1 << s for s, value in enumerate(values) if value is False)
    check: Any = (true, false) if None in values else true
    settled = settle(kind, lambda scope, row: check, scope, None)
    if settled is None:
        return JUDGE, None
    decision = settled.decision
    assert decision.by == "check"
    assert (decision.verdict is Verdict.PASS) is settled.holds
    return decision.verdict.value, decision.step


T, F, N = True, False, None


@pytest.mark.parametrize(
    ("kind", "values", "verdict", "step"),
    [
        ("item", [T], "pass", 0),
        ("item", [F, T, F], "pass", 1),
        ("item", [F, F], "fail", None),
        ("item", [N, T], "pass", 1),
        ("item", [N, F], JUDGE, None),
        ("item", [F, N], JUDGE, None),
        ("always", [T, T], "pass", 1),
        ("always", [T, F, T], "fail", None),
        ("always", [N, F], "fail", None),
        ("always", [T, N], JUDGE, None),
        ("never", [F, F, F], "pass", 2),
        ("never", [F, T, F], "fail", None),
        ("never", [F, N], JUDGE, None),
        ("at_end", [F, T], "pass", 1),
        ("at_end", [T, F], "fail", None),
        ("at_end", [N, T], "pass", 1),
        ("at_end", [T, N], JUDGE, None),
    ],
)
def test_each_kind_of_item(
    kind: str, values: list[bool | None], verdict: str, step: int | None
) -> None:
    assert decide(kind, values) == (verdict, step)


@pytest.mark.parametrize("kind", ["item", "always", "never", "at_end"])
def test_a_turn_without_a_step_fails_everything(kind: str) -> None:
    assert decide(kind, []) == ("fail", None)


DIALOGUE = Trajectory(
    id="d",
    task="t",
    turns=(
        Turn(
            "hello",
            (
                Step(
                    reply="Let me look",
                    reasoning="not a reply",
                    calls=(
                        Call("1", "search", {"x": 1}, "", '{"n": 7}'),
                        Call("2", "search", None, "{", None),
                        Call("3", "book", {}, "", "Error: no seats"),
                    ),
                    malformed="search(",
                ),
                Step(reply=""),
                Step(reply="Done"),
            ),
        ),
        Turn("bye", (Step(reply="Bye", calls=(Call("4", "book", {}, "", "[1]"),)),)),
    ),
)


FACTS = facts_of(DIALOGUE)


def turn() -> Scope:
    """The first turn: three steps."""
    return Scope(FACTS, turn=0)


def whole() -> Scope:
    return Scope(FACTS)


def steps(answer: int, scope: Scope) -> list[bool]:
    return [bool(answer >> s & 1) for s in range(scope.steps)]


def test_facts_of_a_turn_are_its_calls_and_replies() -> None:
    assert turn().steps == 3
    assert [(reply.text, reply.step) for reply in turn().replies] == [
        ("Let me look", 0),
        ("Done", 2),
    ]
    assert [(call.tool, call.arguments, call.step) for call in turn().calls] == [
        ("search", {"x": 1}, 0),
        ("search", None, 0),
        ("book", {}, 0),
    ]


def test_a_result_that_is_not_json_is_none() -> None:
    assert [call.result for call in turn().calls] == [{"n": 7}, None, None]


@pytest.mark.parametrize("text", ["", "NaN", '{"a": 1, "a": 2}', "{'a': 1}", "1e999", "[" * 99999])
def test_a_result_that_two_readers_could_read_differently_is_none(text: str) -> None:
    dialogue = Trajectory("d", "t", (Turn("u", (Step(calls=(Call("1", "a", {}, "", text),)),)),))
    assert facts_of(dialogue).calls[0].result is None


def test_facts_name_the_segments_they_come_from() -> None:
    texts = {segment.name: segment.text for segment in segments(DIALOGUE)}
    for reply in FACTS.replies:
        assert texts[reply.name] == reply.text
    for call in FACTS.calls:
        assert texts[call.segment("call")].startswith(f"{call.tool}(")
        assert texts.get(call.segment("result")) == call.text
    assert len(FACTS.replies) == 3
    assert len(FACTS.calls) == 4


def test_steps_of_the_dialogue_count_on_through_its_turns() -> None:
    assert whole().steps == 4
    assert FACTS.lengths == [3, 1]
    second = Scope(FACTS, turn=1)
    assert [(reply.text, reply.step, reply.at) for reply in second.replies] == [("Bye", 0, 3)]
    assert [(call.tool, call.step, call.at) for call in second.calls] == [("book", 0, 3)]


def test_a_scope_may_leave_out_the_turns_that_were_not_reached() -> None:
    reached = Scope(FACTS, turns=1)
    assert reached.steps == 3
    assert reached.called("book", at_most=1) == reached.all
    assert not reached.reply_contains("bye")
    nothing = Scope(FACTS, turns=0)
    assert (nothing.steps, nothing.all) == (0, 0)
    assert not nothing.called("search")


def test_an_answer_says_nothing_of_earlier_steps() -> None:
    scope = whole()
    assert steps(scope.called("book", at_least=2), scope) == [F, F, F, T]
    assert steps(scope.called("book", at_least=0, at_most=1), scope) == [T, T, T, F]
    assert steps(scope.reply_contains("done"), scope) == [F, F, T, T]
    assert steps(scope.replied(), scope) == [F, F, T, F]


def test_words_of_a_malformed_call_and_of_reasoning_are_no_reply() -> None:
    assert not turn().reply_contains("search(")
    assert not turn().reply_contains("not a reply")
    assert turn().called("search")


def test_a_call_whose_arguments_are_no_object_counts_but_meets_no_constraint() -> None:
    assert turn().called("search", at_least=2)
    assert not turn().called("search", lambda a: True, at_least=2)


def test_calls_of_one_step_are_not_before_each_other() -> None:
    assert not turn().before("search", None, "book", None)
    assert not turn().before("book", None, "search", None)
    assert not whole().before("search", None, "book", None)
    assert whole().before("search", None, "pay", None)


def test_a_call_succeeded_or_failed_only_if_it_was_answered() -> None:
    scope = turn()
    assert steps(scope.succeeded("search"), scope) == [T, T, T]
    assert not scope.succeeded("search", at_least=2)  # the second has no result
    assert not scope.failed("search")
    assert scope.failed("book")
    assert not scope.succeeded("book")


def test_what_the_dialogue_says_of_a_result_counts_more_than_its_text() -> None:
    said = [
        Call("1", "a", {}, "", "Error: no", failed=False),
        Call("2", "b", {}, "", "ok", failed=True),
    ]
    scope = Scope(facts_of(Trajectory("d", "t", (Turn("u", (Step(calls=tuple(said)),)),))))
    assert scope.succeeded("a")
    assert scope.failed("b")


def test_what_the_user_called_is_there_from_the_first_step_of_its_turn() -> None:
    act = Call("u", "toggle", {"on": True}, "", "ok")
    turns = (
        Turn("a", (Step(reply="Toggle it"),)),
        Turn("b", (Step(reply="x"), Step(reply="y")), (act,)),
    )
    facts = facts_of(Trajectory("d", "t", turns))
    scope = Scope(facts)
    assert steps(scope.user.called("toggle", lambda a: a["on"] is True), scope) == [F, T, T]
    assert not scope.called("toggle")
    assert [fact.segment("call") for fact in facts.acts] == ["t1.user_call"]


def test_what_the_user_does_after_the_last_step_counts_at_that_step() -> None:
    act = Call("u", "toggle", {}, "", "ok")
    turns = (Turn("a", (Step(reply="x"), Step(reply="y"))), Turn("", (), (act,)))
    scope = Scope(facts_of(Trajectory("d", "t", turns)))
    assert steps(scope.user.succeeded("toggle"), scope) == [F, T]


def test_calls_may_be_left_out_by_a_pattern() -> None:
    scope = whole()
    assert scope.called(("search", "book"), at_least=4)
    assert not scope.called(("search", "book"), but=[("book", None)], at_least=3)
    assert scope.called(("search", "book"), but=[("search", lambda a: a["x"] == 1)], at_least=3)


def test_evidence_is_what_matched_up_to_the_step_that_decided() -> None:
    nothing = settle("item", lambda d, row: d.reply_mentions("book", None, 0), whole(), None)
    assert nothing is not None
    assert not nothing.holds
    assert nothing.segments == []
    called = settle("never", lambda d, row: d.called("book"), whole(), None)
    assert called is not None
    assert called.decision.verdict is Verdict.FAIL
    assert called.segments == ["t0.s0.tool_call.2"]


def test_evidence_of_a_closed_step_is_its_reply() -> None:
    scope = whole()
    closed = settle("item", lambda d, row: d.replied(), scope, None)
    assert closed is not None
    assert closed.segments == ["t0.s2.reply"]
    assert scope.evidence([("closed", ())], 1) == []
