"""What prompts begin with, encoded once: the key-value cache of a batch's shared beginnings.

All items of a turn share everything but their end. A batch's prompts are taken by lane; what those
of a lane have in common is encoded in one row, or taken from the batch before as far as that had
it, and its keys and values stand in front of each of its rows:

    [padding] [beginning of the lane] [padding] [rest of the prompt] → answer

Padding is masked, and positions are counted without it, so that a row is decoded as if it were
alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_Layer = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Token ids with their keys and values, one pair of tensors a layer, each (1, H, T, D)."""

    ids: list[int]
    layers: list[_Layer]

    def cut(self, length: int) -> Prefix:
        """The first tokens of it."""
        return Prefix(
            self.ids[:length], [(k[..., :length, :], v[..., :length, :]) for k, v in self.layers]
        )


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch's rows as `generate` takes them: (B, T) tensors, and the cache in front of them.

    `known[i]` says how many tokens of row i's prompt were not encoded for it.
    """

    input_ids: torch.Tensor
    mask: torch.Tensor
    cache: DynamicCache | None
    known: list[int]


class Prefixes:
    """The beginnings of the last batch, for one model."""

    def __init__(self, model: Any, pad: int) -> None:
        self._model = model
        self._pad = pad
        self._kept: list[Prefix] = []
        self.usable = _attends_to_all(model)
        """False for models whose cache is not a list of keys and values of all tokens."""

    def forget(self) -> None:
        """Give the memory back."""
        self._kept = []

    def begin(self, rows: Sequence[Sequence[int]], lanes: Sequence[str]) -> Begun:
        """Rows of token ids, whose lanes are these, with their beginnings encoded."""
        if not self.usable:
            return self._laid_out(rows, [Prefix([], [])] * len(rows), [0] * len(rows))
        found: list[Prefix] = [Prefix([], [])] * len(rows)
        known = [0] * len(rows)
        for lane in dict.fromkeys(lanes):
            members = [i for i, own in enumerate(lanes) if own == lane]
            shared = _shared([rows[i] for i in members])
            prefix, had = self._encoded(shared)
            for number, i in enumerate(members):
                found[i] = prefix
                known[i] = len(shared) if number else had
        self._kept = list({id(prefix): prefix for prefix in found}.values())
        return self._laid_out(rows, found, known)

    def _encoded(self, ids: list[int]) -> tuple[Prefix, int]:
        """Their keys and values, and how many of them were there already."""
        lengths = [_alike(kept.ids, ids) for kept in self._kept]
        had = max(lengths, default=0)
        if not ids or had == len(ids):
            return (self._kept[lengths.index(had)].cut(had) if ids else Prefix([], [])), had
        before = self._kept[lengths.index(had)].cut(had) if had else Prefix([], [])
        cache = self._cache(before.layers)
        new = torch.tensor([ids[had:]], device=self._model.device)
        self._model.base_model(input_ids=new, past_key_values=cache, use_cache=True)
        layers = [(layer.keys, layer.values) for layer in cache.layers]
        return Prefix(ids, layers), had

    def _laid_out(
        self, rows: Sequence[Sequence[int]], found: Sequence[Prefix], known: list[int]
    ) -> Begun:
        front = max(len(prefix.ids) for prefix in found)
        rest = max(len(row) - len(prefix.ids) for row, prefix in zip(rows, found, strict=True))
        ids, mask = [], []
        for row, prefix in zip(rows, found, strict=True):
            length = len(prefix.ids)
            before, between = front - length, rest - (len(row) - length)
            own = list(row)
            ids.append([self._pad] * before + own[:length] + [self._pad] * between + own[length:])
            mask.append([0] * before + [1] * length + [0] * between + [1] * (len(own) - length))
        device = self._model.device
        return Begun(
            torch.tensor(ids, device=device),
            torch.tensor(mask, device=device),
            self._cache(_side_by_side(found, front)) if front else None,
            known,
        )

    def _cache(self, layers: Sequence[_Layer]) -> DynamicCache:
        cache = DynamicCache(config=self._model.config)
        for number, (keys, values) in enumerate(layers):
            cache.update(keys, values, number)
        return cache


def _shared(rows: Sequence[Sequence[int]]) -> list[int]:
    """What rows begin with, without the last token of any: from that the answer is decoded."""
    first, *others = rows
    alike = [min(_alike(first, row), len(row) - 1) for row in others]
    return list(first[: min([len(first) - 1, *alike])])


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens of their beginnings are the same."""
    lengths = range(1, min(len(one), len(other)) + 1)
    return bisect_left(lengths, True, key=lambda length: one[:length] != other[:length])


def _side_by_side(found: Sequence[Prefix], length: int) -> list[_Layer]:
    """One batch of prefixes, each padded on the left with zeros: masked, they count for nothing."""

    def batch(layer: int, part: int) -> torch.Tensor:
        like = next(prefix for prefix in found if prefix.ids).layers[layer][part]
        rows = []
        for prefix in found:
            row = like.new_zeros((1, like.shape[1], length, like.shape[3]))
            if prefix.ids:
                row[..., length - len(prefix.ids) :, :] = prefix.layers[layer][part]
            rows.append(row)
        return torch.cat(rows)

    count = max(len(prefix.layers) for prefix in found)
    return [(batch(layer, 0), batch(layer, 1)) for layer in range(count)]


def _attends_to_all(model: Any) -> bool:
    """Whether every layer keeps keys and values of all tokens: no window, no recurrent state."""
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
