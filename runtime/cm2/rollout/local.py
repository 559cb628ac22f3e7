"""A transformers causal model in this process, sampled for many dialogues at once.

The model works in a thread of its own while the dialogues' tools and judges go on. What is asked
reaches the thread through a queue, and what was sampled comes back through the event loop; in
between, `Continuous` says who takes part in which forward.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import isfinite
from queue import SimpleQueue
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from cm2.rollout.continuous import Continuous, Forward, Row
from cm2.rollout.dialogue import EpisodeError
from cm2.rollout.generator import Generator, Line, Sampled, Usage
from cm2.rollout.passes import passes
from cm2.rollout.sampling import BAND, Chosen, Sampling, choose

_DRAWS = 64
"""Numbers that are drawn for a dialogue at a time."""


class LocalGenerator(Generator):
    """Samples from `model`, whose weights stay as they are while it is entered.

    A message ends with one of the tokens `ends`. `slots` bounds how many dialogues are kept in the
    key-value cache. `band` is in logits, and decides how near a draw may come to another token
    before it is decided apart from its batch (sampling.py). A model whose state is more than keys
    and values is run over whole dialogues, a forward a token (`usage.seconds` tells).

    Raises ValueError for a model that is no decoder alone.
    """

    def __init__(
        self,
        model: Any,
        *,
        ends: Sequence[int],
        pad: int,
        sampling: Sampling | None = None,
        slots: int = 256,
        band: float = BAND,
    ) -> None:
        super().__init__()
        if model.config.is_encoder_decoder:
            raise ValueError("a model with an encoder cannot go on with a dialogue")
        self.model = model
        self.sampling = sampling or Sampling()
        self._ends = frozenset(ends)
        self._pad = pad
        self._slots = slots
        self._band = band
        self._worker: _Worker | None = None

    def open(self, noise: np.random.Generator) -> Line:
        assert self._worker is not None, "the generator is not entered"
        return _LocalLine(self._worker, noise)

    async def __aenter__(self) -> Self:
        self._training = self.model.training
        self.model.eval()
        self._worker = _Worker(
            self.model, self.usage, self.sampling, self._ends, self._pad, self._slots, self._band
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        worker, self._worker = self._worker, None
        assert worker is not None
        await asyncio.to_thread(worker.stop)
        self.model.train(self._training)


@dataclass(slots=True, eq=False)
class _Dialogue:
    """One line's state, which the worker's thread alone changes while a message is wanted.

    `draws` are numbers for tokens to come; the message so far is the last `said` ids of the row.
    """

    noise: np.random.Generator
    draws: list[float] = field(default_factory=list)
    said: int = 0
    logprobs: list[float] = field(default_factory=list)
    answer: asyncio.Future[Sampled] | None = None

    def draw(self) -> float:
        if not self.draws:
            self.draws = self.noise.random(_DRAWS).tolist()[::-1]
        return self.draws.pop()


_Row = Row[_Dialogue]


class _LocalLine(Line):
    def __init__(self, worker: _Worker, noise: np.random.Generator) -> None:
        self._worker = worker
        self._row: _Row = Row(_Dialogue(noise))

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        answer: asyncio.Future[Sampled] = asyncio.get_running_loop().create_future()
        self._worker.ask(self._row, list(given), budget, answer)
        return await answer

    def close(self) -> None:
        self._worker.close(self._row)


class _Worker:
    """The thread, from the first message that is wanted to `stop`."""

    def __init__(
        self,
        model: Any,
        usage: Usage,
        sampling: Sampling,
        ends: frozenset[int],
        pad: int,
        slots: int,
        band: float,
    ) -> None:
        self._model, self._usage, self._sampling = model, usage, sampling
        self._ends, self._band = ends, band
        self._passing = passes(model, pad)
        self._scheduler: Continuous[_Dialogue] = Continuous(slots, keeps=self._passing.keeps)
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._broken: Exception | None = None
        self._asked: set[_Row] = set()
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    # --- from the event loop --------------------------------------------------------------------

    def ask(
        self, row: _Row, given: list[int], budget: int, answer: asyncio.Future[Sampled]
    ) -> None:
        self._inbox.put((row, given, budget, answer))

    def close(self, row: _Row) -> None:
        self._inbox.put(row)

    def stop(self) -> None:
        """Waits for the forward that is going on."""
        self._inbox.put(None)
        self._thread.join()

    # --- in the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        with torch.no_grad(), _on(self._model.device):
            while True:
                try:
                    if not self._heard():
                        return
                    if self._broken is None:
                        self._forward()
                except Exception as error:  # of any type: somebody waits for an answer
                    self._broken = error
                    for row in list(self._asked):
                        self._answer(row, error)

    def _heard(self) -> bool:
        """Take what was asked; with nothing to do, wait for it. False when it is time to stop."""
        waits = self._broken is not None or not self._asked
        since = perf_counter()
        while waits or not self._inbox.empty():
            said = self._inbox.get()
            if waits:
                self._usage.add("idle", perf_counter() - since)
                waits = False
            if said is None:
                return False
            if isinstance(said, Row):
                self._scheduler.close(said)
                self._asked.discard(said)
            else:
                self._want(*said)
            waits = self._broken is None and not self._asked and self._inbox.empty()
            since = perf_counter()
        return True

    def _want(
        self, row: _Row, given: list[int], budget: int, answer: asyncio.Future[Sampled]
    ) -> None:
        dialogue = row.dialogue
        row.ids += given
        row.left = budget
        dialogue.answer, dialogue.said, dialogue.logprobs = answer, 0, []
        self._asked.add(row)
        if self._broken is not None:
            self._answer(row, self._broken)
        else:
            self._scheduler.want(row)

    def _forward(self) -> None:
        forward = self._scheduler.plan()
        if forward is None:
            return
        usage, start = self._usage, perf_counter()
        logits = self._passing(forward)
        sampled = forward.sampling
        usage.prefilled += 0 if forward.decodes else sum(forward.counts)
        if len(sampled) < len(forward.rows):
            logits = logits[list(sampled)]
        usage.add("decode" if forward.decodes else "prefill", perf_counter() - start)
        tokens = self._sample(forward, sampled, logits) if sampled else []
        start = perf_counter()
        for row in self._scheduler.done(forward, tokens, self._ends):
            dialogue = row.dialogue
            self._answer(row, Sampled(row.ids[-dialogue.said :], dialogue.logprobs))
        usage.add("sampling", perf_counter() - start)

    def _sample(
        self, forward: Forward[_Dialogue], sampled: Sequence[int], logits: torch.Tensor
    ) -> list[int]:
        usage, start = self._usage, perf_counter()
        dialogues = [forward.rows[i].dialogue for i in sampled]
        if self._sampling.temperature:
            draws = [dialogue.draw() for dialogue in dialogues]
        else:
            draws = [0.0] * len(dialogues)
        chosen = self._choose(logits, draws)
        tokens: list[int] = chosen.token.tolist()
        logprobs: list[float] = chosen.logprob.tolist()
        if not all(map(isfinite, logprobs)):
            raise EpisodeError(
                "the policy's logits are no numbers (NaN): its weights are broken, as they are "
                "after updates that were too large; begin with other weights, or train with a "
                "lower learning rate"
            )
        unsure = chosen.unsure.nonzero().squeeze(1).tolist()
        usage.add("sampling", perf_counter() - start)
        if unsure:
            start = perf_counter()
            for i in unsure:
                alone = self._passing.alone(forward.rows[sampled[i]].ids)
                exact = self._choose(alone, [draws[i]])
                tokens[i], logprobs[i] = int(exact.token), float(exact.logprob)
            usage.exact += len(unsure)
            usage.add("exact", perf_counter() - start)
        for dialogue, logprob in zip(dialogues, logprobs, strict=True):
            dialogue.said += 1
            dialogue.logprobs.append(logprob)
        usage.sampled += len(tokens)
        return tokens

    def _choose(self, logits: torch.Tensor, draws: list[float]) -> Chosen:
        numbers = torch.tensor(draws, dtype=torch.float64, device=logits.device)
        return choose(logits, numbers, self._sampling, self._band)

    def _answer(self, row: _Row, said: Sampled | Exception) -> None:
        self._asked.discard(row)
        answer = row.dialogue.answer
        assert answer is not None
        self._loop.call_soon_threadsafe(_settle, answer, said)


def _settle(answer: asyncio.Future[Sampled], said: Sampled | Exception) -> None:
    if answer.done():  # its dialogue was cancelled
        return
    if isinstance(said, Exception):
        answer.set_exception(said)
    else:
        answer.set_result(said)


def _on(device: torch.device) -> AbstractContextManager[Any]:
    """Make the model's GPU the current one: in a thread of its own that is the first, whichever the
    model is on, and some kernels go by it."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
