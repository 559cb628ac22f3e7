"""What the importer says of tasks that little decides is what their floors say, task by task."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cm2.cli import main
from cm2dsl.floor.earn import Floor
from cm2dsl.lint.subject import Subject

DATA = os.environ.get("CM2_DATA")
SENTENCE = re.compile(r"^- close to vacuous.*all it takes is (?P<paid>.*?): (?P<tasks>`.*)$")
CALLS = re.compile(r"any look-up|a call of")


@pytest.fixture(scope="module", params=["airline", "retail", "mock"])
def imported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Floor], str]:
    """The floors of a domain's tasks, and the importer's report on them."""
    if DATA is None:
        pytest.skip("CM2_DATA is not set")
    folder = tmp_path_factory.mktemp("imported")
    source = str(Path(DATA) / "tau2" / request.param)
    result = CliRunner().invoke(main, ["import", "tau2", source, "-o", str(folder)])
    assert result.exit_code == 0, result.output
    floors = Subject.read(folder / f"{request.param}.cm2").floors
    return dict(floors), (folder / f"{request.param}.report.md").read_text(encoding="utf-8")


def vacuous(report: str) -> Iterator[tuple[str, bool]]:
    """The tasks that are close to vacuous, and whether what pays in them takes a call."""
    for line in report.splitlines():
        found = SENTENCE.match(line)
        if found is not None:
            for name in re.findall(r"`(\w+)`", found["tasks"]):
                yield name, CALLS.search(found["paid"]) is not None


def test_tasks_that_any_answer_fulfils_are_those_that_pay_inaction_in_full(
    imported: tuple[dict[str, Floor], str],
) -> None:
    floors, report = imported
    full = {
        name
        for name, floor in floors.items()
        if max(one.floor for one in floor.of(inactive=True)) == 1.0
    }
    assert full == {name for name, calls in vacuous(report) if not calls}


def test_tasks_that_a_look_up_and_an_answer_fulfil_pay_blind_calls_in_full(
    imported: tuple[dict[str, Floor], str],
) -> None:
    floors, report = imported
    full = {
        name
        for name, floor in floors.items()
        if max(one.floor for one in floor.of(inactive=False)) == 1.0
    }
    assert full >= {name for name, _ in vacuous(report)}
