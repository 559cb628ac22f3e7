"""vLLM's own engine on a CPU: all of it is real, but that a transformers model makes the forward.

Requests, scheduler, prefix cache, sleep and outputs are vLLM's code. Its kernels need a GPU, so the
worker here computes each request's logits anew, and samples with the seed that the request has.
Import it before anything else of vLLM: which platform it is on is decided once.
"""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import vllm.platforms
from stepped_engine import Open, advance, begin
from vllm.platforms.cpu import CpuPlatform


class _Platform(CpuPlatform):
    def is_sleep_mode_available(self) -> bool:
        return True


vllm.platforms._current_platform = _Platform()

from transformers import AutoModelForCausalLM  # noqa: E402
from vllm.v1.executor.abstract import Executor  # noqa: E402
from vllm.v1.kv_cache_interface import FullAttentionSpec  # noqa: E402
from vllm.v1.outputs import LogprobsLists, ModelRunnerOutput  # noqa: E402

from cm2.rollout.sampling import Sampling  # noqa: E402


class SmallModel(torch.nn.Module):
    """What weights are loaded into, name by name. Asleep, it has none: whoever forgets to give them
    again samples nonsense."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.inner: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        self.loads = 0

    def load_weights(self, named: Any) -> None:
        own = dict(self.inner.named_parameters())
        for name, weight in named:
            with torch.no_grad():
                own[name].copy_(weight)
        self.loads += 1

    def lose(self) -> None:
        with torch.no_grad():
            for weight in self.inner.parameters():
                weight.fill_(float("nan"))


class SmallWorker:
    """The calls that an engine makes of a worker, each by its name."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.model = SmallModel(config.model_config.model)
        self.open: dict[str, Open] = {}
        self.log: list[str] = []
        self.sums: list[float] = []  # over the weights of each step
        self.most = 0

    def get_kv_cache_spec(self) -> dict[str, Any]:
        size = self.config.cache_config.block_size
        return {
            "layer.0": FullAttentionSpec(
                block_size=size, num_kv_heads=1, head_size=16, dtype=torch.float32
            )
        }

    def get_supported_kv_cache_layouts(self) -> list[str]:
        return ["LBNHC"]

    def set_kv_cache_layout(self, name: str) -> None: ...

    def determine_available_memory(self) -> int:
        return 64 * 2**20

    def initialize_from_config(self, configs: Any) -> None: ...

    def compile_or_warm_up_model(self) -> Any:
        return SimpleNamespace(language_model=0.0, encoder=0.0)

    def get_supported_tasks(self) -> tuple[str, ...]:
        return ("generate",)

    def reset_mm_cache(self) -> None: ...

    def reset_encoder_cache(self) -> None: ...

    def shutdown(self) -> None: ...

    def synchronize_device(self) -> None: ...

    def sleep(self, level: int) -> None:
        self.log.append(f"sleep {level}")
        assert level == 2
        self.model.lose()

    def wake_up(self, tags: list[str] | None) -> None:
        self.log.append(f"wake {tags}")

    def execute_model(self, scheduled: Any) -> ModelRunnerOutput:
        for name in scheduled.finished_req_ids:
            self.open.pop(name, None)
        done: dict[str, int] = {}
        for new in scheduled.scheduled_new_reqs:
            params = new.sampling_params
            ends = set(params.stop_token_ids or ())
            self.open[new.req_id] = begin(
                new.prompt_token_ids, params.max_tokens, params.seed, ends
            )
            done[new.req_id] = new.num_computed_tokens
        cached = scheduled.scheduled_cached_reqs
        assert not cached.resumed_req_ids
        done |= dict(zip(cached.req_ids, cached.num_computed_tokens, strict=True))
        self.most = max(self.most, len(done))
        ids: list[list[int]] = []
        logprobs: list[float] = []
        for name, computed in done.items():
            one = self.open[name]
            if computed + scheduled.num_scheduled_tokens[name] < len(one.ids):
                ids.append([])
                logprobs.append(0.0)
                continue
            advance(self.model.inner, one, Sampling())
            ids.append([one.said[-1]])
            logprobs.append(one.logprobs[-1])
        if ids:
            self.log.append("sample")
            self.sums.append(
                sum(float(one.detach().abs().sum()) for one in self.model.parameters())
            )
        return ModelRunnerOutput(
            req_ids=list(done),
            req_id_to_index={name: i for i, name in enumerate(done)},
            sampled_token_ids=ids,
            logprobs=LogprobsLists(
                np.array([one or [0] for one in ids], np.int32).reshape(-1, 1),
                np.array(logprobs, np.float32).reshape(-1, 1),
                np.ones(len(ids), np.int32),
            ),
        )


class SmallExecutor(Executor):  # type: ignore[misc]
    """An executor with one such worker, where TRL looks for its model."""

    def _init_executor(self) -> None:
        self.worker = SmallWorker(self.vllm_config)
        self.driver_worker = SimpleNamespace(model_runner=SimpleNamespace(model=self.worker.model))

    def collective_rpc(
        self,
        method: Any,
        timeout: float | None = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        non_block: bool = False,
    ) -> Any:
        result = getattr(self.worker, method)(*args, **(kwargs or {}))
        if not non_block:
            return [result]
        future: Future[Any] = Future()
        future.set_result(result)
        return [future]

    def check_health(self) -> None: ...
