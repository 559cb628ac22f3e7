"""Facts about validation: which rows it plays, what is the best, and when it stops a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cm2.bundle import open_spec
from cm2.train.config import Validation
from cm2.train.folder import RunError
from cm2.train.validation import Progress, divided
from cm2dsl.reward.instance import instances

SPEC = Path(__file__).parents[2] / "specs" / "airline.cm2"


@pytest.fixture(scope="module")
def heldout():
    return [one for one in instances(open_spec(SPEC).spec) if one.split == "heldout"]


def test_validation_and_report_share_no_row_and_leave_none_out(heldout):
    some, others = divided(heldout, Validation(every=5, share=0.3))
    assert {one.id for one in some} & {one.id for one in others} == set()
    assert sorted(one.id for one in (*some, *others)) == sorted(one.id for one in heldout)
    tasks = {one.task.name for one in heldout}
    assert {one.task.name for one in some} == {one.task.name for one in others} == tasks


def test_which_rows_validate_does_not_hang_on_other_rows(heldout):
    some, _ = divided(heldout, Validation(every=5, share=0.5))
    task = some[0].task.name
    alone, _ = divided([one for one in heldout if one.task.name == task], Validation(every=5))
    assert [one.id for one in some if one.task.name == task] == [one.id for one in alone]


def test_without_validation_the_report_has_all_rows(heldout):
    assert divided(heldout, Validation()) == ([], heldout)


def test_a_spec_with_too_few_rows_says_so(heldout):
    single = {one.task.name: one for one in heldout}
    with pytest.raises(RunError, match="no task of the spec holds out two"):
        divided(list(single.values()), Validation(every=5))
    with pytest.raises(RunError, match="no task of the spec holds out two"):
        divided([], Validation(every=5))


def test_the_best_is_the_first_of_equal_ones_and_patience_counts_from_it():
    progress = Progress(patience=2)
    seen = [progress.saw(step, reward) for step, reward in ((5, 0.5), (10, 0.7), (15, 0.7))]
    assert seen == [True, True, False]
    assert (progress.best, progress.step, progress.stops) == (0.7, 10, False)
    progress.saw(20, 0.6)
    assert progress.stops
    progress.saw(25, 0.8)
    assert not progress.stops


def test_a_validation_of_masked_rollouts_alone_says_nothing():
    progress = Progress(patience=1)
    assert not progress.saw(5, None)
    assert not progress.stops


def test_without_patience_a_run_goes_on():
    progress = Progress(patience=0)
    for step in range(50):
        progress.saw(step, -step)
    assert not progress.stops


def test_progress_is_restored():
    progress, again = Progress(3), Progress(3)
    progress.saw(5, 0.5)
    progress.saw(6, 0.1)
    again.restore(json.loads(json.dumps(progress.state())))
    assert again == progress
