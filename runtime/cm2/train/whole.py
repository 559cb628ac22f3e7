"""Whole weights to sample from, where the processes of a run have them divided among them (FSDP 2).

A dialogue is of its own length, so a rank that plays takes forwards that no other takes: nothing in
them may wait for another rank. Divided weights are gathered before a play, into a plain copy of the
model that each rank has while it plays, and that is empty while the policy is updated.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

from cm2.train.clock import Clock
from cm2.train.folder import RunError

_WHOLE = "or launch it with a configuration that leaves them whole, as DDP and ZeRO-2 do"


class Whole:
    """A model of which each rank has all weights anyway: there is nothing to do."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def plays(self) -> Any:
        """The transformers model to sample from: under an adapter, the one that has it in it."""
        return getattr(self.model, "get_base_model", lambda: self.model)()

    @contextmanager
    def here(self) -> Iterator[None]:
        """While this is entered, `model` has the weights that the policy has now. All ranks enter
        it together."""
        yield

    def stay(self) -> None:
        """Let `model` keep the weights for good. All ranks call it together."""


class Gathered(Whole):
    """The copy of a model that is going to be divided. It takes the room of all weights while it is
    `here`, and holds none of what trains: no gradients, no hooks."""

    def __init__(self, learner: Any, clock: Clock) -> None:
        """`learner` is not divided yet. `clock` counts gathering as the phase `weights`."""
        empty: dict[int, Any] = {
            id(one): torch.nn.Parameter(
                torch.empty_like(one, device="meta"), requires_grad=one.requires_grad
            )
            for one in learner.parameters()
        }
        super().__init__(copy.deepcopy(learner, empty))
        for module in self.model.modules():
            # TRL's forward is set on the object, and calls the one that it was set on first.
            module.__dict__.pop("forward", None)
        self._learner, self._clock = learner, clock
        self._entered = 0
        firsts: dict[int, str] = {}
        names = learner.named_parameters(remove_duplicate=False)
        self._tied = {name: firsts.setdefault(id(one), name) for name, one in names}

    @contextmanager
    def here(self) -> Iterator[None]:
        if not self._entered:
            self._gather()
        self._entered += 1
        try:
            yield
        finally:
            self._entered -= 1
            if not self._entered:
                self._release()

    def stay(self) -> None:
        if not self._entered:
            self._gather()
        self._entered += 1
        self._learner = None

    def _gather(self) -> None:
        with self._clock.phase("weights"):
            weights = get_model_state_dict(
                self._learner, options=StateDictOptions(full_state_dict=True)
            )
            # Tied weights come once for each of their names.
            weights |= {name: weights[first] for name, first in self._tied.items()}
            self.model.load_state_dict(weights, assign=True)

    def _release(self) -> None:
        empty = {
            name: torch.empty_like(one, device="meta")
            for name, one in self.model.state_dict().items()
        }
        self.model.load_state_dict(empty, assign=True)


def see_divided() -> bool:
    """Whether the launcher divides the weights among the processes, as its environment says.

    Raises RunError where that is done in a way that nothing can be sampled from.
    """
    if _says("ACCELERATE_USE_DEEPSPEED"):
        if os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3":
            raise RunError(
                "ZeRO-3 divides the weights among the processes, and each samples with them all; "
                f"divide them with FSDP 2, {_WHOLE}"
            )
        return False
    if not _says("ACCELERATE_USE_FSDP"):
        return False
    if os.environ.get("FSDP_VERSION", "1") != "2":
        raise RunError(
            "FSDP 1 flattens the weights, and each process samples with whole ones; "
            f"set `fsdp_version: 2`, {_WHOLE}"
        )
    if _says("FSDP_OFFLOAD_PARAMS"):
        raise RunError(
            "weights that lie in the memory of the CPU cannot be sampled from on a GPU; "
            "set `fsdp_offload_params: false`"
        )
    # Else all ranks but the first load a model without weights, and play before it is divided.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    return True


def _says(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("true", "1")
