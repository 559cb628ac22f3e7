"""One rollout: the user's turns, the policy's steps, and the tools' answers in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cm2.rollout.codec import Codec
from cm2.rollout.generator import Line, PolicyFailure
from cm2.rollout.limits import SIMULATED_TURNS, Limits, Stop
from cm2.rollout.messages import fault, read
from cm2.rollout.users import AnswerCalls, User, UserFailure, answered
from cm2.simulate.backend import Answer, ToolFailure, error_text
from cm2.trajectory import Step, Trajectory, Turn

__all__ = ["Episode", "EpisodeError", "JudgeFailure", "Limits", "Rollout", "play", "well_formed"]

_UNREAD = "malformed"
"""The id and the tool of a call that could not be read, where the chat format asks for some."""


class EpisodeError(Exception):
    """An episode that cannot be played: not within the limits, or not by such a policy."""


class JudgeFailure(Exception):  # noqa: N818 - named as ToolFailure is
    """The judge broke where the dialogue hangs on it. The message says what broke."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What one rollout plays: the user, the tools, and who may go on.

    `answer` answers the calls of a message with text (a tool's own error is text too; arguments
    None were no object) and raises ToolFailure where a backend broke; `error` writes an error as
    these tools do. `goes_on(trajectory)` is asked after each turn but the last, and is False where
    a `strict` item of that turn does not hold; it raises JudgeFailure where that cannot be known.
    """

    id: str
    task: str
    system: str
    user: User
    answer: AnswerCalls
    goes_on: Callable[[Trajectory], Awaitable[bool]]
    error: Callable[[str], str] = error_text


@dataclass(frozen=True, slots=True)
class Rollout:
    """The dialogue, and its tokens as the trainer needs them.

    `completion` (T ids, at least one) is everything after `prompt`. For each of its tokens:
    `logprobs` (0 where it was not sampled), `mask` (1 where the policy sampled it), and `places`,
    the (turn, step) it was sampled in, None elsewhere. `fault` says what broke outside the policy.
    `answers` has who answered each call and why so, by the call's id.
    """

    trajectory: Trajectory
    prompt: list[int]
    completion: list[int]
    logprobs: list[float]
    mask: list[int]
    places: list[tuple[int, int] | None]
    stop: Stop
    fault: str | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(slots=True)
class _Tape:
    """The tokens so far."""

    prompt: list[int] = field(default_factory=list)
    completion: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    places: list[tuple[int, int] | None] = field(default_factory=list)

    def given(self, ids: Sequence[int]) -> None:
        self._add(ids, [0.0] * len(ids), 0, None)

    def sampled(self, ids: Sequence[int], logprobs: Sequence[float], turn: int, step: int) -> None:
        self._add(ids, logprobs, 1, (turn, step))

    def _add(
        self, ids: Sequence[int], logprobs: Sequence[float], mask: int, at: tuple[int, int] | None
    ) -> None:
        self.completion += ids
        self.logprobs += logprobs
        self.mask += [mask] * len(ids)
        self.places += [at] * len(ids)

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.completion)


async def play(episode: Episode, codec: Codec, line: Line, limits: Limits) -> Rollout:
    """Play the dialogue to its end; `Rollout.stop` says why it ended (`cm2.rollout.limits`).

    Whatever the policy samples, it ends so. Raises EpisodeError where the opening alone leaves no
    room to answer.
    """
    playing = _Playing(episode, codec, line, limits)
    stop: Stop
    broke: Exception | None = None
    try:
        stop = await playing.to_the_end()
    except ToolFailure as failure:
        stop, broke = "tool_failure", failure
    except JudgeFailure as failure:
        stop, broke = "judge_failure", failure
    except UserFailure as failure:
        stop, broke = "user_failure", failure
    except PolicyFailure as failure:
        stop, broke = "policy_failure", failure
    return playing.rollout(stop, None if broke is None else str(broke))


class _Playing:
    """A dialogue that is being played. `_given` is what the policy has not been told yet."""

    def __init__(self, episode: Episode, codec: Codec, line: Line, limits: Limits) -> None:
        self._episode = episode
        self._codec = codec
        self._line = line
        self._limits = limits
        self._tape = _Tape()
        self._given: list[int] = []
        self._turns: list[Turn] = []
        self._answers: dict[str, Answer] = {}

    async def to_the_end(self) -> Stop:
        episode = self._episode
        most = self._limits.turns
        if most is None and episode.user.turns is None:
            most = SIMULATED_TURNS
        while True:
            spoken = len(self._turns)
            if spoken == episode.user.turns:
                return "done"
            if spoken == most:
                return "max_turns"
            if spoken and not await episode.goes_on(self._so_far()):
                return "strict"
            said = await episode.user.speak(self._so_far())
            self._answers |= said.answers
            if said.text is None:
                if said.acts:  # what the user did last is a fact of the dialogue, too
                    self._turns.append(Turn("", (), said.acts))
                return "done"
            self._turns.append(Turn(said.text, (), said.acts))
            stop = "max_tokens" if not self._told(said.text) else await self._turn()
            if stop is not None:
                return stop

    def _told(self, text: str) -> bool:
        """Whether there is room left to answer what the user says, which the policy is told."""
        codec, room = self._codec, self._limits.tokens
        if len(self._turns) > 1:
            return self._give(codec.user_suffix(text))
        self._tape.prompt = self._given = codec.opening(text)
        if self._tape.length < room:
            return True
        least = self._tape.length
        if self._episode.user.turns is None:
            least = len(codec.opening(""))
        if least >= room:
            raise EpisodeError(
                f"the opening of `{self._episode.task}` has {least} tokens, "
                f"and a dialogue may have {room}"
            )
        return False

    def _give(self, ids: list[int]) -> bool:
        """Put more behind the dialogue, if that leaves room to answer."""
        if self._tape.length + len(ids) >= self._limits.tokens:
            return False
        self._given = ids
        self._tape.given(ids)
        return True

    async def _turn(self) -> Stop | None:
        """The policy's steps until it calls no tool; why the dialogue ends there, if it does."""
        limits, codec = self._limits, self._codec
        t, turn = len(self._turns) - 1, self._turns[-1]
        steps: list[Step] = []
        while True:
            budget = min(limits.step_tokens, limits.tokens - self._tape.length)
            if budget <= 0:
                return "max_tokens"
            sampled = await self._line.say(self._given, budget)
            self._tape.sampled(sampled.ids, sampled.logprobs, t, len(steps))
            step = read(codec.text(sampled.ids), f"t{t}.s{len(steps)}")
            steps.append(step)
            self._turns[-1] = replace(turn, steps=tuple(steps))
            if not sampled.ids or sampled.ids[-1] != codec.end:
                return self._unfinished(len(sampled.ids), budget)
            if not step.calls and step.malformed is None:
                return None
            if step.malformed is not None and limits.malformed == "end":
                return "malformed"
            if len(step.calls) > limits.calls:
                return "max_calls"
            steps[-1], results = await self._answered(step)
            self._turns[-1] = replace(turn, steps=tuple(steps))
            if len(steps) == limits.steps:
                return "max_steps"
            if not self._give(codec.result_suffix(results)):
                return "max_tokens"

    def _unfinished(self, length: int, budget: int) -> Stop:
        """Why a message does not end as messages do."""
        if length < budget:
            return "end_of_text"
        return "max_tokens" if budget < self._limits.step_tokens else "max_step_tokens"

    async def _answered(self, step: Step) -> tuple[Step, list[tuple[str, str, str]]]:
        """The step with its results, and these as the chat format shows them: (id, tool, text)."""
        answers = await self._episode.answer(step.calls) if step.calls else ()
        calls = tuple(map(answered, step.calls, answers))
        self._answers |= {call.id: one for call, one in zip(calls, answers, strict=True)}
        results = [(call.id, call.tool, call.result or "") for call in calls]
        if step.malformed is not None:
            results.append((_UNREAD, _UNREAD, self._episode.error(fault(step.malformed))))
        return replace(step, calls=calls), results

    def _so_far(self) -> Trajectory:
        episode = self._episode
        return Trajectory(episode.id, episode.task, tuple(self._turns), episode.system)

    def rollout(self, stop: Stop, fault: str | None) -> Rollout:
        tape = self._tape
        if not tape.prompt:
            tape.prompt = self._codec.opening("")
        if not tape.completion:  # nothing was sampled: nobody learns from this token
            tape.given([self._codec.end])
        return Rollout(
            self._so_far(),
            tape.prompt,
            tape.completion,
            tape.logprobs,
            tape.mask,
            tape.places,
            stop,
            fault,
            self._answers,
        )


def well_formed(rollout: Rollout) -> bool:
    """Every turn that was played ended with a reply, not at a limit or in a malformed call."""
    turns = [turn for turn in rollout.trajectory.turns if turn.user or turn.steps]
    return rollout.stop in ("done", "strict") and all(
        turn.steps and turn.steps[-1].reply for turn in turns
    )
