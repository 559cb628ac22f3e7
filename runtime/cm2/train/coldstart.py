"""Supervised training on recorded dialogues, so that GRPO starts from a policy that can talk.

A recording goes through the same codec as a rollout: the opening, the assistant's messages as they
would be sampled, and between them the suffixes with tool results and user turns. Only the
assistant's tokens count in the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR

from cm2.rollout.codec import Codec
from cm2.train.config import Tiny
from cm2.train.relabel import Relabeller
from cm2.trajectory import Trajectory

_IGNORED = -100  # torch's cross entropy leaves these labels out
_NEIGHBOURS = 8  # batches drawn together and sorted by length, so that little is padding


@dataclass(frozen=True, slots=True)
class Example:
    """A dialogue as token ids; `mask` is 1 where the assistant spoke."""

    ids: list[int]
    mask: list[int]


def encode(trajectory: Trajectory, codec: Codec) -> Example:
    """The tokens of a recorded dialogue. Raises ValueError where a call has no result."""
    ids: list[int] = []
    mask: list[int] = []

    def add(piece: Sequence[int], value: int) -> None:
        ids.extend(piece)
        mask.extend([value] * len(piece))

    for t, turn in enumerate(trajectory.turns):
        add(codec.user_suffix(turn.user) if t else codec.opening(turn.user), 0)
        for s, step in enumerate(turn.steps):
            add(codec.message(step), 1)
            results = [(call.id, call.tool, call.result or "") for call in step.calls]
            if results and s + 1 < len(turn.steps):
                add(codec.result_suffix(results), 0)
    return Example(ids, mask)


def cold_start(
    model: Any,
    examples: Sequence[Example],
    tiny: Tiny,
    *,
    relabel: Relabeller,
    pad: int,
    seed: int,
    on_step: Callable[[int, float], None],
) -> None:
    """Train `model` in place for `tiny.steps` batches; `on_step(step, loss)` is called after each.

    The learning rates warm up over a tenth of the steps and go down to nothing on a cosine.
    """
    noise = np.random.default_rng(seed)
    coded = [(example, relabel.codes(np.array(example.ids), example.mask)) for example in examples]
    optimisers = _optimisers(model, tiny)
    schedules = [LambdaLR(one, _warm_cosine(tiny.steps)) for one in optimisers]
    model.train()
    for step, chosen in enumerate(_batches(examples, tiny.batch, tiny.steps, noise)):
        batch = [
            Example(relabel(np.array(example.ids), codes, noise).tolist(), example.mask)
            for example, codes in (coded[i] for i in chosen)
        ]
        ids, labels, attention = _collate(batch, pad, model.device)
        logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits[:, :-1]
        wanted = labels[:, 1:]
        spoken = wanted != _IGNORED
        loss = torch.nn.functional.cross_entropy(logits[spoken], wanted[spoken])
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in (*optimisers, *schedules):
            one.step()
        on_step(step, loss.item())


def _optimisers(model: Any, tiny: Tiny) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embeddings, AdamW for the rest.

    Copying takes two attention layers that only make sense together; with Muon they find each other
    in a fraction of the steps that AdamW alone needs (docs/training.md has the figures).
    """
    inner: list[torch.nn.Parameter] = []
    outer: list[torch.nn.Parameter] = []
    for name, weights in model.named_parameters():
        hidden = weights.ndim == 2 and "embed_tokens" not in name and "lm_head" not in name
        (inner if hidden else outer).append(weights)
    return [
        torch.optim.Muon(inner, lr=tiny.muon_learning_rate, weight_decay=0.0),
        torch.optim.AdamW(outer, lr=tiny.learning_rate, weight_decay=0.01),
    ]


def _warm_cosine(steps: int) -> Callable[[int], float]:
    warm = max(1, steps // 10)

    def factor(step: int) -> float:
        done = max(0.0, (step - warm) / max(1, steps - warm))
        return min(1.0, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, done)))

    return factor


def _batches(
    examples: Sequence[Example], batch: int, steps: int, noise: np.random.Generator
) -> list[list[int]]:
    """`steps` lists of indices: shuffled passes over the examples, similar lengths together."""
    queue: list[int] = []
    batches: list[list[int]] = []
    while len(batches) < steps:
        while len(queue) < batch * _NEIGHBOURS:
            queue += noise.permutation(len(examples)).tolist()
        pool, queue = queue[: batch * _NEIGHBOURS], queue[batch * _NEIGHBOURS :]
        pool.sort(key=lambda i: len(examples[i].ids))
        groups = [pool[i : i + batch] for i in range(0, len(pool), batch)]
        batches += [groups[i] for i in noise.permutation(len(groups))]
    return batches[:steps]


def _collate(
    examples: Sequence[Example], pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids, labels and attention mask, each (B, T), padded on the right."""
    longest = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), longest), pad)
    labels = torch.full((len(examples), longest), _IGNORED)
    attention = torch.zeros((len(examples), longest), dtype=torch.long)
    for row, example in enumerate(examples):
        here = torch.tensor(example.ids)
        ids[row, : len(here)] = here
        labels[row, : len(here)] = here.masked_fill(torch.tensor(example.mask) == 0, _IGNORED)
        attention[row, : len(here)] = 1
    return ids.to(device), labels.to(device), attention.to(device)
