"""The vLLM engine without a GPU: what vLLM is asked for, and what becomes of what it says.

Where the package is installed, its own classes take the requests: its engine's arguments, its
sampling parameters, its checks of structured outputs. A stand-in for the engine has the signature
of the real one; it draws random tokens under vLLM's own grammar, and answers in vLLM's records.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import random
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import judge_models
import pytest
import torch
from judged import decided, judge_of, question

from cm2.judge import Answer, Answered, Context, EngineError, Failed, JudgeLoadError, Prompt
from cm2.judge.config import open_judge
from cm2.judge.engines.vllm import Settings, VllmEngine, engine_arguments
from cm2.judge.model_directory import load_texts
from cm2.judge.prompt import schemas_in
from cm2.judge.reading import read
from cm2dsl import prompts
from cm2dsl.reward.verdict import Verdict

FILES = prompts.files()
CONTEXT = Context(FILES)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_models.save(tmp_path_factory.mktemp("model"), judge_models.byte_level())


def test_without_the_package_its_name_and_how_to_install_it_are_said(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(JudgeLoadError, match=r"needs the package `vllm`.*pip install 'cm2dsl"):
        open_judge({"engine": "vllm", "model": str(model_dir)}, CONTEXT)


def test_a_directory_that_is_no_model_is_refused_before_vllm_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(JudgeLoadError, match=r"has no config\.json"):
        open_judge({"engine": "vllm", "model": str(tmp_path)}, CONTEXT)


def test_options_do_not_undo_what_the_judge_sets(model_dir: Path) -> None:
    said = {"engine": "vllm", "model": str(model_dir), "options": {"trust_remote_code": True}}
    with pytest.raises(JudgeLoadError, match="`options` cannot set `trust_remote_code`"):
        open_judge(said, CONTEXT)


# --- with vLLM's own classes -------------------------------------------------------------------


@pytest.fixture(scope="module")
def vllm() -> Any:
    """vLLM's classes, by their names."""
    pytest.importorskip("vllm.v1.engine.async_llm", reason="vLLM is not installed")
    from vllm import exceptions, logprobs, outputs
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine import async_llm
    from vllm.v1.engine import exceptions as failures
    from vllm.v1.structured_output import backend_outlines, backend_types

    return SimpleNamespace(
        AsyncEngineArgs=AsyncEngineArgs,
        AsyncLLM=async_llm.AsyncLLM,
        CompletionOutput=outputs.CompletionOutput,
        RequestOutput=outputs.RequestOutput,
        Logprob=logprobs.Logprob,
        VLLMValidationError=exceptions.VLLMValidationError,
        EngineDeadError=failures.EngineDeadError,
        EngineGenerateError=failures.EngineGenerateError,
        backend_outlines=backend_outlines,
        backend_types=backend_types,
    )


