"""Facts about vLLM in a training run, with vLLM's own engine; skipped where it is not installed."""

from __future__ import annotations

import asyncio
import inspect
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("vllm", reason="vLLM is not installed")
if torch.cuda.is_available():
    pytest.skip("there is a GPU: this engine is one on a CPU", allow_module_level=True)
if "vllm.config" in sys.modules and "vllm_executor" not in sys.modules:
    pytest.skip("vLLM has chosen its platform: run this file alone", allow_module_level=True)

import vllm_executor
from moved_weights import TOKENS, gaps, short_run
from rollout_doubles import desk, tiny_tokenizer
from training_server import TrainingServer
from trl.generation import vllm_generation
from vllm import LLM, SamplingParams

from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.in_vllm import VllmEngine, VllmGenerator
from cm2.rollout.limits import Limits
from cm2.rollout.sampling import Sampling
from cm2.train.arguments import grpo_arguments
from cm2.train.config import Config, Generation, Lora, Tiny, Validation
from cm2.train.folder import RunError
from cm2.train.generation import TrlSyncer
from cm2.train.run import train
from cm2.train.tiny import build_model
from cm2.train.vllm import see_weights_taken

ROWS = ("AB12", "CD34", "EF56", "GH78")
END = tiny_tokenizer().eos_token_id


