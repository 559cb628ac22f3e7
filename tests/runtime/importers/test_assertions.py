"""τ²-bench's assertions in words: a check where one says the same, else a question to a judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from workshop import TOOLS, action, call, holds, imported, items, made, task, tool, written

from cm2.importers.questions import question, short, statement, title
from cm2dsl.draft.spec import Item

BOOK = action("book_slot", job="JOB17", day="2026-03-02")
CANCEL = action("cancel_job", job="JOB18")
LOOK = action("get_job", job="JOB17")


def judged(folder: Path, *assertions: str, **criteria: Any) -> tuple[list[Item], str]:
    """The items that a judge decides, and the task's comment."""
    spec, _ = made(folder, task(nl_assertions=list(assertions), **criteria))
    return [item for item in items(spec).values() if item.ask], spec.tasks[0].note


# --- checks that say the same -----------------------------------------------------------------


@pytest.mark.parametrize(
    "assertion",
    [
        "Agent cancels job JOB18.",
        "Agent should cancel JOB18",
        "The agent must cancel the job JOB18 (as the user is ill).",
        "Job JOB18 is cancelled.",
        "Check that the agent cancels JOB18",
    ],
)
def test_a_required_write_decides_an_assertion_that_names_it(
    tmp_path: Path, assertion: str
) -> None:
    asks, note = judged(tmp_path, assertion, actions=[BOOK, CANCEL])
    assert asks == []
    assert note.startswith("`cancel_job` decides: ")


@pytest.mark.parametrize(
    "assertion",
    [
        "Agent cancels job JOB19.",
        "Agent cancels job JOB18 for free.",
        "Agent cancels the job.",
        "Agent cancels job JOB18 and tells the user.",
        "Agent books JOB17 on 2026-03-03.",
        "Agent cancels JOB18 if the user insists.",
        "Agent cancels all of JOB18.",
        "Agent cancels 2 parts of JOB18.",
        "Agent closes JOB18.",
        "The user cancels JOB18 by phone.",
        "Agent cancels 'the lamp' of JOB18.",
        "Agent cancels JOB18 for Ines.",
    ],
)
def test_an_assertion_that_says_more_than_a_write_is_asked(tmp_path: Path, assertion: str) -> None:
    asks, note = judged(tmp_path, assertion, actions=[BOOK, CANCEL])
    assert len(asks) == 1
    assert note == ""


HOLD = action("order_parts", job="JOB17", parts=["bell 'Ding'", "LAMP-2"])
SPLIT = action("split_bill", job="JOB17", shares=[{"payer": "Ines Roth", "amount": 1250.5}])


@pytest.mark.parametrize(
    ("assertion", "decides"),
    [
        ("Agent makes a reservation of a slot for JOB17 on March 2.", "book_slot"),
        ("Agent should reserve the slot of JOB17 on 2026-03-02 in the workshop", "book_slot"),
        ("Agent cancels the whole repair JOB18.", "cancel_job"),
        ("Agent splits the bill: $1,250.50 for Ines Roth.", "split_bill"),
    ],
)
def test_a_write_with_every_id_amount_date_and_name_of_a_sentence_decides_it(
    tmp_path: Path, assertion: str, decides: str
) -> None:
    asks, note = judged(tmp_path, assertion, actions=[BOOK, CANCEL, SPLIT])
    assert asks == []
    assert note.startswith(f"`{decides}` decides: ")


@pytest.mark.parametrize(("writes", "asked"), [([HOLD], 0), ([HOLD, BOOK], 1)])
def test_a_sentence_without_names_is_decided_only_by_an_only_write_of_that_name(
    tmp_path: Path, writes: list[Any], asked: int
) -> None:
    said = "Agent should process the order of parts."
    asks, note = judged(tmp_path, said, actions=writes)
    assert len(asks) == asked
    assert note == ("" if asked else f"`order_parts` decides: {said}")


