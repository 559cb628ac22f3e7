"""`cm2 score`: dialogues in, verdicts and rewards out."""

from __future__ import annotations

import sys
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfileobj
from typing import NoReturn

import click

from cm2.commands.judge_options import judge_files, judge_options, judge_settings, opened_judge
from cm2.commands.judge_report import judge_text, say_masked
from cm2.commands.score_faults import STDOUT, cannot, fail, naming
from cm2.commands.score_rejects import counted, nothing_scored, rejected_text
from cm2.commands.score_report import (
    Shown,
    agreement_text,
    disagreement_text,
    progress,
    summary_text,
)
from cm2.commands.spec import open_or_exit, spec_files
from cm2.interrupts import ignore
from cm2.judge.engine import EngineError
from cm2.scoring.compare import SUCCESS
from cm2.scoring.output import Output, Partial, run_key, stamp
from cm2.scoring.places import OutputFault, Reads, refuse_to_lose, rejects_path
from cm2.scoring.run import JUDGED, Run
from cm2.scoring.tally import Tally
from cm2.scoring.worker import Options

INCOMPLETE = 1
FORMATS = ("cm2", "openai", "tau2", "tau1", "bfcl", "sharegpt")
GO_ON = "give the same command again to go on"

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("spec", type=click.Path(exists=True, path_type=Path))
@click.argument("dialogues", nargs=-1, required=True, type=EXISTING)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="cm2",
    show_default=True,
    help="What the dialogues are written in.",
)
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write rows here."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line a dialogue.")
@click.option("--evidence", is_flag=True, help="Write the segments that decided every item, too.")
@click.option("--task", default="", help="The task of dialogues that name none.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--restart", is_flag=True, help="Begin anew, whatever an interrupted run left.")
@click.option("--agree", is_flag=True, help="Compare with the official results in the files.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="The reward from which on a dialogue is a success, for --agree.",
)
@click.option(
    "--disagreements",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every disagreement with its evidence here (JSON Lines), with --agree.",
)
@judge_options
def command(
    spec: Path,
    dialogues: tuple[Path, ...],
    form: str,
    out: Path | None,
    as_json: bool,
    evidence: bool,
    task: str,
    jobs: int,
    restart: bool,
    agree: bool,
    threshold: float,
    disagreements: Path | None,
    judge: Path | None,
    judge_set: tuple[str, ...],
) -> None:
    """Score DIALOGUES with SPEC, a .cm2 file or a bundle.

    What cannot be read is left out and named: in OUT's `.rejects.jsonl`, or on standard error. An
    interrupted run with -o goes on where it stopped when the same command is given again.

    Exit codes: 0 all dialogues were scored; 1 some were rejected, or the judge broke and left none
    with a reward; 2 nothing was scored; 130 interrupted.
    """
    settings = judge_settings(judge, judge_set)
    if settings is not None and jobs > 1:
        fail("a judge asks from one process", "leave --jobs out, or the judge")
    if disagreements is not None and not agree:
        fail("--disagreements lists what --agree finds", "add --agree")
    if evidence and out is None and not as_json:
        fail("--evidence is written in the rows, and none are", "add --json or -o FILE")
    if restart and out is None:
        fail("--restart begins the files of -o anew", "add -o FILE, or leave --restart out")
    if agree and find_spec("numpy") is None:
        fail("--agree needs numpy", "pip install 'cm2dsl[agree]'")
    bundle = open_or_exit(spec)
    folder = spec if spec.is_dir() else None
    reads = Reads(dialogues, spec_files(spec, bundle), folder, judge_files(settings, judge))
    try:
        refuse_to_lose(reads, out, disagreements)
    except OutputFault as fault:
        fail(fault.message, fault.help)
    except OSError as error:
        cannot(error)
    options = Options(task, evidence, agree, min(threshold, SUCCESS))
    decides = opened_judge(settings, judge, bundle)
    if decides is not None:
        click.get_current_context().call_on_close(decides.close)
    run = Run(dialogues, form, bundle, options, decides, jobs)
    output: Output | None = None
    listed: Partial | None = None
    try:
        before = stamp(dialogues)
        if out is not None:
            output = _output(run, out, settings, disagreements, restart)
        shown = Shown(as_json, out is None and not as_json)
        listed = _listed(disagreements) if out is None else None
        tally = _score(run, output, listed, shown)
        if stamp(dialogues) != before:
            _changed(output, listed)
        _end(tally, output, listed, shown, run)
        broke = decides is not None and say_masked(tally.masked, tally.dialogues, tally.rewarded)
        if broke or tally.rejected or tally.unread:
            raise SystemExit(INCOMPLETE)
    except OutputFault as fault:
        fail(fault.message, fault.help)
    except KeyboardInterrupt:
        _interrupted(output, listed)
    except EngineError as error:
        if output is not None:
            _keep(output)
        fail(error.message, error.help)
    except BrokenProcessPool:
        if output is not None:
            output.pause()
        goes_on = f"; {GO_ON}" if output is not None else ""
        help = f"the machine may be out of memory: use fewer --jobs{goes_on}"
        fail("a process that scored died", help)
    except OSError as error:
        if listed is not None:
            listed.discard()
        if output is not None:
            _keep(output)
        cannot(error)


