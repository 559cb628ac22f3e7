"""`cm2c floor`: the table of what policies earn that have learnt nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from cm2dsl import ir
from cm2dsl.compiler import analyse
from cm2dsl.diagnostic import CompileError, char_width, render
from cm2dsl.floor.earn import Earned, Floor, floors
from cm2dsl.floor.policies import POLICIES
from cm2dsl.lower.anchors import Recordings
from cm2dsl.specs import find_specs

FAULTS = 2

MOST = 1_000
"""Rows of a task that are played where nothing else is said."""


@click.command("floor")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="An object a line, for a task and a policy.")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=MOST,
    metavar="N",
    help=f"The most rows of a task that are played, evenly spread; {MOST:,} by default.",
)
def command(paths: tuple[Path, ...], as_json: bool, rows: int) -> None:
    """Play policies that have learnt nothing against the checks of specs.

    Prints a Markdown table for each spec: what each policy earns in each task, at most over its
    rows and dialogues. Where a task has more rows than are played, the table says so. `0.20-1.00`
    is 0.20 without convincing a judge, and 1.00 with a judge that passes all that it is asked.
    Nothing is simulated, and no model is called.

    Exit codes: 0; 2 a spec does not compile, or the command line asks for what cannot be done.
    """
    faults: dict[str, None] = {}
    shown = []
    for path in find_specs(paths):
        try:
            found = analyse(path)
        except CompileError as error:
            faults |= dict.fromkeys(render(one) for one in error.diagnostics)
            continue
        if found.compiled is None:
            continue
        earned = _played(path, found.compiled.spec, found.recordings, rows)
        shown.append(records(path, earned) if as_json else f"{path}\n\n{table(earned)}")
    if shown:
        click.echo(("\n" if as_json else "\n\n").join(shown))
    elif not faults:
        raise click.UsageError("no spec here: a spec is a .cm2 file with a `domain`")
    if faults:
        click.echo("\n\n".join(faults), err=True)
        sys.exit(FAULTS)


def _played(
    path: Path, spec: ir.Spec, recordings: Mapping[str, Recordings], rows: int
) -> list[Floor]:
    """What is earned in a spec; on a terminal it is shown how far the playing is."""
    dialogues = {name: one.dialogues for name, one in recordings.items()}
    play = partial(floors, spec, dialogues, rows=rows, passing=True)
    if not sys.stderr.isatty():
        return play()
    scenes = sum(min(rows, len(task.rows)) if task.rows is not None else 1 for task in spec.tasks)
    with click.progressbar(length=scenes, label=str(path), file=sys.stderr) as bar:
        return play(played=lambda: bar.update(1))


def table(found: Sequence[Floor]) -> str:
    """A Markdown table, a row a task and a column a policy, aligned for readers of the text.

    Below it stands which tasks were not played whole.
    """
    head = ["task", "rows", *(policy.name for policy in POLICIES)]
    rows = [[one.task.name, _rows(one), *(_cell(earned) for earned in one.earned)] for one in found]
    widths = [max(map(_width, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        padded = []
        for number, (cell, wide) in enumerate(zip(cells, widths, strict=True)):
            gap = " " * (wide - _width(cell))
            padded.append(cell + gap if number == 0 else gap + cell)
        return f"| {' | '.join(padded)} |"

    rule = [("-" * wide) if n == 0 else ("-" * (wide - 1) + ":") for n, wide in enumerate(widths)]
    whole = "\n".join([line(head), line(rule), *map(line, rows)])
    if all(one.tried == one.rows for one in found):
        return whole
    return f"{whole}\n\nrows are played evenly spread where there are many: --rows N plays more"


def _rows(floor: Floor) -> str:
    some = floor.tried < floor.rows
    return f"{floor.tried} of {floor.rows}" if some else str(floor.rows)


def _cell(earned: Earned) -> str:
    """What is earned without convincing a judge; and with one that passes all, if that is more."""
    low, high = f"{earned.floor:.2f}", f"{earned.passed or 0.0:.2f}"
    return f"{low}-{high}" if high > low else low


def _width(text: str) -> int:
    return sum(map(char_width, text))


def records(path: Path, found: Iterable[Floor]) -> str:
    """JSON Lines: rewards are null where nothing can be said, as without a judge of asks alone."""
    return "\n".join(
        json.dumps(_record(path, floor, earned), ensure_ascii=False)
        for floor in found
        for earned in floor.earned
    )


def _record(path: Path, floor: Floor, earned: Earned) -> dict[str, Any]:
    return {
        "file": str(path),
        "task": floor.task.name,
        "policy": earned.policy.name,
        "inactive": earned.policy.inactive,
        "rows": floor.rows,
        "played": floor.tried,
        "floor": earned.floor,
        "without_judge": earned.unjudged,
        "judge_fails": earned.failed,
        "judge_passes": earned.passed,
        "instance": earned.instance or None,
        "items": earned.items,
    }
