"""Who speaks next: scripted turns, or a model that plays the user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from cm2.simulate.backend import Answer, ToolFailure
from cm2.trajectory import Call, Trajectory

AnswerCalls = Callable[[Sequence[Call]], Awaitable[Sequence[Answer]]]
"""The answers to the calls of one message, in their order. Raises ToolFailure."""


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


class Recorded:
    """A simulated user who says again what it said in a recording of this very rollout.

    That is so as long as everything else is as it was then, too; from there on `otherwise` speaks,
    if there is anybody. `answer` answers the calls of the user's tools.
    """

    def __init__(self, recording: Trajectory, answer: AnswerCalls, otherwise: User | None) -> None:
        self._recording = recording
        self._answer = answer
        self._otherwise = otherwise

    @property
    def turns(self) -> int | None:
        return None

    async def speak(self, trajectory: Trajectory) -> Said:
        spoken, recorded = len(trajectory.turns), self._recording.turns
        if trajectory.turns != recorded[:spoken]:
            if self._otherwise is None:
                raise UserFailure("the dialogue is not as it was recorded, and no model goes on")
            return await self._otherwise.speak(trajectory)
        if spoken == len(recorded):
            return Said(None)
        turn = recorded[spoken]
        acts = []
        answers: dict[str, Answer] = {}
        for act in turn.acts:  # one at a time, as they were called
            (answer,) = await self._answer([replace(act, result=None, failed=None)])
            acts.append(answered(act, answer))
            answers[act.id] = answer
        over = not turn.user and not turn.steps
        return Said(None if over else turn.user, tuple(acts), answers)


def answered(call: Call, answer: Answer) -> Call:
    """The call with its result. Raises ToolFailure for a text that nobody can write down."""
    try:
        answer.text.encode("utf-8")
    except UnicodeEncodeError:
        raise ToolFailure(f"the result of `{call.tool}` holds half a surrogate pair") from None
    return replace(call, result=answer.text, failed=answer.failed)
