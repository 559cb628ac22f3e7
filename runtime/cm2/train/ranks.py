"""The processes of one run: what they do together, and how they end together.

`accelerate launch` starts the same command several times. Each process (a rank) plays its part of a
step's rollouts; what is decided about a step is computed by each of them from what all have played,
so that no rank has to be told. What must happen once (files, messages) the first rank does.

Objects go over a group of their own, on the CPU, that waits for days: a rank whose dialogues are
long, or whose judge is slow, is no fault. A rank that breaks says so where the others wait for it,
and all raise the same error. One that is killed closes its connections, which ends the wait of the
others as well.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import torch
from accelerate import PartialState
from torch import distributed

T = TypeVar("T")

PATIENCE = timedelta(days=30)
"""How long a rank waits for another. Only a bug takes longer."""


class RankError(Exception):
    """Another process of the run has ended, or broke in a way that cannot be passed on."""


@dataclass(frozen=True, slots=True)
class _Did(Generic[T]):
    result: T


@dataclass(frozen=True, slots=True)
class _Broke:
    """An exception on its way: rebuilt without its constructor, whose arguments nobody knows."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]
    rank: int
    trace: str

    def error(self) -> BaseException:
        error = self.kind.__new__(self.kind)
        error.args = self.args
        error.__dict__.update(self.state)
        error.add_note(f"in process {self.rank} of the run:\n{self.trace}")
        return error


class Ranks:
    """Which process this is, `index` of `count`, and the calls that all of them make together."""

    def __init__(self) -> None:
        """Join the run that this process was launched for; alone where it was not."""
        self.index, self.count = 0, 1
        self._group: Any = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            state = PartialState(cpu=not torch.cuda.is_available())
            self.index, self.count = state.process_index, state.num_processes
            self._group = distributed.new_group(backend="gloo", timeout=PATIENCE)

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.index == 0

    def share(self, amount: int) -> slice:
        """This rank's part of `amount` things: in order, and as even as can be."""
        return slice(
            amount * self.index // self.count,
            amount * (self.index + 1) // self.count,
        )

    def together(self, work: Callable[[], T]) -> list[T]:
        """What `work` gives on each rank, in their order.

        Where it raises on any, all raise: a rank its own error, or else that of the first that has
        one. Raises RankError where another process has ended.
        """
        if self.count == 1:
            return [work()]
        own: BaseException | None = None
        said: _Did[T] | _Broke
        try:
            said = _Did(work())
        except BaseException as error:
            own, said = error, self._broke(error)
        heard: list[Any] = [None] * self.count
        try:
            distributed.all_gather_object(heard, said, group=self._group)
        except RuntimeError as error:  # gloo's own, as when the other end is closed
            raise own or _passed_on(RankError("another process of this run has ended")) from error
        if own is not None:
            raise _passed_on(own)
        broken = next((one for one in heard if isinstance(one, _Broke)), None)
        if broken is not None:
            raise _passed_on(broken.error())
        return [one.result for one in heard]

    def gathered(self, work: Callable[[], Sequence[T]]) -> list[T]:
        """What `work` gives on all ranks, one list in their order. Raises as `together`."""
        return [one for part in self.together(work) for one in part]

    def once(self, work: Callable[[], T]) -> T:
        """What `work` gives on the first rank, while the others wait. Raises as `together`."""
        results = self.together(lambda: work() if self.first else None)
        return results[0]  # type: ignore[return-value]

    def _broke(self, error: BaseException) -> _Broke:
        trace = "".join(traceback.format_exception(error))
        broke = _Broke(type(error), error.args, dict(error.__dict__), self.index, trace)
        try:
            pickle.loads(pickle.dumps(broke))
        except Exception:
            return _Broke(RankError, (f"{type(error).__name__}: {error}",), {}, self.index, trace)
        return broke


def _passed_on(error: BaseException) -> BaseException:
    """All know of it, and the first says it (cm2.commands.launched)."""
    error.passed_on = True  # type: ignore[attr-defined]
    return error
