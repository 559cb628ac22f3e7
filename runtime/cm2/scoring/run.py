"""Pieces scored by one process or several; results come in the order of the input."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.scoring.origins import Origins
from cm2.scoring.units import Unit, parted, pieces
from cm2.scoring.worker import Options, Result, Worker, start, work

AHEAD = 2
"""Pieces a process that may wait for it: enough to keep it busy, few enough to bound memory."""


JUDGED = 1
"""Dialogues of a judged piece: what is judged is written as soon as all before it is, too."""

TOGETHER = 64
"""Judged pieces that are under way at most, however many requests the judge has out at once."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is scored with what, by how many processes: one, where there is a judge."""

    inputs: Sequence[Path]
    form: str
    bundle: Bundle
    options: Options
    judge: Judge | None = None
    jobs: int = 1
    origins: Origins = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origins", Origins(self.bundle.spec))

    def results(self, done: int = 0) -> Generator[tuple[int, Result], None, None]:
        """(bytes of the input, result) of each piece after the first `done`.

        Close it where it is left before its end: it waits for its processes. Raises OSError, and
        BrokenProcessPool where a process died. `origins` has looked at the files so far.
        """
        alone = self.jobs == 1
        found = pieces(self.inputs, self.form, alone, self.origins)
        if self.judge is not None:
            found = parted(found, JUDGED)
        units = islice(found, done, None)
        if self.judge is not None:
            return score_with_judge(units, Worker(self.bundle, self.options), self.judge)
        if alone:
            worker = Worker(self.bundle, self.options)
            return ((unit.size, worker.score(unit)) for unit in units)
        return score_in_processes(units, str(self.bundle.path), self.options, self.jobs)


def score_with_judge(
    units: Iterator[Unit], worker: Worker, judge: Judge
) -> Generator[tuple[int, Result], None, None]:
    """The size of each piece and its result, several judged at once. Raises EngineError."""
    waiting: deque[tuple[int, asyncio.Task[Result]]] = deque()
    together = min(judge.places, TOGETHER)

    async def begin(some: Sequence[Unit]) -> None:
        for unit in some:
            waiting.append((unit.size, asyncio.create_task(worker.judged(unit, judge))))

    async def result(task: asyncio.Task[Result]) -> Result:
        return await task

    async def end() -> None:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)

    try:
        while True:
            some = list(islice(units, together - len(waiting)))
            if some:
                judge.run(begin(some))
            if not waiting:
                return
            size, task = waiting[0]
            found = judge.run(result(task))
            waiting.popleft()
            yield size, found
    finally:
        if waiting:
            judge.run(end())


def score_in_processes(
    units: Iterable[Unit], bundle: str, options: Options, jobs: int
) -> Generator[tuple[int, Result], None, None]:
    """The size of each piece and its result, scored by `jobs` processes.

    `bundle` is the folder that each of them loads. A process that dies raises BrokenProcessPool.
    """
    # Forked, a process is ready at once: nothing here has started a thread before.
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(jobs, context, initializer=start, initargs=(bundle, options)) as pool:
        waiting: deque[tuple[int, Future[Result]]] = deque()
        try:
            for unit in units:
                with _uninterrupted():
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


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What starts here, a process or a thread, is never interrupted; this thread is afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
