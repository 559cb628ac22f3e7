"""The calls of a recorded dialogue, by name, and who answered each where the recording says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm2.simulate.backend import Requestor
from cm2.trajectory import Call, Step, Trajectory

ANSWERS = "answers"
"""The key of a dialogue under which the answers' sources stand, by the names of the calls:
`{"t0.s1.tool_call": {"source": "python", "why": "…"}}`."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call of a recording. `name` is that of its segment; `source` is empty where none is told.

    What the agent called before the user spoke is `opening.s0.tool_call` and so on.
    """

    name: str
    requestor: Requestor
    call: Call
    source: str = ""

    @property
    def by_world(self) -> bool:
        """Whether no backend gave the result, but the world that refused or knew no answer."""
        return self.source in ("schema", "nobody")


def recorded_calls(trajectory: Trajectory) -> Iterator[Recorded]:
    """The calls of a dialogue in order, the user's too."""
    told = trajectory.extra.get(ANSWERS)
    answers = told if isinstance(told, Mapping) else {}
    for name, requestor, call in _calls(trajectory):
        yield Recorded(name, requestor, call, _source(answers.get(name)))


def _source(answer: Any) -> str:
    source = answer.get("source") if isinstance(answer, Mapping) else None
    return source if isinstance(source, str) else ""


def _calls(trajectory: Trajectory) -> Iterator[tuple[str, Requestor, Call]]:
    yield from _of_steps("opening", trajectory.opening)
    for number, turn in enumerate(trajectory.turns):
        for index, act in enumerate(turn.acts):
            yield _name(f"t{number}.user_call", index), "user", act
        yield from _of_steps(f"t{number}", turn.steps)


def _of_steps(stem: str, steps: Sequence[Step]) -> Iterator[tuple[str, Requestor, Call]]:
    for number, step in enumerate(steps):
        for index, call in enumerate(step.calls):
            yield _name(f"{stem}.s{number}.tool_call", index), "agent", call


def _name(stem: str, index: int) -> str:
    """The first has no number, as with segments."""
    return f"{stem}.{index}" if index else stem
