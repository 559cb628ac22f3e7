"""`cm2 score`: dialogues in, verdicts and rewards out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from errno import EPIPE
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfileobj
from typing import NoReturn

import click

from cm2.bundle import Bundle
from cm2.commands.score_report import (
    Shown,
    agreement_text,
    disagreement_text,
    progress,
    reject_text,
    summary_text,
)
from cm2.commands.spec import open_or_exit
from cm2.judge import MAX_NEW_TOKENS, JudgeLoadError, load_judge
from cm2.score import Decides
from cm2.scoring.compare import SUCCESS
from cm2.scoring.output import (
    Output,
    OutputFault,
    Partial,
    refuse_to_lose,
    rejects_path,
    run_key,
    stamp,
)
from cm2.scoring.run import Run
from cm2.scoring.tally import Tally
from cm2.scoring.worker import Options

SOME_REJECTED = 1
USER_ERROR = 2
INTERRUPTED = 130
FORMATS = ("cm2", "openai", "tau2", "tau1", "bfcl", "sharegpt")
STDOUT = "standard output"

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
@click.option(
    "--judge-model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A transformers model directory that judges `ask` items.",
)
@click.option(
    "--judge-tokens",
    type=click.IntRange(1),
    default=MAX_NEW_TOKENS,
    show_default=True,
    help="Most tokens of one answer of the judge.",
)
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
    judge_model: Path | None,
    judge_tokens: int,
) -> None:
    """Score DIALOGUES with SPEC, a .cm2 file or a bundle.

    What cannot be read is left out and named: in OUT's `.rejects.jsonl`, or on standard error. An
    interrupted run with -o goes on where it stopped when the same command is given again.

    Exit codes: 0 all dialogues were scored; 1 some were rejected; 2 nothing was scored.
    """
    if judge_model is not None and jobs > 1:
        _fail("a judge's model is in one process", "leave --jobs out, or the judge")
    if disagreements is not None and not agree:
        _fail("--disagreements lists what --agree finds", "add --agree")
    if agree and find_spec("numpy") is None:
        _fail("--agree needs numpy", "pip install 'cm2dsl[agree]'")
    try:
        refuse_to_lose(dialogues, out, disagreements)
    except OutputFault as fault:
        _fail(fault.message, fault.help)
    except OSError as error:
        _cannot(error)
    bundle = open_or_exit(spec)
    options = Options(task, evidence, agree, min(threshold, SUCCESS))
    run = Run(dialogues, form, bundle, options, _judge(judge_model, bundle, judge_tokens), jobs)
    output: Output | None = None
    try:
        before = stamp(dialogues)
        if out is not None:
            output = _output(run, out, (str(judge_model), judge_tokens), disagreements, restart)
        shown = Shown(as_json, out is None and not as_json)
        listed = Partial(disagreements) if disagreements is not None and out is None else None
        tally = _score(run, output, listed, shown)
        if stamp(dialogues) != before:
            _changed(output, listed)
        _end(tally, output, listed, shown, run)
    except OutputFault as fault:
        _fail(fault.message, fault.help)
    except KeyboardInterrupt:
        _interrupted(output)
    except BrokenProcessPool:
        if output is not None:
            output.pause()
        goes_on = "; the same command goes on where it stopped" if output is not None else ""
        help = f"the machine may be out of memory: use fewer --jobs{goes_on}"
        _fail("a process that scored died", help)
    except OSError as error:
        if output is not None:
            _keep(output)
        _cannot(error)


def _score(run: Run, output: Output | None, listed: Partial | None, shown: Shown) -> Tally:
    """Score what is not scored yet; the counts of all."""
    tally = output.tally if output is not None else Tally()
    done = output.done if output is not None else 0
    if done and output is not None:
        click.echo(f"going on after {tally.dialogues} dialogues", err=True)
        if shown.as_json:
            with output.first_rows() as rows, _naming(STDOUT):
                copyfileobj(rows, sys.stdout.buffer)
    with progress(run.inputs, run.form, output is not None) as advance:
        for size, result in run.results(done):
            if output is not None:
                with _naming(str(output.out)):
                    output.write(result.rows, result.rejects, result.disagreements, result.tally)
            else:
                tally.add(result.tally)
            if listed is not None:
                with _naming(str(listed.final)):
                    listed.file.writelines(result.disagreements)
            with _naming(STDOUT):
                shown.take(result)
            advance(size)
    return tally


def _output(
    run: Run, out: Path, judge: object, disagreements: Path | None, restart: bool
) -> Output:
    manifest = (run.bundle.path / "manifest.json").read_text(encoding="utf-8")
    options = (run.form, run.options, judge, str(disagreements))
    key = run_key(manifest, run.inputs, options)
    agree = run.options.agree
    return Output(out, key, agree=agree, disagreements=disagreements, restart=restart)


def _judge(model: Path | None, bundle: Bundle, tokens: int) -> Decides | None:
    if model is None:
        return None
    try:
        judge: Decides = load_judge(model, files=bundle.prompts, max_new_tokens=tokens)
    except JudgeLoadError as error:
        _fail(str(error), None)
    return judge


def _end(
    tally: Tally, output: Output | None, listed: Partial | None, shown: Shown, run: Run
) -> None:
    """Give the files their names, and say what came of it."""
    for reject in shown.rejects:
        click.echo(reject_text(reject), err=True)
    more = tally.rejected - len(shown.rejects)
    if more:
        click.echo(f"and {more} more", err=True)
    if not tally.dialogues:
        for written in (output, listed):
            if written is not None:
                written.discard()
        if tally.rejected:
            help = f"they were read in the format `{run.form}`; --format names another"
            _fail(f"nothing was scored: all {tally.rejected} dialogues were rejected", help)
        _fail("nothing was scored", "the files hold no dialogue")
    differ = output.first_disagreements(shown.most) if output is not None else shown.disagreements
    if output is not None:
        with _naming(str(output.out)):
            output.finish()
    if listed is not None:
        with _naming(str(listed.final)):
            listed.finish()
    with _naming(STDOUT):
        sys.stdout.flush()
        click.echo(summary_text(tally, shown.table_rows), err=shown.as_json)
        if run.options.agree:
            click.echo("\n" + agreement_text(tally), err=shown.as_json)
            if differ:
                click.echo("\n" + disagreement_text(differ), err=shown.as_json)
        if output is not None:
            click.echo(f"rows are in {output.out}", err=shown.as_json)
    if tally.rejected:
        of = tally.rejected + tally.dialogues
        where = f"; they are in {rejects_path(output.out)}" if output is not None else ""
        click.echo(f"{tally.rejected} of {of} dialogues were rejected{where}", err=True)
        raise SystemExit(SOME_REJECTED)


def _changed(output: Output | None, listed: Partial | None) -> NoReturn:
    for kept in (output, listed):
        if kept is not None:
            kept.discard()
    _fail("a file of dialogues was changed while it was read", "score it when nothing writes to it")


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """An OSError that names no file is one of this."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or path
        raise


def _cannot(error: OSError) -> NoReturn:
    if error.errno == EPIPE:
        raise error  # nobody reads what is printed: click ends quietly
    reason = (error.strerror or "it failed").lower()
    place = error.filename
    what = place if place == STDOUT else f"`{place}`" if place else "the dialogues"
    if place == STDOUT:
        with suppress(OSError):
            sys.stdout.close()  # what is left would be written once more at the end
    _fail(f"cannot read or write {what}: {reason}", None)


def _keep(output: Output) -> None:
    """Leave the files for the same run to go on with, or none where nothing is in them."""
    if not output.tally.dialogues:
        output.discard()
        return
    with suppress(OSError):  # what keeps them from being written may go on
        output.pause()


def _interrupted(output: Output | None) -> NoReturn:
    if output is None:
        click.echo("interrupted", err=True)
    else:
        output.pause()
        done = output.tally.dialogues
        click.echo(f"interrupted after {done} dialogues: the same command goes on", err=True)
    raise SystemExit(INTERRUPTED)


def _fail(message: str, help: str | None) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    if help:
        click.echo(f"  = help: {help}", err=True)
    raise SystemExit(USER_ERROR)
