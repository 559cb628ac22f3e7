"""`cm2 score`: dialogues in, verdicts and rewards out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from cm2.bundle import Bundle
from cm2.commands.score_report import agreement_text, disagreement_text, summary_text
from cm2.commands.spec import open_or_exit
from cm2.formats.record import Reject
from cm2.importers.source import SourceFault
from cm2.judge import MAX_NEW_TOKENS, JudgeLoadError, load_judge
from cm2.score import Decides
from cm2.scoring.output import Output, OutputFault, rejects_path, run_key
from cm2.scoring.run import score_in_processes, score_units
from cm2.scoring.tally import Tally
from cm2.scoring.units import Batch, Unit, batches, blocks
from cm2.scoring.worker import SUCCESS, Options, Result, Worker

SOME_REJECTED = 1
USER_ERROR = 2
INTERRUPTED = 130
FORMATS = ("cm2", "openai", "tau2", "tau1", "bfcl", "sharegpt")
CHAT = ("cm2", "openai")
SHOWN = 20
"""Rejects and disagreements that are printed; a file has them all."""

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
    try:
        _refuse_to_lose(dialogues, out, disagreements)
    except OSError as error:
        _cannot(error, out)
    bundle = open_or_exit(spec)
    options = Options(task, evidence, agree, min(threshold, SUCCESS))
    judge = _judge(judge_model, bundle, judge_tokens)
    run = _Run(dialogues, form, bundle, options, judge, jobs)
    shown = _Shown(out, as_json, disagreements)
    output = _output(out, restart, run, str(judge_model)) if out is not None else None
    tally = output.tally if output is not None else Tally()
    try:
        with _progress(dialogues, form, out) as advance:
            for size, result in run.results(output.done if output is not None else 0):
                if output is not None:
                    output.write(result.rows, result.rejects, result.tally)
                else:
                    tally.add(result.tally)
                shown.take(result)
                advance(size)
    except KeyboardInterrupt:
        _interrupted(output)
    except BrokenProcessPool:
        if output is not None:
            output.pause()
        _fail("a process that scored died", "the machine may be out of memory: use fewer --jobs")
    except OSError as error:
        if output is not None:
            _keep(output)
        _cannot(error, out)
    try:
        _end(tally, output, shown, options)
    except OSError as error:
        _cannot(error, out)


class _Run:
    """The pieces of a run, and how they are scored."""

    def __init__(
        self,
        inputs: Sequence[Path],
        form: str,
        bundle: Bundle,
        options: Options,
        judge: Decides | None,
        jobs: int,
    ) -> None:
        self.inputs = inputs
        self.form = form
        self.bundle = bundle
        self.options = options
        self.judge = judge
        self.jobs = jobs

    def results(self, done: int) -> Iterator[tuple[int, Result]]:
        """(bytes of the input, result) of each piece after the first `done`."""
        units = self._units()
        for _ in range(done):
            next(units, None)
        if self.jobs == 1:
            worker = Worker(self.bundle, self.options, self.judge)
            yield from ((unit.size, result) for unit, result in score_units(units, worker))
        else:
            folder = str(self.bundle.path)
            yield from score_in_processes(units, folder, self.options, self.jobs)

    def _units(self) -> Iterator[Unit]:
        for path in self.inputs:
            if self.form in CHAT and not _is_list(path):
                yield from blocks(path, with_data=self.jobs == 1)
                continue
            form = "openai" if self.form in CHAT else self.form
            module = import_module(f"cm2.formats.{form}")
            try:
                yield from batches(path, module.read(path))
            except SourceFault as fault:
                where = Reject(fault.file, fault.line, fault.path, fault.message, fault.help)
                yield Batch(str(path), [where])


def _is_list(path: Path) -> bool:
    """Whether a chat file is one JSON list, not a dialogue a line."""
    if path.suffix == ".gz":
        return False
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


class _Shown:
    """What is printed as results come, and kept for the end in bounded number."""

    def __init__(self, out: Path | None, as_json: bool, disagreements: Path | None) -> None:
        self.out = out
        self.as_json = as_json
        self.rows: list[bytes] = []
        self.rejects: list[Reject] = []
        self.disagreements: list[dict[str, Any]] = []
        self.file = disagreements
        self.lines: list[bytes] = []

    def take(self, result: Result) -> None:
        if self.as_json:
            sys.stdout.buffer.write(result.rows)
        elif self.out is None and len(self.rows) <= 2 * SHOWN:
            self.rows += result.rows.splitlines()
        self.rejects += result.rejects[: SHOWN - len(self.rejects)]
        self.disagreements += result.disagreements[: SHOWN - len(self.disagreements)]
        if self.file is not None and result.disagreements:
            import msgspec

            self.lines += [msgspec.json.encode(one) for one in result.disagreements]


def _output(out: Path, restart: bool, run: _Run, judge: str) -> Output:
    manifest = (run.bundle.path / "manifest.json").read_text(encoding="utf-8")
    try:
        key = run_key(manifest, run.inputs, (run.form, run.options, judge))
        output = Output(out, key, restart)
    except OutputFault as fault:
        click.echo(str(fault), err=True)
        raise SystemExit(USER_ERROR) from None
    except OSError as error:
        reason = (error.strerror or "it failed").lower()
        _fail(f"cannot write `{error.filename or out}`: {reason}", "name another file with -o")
    if output.done:
        click.echo(f"going on after {output.tally.dialogues} dialogues", err=True)
    return output


def _judge(model: Path | None, bundle: Bundle, tokens: int) -> Decides | None:
    if model is None:
        return None
    try:
        judge: Decides = load_judge(model, files=bundle.prompts, max_new_tokens=tokens)
    except JudgeLoadError as error:
        _fail(str(error), None)
    return judge


def _progress(
    inputs: Sequence[Path], form: str, out: Path | None
) -> AbstractContextManager[Callable[[int], None]]:
    """A bar on a terminal, where rows go to a file and the input's size says how far it is."""
    sized = form in CHAT and all(path.suffix != ".gz" for path in inputs)
    if out is None or not sized or not sys.stderr.isatty():
        return nullcontext(lambda size: None)
    total = sum(path.stat().st_size for path in inputs)
    return _Bar(click.progressbar(length=total, label="scoring", file=sys.stderr))


