"""How much of a dialogue is shown: bounded, the same for all items of a turn, the focus whole."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from judged import Scripted, decided, item, question, spec, verdict

from cm2.judge import Prompt, PromptedJudge, Question
from cm2.judge.bounds import LEAST, MARKER, Sized, bounded, caps
from cm2.judge.prompt import Templates
from cm2.judge.view import ViewError, ViewLimits, view
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import ir, prompts
from cm2dsl.reward.verdict import Verdict

FOCUSES: tuple[ir.Channel, ...] = ("user", "reasoning", "tool_call", "tool_result", "reply")
WORDS_AROUND = 4_000
"""Letters of a prompt that are no text of the dialogue, the spec or the row: see ViewLimits."""


def result(text: str) -> Call:
    return Call("c", "flight_search", {}, "", text)


def long_dialogue(size: int = 30_000) -> Trajectory:
    """Two turns, each with a long result in which every number stands once."""
    turns = []
    for t in range(2):
        numbers = " ".join(f"{t}{i:05d}" for i in range(size // 7))
        steps = (
            Step(reasoning=f"Thought {t}.", calls=(result(numbers),)),
            Step(reply=f"Reply {t}."),
        )
        turns.append(Turn(f"Question {t}", steps))
    return Trajectory("d", "book", tuple(turns))


def rendered(asked: Question, limits: ViewLimits, language: prompts.Language = "en") -> Prompt:
    return Templates(prompts.files(), language).render(asked, view(asked, (), limits), ())


def before_item(prompt: Prompt) -> str:
    """What comes before the first thing that is shown for the item alone."""
    return re.split(r"\n# (?:The criterion|More of the dialogue)", prompt.user)[0]


def test_a_long_result_loses_its_middle_and_says_how_much() -> None:
    user = rendered(question(trajectory=long_dialogue()), ViewLimits(result=1_000)).user
    assert "000000 000001" in user
    assert "004284" in user
    assert "002000" not in user
    assert re.search(r"\d ?\n\[… 2[89]\d\d\d characters left out …]\n ?\d", user)


def test_a_cut_falls_between_words_and_numbers() -> None:
    part = bounded("price 1,250.50 and no more " * 100, 400)
    text = "price 1,250.50 and no more " * 100
    assert text[len(part.head) - 1] == " " or text[len(part.head)] == " "
    assert part.tail[0] == " " or text[text.index(part.tail) - 1] == " "
    assert len(part.head) + part.left_out + len(part.tail) == len(text)


@pytest.mark.parametrize("focus", FOCUSES)
@pytest.mark.parametrize("turn", [0, 1, None])
def test_all_items_of_a_turn_are_shown_the_same_dialogue_and_what_they_look_at_whole(
    focus: ir.Channel, turn: int | None
) -> None:
    limits = ViewLimits(result=1_000)
    base = before_item(rendered(question(turn=turn, trajectory=long_dialogue()), limits))
    asked = question(item(focus=focus), turn=turn, trajectory=long_dialogue())
    prompt, shown = rendered(asked, limits), view(asked, (), limits)
    assert before_item(prompt) == base
    numbers = range(2) if turn is None else [turn]
    texts = {
        "user": [f"Question {t}" for t in numbers],
        "reasoning": [f"Thought {t}." for t in numbers],
        "tool_call": ["flight_search({})"],
        "tool_result": [f"{t}02000" for t in numbers],
        "reply": [f"Reply {t}." for t in numbers],
    }[focus]
    assert all(text in prompt.user for text in texts)
    assert len(shown.in_focus(focus)) == len(numbers)
    assert bool(shown.whole) == (focus in ("reasoning", "tool_result"))


def test_what_is_not_looked_at_is_not_shown_a_second_time() -> None:
    asked = question(item(focus="tool_result"), turn=1, trajectory=long_dialogue())
    assert [segment.name for segment in view(asked, (), ViewLimits(1_000)).whole] == [
        "t1.s0.tool_result"
    ]
    small = question(item(focus="tool_result"), trajectory=long_dialogue(700))
    assert view(small, (), ViewLimits(1_000)).whole == ()


def quoting(name: str, quote: str, focus: str = "reply") -> Verdict:
    """The verdict of a judge that passes the item on this quote, results cut to 1,000 letters."""
    engine = Scripted(lambda _: verdict("pass", (name, quote)))
    judge = PromptedJudge(engine, shown=ViewLimits(result=1_000))
    (decision,) = decided(judge, question(item(focus=focus), trajectory=long_dialogue()))
    return decision.verdict


def test_what_was_left_out_cannot_be_quoted_and_no_quote_reaches_over_it() -> None:
    name = "t0.s0.tool_result"
    user = rendered(question(trajectory=long_dialogue()), ViewLimits(result=1_000)).user
    match = re.search(r"(\d+) ?\n\[… (\d+) characters left out …]\n ?(\d+)", user)
    assert match is not None
    before, count, after = match.groups()
    assert quoting(name, "000000 000001") is Verdict.PASS
    assert quoting(name, after) is Verdict.PASS
    assert quoting(name, "002000 002001") is Verdict.INSUFFICIENT
    assert quoting(name, f"{before} {after}") is Verdict.INSUFFICIENT
    assert quoting(name, f"{before} [… {count} characters left out …] {after}") is (
        Verdict.INSUFFICIENT
    )
    assert quoting(name, f"{count} characters left out") is Verdict.INSUFFICIENT
    assert quoting(name, "002000 002001", focus="tool_result") is Verdict.PASS


def test_results_give_way_before_other_turns_and_those_before_the_own_turn() -> None:
    steps = (Step(calls=(result("r " * 2_000),)), Step(reply="a " * 2_000))
    dialogue = Trajectory("d", "book", (Turn("u " * 2_000, steps), Turn("v " * 2_000, steps)))

    def cut(total: int) -> set[str]:
        asked = question(item(focus="tool_call"), turn=1, trajectory=dialogue)
        shown = view(asked, (), ViewLimits(8_000, total)).segments
        return {segment.name for segment, part in shown if part.left_out}

    results = {"t0.s0.tool_result", "t1.s0.tool_result"}
    earlier = {"t0.user", "t0.s1.reply"}
    assert cut(30_000) == set()
    assert cut(22_000) == results
    assert cut(15_000) == results | earlier
    assert cut(8_000) == results | earlier | {"t1.user", "t1.s1.reply"}


def test_a_dialogue_that_does_not_fit_is_an_error_with_its_reason_and_asks_nothing() -> None:
    engine = Scripted(lambda _: verdict("fail"))
    judge = PromptedJudge(engine, shown=ViewLimits(total=20_000))
    whole = item(focus="tool_result")
    told = replace(long_dialogue(700), system="x" * 20_000)
    tools = (ir.Tool(name="f", parameters={}, description="x" * 20_000),)
    own = msgspec.structs.replace(spec(), tools=tools)
    row = ir.Row(key="1", split="train", values={"a": "x" * 20_000})
    filled = item(("Is ", ir.RowRef(path=("a",)), " there?"))
    for asked in (
        question(whole, trajectory=long_dialogue()),
        question(trajectory=told),
        question(own=own, trajectory=long_dialogue(700)),
        question(filled, row=row, trajectory=long_dialogue(700)),
    ):
        (decision,) = decided(judge, asked)
        assert decision.verdict is Verdict.ERROR
        assert decision.reason.startswith("the prompt cannot be kept to 20000 letters: ")
    assert engine.asked == []
    (decision,) = decided(judge, question(trajectory=long_dialogue()))
    assert decision.verdict is Verdict.FAIL


# --- any dialogue -----------------------------------------------------------------------------

LENGTHS = st.sampled_from([0, 1, 30, 399, 401, 900, 3_000, 12_000])
LETTERS = st.sampled_from(["word ", "x", "航", "1,0", "{}\n", "=", "a\u200b"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    piece, length = draw(LETTERS), draw(LENGTHS)
    return (piece * (length // len(piece) + 1))[:length]


@st.composite
def dialogues(draw: st.DrawFn) -> Trajectory:
    def step() -> Step:
        calls = tuple(result(draw(texts())) for _ in range(draw(st.integers(0, 2))))
        return Step(reply=draw(texts()), reasoning=draw(texts()), calls=calls)

    turns = [
        Turn(draw(texts()), tuple(step() for _ in range(draw(st.integers(1, 2)))))
        for _ in range(draw(st.integers(1, 3)))
    ]
    return Trajectory("d", "book", tuple(turns), system=draw(texts()))


@settings(max_examples=150, deadline=None)
@given(
    dialogues(),
    st.sampled_from([0, None]),
    st.sampled_from([500, 2_000, 8_000]),
    st.sampled_from([6_000, 20_000, 100_000]),
    st.sampled_from(FOCUSES),
    st.sampled_from(prompts.LANGUAGES),
)
def test_every_prompt_keeps_within_the_bounds_or_is_refused(
    dialogue: Trajectory,
    turn: int | None,
    most: int,
    total: int,
    focus: ir.Channel,
    language: prompts.Language,
) -> None:
    limits = ViewLimits(most, total)
    asked = question(item(focus=focus), turn=turn, trajectory=dialogue)
    everything = view(asked, (), ViewLimits(10**9, 10**9))
    try:
        shown = view(asked, (), limits)
    except ViewError:
        looked_at = {name: everything.texts()[name][0] for name in everything.in_focus(focus)}
        others = len(everything.segments) * (LEAST + MARKER + 60)
        least = sum(map(len, looked_at.values())) + len(everything.system) + others + 500
        assert least > total
        return
    prompt = rendered(asked, limits, language)
    assert len(prompt.user) <= total + WORDS_AROUND
    assert len(prompt.system) + len(prompt.user) - total <= WORDS_AROUND
    whole = {name: texts_[0] for name, texts_ in everything.texts().items()}
    assert shown.texts().keys() == whole.keys()
    assert shown.in_focus(focus) == everything.in_focus(focus)
    for name, pieces in shown.texts().items():
        assert f"[{name}]\n{shown.fence}\n" in prompt.user
        assert all(piece in prompt.user for piece in pieces)
        if name in shown.in_focus(focus):
            assert pieces == (whole[name],)
        elif len(pieces) == 2:
            assert whole[name].startswith(pieces[0])
            assert whole[name].endswith(pieces[1])
        else:
            assert pieces == (whole[name],)
        if name.split(".")[-1] == "tool_result" and name not in shown.in_focus(focus):
            assert sum(map(len, pieces)) <= most + MARKER


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.sampled_from([None, 0, 1, 2])), max_size=8),
    st.integers(1, 2_000),
    st.integers(0, 12_000),
)
@example([(385, None), (461, 1), (461, 2), (461, 2)], 1, 1926)
def test_no_more_is_cut_than_is_needed(
    drawn: list[tuple[int, int | None]], cap: int, room: int
) -> None:
    sizes = [Sized(length, 40, rank) for length, rank in drawn]
    most = caps(sizes, cap, room)
    if most is None:
        least = [None if s.rank is None else LEAST for s in sizes]
        assert sum(s.shown(m) for s, m in zip(sizes, least, strict=True)) > room
        return
    assert sum(s.shown(m) for s, m in zip(sizes, most, strict=True)) <= room
    evenly = {s.rank: m for s, m in zip(sizes, most, strict=True)}
    for rank in (1, 2):
        cut = evenly.get(rank)
        if cut is not None and rank == 1 and evenly.get(2) is not None:
            assert cut == LEAST, "the next rank gives way where this one has nothing left to give"
        elif cut is not None and any(s.length > cut + MARKER for s in sizes if s.rank == rank):
            more = [
                (m + 1 if m is not None and s.rank == rank else m)
                for s, m in zip(sizes, most, strict=True)
            ]
            assert sum(s.shown(m) for s, m in zip(sizes, more, strict=True)) > room
    assert evenly.get(None) is None
