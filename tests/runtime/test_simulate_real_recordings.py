"""Real dialogues replayed from their own recordings: every call gets the result that it got."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulated import REPLAY

from cm2.bundle import open_spec
from cm2.formats.record import Record
from cm2.formats.tau2 import read as read_run
from cm2.importers import tau2, tooltalk
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.recordings import read_recordings
from cm2.simulate import Simulator
from cm2.simulate.backend import Requestor
from cm2.trajectory import Call, Trajectory, has_failed

pytestmark = pytest.mark.skipif(
    "CM2_DATA" not in os.environ, reason="CM2_DATA names no folder of real data"
)


def messages(dialogue: Trajectory) -> Iterator[tuple[Requestor, tuple[Call, ...]]]:
    for turn in dialogue.turns:
        yield "user", turn.acts
        for step in turn.steps:
            yield "agent", step.calls


def replayed(simulator: Simulator, dialogue: Trajectory) -> int:
    """How many calls there are; every one of them gets its recorded result."""

    async def play() -> int:
        world = simulator.world(dialogue.task, None, dialogue.id)
        number = 0
        for requestor, calls in messages(dialogue):
            answers = await world.answer(calls, requestor)
            for call, answer in zip(calls, answers, strict=True):
                assert (answer.text, answer.source) == (call.result, "replay"), answer.why
                failed = has_failed(answer.text, answer.failed)
                assert failed == has_failed(answer.text, call.failed)
                number += 1
        return number

    return asyncio.run(play())


def test_266_of_266_calls_of_tooltalk_are_answered_as_they_were_recorded(tmp_path: Path) -> None:
    calls = conversations = 0
    specs = tooltalk.read(Path(os.environ["CM2_DATA"]) / "tooltalk", Options())
    for path in write_specs(specs, tmp_path):
        bundle = open_spec(path)
        recordings = read_recordings(bundle)
        assert len({one.task for one in recordings}) == len(recordings)  # each has its own alone
        spec = bundle.spec
        simulator = Simulator(spec.tools, (REPLAY,), bundle.files, recordings)
        calls += sum(replayed(simulator, one) for one in recordings)
        conversations += len(recordings)
    assert (conversations, calls) == (78, 266)


@pytest.mark.parametrize(
    ("run", "calls"),
    [
        ("telecom/runs/gpt-4o__PR17.json.gz", 215),
        ("airline/runs/gpt-oss-120b__PR133.json.gz", 684),
    ],
)
def test_dialogues_of_tau2_are_answered_as_they_were_recorded(
    tmp_path: Path, run: str, calls: int
) -> None:
    """The user's calls, too, and those that were made again with another result."""
    path = Path(os.environ["CM2_DATA"]) / "tau2" / run
    (made,) = write_specs(tau2.read(path, Options()), tmp_path)
    spec = open_spec(made).spec
    dialogues = [one.trajectory for one in read_run(path) if isinstance(one, Record)]
    simulator = Simulator(spec.tools, (REPLAY,), Path(), dialogues, user_tools=spec.user_tools)
    assert sum(replayed(simulator, one) for one in dialogues) == calls
