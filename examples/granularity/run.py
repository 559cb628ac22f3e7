"""The study, from nothing to its page: cold starts, runs, curves, figures, tables.

    python examples/granularity/run.py [--jobs N] [--only 'step-*-s0'] [--collect | --redraw]

Each run is a folder of its own. What is finished is not run again, and what was interrupted, by
whatever, goes on from its last checkpoint. `--collect` trains nothing, and shows the runs that are
finished; `--redraw` shows the curves that are in the results folder already. README.md beside this
file says what was found.
"""

from __future__ import annotations

import fcntl
import fnmatch
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import click

# Matrices this small gain nothing from a second thread, and several runs would fight for cores.
# It has to be said before torch is imported, in the workers too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

from arms import HERE, SIZES, Arm, Size, arms
from curves import Curve, read_curve, read_table, write_table

PAGE = "README.md"
TABLE = "curves.csv"
RENEWED = 6
"""Runs after which workers are replaced: a trainer leaves some 100 MB in memory."""


@click.command(help=__doc__)
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs are.  [runs/granularity]")
@click.option("--results", type=click.Path(path_type=Path), help="Where figures go, and curves.")
@click.option("--page", type=click.Path(exists=True, path_type=Path), help="Where tables go.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="Runs at the same time.")
@click.option("--only", default="*", help="Names of runs, as `step-n0.10-g8-s*`.")
@click.option("--size", type=click.Choice(list(SIZES)), default="study", help="Or a toy, to try.")
@click.option("--collect", is_flag=True, help="Train nothing; show what is finished.")
@click.option("--redraw", is_flag=True, help="Train nothing; show what the results folder has.")
def main(
    runs: Path | None,
    results: Path | None,
    page: Path | None,
    jobs: int,
    only: str,
    size: str,
    collect: bool,
    redraw: bool,
) -> None:
    failed = 0
    if size == "study":
        runs = runs or Path("runs/granularity")
        results, page = results or HERE / "results", page or HERE / PAGE
    else:  # a toy's runs are no runs of the study, and its figures replace none
        runs = runs or Path(f"runs/granularity-{size}")
        results = results or runs / "results"
        if page is None:
            page = runs / PAGE
            runs.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HERE / PAGE, page)
    if not collect and not redraw:
        chosen = [arm for arm in arms() if fnmatch.fnmatchcase(arm.name, only)]
        if not chosen:
            raise click.UsageError(f"no run is named `{only}`; names are like `{arms()[0].name}`")
        failed = train_all(chosen, SIZES[size], runs.resolve(), jobs)
    if not redraw:
        found = [read_curve(runs / arm.name) for arm in arms()]
        finished = [curve for curve in found if curve is not None]
        if not finished:
            raise click.ClickException(f"there is no finished run in `{runs}`")
        results.mkdir(parents=True, exist_ok=True)
        write_table(finished, results / TABLE)
    if not (results / TABLE).exists():
        raise click.ClickException(f"there is no `{results / TABLE}` to redraw; leave --redraw out")
    show(read_table(results / TABLE), SIZES[size], results, page)
    raise SystemExit(1 if failed else 0)


def train_all(chosen: Sequence[Arm], size: Size, runs: Path, jobs: int) -> int:
    """Do what is not done yet, a line for each; how many runs failed."""
    waiting = [arm for arm in chosen if read_curve(runs / arm.name) is None]
    click.echo(f"{len(chosen) - len(waiting)} of {len(chosen)} runs are there")
    failed, started = 0, time.monotonic()
    for first in range(0, len(waiting), RENEWED * jobs):
        batch = waiting[first : first + RENEWED * jobs]
        with ProcessPoolExecutor(
            jobs, mp_context=get_context("spawn"), initializer=prepare
        ) as pool:
            futures = {pool.submit(one, arm, size, runs): arm for arm in batch}
            for ended, future in enumerate(as_completed(futures), first + 1):
                try:
                    said = future.result()
                except Exception as error:  # the others go on; the exit code tells of it
                    failed += 1
                    said = f"failed: {type(error).__name__}: {error}"
                left = len(waiting) - ended
                minutes = left * (time.monotonic() - started) / ended / 60
                click.echo(
                    f"[{len(chosen) - left}/{len(chosen)}] {futures[future].name}: {said}; "
                    f"{left} left, about {minutes:.0f} min"
                )
    return failed


def prepare() -> None:
    """What a worker does before its first run."""
    from cm2.rollout.quiet import quieten

    quieten()
    import torch

    torch.set_num_threads(1)


def one(arm: Arm, size: Size, runs: Path) -> str:
    """Do one run and distil its curve; what to say of it."""
    from rescoring import distil
    from training import cold_start, run

    started = time.monotonic()
    cold, folder = runs / f"cold-s{arm.seed}", runs / arm.name
    with alone(runs / f".{cold.name}.lock"):
        cold_start(arm.seed, size, cold)
    with alone(runs / f".{arm.name}.lock"):
        if read_curve(folder) is None:
            run(arm, size, cold, folder)
            distil(arm, folder)
    curve = read_curve(folder)
    rise = f"{curve.before:.2f} to {curve.after:.2f}" if curve else "not there"
    return f"{rise}, {time.monotonic() - started:.0f} s"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends: a study that was killed may have
    left a worker that still writes, and another may be started beside this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def show(curves: Sequence[Curve], size: Size, results: Path, page: Path) -> None:
    """Figures and tables of the curves."""
    from figures import draw_curves, draw_measures
    from page import numbers, put
    from tables import by_rate, measured_runs, write_cells, write_runs

    measured = measured_runs(curves)
    for rate, some in by_rate(measured).items():
        draw_curves([one for one in curves if one.arm in some], results / f"curves-lr{rate:g}.png")
        draw_measures(some, results / f"measures-lr{rate:g}.png")
    write_runs(measured, results / "runs.csv")
    write_cells(measured, results / "cells.json")
    put(page, numbers(measured, size, len(arms())))
    click.echo(f"{results} and {page}")


if __name__ == "__main__":
    main()
