"""`cm2 train`: a spec in, a trained policy and everything about the run out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click

from cm2.commands.backends import python_option, see_permitted
from cm2.commands.judge_options import judge_options, judge_settings, opened_judge
from cm2.commands.judge_report import cost_text, judge_text
from cm2.commands.launched import alone_by_accident, hush_others
from cm2.commands.spec import open_or_exit
from cm2.commands.train_options import as_settings, config_options
from cm2.commands.world_options import PLAYS, world_option, world_settings
from cm2.interrupts import ignore
from cm2.judge.engine import EngineError
from cm2.judge.judge import Judge
from cm2.judge.ledger import Cost
from cm2dsl.chat import ChatError

NEEDED = ("torch", "transformers", "trl", "datasets")
STOPPED = 1
USER_ERROR = 2
ALONE = (
    "warning: accelerate started one process, for with --cpu it leaves --num_processes to MPI; "
    "start N with: torchrun --standalone --nproc_per_node N -m cm2 train"
)


@click.command()
@click.argument("spec", type=click.Path(exists=True, path_type=Path), required=False)
@config_options
@click.option("--out", type=click.Path(path_type=Path), help="The run folder  [runs/NAME-TIME]")
@judge_options
@world_option
@python_option
def command(
    spec: Path | None,
    preset: str | None,
    run_file: Path | None,
    set_: tuple[str, ...],
    show_config: bool,
    out: Path | None,
    judge: Path | None,
    judge_set: tuple[str, ...],
    world: Path | None,
    allow_python: bool,
    **given: Any,
) -> None:
    """Train a policy on SPEC, a .cm2 file or a bundle, with GRPO.

    A preset, a file of settings and options say how, later ones first. Without a judge, `ask` items
    do not count. An interrupted run goes on when it is started again with the same options and its
    folder as --out.

    Exit codes: 1 something that is not the policy's broke for good (the judge, a tool, a model that
    plays), and the run stopped where it was; 2 the run could not start, and nothing was trained;
    130 interrupted.
    """
    hush_others()
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        _fail(f"training needs {', '.join(missing)}; install with: pip install 'cm2dsl[train]'")
    # What the spec itself lacks is told before the libraries are loaded, which takes seconds.
    bundle = None if spec is None or show_config else open_or_exit(spec, allow_python)
    if bundle is not None:
        see_permitted(bundle)
    from cm2.rollout.quiet import quieten

    quieten()
    from cm2.rollout.dialogue import EpisodeError
    from cm2.simulate.backend import SimulationError
    from cm2.train.arguments import check_reports, check_trl
    from cm2.train.folder import RunError
    from cm2.train.outage import OutageError
    from cm2.train.report import comparison
    from cm2.train.run import train
    from cm2.train.runfile import told, toml_of

    try:
        config = told(preset, run_file, as_settings(given), set_)
        check_trl(config.trl)
        check_reports(config.report_to)
    except RunError as error:
        _fail(str(error))
    if show_config:
        click.echo(toml_of(config), nl=False)
        return
    if spec is None:
        _fail("there is no SPEC; name a .cm2 file or a bundle: cm2 train SPEC")
    if alone_by_accident():
        click.echo(ALONE, err=True)
    settings = judge_settings(judge, judge_set)
    bundle = open_or_exit(spec, allow_python)
    see_permitted(bundle)
    played = world_settings(world, bundle.spec)
    config = replace(config, judge=settings, world=played.to_json() or None)
    if out is None:
        out = Path("runs") / f"{spec.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    decides = opened_judge(settings, judge, bundle)
    try:
        with decides or nullcontext():
            if decides is not None:
                _see_ready(decides)
            summary = train(bundle, config, out, decides, played)
    except KeyboardInterrupt:
        code = ignore()
        click.echo(f"\ninterrupted: {_goes_on(out)}", err=True)
        raise SystemExit(code) from None
    except EngineError as error:
        _stopped(error.message, out, error.help)
    except OutageError as error:
        _stopped(str(error), out)
    except (RunError, EpisodeError, SimulationError, ChatError) as error:
        _fail(str(error))
    click.echo(comparison(summary["before"], summary["after"]))
    click.echo(f"\n{_told(summary)}; {summary['seconds']:.0f} s; {out}")
    if decides is not None:
        click.echo("\n" + judge_text(decides.ledger))
    for part, who in PLAYS.items():
        if part in summary:
            click.echo("\n" + cost_text(who, Cost.from_json(summary[part])))


def _told(summary: Mapping[str, Any]) -> str:
    """What the table is of, and of which policy."""
    rows, samples = summary["heldout_rows"], summary["samples_per_row"]
    what = f"{rows} held-out rows" if rows else "the training rows (the spec holds none out)"
    text = f"{samples} dialogues for each of {what}"
    if summary["validation_rows"]:
        text += (
            f", other than the {summary['validation_rows']} of validation; "
            f"the policy after step {summary['kept_step']} of {summary['steps']}"
        )
    return text


def _see_ready(judge: Judge) -> None:
    """End before anything is trained where the judge could judge nothing."""
    try:
        judge.run(judge.ready())
    except EngineError as error:
        _fail(f"{error.message}\n  = help: {error.help}")


def _stopped(message: str, out: Path, help: str | None = None) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    if help is not None:
        click.echo(f"  = help: {help}", err=True)
    click.echo(f"  = help: what was trained so far is kept; {_goes_on(out)}", err=True)
    raise SystemExit(STOPPED)


def _goes_on(out: Path) -> str:
    """How a run is gone on with."""
    return f"give the same command with --out {out} to go on"


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise SystemExit(USER_ERROR)
