"""Facts about which rows a step plays."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from cm2.train.rows import RowSampler

ROWS = [f"task/{i}" for i in range(10)]


def test_in_turn_every_row_is_played_before_any_is_played_again():
    sampler = RowSampler(ROWS, "uniform", seed=1)
    played = [row for step in range(1, 6) for row in sampler.rows(step, 2)]
    assert sorted(played) == sorted(ROWS)
    again = [row for step in range(6, 11) for row in sampler.rows(step, 2)]
    assert sorted(again) == sorted(ROWS)
    assert again != played


@pytest.mark.parametrize("draw", ["uniform", "difficulty"])
def test_the_rows_of_a_step_differ_and_follow_from_the_seed(draw):
    def rows(seed: int) -> list[list[str]]:
        return [RowSampler(ROWS, draw, seed).rows(step, 4) for step in range(1, 9)]

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)
    assert all(len(set(some)) == 4 for some in rows(3))


def test_rows_whose_rewards_lie_apart_are_drawn_more_often():
    sampler = RowSampler(ROWS, "difficulty", seed=0)
    for _ in range(8):
        for row in ROWS:
            sampler.saw(row, 0.25 if row == "task/3" else 0.0)
    drawn = Counter(row for step in range(1, 401) for row in sampler.rows(step, 2))
    assert drawn["task/3"] > 360
    assert min(drawn[row] for row in ROWS) > 10  # none is left aside for good


def test_a_row_that_was_not_played_yet_is_looked_at_first():
    sampler = RowSampler(ROWS, "difficulty", seed=0)
    for row in ROWS[1:]:
        for _ in range(8):
            sampler.saw(row, 0.0)
    assert sum("task/0" in sampler.rows(step, 2) for step in range(1, 101)) > 90


def test_a_group_that_says_nothing_changes_nothing():
    sampler = RowSampler(ROWS, "difficulty", seed=0)
    before = sampler.state()
    sampler.saw("task/0", None)
    assert sampler.state() == before


def test_rows_in_place_of_others_are_none_of_them():
    for draw in ("uniform", "difficulty"):
        sampler = RowSampler(ROWS, draw, seed=0)
        more = sampler.more(1, 0, 3, besides=ROWS[:4])
        assert len(set(more)) == 3
        assert not set(more) & set(ROWS[:4])
        assert len(sampler.more(1, 0, 9, besides=ROWS[:4])) == 6
        assert sampler.more(1, 0, 3, besides=ROWS) == []


def test_a_sampler_that_was_restored_draws_what_the_first_one_would():
    first = RowSampler(ROWS, "difficulty", seed=4)
    for i, row in enumerate(ROWS):
        first.saw(row, i / 40)
    second = RowSampler(ROWS, "difficulty", seed=4)
    second.restore(json.loads(json.dumps(first.state())))
    assert [first.rows(s, 3) for s in range(9)] == [second.rows(s, 3) for s in range(9)]
    assert first.more(1, 0, 2, []) == second.more(1, 0, 2, [])
