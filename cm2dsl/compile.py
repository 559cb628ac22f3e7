"""`cm2c compile`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from cm2dsl.cache import cache_option
from cm2dsl.diagnostic import CompileError, Diagnostic, render
from cm2dsl.emit.unchanged import Written, is_unchanged, written
from cm2dsl.lint.output import format_option, report
from cm2dsl.report.words import counted
from cm2dsl.specs import find_named
from cm2dsl.watch import Watchable

if TYPE_CHECKING:
    from cm2dsl.cache import Cache
    from cm2dsl.compiler import Analysed


class Job(Struct):
    """A spec and the folder of its bundle. `analysed` is None where nothing has to be written."""

    spec: Path
    name: str
    folder: Path
    key: tuple[str, ...]
    analysed: Analysed | None = None


@click.command("compile", cls=Watchable)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    default="build",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the bundles, one a spec.",
)
@click.option("--check", is_flag=True, help="Write nothing; only say what is wrong.")
@format_option
@cache_option
def command(paths: tuple[Path, ...], out: Path, check: bool, form: str, cache: Cache) -> None:
    """Compile .cm2 files, or folders of them, into bundles.

    Nothing is written unless every spec compiles, and a bundle that is what its spec compiles to is
    left as it is. Exit code 1: a spec has faults. With a --format for programs, faults go to
    standard output, as those of `cm2c lint`.
    """
    jobs: list[Job] = []
    faults: dict[Diagnostic, None] = {}  # two specs may import the same one
    for path, name in find_named(paths).items():
        folder = out / name
        job = Job(path, name, folder, ("compile", str(path), str(folder)))
        known = cache.get(path, job.key, Written)
        if known is None or not (check or is_unchanged(folder, known)):
            try:
                job.analysed = _analysed(path)
            except CompileError as error:
                faults |= dict.fromkeys(error.diagnostics)
                continue
            if job.analysed.compiled is None:
                _keep(job, Written(None), cache)
                continue
        elif known.files is None:
            continue
        jobs.append(job)
    if not check:
        _refuse_shared_folders(jobs)
    if faults:
        _say(list(faults), form)
        sys.exit(1)
    if check:
        jobs = []
    elif not jobs:
        raise click.UsageError("no spec here: a spec is a .cm2 file with a `domain`")
    for line in _write(jobs, cache):
        click.echo(line, err=form != "text")
    if form != "text":
        report((), form)


def _analysed(path: Path) -> Analysed:
    from cm2dsl.compiler import analyse  # not needed where nothing has changed

    return analyse(path)


def _keep(job: Job, result: Written, cache: Cache) -> None:
    if job.analysed is not None and not job.analysed.through_link:
        cache.put(job.spec, job.key, job.analysed.read, result)


def _write(jobs: Sequence[Job], cache: Cache) -> Iterator[str]:
    """Write the bundles that are not there yet, with a line on each, and on all of several."""
    changed = 0
    for job in jobs:
        if job.analysed is not None:
            changed += 1
            yield _write_one(job, cache)
    if len(jobs) > 1 or (jobs and not changed):
        unchanged = len(jobs) - changed
        yield f"{counted(len(jobs), 'spec')}, {changed:,} compiled, {unchanged:,} unchanged"


def _write_one(job: Job, cache: Cache) -> str:
    from cm2dsl.emit.bundle import BundleError, write_bundle

    assert job.analysed is not None
    assert job.analysed.compiled is not None
    try:
        write_bundle(job.analysed.compiled, job.folder)
        _keep(job, written(job.folder), cache)
    except BundleError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        reason = (error.strerror or "it failed").lower()
        raise click.ClickException(f"cannot write `{job.folder}`: {reason}") from None
    spec = job.analysed.compiled.spec
    items = sum(len(task.items) + sum(len(t.items) for t in task.turns) for task in spec.tasks)
    instances = sum(len(task.rows) if task.rows is not None else 1 for task in spec.tasks)
    counts = f"{len(spec.tasks)} tasks, {instances} instances, {items} items"
    return f"{job.spec} -> {job.folder}  ({counts})"


def _refuse_shared_folders(jobs: Sequence[Job]) -> None:
    """Raises click.UsageError where a bundle would lie in another, or be the same."""
    # What a folder contains comes right behind it.
    ordered = sorted(enumerate(jobs), key=lambda pair: f"{pair[1].name}/")
    for outer, inner in pairwise(ordered):
        if f"{inner[1].name}/".startswith(f"{outer[1].name}/"):
            both = " and ".join(
                str(job.spec) for _, job in sorted((outer, inner), key=itemgetter(0))
            )
            raise click.UsageError(f"the bundles of {both} would lie in one folder: rename one")


def _say(faults: Sequence[Diagnostic], form: str) -> None:
    """Report faults: as text on standard error, in the other formats on standard output."""
    if form != "text":
        report(faults, form)
        return
    from cm2dsl.lint.output.text import more

    end = f"{counted(len(faults), 'fault')}, nothing was written"
    click.echo("\n\n".join([*map(render, faults), f"{end}\n{more(faults)}"]), err=True)
