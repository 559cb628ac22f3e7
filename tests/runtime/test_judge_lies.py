"""A judge that quotes what is not there never passes an item, however it is asked.

It lies in every answer: to a plain question and to one that is asked again, in every vote, of a
dialogue that is cut, with a step of its own, in both languages.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged import TASK, Scripted, decided, item, judge_of, question, spec

from cm2.judge import Prompt, PromptedJudge, Question
from cm2.judge.desk import Limits
from cm2.judge.hygiene import concealed
from cm2.judge.view import ViewLimits, view
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import prompts
from cm2dsl.reward.verdict import Decision, Verdict

LIMITS = ViewLimits(result=500)
RESULT = "余额：1,250.50 元；" + " ".join(f"R{i:04d}" for i in range(500)) + "；状态“已完成”。"
DIALOGUE = Trajectory(
    "d",
    "book",
    (
        Turn(
            "我想退票（订单 R-5521），能退多少？",
            (
                Step(reasoning="先查询。", calls=(Call("c", "flight_search", {}, "", RESULT),)),
                Step(reply="已为您退票，退款 87.50 元，3–5 天到账。「请留意短信」"),
            ),
        ),
        Turn(
            "Thanks\u200b — is it final?", (Step(reply="Yes, -5% fee: final\u2028amount 87.50."),)
        ),
    ),
    system="Be polite.",
)
ASKED = tuple(
    replace(question(item(focus=focus), turn=turn, trajectory=DIALOGUE), dated=dated)
    for focus in ("reply", "tool_result")
    for turn in (0, None)
    for dated in (False, True)
)
SHOWN = [view(each, (), LIMITS).texts() for each in ASKED]
NAMES = [*SHOWN[-1], "t0.s0.reasoning", "t7.s0.reply", "t0.s1.tool_call.3"]
WIDE = dict(zip(",.:;!?()-%", "，。：；！？（）－％", strict=True))
STEPS = ["t0.s0", "t0.s1", "t1.s0", "t0.s9", "t9.s0", "none"]


@cache
def substance(text: str) -> str:
    """Letters and digits alone: texts that differ here say different things."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def is_there(quote: str, texts: Sequence[str]) -> bool:
    """Whether one of the texts says what is quoted, codes of hidden letters in it or not."""
    return any(
        substance(kind(quote)) in substance(kind(text))
        for text in texts
        for kind in (str, concealed)
    )


@st.composite
def quotes(draw: st.DrawFn) -> tuple[str, str]:
    """A piece of some text, also of what was left out, of other width, with something added."""
    sources = [text for pieces in SHOWN[-1].values() for text in pieces] + [RESULT]
    source = draw(st.sampled_from(sources))
    start = draw(st.integers(0, len(source) - 2))
    piece = source[start : start + draw(st.integers(2, 60))]
    if draw(st.booleans()):
        piece = "".join(WIDE.get(letter, letter) for letter in piece)
    added = draw(st.text(st.sampled_from("09.-x误 ，…\u200b"), max_size=3))
    at = draw(st.integers(0, len(piece)))
    quote = (piece[:at] + added + piece[at:]).replace('"', "'").replace("\\", " ")
    plain = "".join(
        " " if letter < " " or "\ud800" <= letter <= "\udfff" else letter for letter in quote
    )
    return draw(st.sampled_from(NAMES)), plain[:100]


def answer(prompt: Prompt, pairs: list[tuple[str, str]], step: str) -> str:
    evidence = [{"segment": name, "quote": quote} for name, quote in pairs]
    found = {"evidence": evidence, "reason": "如此。", "verdict": "pass"}
    dated = {"step": step} if prompt.shape == "dated" else {}
    return json.dumps(found | dated, ensure_ascii=False)


