"""A policy under vLLM in this process, on a GPU: with its own scheduling and prefix cache."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from time import perf_counter
from typing import Any

from cm2.judge.engine import EngineError
from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.prefixes import PrefixGenerator, checked
from cm2.rollout.sampling import Sampling

ARGUMENTS = {
    "generation_config": "vllm",
    "enable_prefix_caching": True,
    "logprobs_mode": "processed_logprobs",
}
"""What an engine must be started with: the directory's own generation settings are for chat, and
log-probabilities are to be those of what is sampled from."""


class VllmGenerator(PrefixGenerator):
    """`llm` is an AsyncLLM that was started with ARGUMENTS, and stays its owner's: who changes its
    weights also resets its prefix cache."""

    def __init__(self, llm: Any, *, ends: Sequence[int], sampling: Sampling | None = None) -> None:
        super().__init__()
        self.sampling = sampling or Sampling()
        self._llm = llm
        self._ends = sorted(set(ends))
        self._numbers = count()

    def parameters(self, budget: int, seed: int) -> Any:
        """vLLM's SamplingParams for one message."""
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        return SamplingParams(
            temperature=self.sampling.temperature,
            top_p=self.sampling.top_p,
            top_k=self.sampling.top_k,
            min_p=self.sampling.min_p,
            seed=seed,
            max_tokens=budget,
            logprobs=0,
            stop_token_ids=self._ends,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    async def continued(self, ids: Sequence[int], budget: int, seed: int) -> Sampled:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        start, last = perf_counter(), None
        try:
            async for output in self._llm.generate(
                {"prompt_token_ids": list(ids)},
                self.parameters(budget, seed),
                f"policy-{next(self._numbers)}",
            ):
                last = output
        except EngineDeadError as error:
            raise EngineError("vLLM's engine has died", "see what it wrote above") from error
        except VLLMClientError as error:
            raise PolicyFailure(f"vLLM refuses the request: {error}") from error
        except EngineGenerateError as error:
            raise PolicyFailure(f"vLLM failed: {error.__cause__}") from error
        finally:
            self.usage.add("waiting", perf_counter() - start)
        if last is None or not last.outputs:
            raise PolicyFailure("vLLM ended without an answer")
        (written,) = last.outputs
        places = written.logprobs or ()
        return checked(
            written.token_ids,
            [place[token].logprob for token, place in zip(written.token_ids, places, strict=False)],
            budget=budget,
            stopped=written.finish_reason == "stop",
            ends=self._ends,
        )
