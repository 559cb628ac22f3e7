"""One rollout: scripted user turns, the policy's steps, and the tools' answers in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cm2.rollout.codec import Codec, read
from cm2.rollout.generator import Line, PolicyFailure
from cm2.simulate.backend import ToolFailure, error_text
from cm2.trajectory import Call, Step, Trajectory, Turn

Stop = Literal[
    "done",
    "strict",
    "max_steps",
    "max_step_tokens",
    "max_tokens",
    "tool_failure",
    "judge_failure",
    "policy_failure",
]
CallTool = Callable[[str, Mapping[str, Any] | None], Awaitable[str]]

_MALFORMED = 'the call is not {"name": …, "arguments": {…}} between tool_call tags'


class EpisodeError(Exception):
    """An episode that cannot be played within the limits."""


class JudgeFailure(Exception):  # noqa: N818 - named as ToolFailure is
    """The judge broke where the dialogue hangs on it. The message says what broke."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Steps a turn, sampled tokens a step, and tokens of the whole dialogue with its prompt."""

    steps: int = 8
    step_tokens: int = 512
    tokens: int = 8192


@dataclass(frozen=True, slots=True)
class Episode:
    """What one rollout plays: the user's words by turn, the tools, and who may go on.

    `call_tool` answers a call with text (a tool's own error is text too; arguments None were no
    object) and raises ToolFailure where the backend broke. `goes_on(trajectory)` is asked after
    each turn but the last, and is False where a `strict` item of that turn does not hold; it raises
    JudgeFailure where that cannot be known.
    """

    id: str
    task: str
    system: str
    users: Sequence[str]
    call_tool: CallTool
    goes_on: Callable[[Trajectory], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Rollout:
    """The dialogue, and its tokens as the trainer needs them.

    `completion` (T ids) is everything after `prompt`. For each of its tokens: `logprobs` (0 where
    it was not sampled), `mask` (1 where the policy sampled it), and `places`, the (turn, step) it
    was sampled in, None elsewhere. `fault` says what broke outside the policy.
    """

    trajectory: Trajectory
    prompt: list[int]
    completion: list[int]
    logprobs: list[float]
    mask: list[int]
    places: list[tuple[int, int] | None]
    stop: Stop
    fault: str | None = None


@dataclass(slots=True)
class _Tape:
    """The tokens so far."""

    prompt: list[int]
    completion: list[int]
    logprobs: list[float]
    mask: list[int]
    places: list[tuple[int, int] | None]

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
    """Play the dialogue to its end; `Rollout.stop` says why it ended.

    `done`: every turn ended with a reply. `strict`: a strict item did not hold. `max_steps`: a
    turn took more steps than allowed. `max_step_tokens`: a message did not end within its budget.
    `max_tokens`: the dialogue grew too long. `tool_failure`: a backend broke, `judge_failure`: the
    judge did, on a strict item, `policy_failure`: what runs the policy did; `fault` says how.
    Raises EpisodeError where the opening alone leaves no room to answer.
    """
    tape = _Tape(codec.opening(episode.users[0]), [], [], [], [])
    if tape.length >= limits.tokens:
        raise EpisodeError(
            f"the opening of `{episode.task}` has {tape.length} tokens, "
            f"and a dialogue may have {limits.tokens}"
        )
    given = tape.prompt
    turns: list[Turn] = []
    stop: Stop = "done"
    fault: str | None = None

    def so_far() -> Trajectory:
        return Trajectory(episode.id, episode.task, tuple(turns), episode.system)

    for t, user in enumerate(episode.users):
        if t > 0:
            try:
                goes_on = await episode.goes_on(so_far())
            except JudgeFailure as failure:
                stop, fault = "judge_failure", str(failure)
                break
            if not goes_on:
                stop = "strict"
                break
            given = codec.user_suffix(user)
            tape.given(given)
        steps: list[Step] = []
        turns.append(Turn(user))
        while True:
            budget = min(limits.step_tokens, limits.tokens - tape.length)
            if budget <= 0:
                stop = "max_tokens"
                break
            try:
                sampled = await line.say(given, budget)
            except PolicyFailure as failure:
                stop, fault = "policy_failure", str(failure)
                break
            tape.sampled(sampled.ids, sampled.logprobs, t, len(steps))
            step = read(codec.text(sampled.ids), f"t{t}.s{len(steps)}")
            steps.append(step)
            turns[-1] = Turn(user, tuple(steps))
            if sampled.ids[-1] != codec.end:
                stop = "max_tokens" if budget < limits.step_tokens else "max_step_tokens"
                break
            if not step.calls and step.malformed is None:
                break
            try:
                answers = await _answer(step, episode.call_tool)
            except ToolFailure as failure:
                stop, fault = "tool_failure", str(failure)
                break
            steps[-1] = _with_results(step, answers)
            turns[-1] = Turn(user, tuple(steps))
            if len(steps) == limits.steps:
                stop = "max_steps"
                break
            given = codec.result_suffix(answers)
            tape.given(given)
        if stop != "done":
            break
    return Rollout(
        so_far(), tape.prompt, tape.completion, tape.logprobs, tape.mask, tape.places, stop, fault
    )


def well_formed(rollout: Rollout) -> bool:
    """Every turn that was played ended with a reply, not at a limit or in a malformed call."""
    return rollout.stop in ("done", "strict") and all(
        turn.steps and turn.steps[-1].reply for turn in rollout.trajectory.turns
    )


async def _answer(step: Step, call_tool: CallTool) -> list[tuple[str, str, str]]:
    """(call id, tool, text) for each call in order, and for a malformed call what was wrong."""
    answers = [
        (call.id, call.tool, await call_tool(call.tool, call.arguments)) for call in step.calls
    ]
    if step.malformed is not None:
        answers.append(("malformed", "malformed", error_text(_MALFORMED)))
    return answers


def _with_results(step: Step, answers: Sequence[tuple[str, str, str]]) -> Step:
    texts = {call_id: text for call_id, _, text in answers}
    calls: tuple[Call, ...] = tuple(replace(call, result=texts[call.id]) for call in step.calls)
    return replace(step, calls=calls)