class _Bar(AbstractContextManager[Callable[[int], None]]):
    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def __enter__(self) -> Callable[[int], None]:
        self.bar.__enter__()
        advance: Callable[[int], None] = self.bar.update
        return advance

    def __exit__(self, *fault: Any) -> None:
        self.bar.__exit__(*fault)


def _end(tally: Tally, output: Output | None, shown: _Shown, options: Options) -> None:
    """Give the files their names, and say what came of it."""
    for reject in shown.rejects:
        click.echo(_reject_text(reject), err=True)
    more = tally.rejected - len(shown.rejects)
    if more:
        click.echo(f"and {more} more", err=True)
    if not tally.dialogues:
        if output is not None:
            output.discard()
        _fail("nothing was scored", None if tally.rejected else "the files hold no dialogue")
    if output is not None:
        output.finish()
    if shown.file is not None:
        fresh = shown.file.with_name(shown.file.name + ".new")
        fresh.write_bytes(b"".join(line + b"\n" for line in shown.lines))
        fresh.replace(shown.file)
    if shown.as_json:
        sys.stdout.buffer.flush()
    text = summary_text(tally, shown.rows if len(shown.rows) <= 2 * SHOWN else [])
    click.echo(text, err=shown.as_json)
    if options.agree:
        click.echo("\n" + agreement_text(tally), err=shown.as_json)
        if shown.disagreements:
            click.echo("\n" + disagreement_text(shown.disagreements), err=shown.as_json)
    if output is not None:
        click.echo(f"rows are in {output.out}")
    if tally.rejected:
        where = f", they are in {rejects_path(output.out)}" if output is not None else ""
        click.echo(f"{tally.rejected} dialogues were rejected{where}", err=True)
        raise SystemExit(SOME_REJECTED)


def _reject_text(reject: Reject) -> str:
    place = f"{reject.file}:{reject.line}" if reject.line is not None else reject.file
    where = f"`{reject.path}`: " if reject.path else ""
    return f"{place}: rejected: {where}{reject.reason}\n  = help: {reject.help}"


def _refuse_to_lose(inputs: Sequence[Path], *written: Path | None) -> None:
    """Ends where a file to write is one that is read, or cannot be written when all is done."""
    for path in written:
        if path is None:
            continue
        if not path.parent.is_dir():
            _fail(f"there is no folder `{path.parent}`", f"make it, and write `{path.name}` there")
        if path.exists() and not path.is_file():
            _fail(f"`{path}` is there and is no file", "name another file")
        for fresh in (path, rejects_path(path)):
            if fresh.exists() and any(fresh.samefile(one) for one in inputs):
                _fail(f"`{fresh}` is a file of dialogues", "name another file to write")


def _cannot(error: OSError, out: Path | None) -> NoReturn:
    reason = (error.strerror or "it failed").lower()
    help = "give files that can be read, and an -o that can be written"
    _fail(f"cannot read or write `{error.filename or out}`: {reason}", help)


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