def told(lies: list[list[tuple[str, str]]], step: str, asked: Question, language: str) -> Decision:
    """The decision of a judge that says one thing after the other, and then the last for ever."""
    queue = iter(lies)
    said: dict[tuple[str, int | None], list[tuple[str, str]]] = {}

    def reply(prompt: Prompt) -> str:
        key = (prompt.user, prompt.seed)
        if key not in said:
            said[key] = next(queue, lies[-1])
        return answer(prompt, said[key], step)

    judge = PromptedJudge(
        Scripted(reply),
        limits=Limits(backoff=0),
        shown=LIMITS,
        language=language,  # type: ignore[arg-type]
    )
    (decision,) = decided(judge, asked)
    return decision


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.lists(quotes(), max_size=3), min_size=1, max_size=6),
    st.sampled_from(STEPS),
    st.sampled_from(range(len(ASKED))),
    st.sampled_from([1, 3]),
    st.sampled_from(prompts.LANGUAGES),
)
def test_a_pass_rests_on_words_that_are_there_however_often_the_judge_is_asked(
    lies: list[list[tuple[str, str]]], step: str, number: int, votes: int, language: str
) -> None:
    asked = replace(ASKED[number], spec=spec(votes=votes))
    decision = told(lies, step, asked, language)
    shown = SHOWN[number]
    assert decision.verdict in (Verdict.PASS, Verdict.INSUFFICIENT)
    if decision.verdict is Verdict.INSUFFICIENT:
        assert (decision.evidence, decision.step) == ((), None)
        return
    assert decision.evidence
    for piece in decision.evidence:
        assert substance(concealed(piece.quote or ""))
        assert is_there(piece.quote or "", shown[piece.segment])
    assert decision.step in range(3 if asked.turn is None else 2)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(quotes(), max_size=3), min_size=1, max_size=6),
    st.sampled_from(STEPS),
    st.sampled_from(range(len(ASKED))),
    st.sampled_from([1, 3, 5]),
    st.sampled_from(prompts.LANGUAGES),
)
def test_a_judge_that_never_quotes_what_is_there_never_passes(
    lies: list[list[tuple[str, str]]], step: str, number: int, votes: int, language: str
) -> None:
    shown = SHOWN[number]
    false = [
        [(name, quote) for name, quote in pairs if not is_there(quote, shown.get(name, ()))]
        for pairs in lies
    ]
    asked = replace(ASKED[number], spec=spec(votes=votes))
    decision = told(false, step, asked, language)
    assert (decision.verdict, decision.evidence) == (Verdict.INSUFFICIENT, ())


TRUE = ("t0.s1.reply", "退款 87.50 元")


@pytest.mark.parametrize(
    "quote",
    [
        "退款87.50元",
        "退款 ８７.５０ 元",
        "退款 87.50 元, 3-5 天到账",
        "天到账。“请留意短信”",
        "已为您退票,退款",
    ],
)
def test_a_quote_may_have_the_punctuation_of_another_script(quote: str) -> None:
    assert told([[("t0.s1.reply", quote)]], "none", ASKED[0], "zh").verdict is Verdict.PASS


@pytest.mark.parametrize(
    "quote", ["退款 8750 元", "退款 87,50 元", "退款 87.5 元", "-87.50 元", "退款 87.50%"]
)
def test_another_number_is_another_quote_in_any_script(quote: str) -> None:
    decision = told([[("t0.s1.reply", quote)]], "none", ASKED[0], "zh")
    assert decision.verdict is Verdict.INSUFFICIENT


def test_one_honest_answer_after_a_groundless_one_is_believed_and_a_second_lie_is_not() -> None:
    lie = ("t0.s1.reply", "退款 99 元")
    for language in prompts.LANGUAGES:
        assert told([[lie], [TRUE]], "none", ASKED[0], language).verdict is Verdict.PASS
        assert told([[lie], [lie]], "none", ASKED[0], language).verdict is Verdict.INSUFFICIENT


# --- the step that a judge names --------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "evidence", "named", "step"),
    [
        (0, ("t0.s0.tool_result", "R0000"), "t0.s0", 0),
        (0, ("t0.s0.tool_result", "R0000"), "t0.s1", 1),  # later than what shows it
        (0, TRUE, "t0.s0", 1),  # earlier than what shows it: it cannot be
        (0, TRUE, "t1.s0", 1),  # of another turn, or of none: its evidence dates it
        (0, ("t0.s0.tool_result", "R0000"), "t0.s9", 0),
        (0, ("t0.s0.tool_result", "R0000"), "none", 0),
        (0, ("t0.user", "我想退票"), "t0.s0", 0),  # the user's words date nothing
        (0, ("t0.user", "我想退票"), "none", 1),
        (1, TRUE, "t1.s0", 0),
        (1, TRUE, "t0.s1", 0),
        (None, TRUE, "t1.s0", 2),
        (None, TRUE, "t0.s0", 1),
        (None, ("t0.user", "我想退票"), "t9.s0", 2),
    ],
)
def test_an_item_holds_from_the_later_of_the_step_named_and_that_of_its_evidence(
    turn: int | None, evidence: tuple[str, str], named: str, step: int
) -> None:
    asked = replace(question(turn=turn, trajectory=DIALOGUE), dated=True)
    decision = told([[evidence]], named, asked, "zh")
    assert (decision.verdict, decision.step) == (Verdict.PASS, step)


