"""`--watch`: a command that runs again whenever a file changes that it looked at.

A command becomes one by `@click.command("name", cls=Watchable)`. What it looks at is what its
argument `paths` leads to (standing.py). Each run reads its command line anew, so that nothing is
left of the run before; whatever it says, and however it ends, the next change starts the next run.

The files are looked at again and again, and not watched by the system. Whoever is told of changes
has to compare anyway, or misses those between the end of a run and the start of the watch; the list
of files is exact, names some that are not there yet, and is short. So there is nothing to install,
and it works on network drives and in containers, where systems tell nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import augment_usage_errors

from cm2dsl.process import interruptible
from cm2dsl.specs import STDIN, find_specs

if TYPE_CHECKING:
    from cm2dsl.standing import Standing

PAUSE = 0.2
"""Seconds between two looks."""
SHARE = 20
"""A look takes no more than one part in so many of the time: who has many files waits longer."""
QUIET = 0.1
"""Seconds for which nothing may change before a run starts: an editor writes in several steps."""
PATIENCE = 2.0
"""Seconds after which a run starts although files go on changing."""
SHOWN = 3
"""Changed files that are named."""

ARGUMENTS = "cm2dsl.watch.arguments"


class Watchable(click.Command):
    """A command with the option --watch, which goes without the parameters in `alone`: what they
    do is meant once, or changes what is looked at.
    """

    def __init__(self, *args: Any, alone: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alone = alone
        help = "Run again whenever a file changes that the specs name; ctrl-C ends it."
        self.params.append(click.Option(["--watch"], is_flag=True, help=help))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if not ctx.params.pop("watch", False):
            return super().invoke(ctx)
        from cm2dsl.standing import Looker  # a parser, which a run without a watch may do without

        paths: Sequence[Path] = ctx.params["paths"] or (Path(),)
        with augment_usage_errors(ctx):
            self._refuse_what_cannot_be_watched(ctx, paths)
        arguments: list[str] = ctx.meta[ARGUMENTS]

        def run() -> None:
            with self.make_context(ctx.info_name, list(arguments), parent=ctx.parent) as fresh:
                del fresh.params["watch"]
                super(Watchable, self).invoke(fresh)

        with interruptible(is_process=False):
            watch(run, Looker(paths).look)
        return None

    def _refuse_what_cannot_be_watched(self, ctx: click.Context, paths: Sequence[Path]) -> None:
        for each in self.params:
            if each.name in self.alone and ctx.params[each.name] not in (None, False):
                raise click.UsageError(f"--watch goes without {each.opts[0]}")
        if STDIN in paths:
            raise click.UsageError("standard input cannot be watched: name a file")
        files = [path for path in paths if not path.is_dir()]  # folders may be empty for now
        if files:
            find_specs(files)


def watch(run: Callable[[], None], look: Callable[[], Standing]) -> None:
    """Run, and run again after every change, until interrupted.

    `look` says how the files stand that `run` looks at. Errors of click's kinds, and the exit codes
    of a run, are its own matter; other exceptions end the watch.
    """
    while True:
        before = look()
        _run(run)
        there = sum(stamp is not None for stamp in before.values())
        files = "1 file" if there == 1 else f"{there:,} files"
        click.echo(f"watching {files}; ctrl-C ends it", err=True)
        click.echo(f"\nchanged: {_shown(_next(look, before), before)}", err=True)


def _run(run: Callable[[], None]) -> None:
    try:
        run()
    except click.ClickException as error:
        error.show()
    except (SystemExit, click.exceptions.Exit):
        pass


def _next(look: Callable[[], Standing], before: Standing) -> Standing:
    """How the files stand after the next change, once they are quiet."""
    while True:
        start = time.monotonic()
        now = look()
        if now != before:
            now = _settled(look, now)
            if now != before:
                return now
        time.sleep(max(PAUSE, SHARE * (time.monotonic() - start)))


def _settled(look: Callable[[], Standing], now: Standing) -> Standing:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(QUIET)
        later = look()
        if later == now:
            break
        now = later
    return now


def _shown(now: Standing, before: Standing) -> str:
    """The files that are not as they were."""
    paths = [path for path in sorted({*now, *before}) if now.get(path) != before.get(path)]
    shown = ", ".join(str(path) for path in paths[:SHOWN])
    return shown + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")
