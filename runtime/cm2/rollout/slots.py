"""A key-value cache whose rows are dialogues of different lengths that come, wait and go.

A row is a slot. One forward is about the slots `first` to `last`, which lie side by side so that
their keys and values are read where they are: who takes part is changed by exchanging slots, and
not by copying what is in them. Every slot counts its positions from 0, so the same tokens have the
same rotary positions in every company.

Layers that see everything keep all positions. A layer with a small window keeps the window: what
came before can be seen by no token that is still to come.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

_BLOCK = 128
"""Positions by which the cache grows."""

_SMALL = 256
"""Tokens of the largest window that is kept apart: it is copied with every token."""


class UnknownState(Exception):  # noqa: N818 - says what it is
    """A model keeps more than keys and values of single positions. The message says what."""


@dataclass(slots=True)
class _Now:
    """The forward that is going on: its slots, and for each of them where its tokens go.

    starts (B,) are the positions of the first tokens, counts (B,) how many of the T tokens are
    real; those behind them are padding on the right.
    """

    first: int
    last: int
    starts: torch.Tensor
    positions: torch.Tensor
    counts: torch.Tensor | None
    length: int


class _SlotLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers is not typed
    """What the two kinds of layers share. keys and values are (slots, heads, positions, size)."""

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self._slots = slots

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.keys = self._room(key_states)
        self.values = self._room(value_states)
        self.is_initialized = True

    def _room(self, states: torch.Tensor) -> torch.Tensor:
        slots, positions = self._slots.rows, self.positions()
        return states.new_zeros(slots, states.shape[1], positions, states.shape[3])

    @abstractmethod
    def positions(self) -> int:
        """How many positions a slot has."""

    def grow(self) -> None:
        """As many slots and positions as the cache has by now."""
        if self.is_initialized:
            for name in ("keys", "values"):
                old = getattr(self, name)
                new = self._room(old)
                new[: old.shape[0], :, : old.shape[2]] = old
                setattr(self, name, new)

    def exchange(self, one: int, other: int) -> None:
        """What is in two slots changes places."""
        if self.is_initialized:
            for states in (self.keys, self.values):
                states[[one, other]] = states[[other, one]]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._slots.now.length, 0

    def get_seq_length(self) -> int:
        return self._slots.now.length

    def get_max_length(self) -> int:
        return -1


class _Full(_SlotLayer):
    """All positions."""

    is_sliding = False

    def positions(self) -> int:
        return self._slots.positions

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        now = self._slots.now
        keys = self.keys[now.first : now.last]
        values = self.values[now.first : now.last]
        rows = self._slots.row_numbers[: now.last - now.first]
        if now.counts is None:
            keys[rows, :, now.starts] = key_states[:, :, 0]
            values[rows, :, now.starts] = value_states[:, :, 0]
        else:
            # Padding is written too, behind a slot's end: it is overwritten before it is seen.
            keys[rows[:, None], :, now.positions] = key_states.transpose(1, 2)
            values[rows[:, None], :, now.positions] = value_states.transpose(1, 2)
        return keys[:, :, : now.length], values[:, :, : now.length]


class _Window(_SlotLayer):
    """The last `window - 1` positions, the newest at the end."""

    is_sliding = True

    def __init__(self, slots: Slots, window: int) -> None:
        super().__init__(slots)
        self.window = window

    def positions(self) -> int:
        return self.window - 1

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        return self._roll(self.keys, key_states), self._roll(self.values, value_states)

    def _roll(self, kept: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        now = self._slots.now
        here = kept[now.first : now.last]
        every = torch.cat([here, states], dim=2)
        if now.counts is None:
            here.copy_(every[:, :, 1:])
        else:
            last = now.counts[:, None] + torch.arange(self.window - 1, device=kept.device)
            index = last[:, None, :, None].expand(-1, here.shape[1], -1, here.shape[3])
            here.copy_(every.gather(2, index))
        return every


class Slots(Cache):  # type: ignore[misc]  # transformers is not typed
    """See the module. Raises UnknownState where the model's cache holds anything else."""

    def __init__(self, config: Any, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self._dtype = dtype
        self.rows = 0
        self.positions = 0
        self.row_numbers = torch.zeros(0, dtype=torch.long, device=device)
        layers = [self._layer(one) for one in DynamicCache(config=config).layers]
        kinds = getattr(config.get_text_config(decoder=True), "layer_types", None) or []
        if "chunked_attention" in kinds:
            raise UnknownState("attention in chunks")
        self._windows = [
            one.sliding_window if type(one) is DynamicSlidingWindowLayer else None
            for one in DynamicCache(config=config).layers
            if type(one) is not DummyLayer
        ]
        if len({*self._windows} - {None}) > 1:
            raise UnknownState("windows of several sizes")
        super().__init__(layers=layers)

    def _layer(self, layer: Any) -> Any:
        if type(layer) is DynamicLayer:
            return _Full(self)
        if type(layer) is DynamicSlidingWindowLayer:
            small = 2 <= layer.sliding_window <= _SMALL
            return _Window(self, layer.sliding_window) if small else _Full(self)
        if type(layer) is DummyLayer:
            return layer
        raise UnknownState(f"a state of the kind {type(layer).__name__}")

    def make_room(self, rows: int, positions: int) -> None:
        """At least so many slots, and so many positions in each."""
        if rows <= self.rows and positions <= self.positions:
            return
        if rows > self.rows:
            self.rows = max(rows, 2 * self.rows)
            self.row_numbers = torch.arange(self.rows, device=self.device)
        if positions > self.positions:
            self.positions = -(-positions // _BLOCK) * _BLOCK
        for layer in self._mine():
            layer.grow()

    def exchange(self, one: int, other: int) -> None:
        """What is in two slots changes places."""
        for layer in self._mine():
            layer.exchange(one, other)

    def begin(
        self, first: int, starts: Sequence[int], counts: Sequence[int] | None, width: int
    ) -> tuple[torch.Tensor, torch.Tensor | dict[str, torch.Tensor]]:
        """The positions (B, T) and the masks of a forward of the slots from `first` on.

        Slot i of them has `starts[i]` tokens and gets `counts[i]` of T = `width` ones; counts None
        is one token for each. A mask is added to the attention's scores: a tensor where all layers
        see alike, else one for each kind of layer by its name in transformers.
        """
        last = first + len(starts)
        longest = max(starts) + width
        self.make_room(last, longest)
        begins = torch.tensor(starts, device=self.device)
        steps = torch.arange(width, device=self.device)
        positions = begins[:, None] + steps
        real = None if counts is None else torch.tensor(counts, device=self.device)
        self.now = _Now(first, last, begins, positions, real, longest)
        return positions, self._masks(positions, longest)

    def _masks(
        self, positions: torch.Tensor, length: int
    ) -> torch.Tensor | dict[str, torch.Tensor]:
        masks: dict[str, torch.Tensor] = {}
        seen = torch.arange(length, device=self.device)
        for window in dict.fromkeys(self._windows):
            if window is None:
                hidden = seen > positions[:, :, None]
                masks["full_attention"] = self._mask(hidden)
            elif 2 <= window <= _SMALL:
                # Column j is as many positions after the first of these tokens as it says, less
                # what was kept of those before.
                width = positions.shape[1]
                after = torch.arange(1 - window, width, device=self.device)
                at = positions[:, :1, None] + after
                here = positions[:, :, None]
                hidden = (at > here) | (at <= here - window) | (at < 0)
                masks["sliding_attention"] = self._mask(hidden)
            else:
                here = positions[:, :, None]
                hidden = (seen > here) | (seen <= here - window)
                masks["sliding_attention"] = self._mask(hidden)
        if len(masks) == 1:
            return next(iter(masks.values()))
        return masks

    def _mask(self, hidden: torch.Tensor) -> torch.Tensor:
        nothing = torch.zeros(hidden.shape, dtype=self._dtype, device=self.device)
        lowest = torch.finfo(self._dtype).min
        return nothing.masked_fill_(hidden, lowest).unsqueeze(1)

    def _mine(self) -> list[Any]:
        return [layer for layer in self.layers if isinstance(layer, _SlotLayer)]