@pytest.mark.parametrize("kind", ["always", "never", "at_end"])
def test_what_is_decided_when_the_turn_ends_holds_from_there_whatever_step_is_named(
    kind: str,
) -> None:
    asked = replace(question(item(kind=kind), trajectory=DIALOGUE), dated=True)
    assert told([[("t0.s0.tool_result", "R0000")]], "t0.s0", asked, "en").step == 1


def test_a_step_named_with_a_fail_says_nothing() -> None:
    def reply(prompt: Prompt) -> str:
        return answer(prompt, [TRUE], "t0.s0").replace('"pass"', '"fail"')

    asked = replace(question(trajectory=DIALOGUE), dated=True)
    (decision,) = decided(judge_of(Scripted(reply)), asked)
    assert (decision.verdict, decision.step) == (Verdict.FAIL, None)


# --- languages --------------------------------------------------------------------------------


def asking(*asks: str) -> Question:
    items = tuple(msgspec.structs.replace(item(ask), name=f"i{n}") for n, ask in enumerate(asks))
    turns = (msgspec.structs.replace(TASK.turns[0], items=items), *TASK.turns[1:])
    task = msgspec.structs.replace(TASK, turns=turns)
    own = msgspec.structs.replace(spec(), tasks=(task,))
    return Question(own, task, None, 0, items[0], DIALOGUE)


@pytest.mark.parametrize(
    ("asks", "is_chinese"),
    [
        (["回复是否有礼貌？"], True),
        (["Is the reply polite?"], False),
        (["回复是否写出了 flight_search 返回的航班？"], True),
        (["Does the reply name 上海浦东?"], False),
        (["返信は丁寧ですか？"], False),
        (["回复是否有礼貌？", "Is it so?"], False),
        (["回复是否有礼貌？", "金额对吗？", "Is it so?"], True),
    ],
)
def test_the_instructions_are_in_the_language_of_most_questions(
    asks: list[str], is_chinese: bool
) -> None:
    engine = Scripted(lambda prompt: answer(prompt, [TRUE], "none"))
    decided(judge_of(engine), asking(*asks))
    (prompt,) = engine.asked
    assert ("你要判断一段对话" in prompt.system) == is_chinese
    assert ("# 标准" in prompt.user) == is_chinese
    assert ("# The criterion" in prompt.user) != is_chinese


def test_who_is_asked_again_is_asked_in_the_same_language() -> None:
    lie = ("t0.s1.reply", "退款 99 元")
    for ask, word in (("回复是否有礼貌？", "逐字抄录"), ("Is the reply polite?", "word for word")):
        engine = Scripted(lambda prompt: answer(prompt, [lie], "none"))
        decided(judge_of(engine), asking(ask))
        first, again = engine.asked
        assert again.user.startswith(first.user)
        assert word in again.user[len(first.user) :]


@pytest.mark.parametrize("language", prompts.LANGUAGES)
@pytest.mark.parametrize("dated", [False, True])
def test_the_instructions_name_every_key_of_the_answer_and_every_verdict(
    language: prompts.Language, dated: bool
) -> None:
    engine = Scripted(lambda prompt: answer(prompt, [TRUE], "none"))
    judge = PromptedJudge(engine, language=language)
    decided(judge, replace(question(trajectory=DIALOGUE), dated=dated))
    system = engine.asked[0].system
    schema = json.loads(prompts.files()[prompts.DATED_SCHEMA if dated else prompts.SCHEMA])
    words = [*schema["properties"], *schema["properties"]["verdict"]["enum"], "segment", "quote"]
    assert all(f'"{word}"' in system for word in words)
    assert ('"step"' in system) == dated