def test_a_sentence_that_two_writes_fit_or_that_names_another_choice_is_asked(
    tmp_path: Path,
) -> None:
    twice = [BOOK, action("book_slot", job="JOB17", day="2026-03-03")]
    asks, _ = judged(tmp_path, "Agent books JOB17 with care.", actions=twice)
    assert len(asks) == 1
    kinds = {"type": "string", "enum": ["city_bike", "race_bike"]}
    tools = [*TOOLS, tool("rent", "write", job={"type": "string"}, kind=kinds)]
    rent = action("rent", job="JOB17", kind="city_bike")
    said = ["Agent rents the race bike to JOB17.", "Agent rents the city bike to JOB17."]
    folder = written(tmp_path, task(nl_assertions=said, actions=[rent]), tools=tools)
    spec, _ = imported(folder, out="rent")
    assert [item.ask for item in items(spec).values() if item.ask] == [
        "Is it true that the agent rents the race bike to JOB17?"
    ]


def test_a_date_may_be_written_out(tmp_path: Path) -> None:
    asks, note = judged(tmp_path, "Agent books a slot for JOB17 on March 2 2026.", actions=[BOOK])
    assert asks == []
    assert note == "`book_slot` decides: Agent books a slot for JOB17 on March 2 2026."


def test_of_two_writes_to_one_object_the_one_that_is_named_decides(tmp_path: Path) -> None:
    both = [action("cancel_job", job="JOB17"), BOOK]
    _, note = judged(tmp_path, "Agent books a slot for JOB17.", actions=both)
    assert note.startswith("`book_slot` decides")


def test_a_denied_write_is_decided_by_the_veto(tmp_path: Path) -> None:
    asks, note = judged(tmp_path, "Agent does not cancel JOB18.", "Nothing is not changed.")
    assert [item.ask for item in asks] == []
    assert note.splitlines()[1:] == [
        "`no_writes` decides: Agent does not cancel JOB18.",
        "`no_writes` decides: Nothing is not changed.",
    ]


def test_a_denied_other_write_is_decided_by_the_veto_on_others(tmp_path: Path) -> None:
    asks, note = judged(tmp_path, "Agent does not cancel any other job.", actions=[CANCEL])
    assert (asks, note) == (
        [],
        "`no_other_writes` decides: Agent does not cancel any other job.",
    )


@pytest.mark.parametrize(
    "assertion",
    ["Agent does not offer to cancel JOB18.", "Agent refuses to cancel JOB18."],
)
def test_what_is_denied_in_words_is_asked_of_the_reply(tmp_path: Path, assertion: str) -> None:
    asks, _ = judged(tmp_path, assertion)
    assert [item.focus for item in asks] == [""]


def test_a_veto_that_allows_a_write_does_not_deny_it(tmp_path: Path) -> None:
    asks, note = judged(tmp_path, "Agent does not cancel JOB18.", actions=[CANCEL])
    assert len(asks) == 1
    assert note == ""


def test_without_a_veto_a_denial_is_asked(tmp_path: Path) -> None:
    asks, _ = judged(tmp_path, "Agent does not cancel JOB18.", actions=None)
    assert len(asks) == 1


def test_words_that_must_be_said_decide_an_assertion_with_their_figures(tmp_path: Path) -> None:
    said = ["1250", "12.50"]
    asks, note = judged(
        tmp_path,
        "Agent tells the user that the total is $1,250.",
        "Agent tells the user the prices $12.50 and $1250.00.",
        "Agent tells the user the prices $12.50 and $13.",
        "Agent tells the user that JOB17 costs nothing.",
        communicate_info=said,
        actions=[BOOK],
    )
    assert note.splitlines() == [
        "`says_1250` decides: Agent tells the user that the total is $1,250.",
        "`says_12_50` and `says_1250` decide: Agent tells the user the prices $12.50 and $1250.00.",
    ]
    assert len(asks) == 2


def test_words_that_are_said_by_chance_decide_nothing(tmp_path: Path) -> None:
    asks, note = judged(
        tmp_path, "Agent says that there are 4 bells.", communicate_info=["4"], actions=[BOOK]
    )
    assert len(asks) == 1
    assert note == ""