class StandIn:
    """AsyncLLM without a model: random tokens that vLLM's grammar allows, more likely than others.

    `breaks` is raised instead of an answer. `open` are the requests that did not come to an end.
    """

    def __init__(self, vllm: Any, texts: Any) -> None:
        self.vllm = vllm
        self.texts = texts
        self.asked: list[tuple[Any, Any, str]] = []
        self.open: set[str] = set()
        self.breaks: Exception | None = None
        self.hangs = False
        self.shut = False
        config = SimpleNamespace(speculative_config=None)
        size = len(texts.tokenizer)
        outlines = vllm.backend_outlines.OutlinesBackend(config, texts.tokenizer, size)
        kind = vllm.backend_types.StructuredOutputOptions.JSON
        self.grammar: Callable[[str], Any] = lambda text: outlines.compile_grammar(kind, text)
        self.bits = torch.zeros((1, (size + 31) // 32), dtype=torch.int32)

    async def generate(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        said = inspect.signature(self.vllm.AsyncLLM.generate).bind(self, *args, **kwargs).arguments
        prompt, params, name = said["prompt"], said["sampling_params"], said["request_id"]
        self.vllm.backend_outlines.validate_structured_output_request_outlines(params)
        assert name not in [other for *_, other in self.asked]
        self.asked.append((prompt, params, name))
        self.open.add(name)
        if self.hangs:
            await asyncio.sleep(60)
        if self.breaks is not None:
            raise self.breaks
        ids, places = self._written(params)
        ended = ids[-1] == self.texts.end
        output = self.vllm.CompletionOutput(
            index=0,
            text="",
            token_ids=ids,
            cumulative_logprob=None,
            logprobs=places,
            finish_reason="stop" if ended else "length",
        )
        self.open.remove(name)
        yield self.vllm.RequestOutput(
            name, None, prompt["prompt_token_ids"], None, [output], True, num_cached_tokens=7
        )

    def _written(self, params: Any) -> tuple[list[int], list[dict[int, Any]]]:
        own = random.Random(params.seed)
        grammar = self.grammar(json.dumps(params.structured_outputs.json))
        ids: list[int] = []
        places: list[dict[int, Any]] = []
        while len(ids) < params.max_tokens and not (ids and ids[-1] == self.texts.end):
            grammar.fill_bitmask(self.bits, 0)
            words = [word & 0xFFFFFFFF for word in self.bits[0].tolist()]
            allowed = [i for i in range(len(words) * 32) if words[i // 32] >> i % 32 & 1]
            odds = [own.random() + 1e-3 for _ in allowed]
            (chosen,) = own.choices(allowed, odds)
            ranked = sorted(zip(odds, allowed, strict=True), reverse=True)[: params.logprobs]
            shares = {i: odd / sum(odds) for odd, i in ranked}
            shares[chosen] = odds[allowed.index(chosen)] / sum(odds)
            places.append({i: self.vllm.Logprob(math.log(one)) for i, one in shares.items()})
            ids.append(chosen)
            assert chosen == self.texts.end or grammar.accept_tokens("", [chosen])
        return ids, places

    def shutdown(self) -> None:
        self.shut = True


@pytest.fixture
def llm(vllm: Any, model_dir: Path) -> StandIn:
    return StandIn(vllm, load_texts(model_dir))


def engine(llm: StandIn, max_tokens: int = 2048, context: int = 4096) -> VllmEngine:
    return VllmEngine(
        llm, llm.texts, schemas_in(FILES), max_tokens=max_tokens, context=context, started=""
    )


def answers(own: VllmEngine, *asked: Prompt) -> list[Answer]:
    async def all_() -> list[Answer]:
        return list(await asyncio.gather(*(own.answer(one) for one in asked)))

    return asyncio.run(all_())


def test_the_engine_starts_with_the_prefix_cache_and_outlines(vllm: Any, model_dir: Path) -> None:
    settings = Settings(engine="vllm", model=str(model_dir), context=1000, gpus=2)
    said = engine_arguments(model_dir, settings)
    assert isinstance(said, vllm.AsyncEngineArgs)
    assert said.enable_prefix_caching is True
    assert said.structured_outputs_config.backend == "outlines"
    assert said.trust_remote_code is False
    assert (said.max_model_len, said.tensor_parallel_size) == (1000, 2)
    assert set(vars(said)) == {field.name for field in fields(vllm.AsyncEngineArgs)}


def test_an_option_that_vllm_does_not_have_is_refused(vllm: Any, model_dir: Path) -> None:
    settings = Settings(engine="vllm", model=str(model_dir), options={"warp": 9})
    with pytest.raises(JudgeLoadError, match="unexpected keyword argument 'warp'"):
        engine_arguments(model_dir, settings)


def test_every_answer_is_on_the_schema_of_its_shape(llm: StandIn) -> None:
    asked = [Prompt("a", str(i), i, ("verdict", "dated")[i % 2]) for i in range(12)]  # type: ignore[arg-type]
    given = answers(engine(llm), *asked)
    assert all(isinstance(one, Answered) for one in given)
    for prompt, one in zip(asked, given, strict=True):
        assert isinstance(one, Answered)
        read(one.text, prompt.shape)
        assert one.confidence is not None
        assert 0 < one.confidence <= 1
        assert one.usage.cached == 7
        assert one.usage.prompt == len(llm.texts.encode(prompt))
    assert not llm.open


def test_confidence_is_the_share_among_the_tokens_that_begin_a_verdict(llm: StandIn) -> None:
    own = engine(llm)
    place = {  # p: 0.5, pa: 0.1, f: 0.1, and the rest elsewhere
        letter: llm.vllm.Logprob(math.log(share))
        for letter, share in (("p", 0.5), ("f", 0.1), ("i", 0.1), ("x", 0.3))
    }
    number = {text: i for i, text in llm.texts.tokens.items()}
    text = '{"evidence":[],"reason":"x","verdict":"pass"}'
    ids = [number[letter.encode()] for letter in text]
    places = [{i: llm.vllm.Logprob(0.0)} for i in ids]
    places[text.index("pass")] = {number[key.encode()]: one for key, one in place.items()}
    assert own._confidence(ids, places) == pytest.approx(0.5 / 0.7)


def test_one_answer_is_greedy_and_votes_have_their_seeds(llm: StandIn) -> None:
    answers(engine(llm), Prompt("a", "b"), Prompt("a", "b", 2**62))
    greedy, sampled = (params for _, params, _ in llm.asked)
    assert (greedy.temperature, greedy.seed) == (0.0, None)
    assert (sampled.temperature, sampled.seed) == (1.0, 2**62)


def test_an_answer_that_does_not_end_is_a_failure_and_so_is_a_prompt_too_long(
    llm: StandIn,
) -> None:
    short, long = answers(engine(llm, max_tokens=5), Prompt("a", "b"), Prompt("a", "b " * 5000))
    assert isinstance(short, Failed)
    assert (short.trouble, short.cause) == ("truncated", "the answer did not end within 5 tokens")
    assert isinstance(long, Failed)
    assert long.trouble == "too_long"
    assert len(llm.asked) == 1


def test_what_goes_wrong_in_vllm_is_a_failure_and_its_death_ends_the_judge(llm: StandIn) -> None:
    own = engine(llm)
    llm.breaks = llm.vllm.VLLMValidationError("no")
    (refused,) = answers(own, Prompt("a", "b"))
    assert isinstance(refused, Failed)
    assert (refused.trouble, refused.again) == ("rejected", False)
    llm.breaks = llm.vllm.EngineGenerateError()
    (failed,) = answers(own, Prompt("a", "b"))
    assert isinstance(failed, Failed)
    assert (failed.trouble, failed.again) == ("outage", True)
    llm.breaks = llm.vllm.EngineDeadError()
    with pytest.raises(EngineError, match="has died"):
        answers(own, Prompt("a", "b"))


def test_a_cancelled_request_leaves_vllms_generator_at_once(llm: StandIn) -> None:
    """vLLM aborts a request when its generator is cancelled."""
    llm.hangs = True

    async def work() -> None:
        task = asyncio.ensure_future(engine(llm).answer(Prompt("a", "b")))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(asyncio.wait([task]), 5)
        assert task.cancelled()

    asyncio.run(work())


def test_a_judge_decides_with_it(llm: StandIn) -> None:
    with judge_of(engine(llm)) as judge:
        (decision,) = decided(judge, question())
    assert decision.verdict in (Verdict.FAIL, Verdict.INSUFFICIENT)
    assert llm.shut
