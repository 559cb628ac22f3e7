"""What was shown does not change without a write: what is caught, and what is no contradiction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm2.simulate.arguments import canonical
from cm2.simulate.backend import Answer, Asked, Effect, Event
from cm2.simulate.consistency import contradiction

EFFECTS: Mapping[str, Effect] = {
    **dict.fromkeys(("lookup", "customer", "search", "flight", "orders", "weather", "top"), "read"),
    **dict.fromkeys(("cancel", "book", "reset", "pay"), "write"),
}
K7 = {"booking": "K7Q2MB", "status": "active", "total": 120, "customer_id": 3}
K8 = {"booking": "K8Q2MB", "status": "active", "total": 80, "customer_id": 3}
ANN = {"id": 3, "name": "Ann", "open": 2, "bookings": [K7, K8]}


def event(tool: str, arguments: Mapping[str, Any], result: Any, *, failed: bool = False) -> Event:
    answer = Answer(json.dumps(result), "llm", "", failed)
    return Event(tool, arguments, canonical(arguments), EFFECTS.get(tool), answer)


def said(
    history: list[Event], tool: str, arguments: Mapping[str, Any], result: Any, failed: bool = False
) -> str | None:
    asked = Asked(tool, arguments, canonical(arguments), EFFECTS.get(tool))
    return contradiction(history, asked, json.dumps(result), failed)


LOOKED = event("lookup", {"booking": "K7Q2MB"}, K7)
LISTED = event("customer", {"customer_id": 3}, ANN)
CANCEL_K8 = event("cancel", {"booking": "K8Q2MB"}, K8 | {"status": "cancelled"})


@pytest.mark.parametrize(
    ("history", "tool", "arguments", "result", "told"),
    [
        ([LISTED], "lookup", {"booking": "K7Q2MB"}, K7 | {"total": 999}, "`total` is `120`"),
        ([LISTED], "lookup", {"booking": "K7Q2MB"}, K7 | {"status": "void"}, "`status`"),
        (
            [LISTED],
            "lookup",
            {"booking": "K7Q2MB"},
            K7 | {"booking": "X1"},
            "in the call, and `X1`",
        ),
        ([LOOKED], "customer", {"customer_id": 3}, ANN | {"bookings": [K7 | {"total": 1}]}, "120"),
        ([LOOKED, CANCEL_K8], "lookup", {"booking": "K7Q2MB"}, K7 | {"total": 1}, "`total`"),
        ([LOOKED, CANCEL_K8], "lookup", {"booking": "K7Q2MB"}, K7 | {"customer_id": 4}, "`3`"),
        (
            [event("orders", {"day": "mon"}, [{"id": "A100"}, {"id": "A200"}]), CANCEL_K8],
            *("orders", {"day": "mon"}, [{"id": "A100"}], "`a200` is missing"),
        ),
        (
            [event("orders", {"day": "mon"}, [{"id": "A100"}]), CANCEL_K8],
            *("orders", {"day": "mon"}, [{"id": "A100"}, {"id": "A200"}], "`a200` is new"),
        ),
        (
            [event("weather", {"city": "Bonn"}, {"sky": "blue"}), CANCEL_K8],
            *("weather", {"city": "Bonn"}, {"sky": "grey"}, "`sky` is `blue`"),
        ),
        (
            [event("top", {}, {"best": {"id": 9, "price": {"amount": 5}}})],
            *("search", {"q": "x"}, {"best": {"id": 9, "price": {"amount": 6}}}, "`price.amount`"),
        ),
    ],
)
def test_a_changed_id_total_or_status_is_caught(
    history: list[Event], tool: str, arguments: dict[str, Any], result: Any, told: str
) -> None:
    assert told in str(said(history, tool, arguments, result))


def test_a_call_that_had_a_result_is_not_refused_later_nor_the_other_way_about() -> None:
    assert "with a result before, and now with an error" in str(
        said([LOOKED, CANCEL_K8], "lookup", {"booking": "K7Q2MB"}, {"error": "no"}, failed=True)
    )
    refused = event("lookup", {"booking": "K7Q2MB"}, {"error": "no"}, failed=True)
    assert "with an error before, and now with a result" in str(
        said([refused, CANCEL_K8], "lookup", {"booking": "K7Q2MB"}, K7)
    )


@pytest.mark.parametrize(
    ("history", "tool", "arguments", "result"),
    [
        # the write names it
        ([LOOKED], "cancel", {"booking": "K7Q2MB"}, K7 | {"status": "cancelled"}),
        (
            [LOOKED, event("cancel", {"booking": "K7Q2MB"}, {"ok": True})],
            *("lookup", {"booking": "K7Q2MB"}, K7 | {"status": "cancelled"}),
        ),
        # what it holds, and what holds it, may follow
        ([LISTED, CANCEL_K8], "customer", {"customer_id": 3}, ANN | {"open": 1, "bookings": [K7]}),
        (
            [event("flight", {"flight": "MU5101"}, {"flight": "MU5101", "seats": 3})],
            *("book", {"flight": "MU5101"}, {"booking": "N1N1N1", "flight": "MU5101", "seats": 2}),
        ),
        # and so may what its result names
        (
            [LISTED],
            "cancel",
            {"booking": "K8Q2MB"},
            {"refund": 80, "rebooked": [K7 | {"total": 1}]},
        ),
        # a booking that was made is new in a list
        (
            [
                event("orders", {"day": "mon"}, [{"id": "A100"}]),
                event("book", {"flight": "MU5101"}, {"booking": "N1N1N1"}),
            ],
            *("orders", {"day": "mon"}, [{"id": "A100"}, {"id": "N1N1N1"}]),
        ),
        # a write that names nothing may change anything
        (
            [LOOKED, event("reset", {"hard": True}, {"ok": True})],
            "lookup",
            {"booking": "K7Q2MB"},
            {},
        ),
        # a tool of which nobody knows whether it writes, named it
        (
            [LOOKED, event("touch", {"booking": "K7Q2MB"}, {"ok": True})],
            *("lookup", {"booking": "K7Q2MB"}, K7 | {"total": 1}),
        ),
        # the same flight on another day
        (
            [event("search", {"date": "2026-03-02"}, [{"number": "MU5101", "price": 100}])],
            *("search", {"date": "2026-03-03"}, [{"number": "MU5101", "price": 150}]),
        ),
        # small numbers name things of one kind only
        (
            [event("top", {}, {"users": [{"id": 1, "name": "Ann"}]})],
            "orders",
            {},
            {"items": [{"id": 1, "name": "cup"}]},
        ),
        # one name for two things is none
        (
            [
                event(
                    "search",
                    {"q": "a"},
                    [{"number": "MU5101", "at": 8}, {"number": "MU5101", "at": 9}],
                )
            ],
            *("flight", {"flight": "MU5101"}, {"number": "MU5101", "at": 9}),
        ),
        # numbers and spaces are written in many ways, and times of asking pass
        (
            [LOOKED],
            "customer",
            {"customer_id": 3},
            {"bookings": [K7 | {"total": 120.0, "status": "Active "}]},
        ),
        (
            [event("weather", {"city": "Bonn"}, {"now": 1}), CANCEL_K8],
            "weather",
            {"city": "Bonn"},
            {"now": 2},
        ),
        # what refused callers were told is nothing of the world's
        (
            [Event("lookup", {"booking": 1}, "{}", "read", Answer('{"error":"x"}', "schema"))],
            *("lookup", {"booking": "K7Q2MB"}, K7),
        ),
    ],
)
def test_what_may_have_changed_is_no_contradiction(
    history: list[Event], tool: str, arguments: dict[str, Any], result: Any
) -> None:
    assert said(history, tool, arguments, result) is None


KEYS = st.sampled_from(["id", "order_id", "booking", "status", "total", "name", "items", "owner"])
SCALARS = st.one_of(
    st.integers(0, 9), st.sampled_from(["A100", "B200", "active", "x"]), st.booleans(), st.none()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
RESULTS = st.one_of(st.dictionaries(KEYS, VALUES, max_size=5), st.lists(VALUES, max_size=3))
ARGUMENTS = st.dictionaries(st.sampled_from(["booking", "q", "day"]), SCALARS, max_size=2)
READS = st.sampled_from(["lookup", "customer", "search", "orders"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(READS, ARGUMENTS, RESULTS), min_size=1, max_size=4),
    st.data(),
)
def test_what_was_shown_may_always_be_shown_again(
    shown: list[tuple[str, dict[str, Any], Any]], data: st.DataObject
) -> None:
    """The last answer to a call, where that one contradicted nothing itself."""
    history: list[Event] = []
    for tool, arguments, result in shown:
        if said(history, tool, arguments, result) is None:
            history.append(event(tool, arguments, result))
    if history:
        last = data.draw(st.sampled_from(history))
        result = json.loads(last.answer.text)
        assert said(history, last.tool, last.arguments or {}, result) is None


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["status", "total", "name", "note"]), SCALARS, min_size=1),
    st.sampled_from(["A100", "B200", "C3PO9"]),
    st.lists(st.tuples(READS, RESULTS), max_size=2),
    st.booleans(),
    st.data(),
)
def test_a_seeded_change_of_a_fact_is_always_caught(
    facts: dict[str, Any],
    name: str,
    others: list[tuple[str, Any]],
    written: bool,
    data: st.DataObject,
) -> None:
    """Whatever else was read since, and with a write to another object between."""
    record = {"id": name, **facts}
    history = [event("top", {}, {"items": [record]})]
    for tool, result in others:
        arguments = {"q": "x"}
        if name.lower() not in json.dumps(result).lower():
            history.append(event(tool, arguments, result))
    if written:
        history.append(event("cancel", {"booking": "Q7Q7Q7"}, {"ok": True}))
    key = data.draw(st.sampled_from(sorted(facts)))
    changed = {**record, key: f"{facts[key]} or so"}
    assert f"`{key}`" in str(said(history, "flight", {"flight": name}, changed))
    assert said(history, "flight", {"flight": name}, record) is None