def _score(run: Run, output: Output | None, listed: Partial | None, shown: Shown) -> Tally:
    """Score what is not scored yet; the counts of all."""
    tally = output.tally if output is not None else Tally()
    done = output.done if output is not None else 0
    if done and output is not None:
        click.echo(f"going on after {counted(tally.dialogues, 'dialogue')}", err=True)
        if shown.as_json:
            with output.first_rows() as rows, naming(STDOUT):
                copyfileobj(rows, sys.stdout.buffer)
    bar = progress(run.inputs, run.form, output is not None)
    with bar as advance, closing(run.results(done)) as results:
        for size, result in results:
            if output is not None:
                with naming(output.out, output.listed):
                    output.write(result.rows, result.rejects, result.disagreements, result.tally)
            else:
                tally.add(result.tally)
            if listed is not None:
                with naming(listed.final):
                    listed.file.writelines(result.disagreements)
            with naming(STDOUT):
                shown.take(result)
            advance(size)
    return tally


def _output(
    run: Run, out: Path, judge: object, disagreements: Path | None, restart: bool
) -> Output:
    manifest = (run.bundle.path / "manifest.json").read_text(encoding="utf-8")
    judging = None if judge is None else (judge, JUDGED)
    options = (run.form, run.options, judging, str(disagreements))
    key = run_key(manifest, run.inputs, options)
    agree = run.options.agree
    with naming(out, disagreements):
        return Output(out, key, agree=agree, disagreements=disagreements, restart=restart)


def _listed(disagreements: Path | None) -> Partial | None:
    """The file of disagreements, where there is no other to write it with."""
    if disagreements is None:
        return None
    with naming(disagreements):
        return Partial(disagreements)


def _end(
    tally: Tally, output: Output | None, listed: Partial | None, shown: Shown, run: Run
) -> None:
    """Give the files their names, and say what came of it."""
    for line in shown.rejects.lines(tally.rejected + tally.unread):
        click.echo(line, err=True)
    if not tally.dialogues:
        for written in (output, listed):
            if written is not None:
                written.discard()
        read = f"the input was read in the format `{run.form}`; --format names another"
        fail(nothing_scored(tally), None if run.origins.refused else read)
    for file, domain in run.origins.others.items():
        of = f"`{file}` is a run of the domain `{domain}`, and the spec's is `{run.origins.domain}`"
        click.echo(f"warning: {of}; their tools fit", err=True)
    differ = output.first_disagreements(shown.most) if output is not None else shown.disagreements
    if output is not None:
        with naming(output.out, output.listed):
            output.finish()
    if listed is not None:
        with naming(listed.final):
            listed.finish()
    with naming(STDOUT):
        sys.stdout.flush()
        click.echo(summary_text(tally, shown.table_rows), err=shown.as_json)
        if run.judge is not None and run.judge.ledger.items:
            click.echo("\n" + judge_text(run.judge.ledger), err=shown.as_json)
        if run.options.agree:
            click.echo("\n" + agreement_text(tally), err=shown.as_json)
            if differ:
                click.echo("\n" + disagreement_text(differ), err=shown.as_json)
        if output is not None:
            click.echo(f"rows are in {output.out}", err=shown.as_json)
    if tally.rejected or tally.unread:
        where = f"; they are in {rejects_path(output.out)}" if output is not None else ""
        click.echo(rejected_text(tally) + where, err=True)


def _changed(output: Output | None, listed: Partial | None) -> NoReturn:
    for kept in (output, listed):
        if kept is not None:
            kept.discard()
    fail("a file of dialogues was changed while it was read", "score it when nothing writes to it")


def _keep(output: Output) -> None:
    """Leave the files for the same run to go on with, or none where nothing is in them."""
    if not output.tally.dialogues:
        output.discard()
        return
    with suppress(OSError):  # what keeps them from being written may go on
        output.pause()


def _interrupted(output: Output | None, listed: Partial | None) -> NoReturn:
    """Save what can be gone on with, and say how much that is."""
    code = ignore()
    if listed is not None:
        listed.discard()
    if output is not None:
        _keep(output)
    if output is None or not output.saved:
        click.echo("interrupted", err=True)
    else:
        click.echo(f"interrupted: {counted(output.saved, 'dialogue')} saved; {GO_ON}", err=True)
    raise SystemExit(code)
