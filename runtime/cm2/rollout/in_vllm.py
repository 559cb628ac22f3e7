"""A policy under vLLM in this process, on a GPU: with its own scheduling and prefix cache."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.prefixes import checked
from cm2.rollout.sampling import Sampling
from cm2.rollout.stepped import SteppedGenerator


class VllmEngine:
    """`llm` is a vllm.LLM whose engine runs in this process (not in one of its own), started with
    `logprobs_mode="processed_logprobs"`: log-probabilities are to be those of what is sampled from.
    It stays its owner's, and who changes its weights also resets its prefix cache.
    """

    def __init__(self, llm: Any, *, ends: Sequence[int], sampling: Sampling | None = None) -> None:
        self.sampling = sampling or Sampling()
        self._engine = llm.llm_engine
        self._ends = sorted(set(ends))
        self._open: dict[int, tuple[str, int]] = {}  # vLLM's own id, and the budget

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

    def add(self, number: int, ids: Sequence[int], budget: int, seed: int) -> None:
        from vllm.exceptions import VLLMClientError
        from vllm.inputs import tokens_input

        try:
            name = self._engine.add_request(
                str(number), tokens_input(list(ids)), self.parameters(budget, seed)
            )
        except (VLLMClientError, ValueError) as error:
            raise PolicyFailure(f"vLLM refuses the request: {error}") from error
        self._open[number] = name, budget

    def step(self) -> list[tuple[int, Sampled | PolicyFailure]]:
        if not self._engine.has_unfinished_requests():
            return []
        ended = []
        for output in self._engine.step():
            number = int(output.request_id)
            if output.finished and number in self._open:
                _, budget = self._open.pop(number)
                ended.append((number, self._read(output, budget)))
        return ended

    def drop(self, numbers: Collection[int]) -> None:
        names = [self._open.pop(one)[0] for one in numbers if one in self._open]
        self._engine.abort_request(names, internal=True)

    def _read(self, output: Any, budget: int) -> Sampled | PolicyFailure:
        (written,) = output.outputs
        places = written.logprobs or ()
        pairs = zip(written.token_ids, places, strict=False)
        try:
            return checked(
                written.token_ids,
                [place[token].logprob for token, place in pairs],
                budget=budget,
                stopped=written.finish_reason == "stop",
                ends=self._ends,
            )
        except PolicyFailure as failure:
            return failure


class VllmGenerator(SteppedGenerator):
    """Continues dialogues with such an engine."""

    def __init__(self, llm: Any, *, ends: Sequence[int], sampling: Sampling | None = None) -> None:
        super().__init__(VllmEngine(llm, ends=ends, sampling=sampling))
