"""Batched sampling from a transformers causal model: left padding, one key-value cache a batch.

Each request brings its own noise, so what one dialogue samples does not depend on which others
were in the batch (up to the rounding of batched matrix products).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from cm2.rollout.batch import Request
from cm2.rollout.generator import Sampled


class ModelSampler:
    """A sampler for `Batches`.

    `temperature` 0 takes the likeliest token; log-probabilities are those of the distribution that
    was sampled from (at temperature 0, of the model's own). `batch` bounds how many sequences are
    in memory at once.
    """

    def __init__(
        self, model: Any, *, end: Sequence[int], pad: int, temperature: float, batch: int = 256
    ) -> None:
        self.model = model
        self.temperature = temperature
        self._end = torch.tensor(sorted(set(end)), device=model.device)
        self._pad = pad
        self._batch = batch

    def __call__(self, requests: list[Request]) -> list[Sampled]:
        """Similar lengths share a batch, so that little is padding; answers keep the order."""
        order = sorted(range(len(requests)), key=lambda i: (len(requests[i].ids), i))
        sampled: dict[int, Sampled] = {}
        training = self.model.training
        self.model.eval()
        with torch.no_grad(), _on(self.model.device):
            for start in range(0, len(order), self._batch):
                chunk = order[start : start + self._batch]
                sampled.update(zip(chunk, self._sample([requests[i] for i in chunk]), strict=True))
        self.model.train(training)
        return [sampled[i] for i in range(len(requests))]

    def _sample(self, requests: list[Request]) -> list[Sampled]:
        device = self.model.device
        longest = max(len(request.ids) for request in requests)
        budget = max(request.budget for request in requests)
        ids = torch.full((len(requests), longest), self._pad, device=device)
        mask = torch.zeros_like(ids)
        for row, request in enumerate(requests):
            ids[row, longest - len(request.ids) :] = torch.tensor(request.ids, device=device)
            mask[row, longest - len(request.ids) :] = 1
        draws = np.zeros((len(requests), budget))
        for row, request in enumerate(requests):
            draws[row, : request.budget] = request.noise.random(request.budget)
        noise = torch.from_numpy(draws).to(device)

        chosen: list[list[int]] = [[] for _ in requests]
        logprobs: list[list[float]] = [[] for _ in requests]
        live = torch.arange(len(requests), device=device)
        budgets = torch.tensor([request.budget for request in requests], device=device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache = None
        for step in range(budget):
            out = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = out.past_key_values
            token, logprob = _choose(out.logits[:, -1].float(), noise[live, step], self.temperature)
            for row, one, value in zip(
                live.tolist(), token.tolist(), logprob.tolist(), strict=True
            ):
                chosen[row].append(one)
                logprobs[row].append(value)
            going = ~torch.isin(token, self._end) & (step + 1 < budgets[live])
            if not going.any():
                break
            if not going.all():
                kept = going.nonzero().squeeze(1)
                cache.batch_select_indices(kept)
                live, token, mask, positions = live[kept], token[kept], mask[kept], positions[kept]
            ids = token.unsqueeze(1)
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
            positions = positions[:, -1:] + 1
        return [Sampled(a, b) for a, b in zip(chosen, logprobs, strict=True)]


def _on(device: torch.device) -> AbstractContextManager[Any]:
    """Make the model's GPU the current one: in a thread of its own that is the first, whichever the
    model is on, and some kernels go by it."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _choose(
    logits: torch.Tensor, noise: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row by inverting the cumulative distribution at `noise` in [0, 1).

    logits (B, V), noise (B,); gives token (B,) and its log-probability (B,).
    """
    logs = torch.log_softmax(logits / temperature if temperature else logits, dim=-1)
    if temperature:
        cumulative = logs.double().exp().cumsum(-1)
        drawn = noise.unsqueeze(1) * cumulative[:, -1:]
        token = torch.searchsorted(cumulative, drawn, right=True).squeeze(1)
        token = token.clamp(max=logits.shape[1] - 1)
    else:
        token = logits.argmax(-1)
    return token, logs.gather(1, token.unsqueeze(1)).squeeze(1)
