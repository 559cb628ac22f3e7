"""`cm2 rollout`: a policy plays a spec's tasks, and what it did is written down."""

from __future__ import annotations

from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import msgspec

from cm2.bundle import Bundle
from cm2.commands.backends import python_option, see_permitted
from cm2.commands.judge_options import judge_files, judge_options, judge_settings, opened_judge
from cm2.commands.rollout_run import Asked, Run
from cm2.commands.score_faults import cannot, fail
from cm2.commands.spec import open_or_exit, spec_files
from cm2.commands.world_options import world_option
from cm2.rollout.limits import Limits
from cm2.rollout.opening import Source
from cm2.scoring.places import OutputFault, Reads, refuse_to_lose
from cm2dsl import ir
from cm2dsl.diagnostic import suggest

NEEDED = ("torch", "transformers", "datasets", "jsonschema", "numpy")
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITTEN = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("spec", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model",
    required=True,
    metavar="DIR|URL",
    help="The policy: a transformers model directory, or a server that takes token ids.",
)
@click.option(
    "--tokenizer",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Of a server: the directory of the policy's tokenizer.",
)
@click.option("--served-as", metavar="NAME", help="Of a server: what it calls the policy.")
@click.option("--key-env", metavar="VARIABLE", help="Of a server: where its key is.")
@click.option("-n", "count", type=click.IntRange(1), default=1, help="Rollouts of each row  [1]")
@click.option("-o", "--out", type=WRITTEN, help="Write the rollouts here (JSON Lines).")
@click.option(
    "--task", "names", multiple=True, metavar="NAME[/ROW]", help="Play this task, or one row of it."
)
@click.option(
    "--split",
    type=click.Choice(["train", "heldout", "all"]),
    default="all",
    show_default=True,
    help="Which rows to play.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="0 takes the likeliest token.",
)
@click.option(
    "--concurrent",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Rollouts at a time; what they say does not depend on it.",
)
@click.option(
    "--limits",
    "limited",
    multiple=True,
    metavar="KEY=VALUE",
    help="A limit, such as steps=8: turns, steps, step_tokens, tokens, calls, malformed.",
)
@click.option("--tokens", is_flag=True, help="Write token ids and log-probabilities, too.")
@click.option("--record", type=WRITTEN, help="Write the dialogues here, for `replay`.")
@click.option(
    "--replay", type=EXISTING, multiple=True, help="Recordings that answer before all else."
)
@click.option("--restart", is_flag=True, help="Begin anew, whatever an interrupted run left.")
@judge_options
@world_option
@python_option
def command(
    spec: Path,
    model: str,
    tokenizer: Path | None,
    served_as: str | None,
    key_env: str | None,
    count: int,
    out: Path | None,
    names: tuple[str, ...],
    split: str,
    seed: int,
    temperature: float,
    concurrent: int,
    limited: tuple[str, ...],
    tokens: bool,
    world: Path | None,
    record: Path | None,
    replay: tuple[Path, ...],
    restart: bool,
    judge: Path | None,
    judge_set: tuple[str, ...],
    allow_python: bool,
) -> None:
    """Let a policy play the tasks of SPEC, a .cm2 file or a bundle, against its simulated tools.

    One JSON line a rollout, in -o FILE or on standard output: the dialogue, why it ended, who
    answered each call, and its score. `cm2 score` reads the lines, and `replay` does. Without a
    judge, `ask` items do not count. An interrupted run with -o goes on where it stopped when the
    same command is given again.

    Exit codes: 0 all was played; 1 something broke that is not the policy's doing, and cut the run
    short, which keeps what was played, or left a task without any rollout that counts; 2 nothing
    could be played; 130 interrupted.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        fail(f"rollouts need {', '.join(missing)}", "pip install 'cm2dsl[train]'")
    if restart and out is None:
        fail("--restart begins the file of -o anew", "add -o FILE, or leave --restart out")
    if record is not None and out is not None and record.resolve() == out.resolve():
        fail("-o and --record would write the same file", "name another")
    limits, told = read_limits(limited)
    settings = judge_settings(judge, judge_set)
    bundle = open_or_exit(spec, allow_python)
    if replay:
        bundle = _replaying(bundle)
    see_permitted(bundle)
    reads = Reads(
        replay,
        spec_files(spec, bundle),
        spec if spec.is_dir() else None,
        judge_files(settings, judge),
        () if world is None else (world,),
    )
    try:
        for written in (out, record):
            refuse_to_lose(reads, written, None)
    except OutputFault as fault:
        fail(fault.message, fault.help)
    except OSError as error:
        cannot(error)
    source = Source(model, tokenizer, served_as, key_env)
    asked = Asked(
        source,
        count,
        seed,
        temperature,
        concurrent,
        names,
        split,
        tokens,
        limits,
        told,
        replay,
        settings,
    )
    decides = opened_judge(settings, judge, bundle)
    if decides is not None:
        click.get_current_context().call_on_close(decides.close)
    Run(bundle, asked, world, decides).play(out, record, restart)


def read_limits(given: tuple[str, ...]) -> tuple[Limits, frozenset[str]]:
    """The limits, and which of them were given. Exits where one is wrong."""
    known = {field.name: field for field in fields(Limits)}
    values: dict[str, Any] = {}
    for one in (part for each in given for part in each.split(",")):
        key, equals, text = (part.strip() for part in one.partition("="))
        if not equals:
            fail(f"--limits takes KEY=VALUE, and `{one}` has no `=`", "such as steps=8")
        if key not in known:
            fail(f"there is no limit `{key}`", suggest(key, known))
        if key == "malformed":
            if text not in ("go_on", "end"):
                fail(f"`malformed` is `{text}`", "it is `go_on` or `end`")
            values[key] = text
        elif text.isascii() and text.isdigit() and int(text) > 0:
            values[key] = int(text)
        else:
            fail(f"the limit `{key}` is `{text}`", "give a whole number from 1 on")
    return replace(Limits(), **values), frozenset(values)


def _replaying(bundle: Bundle) -> Bundle:
    """The bundle with recordings before all else that answers tools."""
    others = [link for link in bundle.spec.simulate if not isinstance(link, ir.Replay)]
    chain = (ir.Replay(), *others)
    return replace(bundle, spec=msgspec.structs.replace(bundle.spec, simulate=chain))
