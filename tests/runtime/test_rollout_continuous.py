"""Facts about who takes part in a forward: plain calls, no model."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm2.rollout.continuous import Continuous, Forward, Row

END = frozenset({0})


class Cache:
    """What slots hold when the forwards are made as told: the tokens, by slot."""

    def __init__(self) -> None:
        self.held: dict[int, list[int]] = {}

    def make(self, forward: Forward[Any]) -> None:
        for one, other in forward.moves:
            held = self.held
            held[one], held[other] = held.get(other, []), held.get(one, [])
        for slot, (row, count) in enumerate(
            zip(forward.rows, forward.counts, strict=True), forward.first
        ):
            assert self.held.get(slot, [])[: row.kept] == row.ids[: row.kept]
            assert 0 < count <= row.pending
            self.held[slot] = row.ids[: row.kept + count]


def wanting(scheduler: Continuous[Any], ids: list[int], budget: int = 9, name: Any = None) -> Any:
    row: Row[Any] = Row(name, ids=list(ids), left=budget)
    scheduler.want(row)
    return row


def step(scheduler: Continuous[Any], token: int = 7) -> tuple[Forward[Any], list[Row[Any]]]:
    forward = scheduler.plan()
    assert forward is not None
    return forward, scheduler.done(forward, [token] * len(forward.sampling), END)


def test_with_nothing_wanted_there_is_nothing_to_do():
    assert Continuous(4).plan() is None


def test_a_message_is_prefilled_and_then_decoded_until_it_ends():
    scheduler: Continuous[Any] = Continuous(4)
    row = wanting(scheduler, [1, 2, 3], budget=3)
    first, ended = step(scheduler)
    assert (first.decodes, first.counts, first.sampling, ended) == (False, [3], [0], [])
    second, ended = step(scheduler)
    assert (second.decodes, second.counts, ended) == (True, [1], [])
    _, ended = step(scheduler)
    assert ended == [row]
    assert row.ids == [1, 2, 3, 7, 7, 7]
    assert scheduler.plan() is None


def test_an_end_token_ends_a_message_before_its_budget():
    scheduler: Continuous[Any] = Continuous(4)
    row = wanting(scheduler, [1, 2])
    assert step(scheduler, token=0)[1] == [row]


def test_the_next_message_computes_only_what_is_new_and_the_token_that_ended_the_last():
    scheduler: Continuous[Any] = Continuous(4)
    row = wanting(scheduler, [1, 2, 3])
    step(scheduler, token=0)
    row.ids += [4, 5]
    row.left = 9
    scheduler.want(row)
    forward, _ = step(scheduler)
    assert (forward.counts, row.kept) == ([3], 6)


def test_a_long_piece_is_prefilled_in_chunks_and_others_decode_in_between():
    scheduler: Continuous[Any] = Continuous(4, chunk=10)
    wanting(scheduler, [1], budget=99)
    step(scheduler)
    wanting(scheduler, list(range(1, 36)))
    kinds = [step(scheduler)[0].decodes for _ in range(8)]
    assert kinds.count(False) == 4
    assert all(a or b for a, b in pairwise(kinds))


def test_a_prefill_is_never_put_off_for_long():
    scheduler: Continuous[Any] = Continuous(64)
    for i in range(40):
        wanting(scheduler, [1], budget=99, name=i)
    step(scheduler)
    late = wanting(scheduler, [1, 2])
    decodes = [step(scheduler)[0].decodes for _ in range(6)]
    assert not all(decodes)
    assert late.kept >= 2


def test_rows_of_very_different_lengths_do_not_share_a_rectangle():
    scheduler: Continuous[Any] = Continuous(8)
    for length in (10, 300, 14, 20, 290):
        wanting(scheduler, [1] * length)
    first, _ = step(scheduler)
    assert sorted(first.counts) == [10, 14, 20]


def test_a_rectangle_is_bounded():
    scheduler: Continuous[Any] = Continuous(64, most=100)
    for _ in range(30):
        wanting(scheduler, [1] * 20)
    assert len(step(scheduler)[0].rows) == 5


def test_where_slots_are_short_who_was_idle_longest_is_computed_again():
    scheduler: Continuous[Any] = Continuous(2)
    rows = [wanting(scheduler, [i + 1] * 3, name=i) for i in range(2)]
    step(scheduler, token=0)
    newcomer = wanting(scheduler, [9] * 3)
    step(scheduler, token=0)
    assert newcomer.slot is not None
    assert [row.kept for row in rows] == [0, 3]
    rows[0].ids.append(4)
    rows[0].left = 2
    scheduler.want(rows[0])
    assert step(scheduler)[0].counts == [5]


def test_who_finds_every_slot_at_work_waits():
    scheduler: Continuous[Any] = Continuous(1)
    first = wanting(scheduler, [1], budget=2)
    second = wanting(scheduler, [2])
    step(scheduler)
    assert second.slot is None
    _, ended = step(scheduler)
    assert ended == [first]
    assert step(scheduler)[0].rows == [second]


@pytest.mark.parametrize("keeps", [True, False])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), slots=st.integers(1, 6), chunk=st.integers(1, 7))
def test_every_message_comes_to_its_end_and_every_forward_finds_what_it_needs_in_its_slots(
    keeps: bool, seed: int, slots: int, chunk: int
) -> None:
    chance = random.Random(seed)
    scheduler: Continuous[int] = Continuous(slots, chunk=chunk, most=12, keeps=keeps)
    cache = Cache()
    rows = [Row(i) for i in range(9)]
    messages = {row.dialogue: chance.randint(1, 4) for row in rows}
    out: set[int] = set()
    said: dict[int, int] = dict.fromkeys(messages, 0)
    for _ in range(5000):
        for row in rows:
            if row.dialogue not in out and not row.closed and chance.random() < 0.3:
                if messages[row.dialogue] == 0:
                    scheduler.close(row)
                    continue
                messages[row.dialogue] -= 1
                row.ids += [chance.randint(1, 9) for _ in range(chance.randint(1, 15))]
                row.left = chance.randint(1, 6)
                out.add(row.dialogue)
                scheduler.want(row)
            elif row.dialogue in out and chance.random() < 0.01:
                scheduler.close(row)
                out.discard(row.dialogue)
        forward = scheduler.plan()
        if forward is None:
            if all(row.closed for row in rows):
                break
            assert not out
            continue
        assert len({row.dialogue for row in forward.rows}) == len(forward.rows)
        assert not any(row.closed for row in forward.rows)
        if keeps:
            cache.make(forward)
        tokens = [chance.choice([0, 1, 2, 3]) for _ in forward.sampling]
        for row in scheduler.done(forward, tokens, END):
            out.remove(row.dialogue)
            said[row.dialogue] += 1
    else:
        raise AssertionError("it does not end")
