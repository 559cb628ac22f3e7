"""Forwards of a causal model: with a key-value cache of slots, or over whole dialogues.

Both give the logits of each row's next token. A third form, one dialogue alone and whole and
without a cache, is what is decided by where a batch's rounding could matter: its shape follows from
the dialogue, and so does every bit of its logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from cm2.rollout.continuous import Forward
from cm2.rollout.slots import Slots, UnknownState


class _Alone:
    """What the two ways share."""

    def __init__(self, model: Any, pad: int) -> None:
        self._model = model
        self._pad = pad

    def alone(self, ids: Sequence[int]) -> torch.Tensor:
        """Logits (1, V) of the token after `ids`, whatever else is going on."""
        whole = torch.tensor([list(ids)], device=self._model.device)
        logits = self._model(input_ids=whole, use_cache=False, logits_to_keep=1).logits
        return logits[:, -1].float()

    def _rectangle(self, pieces: Sequence[Sequence[int]], width: int) -> torch.Tensor:
        rows = [[*piece, *[self._pad] * (width - len(piece))] for piece in pieces]
        return torch.tensor(rows, device=self._model.device)

    def _last(self, counts: Sequence[int], **given: Any) -> torch.Tensor:
        """Logits (B, V) after token `counts[i]` of row i; the model computes few others."""
        ends = torch.tensor(counts, device=self._model.device) - 1
        columns, which = ends.unique(return_inverse=True)
        logits = self._model(logits_to_keep=columns, **given).logits
        return logits[torch.arange(len(counts), device=logits.device), which].float()


class Cached(_Alone):
    """Only new tokens are given to the model. Raises UnknownState as `Slots` does."""

    keeps = True

    def __init__(self, model: Any, pad: int) -> None:
        super().__init__(model, pad)
        self._slots = Slots(model.config, model.device, model.dtype)

    def __call__(self, forward: Forward[Any]) -> torch.Tensor:
        """Logits (B, V) after the last token that each row was given."""
        for one, other in forward.moves:
            self._slots.make_room(max(one, other) + 1, 0)
            self._slots.exchange(one, other)
        counts = None if forward.decodes else forward.counts
        width = max(forward.counts)
        if forward.decodes:
            ids = torch.tensor([row.ids[-1:] for row in forward.rows], device=self._model.device)
        else:
            pieces = [
                row.ids[row.kept : row.kept + count]
                for row, count in zip(forward.rows, forward.counts, strict=True)
            ]
            ids = self._rectangle(pieces, width)
        starts = [row.kept for row in forward.rows]
        positions, masks = self._slots.begin(forward.first, starts, counts, width)
        given = {
            "input_ids": ids,
            "attention_mask": masks,
            "position_ids": positions,
            "past_key_values": self._slots,
            "use_cache": True,
        }
        if forward.decodes:
            return self._model(logits_to_keep=1, **given).logits[:, -1].float()
        return self._last(forward.counts, **given)


class Whole(_Alone):
    """Every forward gives the model all of every row: for models whose state is not known here."""

    keeps = False

    def __call__(self, forward: Forward[Any]) -> torch.Tensor:
        """Logits (B, V) after the last token of each row."""
        ids = self._rectangle([row.ids for row in forward.rows], max(forward.counts))
        # Padding is on the right, where no real token sees it.
        return self._last(forward.counts, input_ids=ids, use_cache=False)


def passes(model: Any, pad: int) -> Cached | Whole:
    """With a cache where the model's state is keys and values, else over whole dialogues."""
    if getattr(model, "_is_stateful", False):
        return Whole(model, pad)
    try:
        return Cached(model, pad)
    except UnknownState:
        return Whole(model, pad)
