"""Tasks in which nothing is to be changed: what they pay for, and that they say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from workshop import (
    action,
    call,
    dialogue,
    imported,
    items,
    made,
    result,
    reward,
    task,
    tool,
    written,
)

LOOK = action("get_job", job="J1")
HAND = action("transfer_to_mechanic", summary="The frame is cracked.")
FOUND = call("get_job", '{"job": "J1"}', job="J1")
VACUOUS = "close to vacuous"


@pytest.mark.parametrize("reads", [[], [LOOK], [HAND], [LOOK, HAND]])
@pytest.mark.parametrize("basis", [None, ["DB"], ["DB", "ACTION"], ["ENV_ASSERTION"]])
def test_an_agent_that_says_nothing_earns_nothing(
    tmp_path: Path, reads: list[object], basis: list[str] | None
) -> None:
    _, bundle = made(tmp_path, task(actions=reads, reward_basis=basis))
    silent = [dialogue(reply=""), dialogue(FOUND, reply="")]
    assert [result(bundle, one).reward for one in silent] == [0.0, 0.0]


def test_where_the_reference_does_nothing_an_answer_is_all_it_takes(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task())
    assert list(items(spec)) == ["no_writes", "answers"]
    assert reward(bundle, reply="I cannot do that.") == 1.0
    assert reward(bundle, call("cancel_job", job="J1")) == 0.0
    assert spec.unsaid == [
        "close to vacuous, as no write and no words decide it; without a judge, all it takes is "
        "any answer, with nothing changed: `repair`"
    ]
    assert spec.tasks[0].note == (
        "Close to vacuous: no write and no words decide this task. Without a judge, all it takes "
        "is any answer, with nothing changed."
    )


def test_the_references_own_look_ups_are_offered_as_comments(tmp_path: Path) -> None:
    reads = [LOOK, action("get_job", job="J2"), action("list_services"), LOOK]
    _, bundle = made(tmp_path, task(actions=reads), task("one", actions=[LOOK]))
    text = (tmp_path / "out" / "workshop.cm2").read_text()
    assert (
        "  use looks_up\n"
        "  # stricter:\n"
        '  # item get_job_j1 { check succeeded get_job(job == "J1") }\n'
        '  # item get_job_j2 { check succeeded get_job(job == "J2") }\n'
        "  use ends_with_reply\n"
    ) in text
    assert '  # stricter: item get_job { check succeeded get_job(job == "J1") }\n' in text
    assert result(bundle, dialogue(FOUND, task="repair")).reward == 1.0


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("The agent confirmed the new day", True),
        ("the user is told", True),
        ("Agent fees: 20", False),
        ("", False),
    ],
)
def test_a_sentence_about_the_agent_is_reported_as_one_that_no_agent_says(
    tmp_path: Path, text: str, reported: bool
) -> None:
    spec, _ = made(tmp_path, task(communicate_info=[text, "4711"]))
    assert [f"`{text}` must be said word by word" in line for line in spec.unsaid] == [
        True
    ] * reported


def test_two_writes_that_differ_only_in_how_something_is_paid_are_reported(tmp_path: Path) -> None:
    tools = [tool("refund", "write", job={}, payment_method={}), tool("close", "write", job={})]
    pays = [action("refund", job="J1", payment_method=how) for how in ("cash", "card")]
    others = [action("refund", job="J2", payment_method="cash"), action("close", job="J1")]
    folder = written(tmp_path, task(actions=[*pays, *others]), tools=tools)
    spec, _ = imported(folder)
    (line,) = spec.unsaid
    assert line == (
        "`refund_j1` and `refund_card` are both required, and differ only in `payment_method`: "
        "if one rules the other out, no dialogue earns everything: `repair`"
    )


def test_where_the_reference_looks_something_up_an_answer_alone_earns_nothing(
    tmp_path: Path,
) -> None:
    spec, bundle = made(tmp_path, task(actions=[LOOK]))
    assert list(items(spec)) == ["no_writes", "looks_up", "ends_with_reply"]
    assert reward(bundle, reply="I cannot do that.") == 0.0
    assert reward(bundle, FOUND, reply="I cannot do that.") == 1.0
    assert reward(bundle, call("find_customer", name="Ines")) == 1.0
    assert "any look-up and any answer, with nothing changed" in spec.unsaid[0]


def test_a_look_up_that_fails_or_that_needs_no_knowledge_is_none(tmp_path: Path) -> None:
    _, bundle = made(tmp_path, task(actions=[LOOK]))
    assert reward(bundle, call("get_job", "Error: no such job", job="J")) == 0.0
    assert reward(bundle, call("list_services", "[]")) == 0.0


def test_a_reference_that_only_lists_asks_for_no_look_up(tmp_path: Path) -> None:
    spec, _ = made(tmp_path, task(actions=[action("list_services")]))
    assert list(items(spec)) == ["no_writes", "answers"]


def test_where_the_reference_hands_over_an_answer_alone_earns_nothing(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[HAND]))
    assert items(spec)["transfer_to_mechanic"].check == "called transfer_to_mechanic"
    assert reward(bundle, reply="I cannot do that.") == 0.0
    handed = call("transfer_to_mechanic", summary="Help")
    assert reward(bundle, handed) == 1.0
    assert reward(bundle, handed, reply="") == 0.0
    assert "all it takes is a call of `transfer_to_mechanic` and any answer" in spec.unsaid[0]


def test_a_look_up_and_a_handing_over_share_the_worth(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[LOOK, HAND, HAND]))
    assert list(items(spec)) == ["no_writes", "looks_up", "transfer_to_mechanic", "ends_with_reply"]
    handed = call("transfer_to_mechanic", summary="Help")
    assert reward(bundle, handed) == 0.5
    assert reward(bundle, FOUND, handed) == 1.0


def test_a_handing_over_that_alone_is_required_is_close_to_vacuous(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[HAND], reward_basis=["DB", "ACTION"]))
    assert list(items(spec)) == ["transfer_to_mechanic", "no_writes", "ends_with_reply"]
    assert VACUOUS in spec.unsaid[0]
    assert reward(bundle, reply="No.") == 0.0


def test_other_generic_tools_are_no_handing_over(tmp_path: Path) -> None:
    spec, _ = made(tmp_path, task(actions=[action("estimate", sum="2 + 2")]))
    assert list(items(spec)) == ["no_writes", "answers"]


def test_where_the_world_is_not_compared_nothing_is_said_of_changes(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=None))
    assert list(items(spec)) == ["answers"]
    assert spec.unsaid[0].endswith("all it takes is any answer: `repair`")
    assert reward(bundle, call("cancel_job", job="J1")) == 1.0


@pytest.mark.parametrize("found", [None, {}])
def test_a_task_without_criteria_is_reported_as_vacuous(tmp_path: Path, found: object) -> None:
    spec, bundle = made(tmp_path, {**task(), "evaluation_criteria": found})
    assert VACUOUS in spec.unsaid[0]
    assert reward(bundle, reply="") == 0.0


def test_a_task_that_words_decide_is_not_vacuous_and_needs_the_look_up(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, task(actions=[LOOK], communicate_info=["4711"]))
    assert not any(VACUOUS in line for line in spec.unsaid)
    assert reward(bundle, reply="4711") == 0.5
    assert reward(bundle, FOUND, reply="4711") == 1.0


def test_a_task_that_an_asserted_look_up_decides_is_not_vacuous(tmp_path: Path) -> None:
    asserted = {"actions": [LOOK], "nl_assertions": ["Agent gets job J1."]}
    counted = task(**asserted, reward_basis=["DB", "NL_ASSERTION"])
    spec, bundle = made(tmp_path, counted, task("not_counted", **asserted))
    assert [line.rsplit(": ", 1)[1] for line in spec.unsaid] == ["`not_counted`"]
    other = dialogue(call("find_customer", name="Ines"), task="repair")
    assert result(bundle, other).reward == 0.5


def test_a_task_with_a_required_write_needs_no_look_up(tmp_path: Path) -> None:
    spec, _ = made(tmp_path, task(actions=[LOOK, HAND, action("cancel_job", job="J1")]))
    assert list(items(spec)) == ["cancel_job", "no_other_writes", "ends_with_reply"]
    assert spec.unsaid == []


def test_tasks_that_pay_for_the_same_are_named_in_one_sentence(tmp_path: Path) -> None:
    tasks = [task("a"), task("b", actions=[LOOK]), task("c"), task("d", actions=[LOOK])]
    spec, _ = made(tmp_path, *tasks)
    assert [line.rsplit(": ", 1)[1] for line in spec.unsaid] == ["`a`, `c`", "`b`, `d`"]


def test_a_handing_over_with_an_awkward_name_compiles(tmp_path: Path) -> None:
    tools = [tool("cancel", "write", job={}), tool("escalate-now", "generic", why={})]
    folder = written(tmp_path, task(actions=[action("escalate-now", why="x")]), tools=tools)
    spec, _ = imported(folder)
    assert items(spec)["escalate_now"].check == 'called "escalate-now"'
