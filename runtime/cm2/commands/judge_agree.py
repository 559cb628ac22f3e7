"""`cm2 judge agree`: a judge against people's labels, and against itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from cm2.commands.judge_inputs import dialogue_options, read_or_exit, without_cache
from cm2.commands.judge_options import judge_files, judge_options, judge_settings, opened_judge
from cm2.commands.score_faults import cannot, fail
from cm2.commands.score_rejects import counted
from cm2.commands.spec import open_or_exit, spec_files
from cm2.judge.engine import EngineError
from cm2.judging import shows_whole
from cm2.scoring.places import OutputFault, refuse_of_judge
from cm2dsl.reward.verdict import Decision, Verdict

BROKE = 1
NEEDED = ("numpy", "scipy", "krippendorff")
LABELS = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("spec", type=click.Path(exists=True, path_type=Path))
@click.argument("labels", type=LABELS)
@click.argument("dialogues", nargs=-1, required=True, type=LABELS)
@dialogue_options
@judge_options
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Ask so many times, without the cache, and say how often the judge agrees with itself.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with every disagreement here.",
)
def command(
    spec: Path,
    labels: Path,
    dialogues: tuple[Path, ...],
    form: str,
    task: str,
    judge: Path | None,
    judge_set: tuple[str, ...],
    runs: int,
    html: Path | None,
) -> None:
    """Compare a judge's verdicts on DIALOGUES with people's, in LABELS.

    A line of LABELS is {"id": dialogue, "item": "turn.item", "verdict": "pass" or "fail",
    "labeller": name}. Every labelled item is put to the judge, whatever it comes after.

    Exit codes: 0 the report was made; 1 the judge broke on every item; 2 no report could be made.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        fail(f"agreement needs {', '.join(missing)}", "pip install 'cm2dsl[agree]'")
    settings = judge_settings(judge, judge_set)
    if settings is None:
        fail("no judge is named", "give one with --judge")
    from cm2.calibrate.cases import ask, cases
    from cm2.calibrate.labels import LabelError, read_labels
    from cm2.calibrate.report import report
    from cm2.calibrate.text import report_text

    bundle = open_or_exit(spec)
    if html is not None:
        read = [labels, *dialogues, *spec_files(spec, bundle)]
        _refuse_to_lose(html, read, judge_files(settings, judge))
    used: dict[str, Any] = without_cache(settings) if runs > 1 else dict(settings)
    decides = opened_judge(used, judge, bundle)
    assert decides is not None  # there are settings
    try:
        with decides:
            said = read_labels(labels)
            there = read_or_exit(bundle, dialogues, form, task)
            found = cases(bundle, there, said, shows_whole(bundle, decides))
            decides.run(ask(decides, found, runs))
            cost = decides.ledger.total
    except LabelError as error:
        fail(f"{error.place}: {error.message}", error.help)
    except EngineError as error:
        fail(error.message, error.help)
    except OSError as error:
        cannot(error)
    shown = report(str(spec), settings, found, cost)
    click.echo(report_text(shown))
    if html is not None:
        from cm2.calibrate.page import page

        try:
            _write(html, page(shown))
        except OSError as error:
            cannot(error)
        click.echo(f"\nthe page is in {html}")
    _say_broken([decision for case in found for decision in case.runs])


def _say_broken(decisions: Sequence[Decision]) -> None:
    """Say how many verdicts are errors; exits where all are."""
    broken = [one for one in decisions if one.verdict is Verdict.ERROR]
    if not broken:
        return
    of = f"{len(broken)} of {counted(len(decisions), 'verdict')}"
    if len(broken) < len(decisions):
        click.echo(f"warning: the judge broke on {of}, which are left out", err=True)
        return
    click.echo(f"error: the judge broke on {of}: {broken[0].reason}", err=True)
    raise SystemExit(BROKE)


def _refuse_to_lose(html: Path, reads: Sequence[Path], judge: Sequence[Path]) -> None:
    """Exits before anything is asked where the page could not be written, or over what is read."""
    try:
        refuse_of_judge(html, judge)
    except OutputFault as fault:
        fail(fault.message, fault.help)
    if any(html.resolve() == path.resolve() for path in reads):
        fail(f"`{html}` is read, and would be written over", "name another file with --html")
    if not html.parent.is_dir():
        fail(f"there is no folder `{html.parent}` to write the page to", "make it first")


def _write(path: Path, text: str) -> None:
    """Write a file, whole or not at all. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
