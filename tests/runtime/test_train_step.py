"""Facts about what a step learns from: groups that teach nothing give way to others.

A row's number says what the policy does about it: nothing (every rollout earns 0), all of it (each
earns 1), or all of it in every second rollout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rollout_doubles import Script, desk, tiny_tokenizer, tool_call

from cm2.bundle import Bundle
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.stage import Played, Stage
from cm2.train.config import Config, Credit
from cm2.train.config import Rows as RowsConfig
from cm2.train.credit import assigned
from cm2.train.folder import RunError
from cm2.train.metrics import flat, step_figures
from cm2.train.rows import RowSampler
from cm2.train.step import Step, play_step
from cm2dsl.reward.instance import Instance, instances

NOTHING, BROKEN = ["no"], [tool_call("lookup", booking="BROKEN")]
CONFIG = Config(group=4, groups=2, micro_batch=4)


def well(booking: str) -> list[str]:
    calls = [tool_call(tool, booking=booking) for tool in ("lookup", "cancel")]
    return [calls[0], f"{booking} is there", calls[1], "done"]


class Desk:
    """A desk with six rows to train on, and what the policy does about each."""

    def __init__(self, folder: Path, teaches: Sequence[int] = (), breaks: Sequence[int] = ()):
        self.bundle: Bundle = desk(folder, [f"AB1{i}" for i in range(7)])
        self.codec = Codec(tiny_tokenizer(), system=self.bundle.spec.system)
        self.stage = Stage(self.bundle, self.codec, Limits(steps=3, step_tokens=64), [])
        self.rows = {one.id: one for one in instances(self.bundle.spec) if one.split == "train"}
        self.teaches, self.breaks = teaches, breaks
        self.calls: list[list[str]] = []

    def __call__(self, rows: Sequence[str], first: int) -> list[Played]:
        self.calls.append(list(rows))
        scripts = [self.says(self.rows[row], i) for i, row in enumerate(rows)]
        keys = [(0, i) for i in range(len(rows))]
        return self.stage.play([self.rows[row] for row in rows], Script(self.codec, scripts), keys)

    def says(self, row: Instance, i: int) -> list[str]:
        assert row.row is not None
        booking = str(row.row.values["booking"])
        number = int(booking[-1])
        if number in self.breaks and i % 4:
            return BROKEN
        return well(booking) if number in self.teaches and i % 2 else NOTHING

    def step(self, config: Config, draw: str = "uniform") -> Step:
        return play_step(1, config, RowSampler(list(self.rows), draw, seed=0), self)  # type: ignore[arg-type]


def row_numbers(step: Step) -> list[int]:
    return [int(group.row[-1]) for group in step.groups]


def test_a_step_plays_its_rows_in_groups(tmp_path):
    play = Desk(tmp_path, teaches=range(6))
    step = play.step(CONFIG)
    assert len(play.calls) == 1
    assert [len(group.played) for group in step.groups] == [4, 4]
    assert [group.reward for group in step.groups] == [0.5, 0.5]
    assert [group.spread for group in step.groups] == [0.25, 0.25]
    assert all(one.scored.instance.id == g.row for g in step.groups for one in g.played)
    assert step.left_out == []


def test_idle_groups_are_counted_and_stay_where_nobody_asked_for_others(tmp_path):
    play = Desk(tmp_path)
    figures = step_figures(play.step(CONFIG))
    assert figures["without_variance"] == 2
    assert figures["resampled"] == 0
    assert figures["advantages"]["not_zero"] == 0.0
    assert len(play.calls) == 1


def test_groups_that_teach_take_the_places_of_those_that_do_not(tmp_path):
    first = row_numbers(Desk(tmp_path).step(CONFIG))
    others = [number for number in range(6) if number not in first]
    play = Desk(tmp_path, teaches=others)
    step = play.step(replace(CONFIG, rows=RowsConfig(resample=4)))
    assert set(row_numbers(step)) <= set(others)
    assert len(play.calls) == 2
    assert all(group.teaches for group in step.groups)
    assert [int(group.row[-1]) for group in step.left_out] == first
    figures = step_figures(step)
    assert figures["rollouts"] == 16
    assert [group["learned"] for group in figures["groups"]] == [True, True, False, False]


def test_no_more_groups_are_played_than_was_said_and_no_row_twice(tmp_path):
    play = Desk(tmp_path)
    step = play.step(replace(CONFIG, rows=RowsConfig(resample=3)))
    rows = [row for call in play.calls for row in call[::4]]
    assert len(rows) == len(set(rows)) == 5
    assert len(step.groups) == 2
    assert len(step.left_out) == 3
    every = Desk(tmp_path)
    every.step(replace(CONFIG, rows=RowsConfig(resample=50)))
    assert sum(len(call) for call in every.calls) == 24


def test_a_row_whose_group_taught_something_is_drawn_again_sooner(tmp_path):
    play = Desk(tmp_path, teaches=[2])
    sampler = RowSampler(list(play.rows), "difficulty", seed=0)
    for step in range(1, 9):
        play_step(step, CONFIG, sampler, play)
    spread = sampler.state()
    assert max(spread, key=spread.__getitem__).endswith("2")


def test_a_group_with_too_few_rollouts_that_count_teaches_nothing(tmp_path):
    """One rollout of four does not break: alone, and with a second one beside it."""
    play = Desk(tmp_path, teaches=range(6), breaks=range(6))
    step = play.step(CONFIG)
    assert step_figures(step)["masked_by"]["tool"] == 6
    assert not any(group.teaches for group in step.groups)
    assert all(group.spread is None for group in step.groups)


def test_a_larger_least_group_takes_advantages_and_leaves_rewards(tmp_path):
    play = Desk(tmp_path, teaches=range(6))
    step = play.step(replace(CONFIG, credit=Credit(min_group=5)))
    assert not any(group.teaches for group in step.groups)
    assert [group.reward for group in step.groups] == [0.5, 0.5]
    assert play.step(replace(CONFIG, credit=Credit(min_group=4))).groups[0].teaches


def test_the_numbers_of_a_step_are_one_level_deep_for_those_who_draw_them(tmp_path):
    figures = dict(flat(step_figures(Desk(tmp_path, teaches=range(6)).step(CONFIG))))
    assert figures["cm2/reward"] == 0.5
    assert figures["cm2/items/serve.act.cancels"] == 0.5
    assert figures["cm2/first_pass/serve.find.says"] == 1.0
    assert figures["cm2/gate_rate"] == 0.5
    assert figures["cm2/sources/python"] == 1.0
    assert figures["cm2/without_variance"] == 0.0
    assert all(isinstance(value, float) for value in figures.values())


def test_options_stand_in_for_what_the_spec_assigns(tmp_path):
    bundle = desk(tmp_path)
    assert assigned(bundle, Credit()) is bundle
    changed = assigned(bundle, Credit(level="step", at=("act",), unreached="mask", scale="std"))
    said = changed.spec.tasks[0].assign
    assert (said.level, said.at, said.unreached, said.scale) == ("step", ("act",), "mask", "std")
    assert changed.plan(instances(changed.spec)[0], False).at == ("act",)
    assert bundle.plan(instances(bundle.spec)[0], False).at == ("find", "act")
    with pytest.raises(RunError, match=r"turn `acts` .*; did you mean `act`\?"):
        assigned(bundle, Credit(at=("acts",)))