@pytest.mark.parametrize(
    ("basis", "weight"), [(["DB", "NL_ASSERTION"], None), (["DB", "COMMUNICATE"], 0)]
)
def test_a_read_that_is_asserted_is_a_check_and_weighs_only_where_assertions_do(
    tmp_path: Path, basis: list[str], weight: float | None
) -> None:
    one = task(actions=[LOOK, BOOK], nl_assertions=["Agent gets JOB17."], reward_basis=basis)
    spec, bundle = made(tmp_path, one)
    assert items(spec)["get_job"].weight == weight
    assert spec.tasks[0].note == "`get_job` decides: Agent gets JOB17."
    assert holds(bundle, call("get_job", job="JOB17"))["get_job"]
    assert not holds(bundle, call("get_job", job="JOB18"))["get_job"]


# --- questions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assertion", "focus"),
    [
        ("Agent tells the user the price.", ""),
        ("Agent confirms that the job was cancelled.", ""),
        ("Agent is polite.", ""),
        ("Agent cancels all jobs.", "tool_call"),
        ("Agent charges card_77 for the slot.", "tool_call"),
        ("The slot is booked.", "tool_call"),
        ("Agent does not charge twice.", ""),
    ],
)
def test_the_judge_looks_at_calls_for_deeds_and_at_the_reply_for_words(
    tmp_path: Path, assertion: str, focus: str
) -> None:
    (item,), _ = judged(tmp_path, assertion, actions=[BOOK, CANCEL])
    assert item.focus == focus


@pytest.mark.parametrize(
    ("assertion", "asked"),
    [
        ("Agent tells the price.", "Is it true that the agent tells the price?"),
        ("Agent should tell the price", "Does the agent tell the price?"),
        ("Agent should not haggle", "Is it true that the agent does not haggle?"),
        ("The user is thanked!", "Is it true that the user is thanked?"),
        ("The bell is ordered.", "Is it true that the bell is ordered?"),
        ("Check that the agent's tone is calm.", "Is this so: the agent's tone is calm?"),
        ("Is the agent calm?", "Is the agent calm?"),
        ("Agent tells it. Twice if asked.", "Is it true that the agent tells it?"),
        ("客服说明价格。", "Is this so: 客服说明价格。?"),
    ],
)
def test_an_assertion_is_asked_as_a_question(assertion: str, asked: str) -> None:
    assert question(assertion) == asked


def test_all_sentences_of_an_assertion_are_what_passes(tmp_path: Path) -> None:
    said = "Agent tells the price. The user hears it twice."
    (item,), _ = judged(tmp_path, said, actions=[BOOK])
    assert item.ask == "Is it true that the agent tells the price?"
    assert item.passes == (said,)


@pytest.mark.parametrize(
    ("assertion", "words"),
    [
        ("Agent should tell the user the price because they asked", "tell price"),
        ("The agent doesn't haggle.", "does not haggle"),
        ("Agent charges $1,250.50 on the card", "charges 125050 card"),
    ],
)
def test_a_name_is_made_of_the_words_that_tell_it_from_others(assertion: str, words: str) -> None:
    assert short(assertion) == words


def test_assertions_alike_and_odd_ones_have_names_of_their_own(tmp_path: Path) -> None:
    said = ["Agent is calm.", "Agent is calm!", "?!", "…", "  ", "7 bells ring"]
    asks, _ = judged(tmp_path, *said, actions=[BOOK])
    assert [item.name for item in asks] == [
        "calm",
        "calm_2",
        "assertion",
        "assertion_2",
        "assertion_7_bells_ring",
    ]


def test_a_statement_is_the_assertion_without_its_lead() -> None:
    assert statement("Verify that  the\nagent is calm") == "the agent is calm"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Short.", "Short."),
        ("First sentence of some length here. " + "x" * 60, "First sentence of some length here."),
        ("word " * 30, "word " * 15 + "…"),
        ("铃" * 90, "铃" * 79 + " …"),
    ],
)
def test_a_title_is_the_sentences_or_words_that_it_has_room_for(text: str, cut: str) -> None:
    assert title(text) == cut
    assert len(title(text)) <= 82
