"""A quote counts where it is really there, and only there."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cm2.judge.hygiene import revealed
from cm2.judge.quote import normalised, occurs, verified
from cm2dsl.reward.verdict import Evidence

TEXT = "MU5101 departs at 08:00, costs €1,250.50 -- “non-refundable”.\nAnything else?"


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("departs at 08:00", TEXT),
        ("DEPARTS AT 08:00", TEXT),
        ("costs €1,250.50 - 'non-refundable'", TEXT),
        ("non-refundable'. Anything else", TEXT),
        ("25%", "25 % off"),
        ("25 %", "25% off"),
        ("-5", "balance –5"),
        ("-5 EUR", "balance −5 EUR"),
        ("x=5", "if x = 5 then"),
        ("5 - 3", "5-3"),
        ("5 EUR", "(5 EUR)"),
        ("5 EUR", "it is 5 EUR."),
        ("{'op': 'a'", '{"op":"a"}'),
        ("flight_search", "flight_search()"),
        ("可以退", "订单可以退"),
        ("好的", "特别好的"),
        ("departs   at\t08:00", TEXT),
        ("ＭＵ５１０１ departs at 08：00", TEXT),
        ("MU\u200b5101", TEXT),
        ("从北京到上海的航班 MU5101", "从北京到上海的航班MU5101，商务舱。"),
        ("上海 的航班", "从北京到上海的航班"),
        ("{'id': 'R7', 'ok': true}", 'cancel({"id": "R7", "ok": true})'),
        ("flight_search('PEK')", 'flight_search("PEK")'),
        ("好", "好。"),
        ("5", "5"),
    ],
)
def test_a_quote_may_differ_in_case_width_space_and_punctuation(quote: str, text: str) -> None:
    assert occurs(quote, text)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("departs at 09:00", TEXT),
        ("MU5102", TEXT),
        ("costs 125050", "costs 1250.50"),
        ("costs 1,5", "costs 1.5"),
        ("costs 15", "costs 1.5"),
        ("balance: 5", "balance: -5"),
        ("up by 10%", "up by 10"),
        ("at 8:00 am", "at 800 am"),
        ("", TEXT),
        ("   ", TEXT),
        (".", TEXT),
        ("...", "Well ..."),
        ("\u200b", "a\u200bb"),
        ("e", TEXT),
        ("anything", ""),
        ("***", "a *** b"),
        ("non-refundable Anything else", TEXT),
    ],
)
def test_a_quote_that_is_not_there_or_says_nothing_does_not_count(quote: str, text: str) -> None:
    assert not occurs(quote, text)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("x = 5", "x != 5"),
        ("x = 5", "x ≠ 5"),
        ("a < b", "a > b"),
        ("5-3", "5*3"),
        ("5 3", "5 - 3"),
        ("52 = 25", "5² = 25"),
        ("12", "½"),
        ("5", "5²"),
        ("$5", "€5"),
        ("no refund of 87 EUR", "No. Refund of 87 EUR is done"),
        ("I can not", "I can. Not now"),
        ("I can. Not now", "I can not now"),
        ("可以退款", "可以。退款"),
    ],
)
def test_signs_and_sentence_ends_are_not_skipped(quote: str, text: str) -> None:
    assert not occurs(quote, text)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("costs 8", "it costs 87 EUR"),
        ("7 EUR", "it costs 87 EUR"),
        ("5 EUR", "balance is -5 EUR"),
        ("5 EUR", "balance is −5 EUR"),
        ("$5", "balance is -$5"),
        ("5 EUR", "1.5 EUR"),
        ("5 EUR", ".5 EUR"),
        ("EUR 5", "EUR 5.50"),
        ("2 of it", "1/2 of it"),
        ("up by 10", "up by 10%"),
        ("up by 10", "up by 10 %"),
        ("5101", "MU5101"),
        ("I can", "I cannot"),
        ("not", "I cannot"),
        ("I can", "I can't"),
        ("refundable", "non-refundable"),
        ("flight", "flight_search()"),
        ("可以退", "不可以退"),
        ("收到", "未收到"),
    ],
)
def test_a_quote_cuts_no_word_number_or_negation(quote: str, text: str) -> None:
    assert not occurs(quote, text)


@pytest.mark.parametrize(
    ("quote", "text", "there"),
    [
        ("the refund is 87 EUR", "the **refund** is *87 EUR*, ok", True),
        ("bold, and", "**bold**, and", True),
        ("done. It is", "**done.** It is", True),
        ("**bold**", "a **bold** b", True),
        ("5*3", "5*3", True),
        ("5-3", "5*-3", False),
        ("53", "5*3", False),
        ("5 3", "5 * 3", False),
        ("2 3", "2**3", False),
        ("a b", "a * b", False),
    ],
)
def test_stars_of_markdown_say_nothing_and_a_product_is_one(
    quote: str, text: str, there: bool
) -> None:
    assert occurs(quote, text) is there


def test_only_a_quote_of_full_length_may_end_inside_a_word_or_a_number() -> None:
    text = "word " * 19 + "refundable, costs 1250"
    assert occurs(text[:100], text)
    assert not occurs(text[:99], text)
    assert not occurs(text[1:101], text)
    number = "w" * 97 + " 1250"
    assert occurs(number[:100], number)
    assert not occurs("w" * 97 + " 1351", number)


def test_a_quote_counts_only_in_the_segment_it_names() -> None:
    shown = {"t0.user": ("book it",), "t0.s0.reply": ("it is booked",)}
    pairs = [
        ("t0.user", "it is booked"),
        ("t0.s0.reply", "it is booked"),
        ("t9.s9.reply", "it is booked"),
        ("t0.s0.reply", "it is booked"),
    ]
    assert verified(pairs, shown) == (Evidence("t0.s0.reply", "it is booked"),)


def test_a_quote_does_not_reach_over_what_was_left_out() -> None:
    shown = {"t0.s0.tool_result": ("fares from 100", "and fees of 20")}
    pairs = [
        ("t0.s0.tool_result", "from 100 and fees"),
        ("t0.s0.tool_result", "from 100 [… 5000 characters left out …] and fees"),
        ("t0.s0.tool_result", "5000 characters left out"),
        ("t0.s0.tool_result", "fees of 20"),
    ]
    assert verified(pairs, shown) == (Evidence("t0.s0.tool_result", "fees of 20"),)


@pytest.mark.parametrize("quote", ["refund 87 EUR", "re\u200bfund 87 EUR", "re<U+200B>fund 87 EUR"])
@pytest.mark.parametrize("raw", ["re\u200bfund\u00ad 87\u202e EUR", "refund\u00a087\u2028EUR"])
def test_a_quote_of_a_text_with_hidden_letters_may_spell_them_out_or_not(
    quote: str, raw: str
) -> None:
    assert occurs(quote, revealed(raw))


def test_codes_of_letters_that_a_reader_sees_are_words_like_others() -> None:
    assert not occurs("refund", "re<U+0041>fund")
    assert not occurs("<U+200B>", "a<U+200B>b")


@settings(deadline=None)
@given(st.text(), st.text(min_size=2), st.text())
@example("0/", "00", "")
@example("不", "可以", "")
@example("", "_00", "")
@example("", ".00", "")
def test_every_line_of_a_text_that_says_anything_occurs_in_it(a: str, b: str, c: str) -> None:
    assume(sum(map(str.isalnum, normalised(b))) > 1)
    assert occurs(b, f"{a}\n{b}\n{c}")


def test_a_decimal_mark_before_a_number_is_quoted_or_the_number_is_not_found() -> None:
    assert occurs("costs .50", "it costs .50 in all")
    assert occurs(".50", "it is .50")
    assert not occurs("50", "it is .50")
    assert not occurs(".50", "it is 1.50")
    assert not occurs(".50", "it is 50")
    assert occurs("…50 EUR", "it is 50 EUR")


def test_a_minus_before_a_currency_is_quoted_or_the_amount_is_not_found() -> None:
    assert occurs("-$5.00", "a change of -$5.00 in all")
    assert not occurs("$5.00", "a change of -$5.00 in all")
    assert not occurs("-$5.00", "a change of $5.00 in all")
    assert not occurs("$ 5.00", "a change of -$ 5.00 in all")


@settings(deadline=None)
@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
