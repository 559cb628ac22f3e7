"""The engine for OpenAI-compatible servers against a real one: llama.cpp, by llama-cpp-python.

`make test-servers` sets the server up and runs this; its model is written here, with random
weights, so that nothing of what it says is on the schema but by the server's own doing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

sys.path.append(str(Path(__file__).parents[1] / "runtime"))

from judged import TASK, item, spec

from cm2.judge import (
    Answer,
    Answered,
    Context,
    EngineError,
    Judge,
    Prompt,
    PromptedJudge,
    Question,
    open_judge,
)
from cm2.trajectory import Step, Trajectory, Turn
from cm2dsl import prompts
from cm2dsl.reward.verdict import Decision, Verdict

PYTHON = os.environ.get("CM2_SERVERS")
"""The interpreter that has llama-cpp-python and gguf."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="`make test-servers` sets the server up"),
]

FILES = prompts.files()
SCHEMAS = {
    "verdict": json.loads(FILES[prompts.SCHEMA]),
    "dated": json.loads(FILES[prompts.DATED_SCHEMA]),
}
JUDGEMENTS = 500
STARTS = 120.0
"""Seconds in which the server is there, also on a busy machine."""
WORDS = "flight fare booking euro Beijing tomorrow 航班 refund seat 08:00 MU5101 <|im_end|> ===="


