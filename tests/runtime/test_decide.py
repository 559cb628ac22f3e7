"""What checks decide of a turn, step by step: kinds of item, facts and evidence."""

from __future__ import annotations

import pytest

from cm2.decide import dialogue_facts, run_check, turn_facts
from cm2.trajectory import Call, Step, Trajectory, Turn, segments
from cm2.verdict import Verdict
from cm2dsl import ir
from cm2dsl.checks import Facts, Scope

JUDGE = "judge"


def item(kind: str) -> ir.Item:
    place = ir.Place(file="spec.cm2", line=1, column=1)
    return ir.Item.model_validate(
        {"name": "i", "kind": kind, "weight": 1, "focus": "reply", "check": "f", "place": place}
    )


def decide(kind: str, values: list[bool | None]) -> tuple[str, int | None]:
    """(verdict, step) of an item whose check has these values after steps 0, 1, …"""
    facts = Facts((), (), len(values))
    decision = run_check(item(kind), lambda scope, row: values[scope.last], facts, None)
    if decision is None:
        return JUDGE, None
    assert decision.by == "check"
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


def test_facts_of_a_turn_are_its_calls_and_replies() -> None:
    facts = turn_facts(DIALOGUE, 0)
    assert facts.steps == 3
    assert [(reply.text, reply.step) for reply in facts.replies] == [
        ("Let me look", 0),
        ("Done", 2),
    ]
    assert [(call.tool, call.arguments, call.step) for call in facts.calls] == [
        ("search", {"x": 1}, 0),
        ("search", None, 0),
        ("book", {}, 0),
    ]


def test_a_result_that_is_not_json_is_none() -> None:
    assert [call.result for call in turn_facts(DIALOGUE, 0).calls] == [{"n": 7}, None, None]


@pytest.mark.parametrize("text", ["", "NaN", '{"a": 1, "a": 2}', "{'a': 1}", "1e999", "[" * 99999])
def test_a_result_that_two_readers_could_read_differently_is_none(text: str) -> None:
    dialogue = Trajectory("d", "t", (Turn("u", (Step(calls=(Call("1", "a", {}, "", text),)),)),))
    assert turn_facts(dialogue, 0).calls[0].result is None


def test_facts_name_the_segments_they_come_from() -> None:
    texts = {segment.name: segment.text for segment in segments(DIALOGUE)}
    for facts in (turn_facts(DIALOGUE, 0), turn_facts(DIALOGUE, 1), dialogue_facts(DIALOGUE)):
        for reply in facts.replies:
            assert texts[reply.segment] == reply.text
        for call in facts.calls:
            assert texts[call.segment].startswith(f"{call.tool}(")
    calls = turn_facts(DIALOGUE, 0).calls
    assert [texts.get(call.result_segment) for call in calls] == [
        '{"n": 7}',
        None,
        "Error: no seats",
    ]


def test_steps_of_the_dialogue_count_on_through_its_turns() -> None:
    facts = dialogue_facts(DIALOGUE)
    assert facts.steps == 4
    assert [(reply.text, reply.step) for reply in facts.replies][-1] == ("Bye", 3)
    assert [(call.tool, call.step) for call in facts.calls][-1] == ("book", 3)


def test_a_scope_sees_nothing_of_later_steps() -> None:
    facts = dialogue_facts(DIALOGUE)
    assert [Scope(facts, last).called("book", at_least=2) for last in range(4)] == [F, F, F, T]
    assert [Scope(facts, last).reply_contains("done") for last in range(4)] == [F, F, T, T]


def test_words_of_a_malformed_call_and_of_reasoning_are_no_reply() -> None:
    scope = Scope(turn_facts(DIALOGUE, 0), 2)
    assert scope.reply_contains("search(") is False
    assert scope.reply_contains("not a reply") is False
    assert scope.called("search") is True


def test_a_call_whose_arguments_are_no_object_counts_but_meets_no_constraint() -> None:
    scope = Scope(turn_facts(DIALOGUE, 0), 2)
    assert scope.called("search", at_least=2) is True
    assert scope.called("search", lambda a: True, at_least=2) is False


def test_calls_of_one_step_are_not_before_each_other() -> None:
    scope = Scope(turn_facts(DIALOGUE, 0), 2)
    assert scope.before("search", None, "book", None) is False
    assert scope.before("book", None, "search", None) is False
    later = Scope(dialogue_facts(DIALOGUE), 3)
    assert later.before("search", None, "book", None) is False
    assert later.before("search", None, "pay", None) is True


def test_evidence_is_what_matched() -> None:
    facts = dialogue_facts(DIALOGUE)
    check = run_check(item("item"), lambda d, row: d.reply_mentions("book", None, 0), facts, None)
    assert check is not None
    assert check.verdict is Verdict.FAIL
    assert check.evidence == ()
    called = run_check(item("never"), lambda d, row: d.called("book"), facts, None)
    assert called is not None
    assert called.verdict is Verdict.FAIL
    assert [one.segment for one in called.evidence] == ["t0.s0.tool_call.2"]