class Anywhere(TrlSyncer):
    """TRL's way, on a machine without a GPU."""

    def see(self, config: Config) -> None:
        if config.generation.backend == "server":
            see_weights_taken(config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    torch.set_num_threads(1)
    model = build_model(tiny_tokenizer(), Tiny(hidden=16, spread=0.2), positions=TOKENS, seed=1)
    model.save_pretrained(path)
    tiny_tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """vLLM's engines that TRL starts, each with the worker above in it."""
    started: list[Any] = []

    def start(**arguments: Any) -> Any:
        assert arguments["distributed_executor_backend"] == "external_launcher"
        arguments["distributed_executor_backend"] = vllm_executor.SmallExecutor
        started.append(LLM(**arguments))
        return started[-1]

    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # as `external_launcher` does
    monkeypatch.setattr(vllm_generation, "LLM", start)
    return started


def llm(folder: Path, **options: Any) -> Any:
    return LLM(
        model=str(folder),
        max_model_len=256,
        max_num_seqs=8,
        logprobs_mode="processed_logprobs",
        distributed_executor_backend=vllm_executor.SmallExecutor,
        **options,
    )


def config(folder: Path, **changes: Any) -> Config:
    return short_run(folder, Generation(backend="colocate"), **changes)


def test_dialogues_share_vllms_steps_and_each_says_what_it_says_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    engine = llm(folder)
    worker = engine.llm_engine.model_executor.worker
    generator = VllmGenerator(engine, ends=[END])

    async def say(seed: int) -> Sampled:
        with generator.open(np.random.default_rng(seed)) as line:
            await line.say([5, 6, seed], 8)
            return await line.say([8], 8)

    async def together(seeds: range) -> list[Sampled]:
        async with generator:
            return await asyncio.gather(*(say(seed) for seed in seeds))

    alone = [asyncio.run(together(range(seed, seed + 1)))[0] for seed in range(4)]
    assert worker.most == 1
    assert asyncio.run(together(range(4))) == alone
    assert worker.most == 4

    async def too_long() -> Sampled:
        async with generator:
            with generator.open(np.random.default_rng(0)) as line:
                return await line.say([5] * 300, 8)

    with pytest.raises(PolicyFailure, match="vLLM refuses the request: "):
        asyncio.run(too_long())

    async def cancelled() -> None:
        async with generator:
            task = asyncio.create_task(say(1))
            await asyncio.sleep(0.05)
            task.cancel()

    asyncio.run(cancelled())
    assert not engine.llm_engine.has_unfinished_requests()
    assert engine.reset_prefix_cache()


def test_a_message_is_asked_for_with_its_own_seed_and_ends() -> None:
    class Owner:
        llm_engine = None

    asked = VllmEngine(Owner(), ends=[9, 3], sampling=Sampling(0.5, 0.9, 7, 0.1)).parameters(20, 4)
    assert isinstance(asked, SamplingParams)
    assert (asked.seed, asked.max_tokens, asked.logprobs) == (4, 20, 0)
    assert (asked.temperature, asked.top_p, asked.top_k, asked.min_p) == (0.5, 0.9, 7, 0.1)
    assert asked.stop_token_ids == [3, 9]


@pytest.mark.parametrize("sleep", [True, False], ids=["sleeps", "stays"])
@pytest.mark.parametrize("lora", [None, Lora(rank=4, alpha=16.0)], ids=["weights", "adapter"])
def test_a_run_samples_from_the_engine_that_trl_owns_with_the_weights_of_the_step(
    engines: list[Any],
    folder: Path,
    sleep: bool,
    lora: Lora | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = gaps(monkeypatch)
    told = config(
        folder,
        lora=lora,
        generation=Generation(backend="colocate", sleep=sleep),
        validation=Validation(every=2, samples=1),
    )
    bundle = desk(tmp_path, ROWS, heldout=2)
    summary = train(bundle, told, tmp_path / "run", syncer=Anywhere())
    assert [gap < 1e-4 and tokens > 3 for gap, tokens in seen] == [True, True], seen
    assert summary["before"]["masked"] == summary["after"]["masked"] == 0
    (engine,) = engines
    worker = engine.llm_engine.model_executor.worker
    words = [word for word, _ in groupby(worker.log)]
    # before, two steps, a validation, after
    awake = ["wake ['weights']", "wake ['kv_cache']", "sample", "sleep 2"]
    assert words == (["sleep 2", *awake * 5] if sleep else ["sample"])
    assert len([0 for _ in groupby(worker.sums)]) == 3  # at first, and after each of two steps
    assert worker.model.loads == 5 * len(list(worker.model.parameters()))
    assert engine.llm_engine.vllm_config.model_config.max_model_len == TOKENS


def test_an_engine_that_does_not_start_is_an_error_in_vllms_words(
    engines: list[Any], folder: Path, tmp_path: Path
) -> None:
    told = config(folder, limits=Limits(turns=2, steps=1, step_tokens=6, tokens=2 * TOKENS))
    with pytest.raises(RunError, match="max_model_len") as raised:
        train(desk(tmp_path, ROWS, heldout=2), told, tmp_path / "run", syncer=Anywhere())
    assert str(raised.value).startswith("vLLM cannot be used on this GPU: ")
    assert str(raised.value).endswith("; or sample in this process: --set generation.backend=local")
    assert not engines


def test_trls_client_reaches_a_server_as_far_as_the_gpu_that_it_lacks(
    folder: Path, tmp_path: Path
) -> None:
    model = build_model(tiny_tokenizer(), Tiny(hidden=16), positions=TOKENS, seed=1).eval()
    with TrainingServer(model, {"id": str(folder), "max_model_len": TOKENS}) as server:
        told = config(folder, generation=Generation(backend="server", url=server.root))
        with pytest.raises(RunError, match="Weight synchronization runs on vLLM's NCCL") as raised:
            train(desk(tmp_path, ROWS, heldout=2), told, tmp_path / "run", syncer=Anywhere())
        assert f"vLLM cannot be used on {server.root}" in str(raised.value)
        assert "/server_info" in server.log
        assert "/get_world_size" in server.log


def test_trl_takes_the_arguments_and_leaves_importance_to_the_run(folder: Path) -> None:
    told = config(folder)
    taken = grpo_arguments(told, Path("x"), TrlSyncer().arguments(told))
    assert taken.use_vllm
    assert (taken.vllm_mode, taken.vllm_max_model_length) == ("colocate", TOKENS)
    assert not taken.vllm_importance_sampling_correction


def test_the_calls_fit_vllms_own_signatures() -> None:
    inspect.signature(LLM.wake_up).bind(None, tags=["kv_cache"])
    inspect.signature(LLM.sleep).bind(None, level=2)
    from vllm.v1.engine.llm_engine import LLMEngine

    inspect.signature(LLMEngine.abort_request).bind(None, ["0-a"], internal=True)
