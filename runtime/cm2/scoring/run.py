"""Pieces scored by one process or several; results come in the order of the input."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

from cm2.scoring.units import Unit
from cm2.scoring.worker import Options, Result, Worker, start, work

AHEAD = 2
"""Pieces a process that may wait for it: enough to keep it busy, few enough to bound memory."""


def score_units(units: Iterable[Unit], worker: Worker) -> Iterator[tuple[Unit, Result]]:
    """Each piece with its result, scored in this process."""
    for unit in units:
        yield unit, worker.score(unit)


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
