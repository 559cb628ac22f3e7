"""Pieces scored by one process or several; results come in the order of the input."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from cm2.bundle import Bundle
from cm2.score import Decides
from cm2.scoring.units import Unit, pieces
from cm2.scoring.worker import Options, Result, Worker, start, work

AHEAD = 2
"""Pieces a process that may wait for it: enough to keep it busy, few enough to bound memory."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is scored with what, by how many processes: one, where there is a judge."""

    inputs: Sequence[Path]
    form: str
    bundle: Bundle
    options: Options
    judge: Decides | None = None
    jobs: int = 1

    def results(self, done: int = 0) -> Iterator[tuple[int, Result]]:
        """(bytes of the input, result) of each piece after the first `done`.

        Raises OSError, and BrokenProcessPool where a process died.
        """
        alone = self.jobs == 1
        units = islice(pieces(self.inputs, self.form, with_data=alone), done, None)
        if alone:
            worker = Worker(self.bundle, self.options, self.judge)
            return ((unit.size, worker.score(unit)) for unit in units)
        return score_in_processes(units, str(self.bundle.path), self.options, self.jobs)


def score_in_processes(
    units: Iterable[Unit], bundle: str, options: Options, jobs: int
) -> Iterator[tuple[int, Result]]:
    """The size of each piece and its result, scored by `jobs` processes.

    `bundle` is the folder that each of them loads. A process that dies raises BrokenProcessPool.
    """
    # Forked, a process is ready at once: nothing here has started a thread before.
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(jobs, context, initializer=start, initargs=(bundle, options)) as pool:
        waiting: deque[tuple[int, Future[Result]]] = deque()
        try:
            for unit in units:
                waiting.append((unit.size, pool.submit(work, unit)))
                if len(waiting) > AHEAD * jobs:
                    size, future = waiting.popleft()
                    yield size, future.result()
            while waiting:
                size, future = waiting.popleft()
                yield size, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
