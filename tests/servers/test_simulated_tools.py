"""The `llm` backend on a model that a real server serves: llama.cpp, by llama-cpp-python.

Its weights are random, so that nothing of what it says is on the schema but by the server's doing.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

sys.path.append(str(Path(__file__).parents[1] / "runtime"))

from actors import BOOKING, DESK, LLM
from test_llama_cpp import FILES, pytestmark, served

from cm2.judge import Context
from cm2.judge.asking import Asker, open_asker
from cm2.judge.desk import Limits
from cm2.judge.engine import Answer, Answered, Engine, Prompt
from cm2.simulate import Simulator, ToolFailure, World
from cm2.trajectory import has_failed

__all__ = ["pytestmark"]

CALLS = 200
SEEDED = 60


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from test_llama_cpp import write_model

    folder = tmp_path_factory.mktemp("served")
    model = write_model(folder / "tiny.gguf", [*FILES.values(), json.dumps(BOOKING)])
    with served(model, folder / "log.txt", "--n_ctx", "16384") as found:
        yield found


def settings(url: str) -> dict[str, Any]:
    said = {"engine": "openai", "model": "tiny", "urls": [url], "structured": "json_object"}
    return said | {"deadline": 300.0, "concurrency": 4}


def worlds(asker: Asker) -> Simulator:
    return Simulator(DESK, (LLM,), Path(), llm=asker)


async def rollout(world: World, number: int, calls: int) -> tuple[int, str | None]:
    """How many calls were answered, and what broke, in a rollout of reads and writes."""
    draw = random.Random(number)
    for count in range(calls):
        tool = draw.choice(["lookup", "lookup", "bookings", "cancel"])
        name = draw.choice(["K7Q2MB", "B100001", "X9"])
        given = {"customer": "Ann"} if tool == "bookings" else {"booking": name}
        try:
            await world.call(tool, given)
        except ToolFailure as failure:
            return count, str(failure)
    return calls, None


def test_whatever_a_served_model_answers_is_json_on_the_schema_or_masks(url: str) -> None:
    """Its answers, and what becomes of rollouts: random weights contradict themselves."""
    asker = open_asker(settings(url), Context(FILES))
    simulator = worlds(asker)
    opened = [simulator.world(f"t{n}") for n in range(CALLS // 4)]

    async def all_() -> list[tuple[int, str | None]]:
        async with asyncio.timeout(1500):
            found = await asyncio.gather(*(rollout(w, n, 4) for n, w in enumerate(opened)))
        await asker.close()
        return list(found)

    start = time.monotonic()
    ended = asyncio.run(all_())
    events = [event for world in opened for event in world.log]
    schemas = {tool.name: tool.returns for tool in DESK}
    for event in events:
        value = json.loads(event.answer.text)
        if not has_failed(event.answer.text, event.answer.failed):
            jsonschema.validate(value, schemas[event.tool])
        assert event.answer.source == "llm"
    total = asker.ledger.total
    causes = Counter(_kind(cause) for _, cause in ended if cause is not None)
    assert {*causes} <= {"contradicts itself", "a number is too large"}
    assert total.troubles.keys() <= {"truncated", "off_schema"}
    assert sum(count for count, _ in ended) == len(events)
    print(
        f"\n{len(events)} answers in {len(opened)} rollouts in {time.monotonic() - start:.0f} s, "
        f"all JSON and on the schema: {total.calls} calls, {total.hits} shared, "
        f"{dict(total.troubles)}; {total.prompt} prompt and {total.output} output tokens; "
        f"masked: {dict(causes)}"
    )


class Contradicting:
    """An engine that changes a fact in what another one said, where the call is the second one."""

    def __init__(self, inner: Engine, always: bool) -> None:
        self._inner = inner
        self._always = always
        self.changed = 0

    @property
    def identity(self) -> str:
        return f"contradicting {self._always} {self._inner.identity}"

    @property
    def control_tokens(self) -> Sequence[str]:
        return self._inner.control_tokens

    async def answer(self, prompt: Prompt) -> Answer:
        if "# Nothing was shown so far" in prompt.user:
            return _said({"booking": "K7Q2MB", "status": "active", "total": 120})
        answer = await self._inner.answer(prompt)
        assert isinstance(answer, Answered)
        if "not possible" in prompt.user and not self._always:
            return _said({"booking": "K7Q2MB", "status": "active", "total": 120})
        self.changed += 1
        draw = random.Random(prompt.user)
        seeded = {"booking": "K7Q2MB", "status": "active", "total": 120}
        seeded |= draw.choice([{"booking": "B100001"}, {"status": "void"}, {"total": 121}])
        return _said(seeded)

    async def close(self) -> None:
        await self._inner.close()


def _said(result: Any) -> Answered:
    return Answered(json.dumps({"answer": {"result": result}}))


@pytest.mark.parametrize("always", [False, True])
def test_seeded_contradictions_are_caught_every_one(url: str, always: bool) -> None:
    """An id, a status or a total that changes after a write to another booking."""
    inner = open_asker(settings(url), Context(FILES))
    engine = Contradicting(inner._engine, always)
    asker = Asker(engine, limits=Limits(concurrency=4, deadline=300.0))
    simulator = worlds(asker)

    async def one(number: int) -> str:
        world = simulator.world(f"t{number}")
        first = await world.call("lookup", {"booking": "K7Q2MB"})
        again = await world.call("lookup", {"booking": "K7Q2MB"})
        assert again.text == first.text
        world.log.append(_written(number))
        try:
            answer = await world.call("lookup", {"booking": "K7Q2MB"})
        except ToolFailure as failure:
            return _kind(str(failure))
        assert answer.text == first.text
        return "corrected" if "asked again because" in answer.why else "missed"

    async def all_() -> Counter[str]:
        async with asyncio.timeout(1500):
            found = Counter(await asyncio.gather(*(one(number) for number in range(SEEDED))))
        await asker.close()
        return found

    found = asyncio.run(all_())
    assert found == {"contradicts itself" if always else "corrected": SEEDED}
    print(f"\n{engine.changed} seeded contradictions in {SEEDED} rollouts: {dict(found)}")


def _written(number: int) -> Any:
    from cm2.simulate.backend import Answer, Event

    name = f"C{number:05d}"
    result = json.dumps({"booking": name, "status": "cancelled", "total": 9})
    key = json.dumps({"booking": name}, separators=(",", ":"))
    return Event("cancel", {"booking": name}, key, "write", Answer(result, "replay"))


def _kind(cause: str) -> str:
    """Why a rollout was masked. No bound keeps this server from writing 1e999 for a number."""
    kinds = {"contradicts itself": "contradicts itself", "is too large": "a number is too large"}
    return next((kind for said, kind in kinds.items() if said in cause), cause)
