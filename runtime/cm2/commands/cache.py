"""`cm2 cache`: what a judge's cache holds, and how to make it smaller."""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from cm2.commands.score_faults import fail
from cm2.commands.score_rejects import counted
from cm2.judge import JudgeLoadError, cache_upkeep
from cm2.judge.cache_upkeep import Contents, Unwanted
from cm2.table import table

FILE = click.Path(dir_okay=False, path_type=Path)
UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
SIZES |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
WIDE = 60
"""Letters of an engine's identity in a table; --json has all."""


Option = Callable[[click.Context, click.Parameter, str | None], float | None]


def measured(name: str, units: Mapping[str, int], example: str) -> Option:
    """Reads an option that is a number with a unit: `30d`, `500MB`."""
    known = {unit.casefold(): size for unit, size in units.items()}

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        if value is None:
            return None
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", value)
        if match is None or match[2].casefold() not in known:
            named = ", ".join(f"`{unit}`" for unit in units if unit)
            raise click.BadParameter(f"`{value}` is no {name} such as `{example}` ({named})")
        return float(match[1]) * known[match[2].casefold()]

    return read


@click.group()
def command() -> None:
    """Look into a judge's cache of answers, and prune it.

    A judge keeps answers where `cache = "FILE"` stands in its settings.
    """


@command.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(file: Path, as_json: bool) -> None:
    """Say what is in FILE: its size, answers by engine and age, how often one was found."""
    with _said(file):
        found = cache_upkeep.contents(file)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), ensure_ascii=False))
    else:
        click.echo(_text(file, found))


@command.command()
@click.argument("file", type=FILE)
@click.option(
    "--unused",
    callback=measured("time", UNITS, "30d"),
    metavar="TIME",
    help="Answers that were not used for so long: 12h, 30d, 8w.",
)
@click.option(
    "--size",
    callback=measured("size", SIZES, "500MB"),
    metavar="SIZE",
    help="The answers unused for longest, until FILE is no larger: 500MB, 2GiB.",
)
@click.option("--engine", metavar="TEXT", help="Only answers of engines whose identity has this.")
def prune(file: Path, unused: float | None, size: float | None, engine: str | None) -> None:
    """Take answers out of FILE, and make it smaller.

    Judges may use it meanwhile. Without --unused and --size, all answers of --engine go.
    """
    if unused is None and size is None and engine is None:
        fail("nothing says what goes", "give --unused, --size or --engine; `cm2 cache clear` all")
    most = None if size is None else int(size)
    with _said(file):
        before = cache_upkeep.size_of(file)
        gone = cache_upkeep.prune(file, Unwanted(unused, most, engine), _warn)
        after = cache_upkeep.size_of(file)
    click.echo(f"{counted(gone, 'answer')} taken out; {_bytes(before)} before, {_bytes(after)} now")


@command.command()
@click.argument("file", type=FILE)
def clear(file: Path) -> None:
    """Take all answers out of FILE."""
    with _said(file):
        gone = cache_upkeep.clear(file, _warn)
    click.echo(f"{counted(gone, 'answer')} taken out")


@contextmanager
def _said(file: Path) -> Iterator[None]:
    """Ends with what is wrong with the file, where something is."""
    try:
        yield
    except JudgeLoadError as error:
        message, _, help = str(error).partition("; ")
        fail(message, help or None)
    except (sqlite3.Error, OSError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        help = "a judge that opens it moves it aside if it is damaged, and begins it anew"
        fail(f"cannot read or write `{file}`: {reason}", help)


def _warn(message: str) -> None:
    click.echo(message, err=True)


def _text(file: Path, found: Contents) -> str:
    answers, hits, misses = cache_upkeep.total(found.engines)
    parts = [f"{file}: {counted(answers, 'answer')}, {_bytes(found.size)}"]
    if found.wrong:
        parts.append(f"damaged: {found.wrong}")
    if found.engines:
        rows = [
            [
                one.identity if len(one.identity) <= WIDE else f"{one.identity[: WIDE - 1]}…",
                str(one.answers),
                _bytes(one.letters),
                _day(one.first),
                _day(one.last_used),
                _share(one.hits, one.misses),
            ]
            for one in found.engines
        ]
        head = ["engine", "answers", "text", "first", "last used", "found"]
        parts.append(table(head, rows, right=(1, 2, 5)))
    if answers:
        rows = [[name, str(count)] for name, count in found.ages.items()]
        parts.append(table(["last used", "answers"], rows, right=(1,)))
    if hits + misses:
        parts.append(f"found {_share(hits, misses)}: {hits} of {hits + misses} look-ups")
    return "\n\n".join(parts)


def _share(hits: int, misses: int) -> str:
    share = cache_upkeep.rate(hits, misses)
    return "-" if share is None else f"{share:.1%}"


def _day(seconds: int | None) -> str:
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds):%Y-%m-%d}"


def _bytes(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:.1f} {' kMGT'[power]}B"