@contextmanager
def served(model: Path, log: Path, *options: str) -> Iterator[str]:
    """The base URL of a llama.cpp server on loopback; it is stopped at the end."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert PYTHON is not None
    run = [PYTHON, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port)]
    run += ["--host", "127.0.0.1", "--chat_format", "chatml", "--interrupt_requests", "false"]
    with (
        log.open("wb") as said,
        subprocess.Popen([*run, *options], stdout=said, stderr=subprocess.STDOUT) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}/v1"
            end = time.monotonic() + STARTS
            while not _answers(url):
                assert process.poll() is None, log.read_text(errors="replace")[-2000:]
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/models", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def write_model(path: Path, texts: Sequence[str]) -> Path:
    """A model of random weights whose vocabulary has the words of some texts."""
    assert PYTHON is not None
    writer = Path(__file__).with_name("tiny_gguf.py")
    text = " ".join(texts)
    subprocess.run([PYTHON, writer, path], input=text, text=True, check=True, timeout=120)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.gguf", [*FILES.values(), WORDS])


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "server.txt"
    with served(model, log, "--n_ctx", "8192", "--logits_all", "true") as found:
        yield found


class Recording:
    """An engine that keeps what another one answered."""

    def __init__(self, judge: Judge) -> None:
        assert isinstance(judge, PromptedJudge)
        self._engine = judge._engine
        self.answers: list[tuple[Prompt, Answer]] = []

    @property
    def identity(self) -> str:
        return self._engine.identity

    @property
    def control_tokens(self) -> Sequence[str]:
        return self._engine.control_tokens

    async def answer(self, prompt: Prompt) -> Answer:
        answer = await self._engine.answer(prompt)
        self.answers.append((prompt, answer))
        return answer

    async def close(self) -> None:
        await self._engine.close()


def judge_at(url: str, **settings: Any) -> Judge:
    said = {"engine": "openai", "model": "tiny", "urls": [url], "structured": "json_object"}
    return open_judge(said | {"deadline": 300.0} | settings, Context(FILES))


def questions(count: int) -> list[Question]:
    """Questions on turns of dialogues of random words, eight a turn; every other one is dated."""
    draw = random.Random(0)

    def text() -> str:
        return " ".join(draw.choices(WORDS.split(), k=draw.randint(1, 12)))

    made: list[Question] = []
    while len(made) < count:
        turns = tuple(
            Turn(text(), tuple(Step(reply=text()) for _ in range(draw.randint(1, 3))))
            for _ in range(2)
        )
        trajectory = Trajectory(f"d{len(made)}", "book", turns)
        for turn in (0, 1):
            for number in range(8):
                asked = item(f"Is it so that {text()}? ({number})")
                dated = number % 2 == 1
                made.append(Question(spec(), TASK, None, turn, asked, trajectory, dated))
    return made[:count]


def decided(judge: Judge, asked: Sequence[Question]) -> list[Decision]:
    async def all_() -> list[Decision]:
        async with asyncio.timeout(1800):
            return list(await asyncio.gather(*(judge.decide(one) for one in asked)))

    return judge.run(all_())


def test_five_hundred_judgements_are_on_the_schema_or_an_error_with_its_cause(url: str) -> None:
    engine = Recording(judge_at(url, concurrency=4, max_tokens=2048))
    start = time.monotonic()
    with PromptedJudge(engine, FILES) as judge:
        decisions = decided(judge, questions(JUDGEMENTS))
        total = judge.ledger.total
    seconds = time.monotonic() - start
    assert len(decisions) == JUDGEMENTS
    answered = [(prompt, one) for prompt, one in engine.answers if isinstance(one, Answered)]
    for prompt, answer in answered:
        jsonschema.validate(json.loads(answer.text), SCHEMAS[prompt.shape])
    for decision in decisions:
        assert decision.verdict is not Verdict.ERROR or decision.reason
        assert decision.verdict is not Verdict.PASS or decision.evidence
    failed = len(engine.answers) - len(answered)
    assert failed == sum(total.troubles.values())
    assert failed < JUDGEMENTS // 10
    assert all(answer.confidence is not None for _, answer in answered)
    verdicts = Counter(decision.verdict.value for decision in decisions)
    print(
        f"\n{JUDGEMENTS} judgements in {seconds:.0f} s: {total.calls} calls, {len(answered)} of "
        f"them on the schema, {dict(total.troubles)}; {total.prompt} prompt and {total.output} "
        f"output tokens; {dict(verdicts)}"
    )


def test_the_same_seeds_give_the_same_answers(url: str) -> None:
    engine = Recording(judge_at(url, temperature=1.0))
    prompts_ = [Prompt("Judge.", "Is it so?", seed) for seed in (1, 2, 3, 4, None)]

    async def twice() -> list[list[Answer]]:
        return [[await engine.answer(prompt) for prompt in prompts_] for _ in range(2)]

    with PromptedJudge(engine, FILES) as judge:
        first, second = judge.run(twice())
    said = [answer.text for answer in first if isinstance(answer, Answered)]
    assert said == [answer.text for answer in second if isinstance(answer, Answered)]
    assert len({*said}) > 1


def test_a_prompt_that_does_not_fit_is_too_long_and_not_tried_again(url: str) -> None:
    engine = Recording(judge_at(url, max_tokens=64))
    long = Prompt("Judge.", "so " * 20_000)

    async def ask() -> Answer:
        return await engine.answer(long)

    with PromptedJudge(engine, FILES) as judge:
        answer = judge.run(ask())
    assert not isinstance(answer, Answered)
    assert (answer.trouble, answer.again) == ("too_long", False)


def test_a_server_that_keeps_no_probabilities_is_judged_with_all_the_same(
    model: Path, tmp_path: Path
) -> None:
    with served(model, tmp_path / "log.txt", "--n_ctx", "8192", "--logits_all", "false") as url:
        engine = Recording(judge_at(url))
        with PromptedJudge(engine, FILES) as judge:
            decided(judge, questions(8))
    answered = [answer for _, answer in engine.answers if isinstance(answer, Answered)]
    assert answered
    assert {answer.confidence for answer in answered} == {None}


@pytest.mark.parametrize("structured", ["structured_outputs", "json_schema"])
def test_a_field_that_this_server_does_not_know_is_found_out_before_anything_is_scored(
    url: str, structured: str
) -> None:
    engine = Recording(judge_at(url, structured=structured, max_tokens=64))
    with PromptedJudge(engine, FILES) as judge, pytest.raises(EngineError) as error:
        decided(judge, questions(4))
    assert url in error.value.message
    assert "structured" in error.value.help
    assert engine.answers == []
