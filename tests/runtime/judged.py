"""Small specs, dialogues and engines for the tests of cm2.judge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence

import msgspec

from cm2.judge import Answer, Answered, Engine, Judge, Prompt, PromptedJudge, Question
from cm2.judge.desk import Limits
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import ir
from cm2dsl.reward.verdict import Decision

PLACE = ir.Place(file="airline.cm2", line=1, column=1)
TOOLS = (
    ir.Tool(
        name="flight_search",
        description="Find flights\nof one day",
        parameters={
            "type": "object",
            "properties": {
                "origin": {"type": "string"},
                "cabin": {"enum": ["economy", "business"]},
                "legs": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["origin"],
        },
    ),
)
SEARCH = Call(
    "c1",
    "flight_search",
    {"origin": "PEK"},
    "",
    '{"flights": [{"number": "MU5101", "price": 120}]}',
)
DIALOGUE = Trajectory(
    id="d1",
    task="book",
    system="Be polite and honest.",
    turns=(
        Turn(
            "Find me a flight",
            (
                Step(reasoning="They want a flight.", calls=(SEARCH,)),
                Step(reply="MU5101 departs at 08:00 and costs 120 euros."),
            ),
        ),
        Turn("Book it", (Step(reply="Your flight is booked."),)),
    ),
)


def spec(votes: int = 1, view: str = "turn", system: str = "") -> ir.Spec:
    return ir.Spec(
        edition=1,
        domain="airline",
        system=system,
        tools=TOOLS,
        judge=msgspec.convert({"votes": votes, "view": view}, ir.JudgeProtocol),
        tasks=(),
        sources=(),
        compiler=ir.Compiler(version="0", sha256="0"),
    )


TURNS = tuple(ir.Turn(name=name, user=("…",), place=PLACE) for name in ("find", "book", "pay"))
TASK = ir.Task(name="book", turns=TURNS, assign=ir.Assign(), place=PLACE)


def item(ask: ir.Text | str = "Is it so?", *, focus: str = "reply", kind: str = "item") -> ir.Item:
    said = (ask,) if isinstance(ask, str) else ask
    return ir.Item(name="so", kind=kind, weight=1.0, focus=focus, ask=said, place=PLACE)  # type: ignore[arg-type]


def question(
    one: ir.Item | None = None,
    *,
    turn: int | None = 0,
    trajectory: Trajectory = DIALOGUE,
    own: ir.Spec | None = None,
    row: ir.Row | None = None,
) -> Question:
    return Question(own or spec(), TASK, row, turn, one or item(), trajectory)


def verdict(kind: str, *evidence: tuple[str, str], reason: str = "So it is.") -> str:
    """An answer as a judge writes it."""
    quotes = [{"segment": segment, "quote": quote} for segment, quote in evidence]
    return json.dumps({"evidence": quotes, "reason": reason, "verdict": kind}, ensure_ascii=False)


class Scripted:
    """An engine whose answers a function gives; `asked` has every prompt it got."""

    identity = "scripted"

    def __init__(
        self, reply: Callable[[Prompt], Answer | str], control_tokens: Sequence[str] = ()
    ) -> None:
        self._reply = reply
        self.control_tokens = control_tokens
        self.asked: list[Prompt] = []

    async def answer(self, prompt: Prompt) -> Answer:
        self.asked.append(prompt)
        reply = self._reply(prompt)
        return Answered(reply) if isinstance(reply, str) else reply

    async def close(self) -> None:
        pass


def judge_of(engine: Engine, files: Mapping[str, str] | None = None) -> PromptedJudge:
    """A judge that waits for nothing before it asks again."""
    return PromptedJudge(engine, files, limits=Limits(backoff=0))


def decided(judge: Judge, *questions: Question) -> list[Decision]:
    """The decisions on questions that are asked all at once, in their order."""

    async def all_() -> list[Decision]:
        return list(await asyncio.gather(*(judge.decide(one) for one in questions)))

    return judge.run(all_())
