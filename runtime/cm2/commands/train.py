"""`cm2 train`: a spec in, a trained policy and everything about the run out."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click

from cm2.commands.backends import python_option, see_permitted
from cm2.commands.judge_options import judge_options, judge_settings, opened_judge
from cm2.commands.judge_report import judge_text
from cm2.commands.launched import hush_others
from cm2.commands.spec import open_or_exit
from cm2.judge.engine import EngineError
from cm2.judge.judge import Judge
from cm2dsl.chat import ChatError

NEEDED = ("torch", "transformers", "trl", "datasets")
STOPPED = 1
USER_ERROR = 2


@click.command()
@click.argument("spec", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A transformers model directory; without it, a tiny policy is built and cold-started.",
)
@click.option("--steps", type=click.IntRange(min=1), help="GRPO steps.")
@click.option(
    "--level",
    type=click.Choice(["trajectory", "turn", "step"]),
    help="What an advantage is given to; as the spec's `assign` says where this is left out.",
)
@click.option("--scale", type=click.Choice(["none", "std"]), help="What advantages are divided by.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--group", type=click.IntRange(min=2), help="Rollouts of one row in a step.")
@click.option("--groups", type=click.IntRange(min=1), help="Rows in a step.")
@click.option("--micro-batch", type=click.IntRange(min=1), help="Rollouts in one forward pass.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True))
@click.option("--out", type=click.Path(path_type=Path), help="The run folder  [runs/NAME-TIME]")
@judge_options
@python_option
def command(
    spec: Path,
    model: Path | None,
    out: Path | None,
    level: Any,
    scale: Any,
    judge: Path | None,
    judge_set: tuple[str, ...],
    allow_python: bool,
    **given: Any,
) -> None:
    """Train a policy on SPEC, a .cm2 file or a bundle, with GRPO.

    Without a judge, `ask` items do not count. An interrupted run goes on when it is started again
    with the same options and its folder as --out.

    Exit codes: 1 the judge could not judge any more, and the run stopped where it was; 2 the run
    could not start, and nothing was trained.
    """
    hush_others()
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        _fail(f"training needs {', '.join(missing)}; install with: pip install 'cm2dsl[train]'")
    settings = judge_settings(judge, judge_set)
    bundle = open_or_exit(spec, allow_python)
    see_permitted(bundle)
    from cm2.train.quiet import quieten

    quieten()
    from cm2.rollout.dialogue import EpisodeError
    from cm2.simulate.backend import SimulationError
    from cm2.train.config import DEMONSTRATION, Config
    from cm2.train.folder import RunError
    from cm2.train.report import comparison
    from cm2.train.run import train

    defaults = Config(model=str(model)) if model is not None else DEMONSTRATION
    options = {name: value for name, value in given.items() if value is not None}
    config = replace(defaults, credit=replace(defaults.credit, level=level, scale=scale), **options)
    rollouts = config.group * config.groups
    if rollouts % config.micro_batch:
        if "micro_batch" in options:
            _fail(
                f"--micro-batch {config.micro_batch} does not divide a step's {rollouts} rollouts"
            )
        config = replace(config, micro_batch=config.group)
    if out is None:
        out = Path("runs") / f"{spec.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    if settings is not None:
        config = replace(config, judge=settings)
    decides = opened_judge(settings, judge, bundle)
    try:
        with decides or nullcontext():
            if decides is not None:
                _see_ready(decides)
            summary = train(bundle, config, out, decides)
    except EngineError as error:
        _stopped(error, out)
    except (RunError, EpisodeError, SimulationError, ChatError) as error:
        _fail(str(error))
    click.echo(comparison(summary["before"], summary["after"]))
    rows = summary["heldout_rows"]
    what = f"{rows} held-out rows" if rows else "the training rows (the spec holds none out)"
    click.echo(
        f"\n{config.samples} dialogues for each of {what}; {summary['seconds']:.0f} s; {out}"
    )
    if decides is not None:
        click.echo("\n" + judge_text(decides.ledger))


def _see_ready(judge: Judge) -> None:
    """End before anything is trained where the judge could judge nothing."""
    try:
        judge.run(judge.ready())
    except EngineError as error:
        _fail(f"{error.message}\n  = help: {error.help}")


def _stopped(error: EngineError, out: Path) -> NoReturn:
    click.echo(f"error: {error.message}", err=True)
    click.echo(f"  = help: {error.help}", err=True)
    goes_on = f"give the same command with --out {out} to go on"
    click.echo(f"  = help: what was trained so far is kept; {goes_on}", err=True)
    raise SystemExit(STOPPED)


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise SystemExit(USER_ERROR)
