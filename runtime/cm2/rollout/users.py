"""Who speaks next: scripted turns, or a model that plays the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cm2.simulate.backend import Answer
from cm2.trajectory import Call, Trajectory


class UserFailure(Exception):  # noqa: N818 - named as ToolFailure is
    """What plays the user broke, not the agent. The message says what; the rollout is masked."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the user says, and what it called before; `text` None ends the dialogue.

    `answers` has who answered the user's calls and why so, by the call's id.
    """

    text: str | None
    acts: tuple[Call, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)


class User(Protocol):
    """The user of one rollout.

    `turns` is how often it speaks, None where only it knows. It is asked again after every turn
    that it opened, as long as the dialogue goes on.
    """

    @property
    def turns(self) -> int | None: ...

    async def speak(self, trajectory: Trajectory) -> Said:
        """What the user says after all that was said so far (nothing, at first).

        Raises UserFailure; and ToolFailure where a tool of the user's own broke.
        """
        ...


class Script:
    """A user who says the same in every rollout."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)

    @property
    def turns(self) -> int | None:
        return len(self._words)

    async def speak(self, trajectory: Trajectory) -> Said:
        spoken = len(trajectory.turns)
        return Said(self._words[spoken] if spoken < len(self._words) else None)
