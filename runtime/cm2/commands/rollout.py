"""`cm2 rollout`: a policy plays a spec's tasks, and what it did is written down."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import msgspec

from cm2.bundle import Bundle
from cm2.commands.backends import python_option, see_permitted
from cm2.commands.interrupts import INTERRUPTED, ignore
from cm2.commands.judge_options import judge_files, judge_options, judge_settings, opened_judge
from cm2.commands.judge_report import judge_text, say_masked
from cm2.commands.score_faults import cannot, fail, naming
from cm2.commands.score_rejects import counted
from cm2.commands.spec import open_or_exit, spec_files
from cm2.judge.engine import EngineError
from cm2.judge.judge import Judge
from cm2.rollout.limits import Limits
from cm2.rollout.opening import Source
from cm2.scoring.places import OutputFault, Reads, refuse_to_lose
from cm2dsl import ir
from cm2dsl.chat import ChatError
from cm2dsl.diagnostic import suggest

NEEDED = ("torch", "transformers", "jsonschema", "numpy")
STOPPED = 1
GO_ON = "give the same command again to go on"
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITTEN = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say about which rollouts are played, and how."""

    source: Source
    count: int
    seed: int
    temperature: float
    concurrent: int
    names: tuple[str, ...]
    split: str
    tokens: bool


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
@click.option("--world", type=EXISTING, help="Which models play tools and users (TOML).")
@click.option("--record", type=WRITTEN, help="Write the dialogues here, for `replay`.")
@click.option(
    "--replay", type=EXISTING, multiple=True, help="Recordings that answer before all else."
)
@click.option("--restart", is_flag=True, help="Begin anew, whatever an interrupted run left.")
@judge_options
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

    Exit codes: 0 all was played; 1 something broke that is not the policy's doing, and what was
    played is kept, or no rollout has a reward because of it; 2 nothing could be played; 130
    interrupted.
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
        (*replay, *([] if world is None else [world])),
        spec_files(spec, bundle),
        spec if spec.is_dir() else None,
        judge_files(settings, judge),
    )
    try:
        for written in (out, record):
            refuse_to_lose(reads, written, None)
    except OutputFault as fault:
        fail(fault.message, fault.help)
    except OSError as error:
        cannot(error)
    source = Source(model, tokenizer, served_as, key_env)
    asked = Asked(source, count, seed, temperature, concurrent, names, split, tokens)
    decides = opened_judge(settings, judge, bundle)
    if decides is not None:
        click.get_current_context().call_on_close(decides.close)
    run = _Run(bundle, asked, limits, told, replay, world, settings, decides)
    run.play(out, record, restart)


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


class _Run:
    """One run: what is played, with what, and where it is written."""

    def __init__(
        self,
        bundle: Bundle,
        asked: Asked,
        limits: Limits,
        given: frozenset[str],
        replay: tuple[Path, ...],
        world: Path | None,
        judging: Mapping[str, Any] | None,
        judge: Judge | None,
    ) -> None:
        """Exits where there is nothing to play, or nobody to play it."""
        from cm2.recordings import RecordingError, read_recordings
        from cm2.rollout.selection import SelectionError, chosen, planned
        from cm2.simulate.backend import SimulationError
        from cm2.simulate.config import NO_SETTINGS, read_world

        self.bundle, self.asked, self.limits, self.judge = bundle, asked, limits, judge
        self.given, self.replay, self.judging = given, replay, judging
        try:
            which: Any = asked.split
            instances = chosen(bundle, asked.names, which)
            self.world = NO_SETTINGS if world is None else read_world(world)
            self.plan = planned(bundle, instances, asked.count, asked.seed)
            self.recordings = read_recordings(bundle, replay)
            self._see_played()
        except SelectionError as error:
            fail(error.message, error.help)
        except (SimulationError, ChatError, RecordingError) as error:
            fail(str(error), None)
        except OSError as error:
            cannot(error)

    def _see_played(self) -> None:
        """Raises SimulationError where a part that these rollouts need is played by no model."""
        from cm2.simulate.config import needed, see_played

        wanted = needed(self.bundle.spec)
        simulated = any(one.instance.task.simulated is not None for one in self.plan)
        recorded = bool(self.replay)
        parts = [part for part in wanted if part != "user" or (simulated and not recorded)]
        see_played([part for part in parts if part != "llm" or not recorded], self.world)

    def play(self, out: Path | None, record: Path | None, restart: bool) -> None:
        """Play what is not played yet, write it, and say what it came to."""
        from cm2.rollout.output import RolloutFile, Rows
        from cm2.rollout.report import record as row_of
        from cm2.rollout.report import tokens
        from cm2.rollout.stage import Played
        from cm2.train.quiet import quieten

        quieten()
        file: RolloutFile | None = None
        records: list[Mapping[str, Any]] = []
        try:
            if out is not None:
                with naming(out):
                    file = RolloutFile(out, self._key(), restart=restart)
            rows = Rows(sys.stdout.buffer) if file is None else file.rows
            done = rows.done
            if done:
                click.echo(f"going on after {counted(done, 'rollout')}", err=True)

            def ended(number: int, played: Played) -> None:
                row = row_of(played)
                if file is None:
                    records.append(row)
                with naming(out or "standard output"):
                    rows.take(done + number, row | (tokens(played) if self.asked.tokens else {}))

            seconds, sampled = self._play(done, ended) if done < len(self.plan) else (0.0, 0)
            if file is not None:
                records = [_without_tokens(row) for row in file.written()]
            if record is not None:
                _write_recordings(record, records)
            if file is not None:
                with naming(file.path):
                    file.finish()
        except KeyboardInterrupt:
            ignore()
            saved = 0 if file is None else file.rows.done
            if file is not None:
                file.pause()
            said = f": {counted(saved, 'rollout')} saved; {GO_ON}" if saved else ""
            click.echo(f"interrupted{said}", err=True)
            raise SystemExit(INTERRUPTED) from None
        except OutputFault as fault:
            fail(fault.message, fault.help)
        except OSError as error:
            if file is not None:
                file.pause()
            cannot(error)
        except BaseException:
            if file is not None:
                file.pause()
            raise
        self._say(records, seconds, sampled, out)

    def _play(self, done: int, ended: Any) -> tuple[float, int]:
        """Play the rollouts after the first `done`; how long that took, and tokens sampled.

        Exits where something breaks that no rollout can do without.
        """
        from tqdm import tqdm

        from cm2.rollout.dialogue import EpisodeError
        from cm2.rollout.opening import PolicyError, opened
        from cm2.rollout.stage import Stage
        from cm2.simulate.backend import SimulationError

        asked, left = self.asked, self.plan[done:]
        try:
            player = opened(
                asked.source,
                self.bundle,
                temperature=asked.temperature,
                slots=min(asked.concurrent, len(left)),
            )
            limits = self._fitting(player.positions)
            user, llm = self.world.opened("user"), self.world.opened("llm")
            stage = Stage(self.bundle, player.codec, limits, self.recordings, self.judge, user, llm)
        except PolicyError as error:
            fail(error.message, error.help)
        except SimulationError as error:
            fail(str(error), None)
        bar = tqdm(total=len(self.plan), initial=done, desc="playing", unit="rollout", disable=None)
        started = time.monotonic()

        def one(number: int, played: Any) -> None:
            ended(number, played)
            bar.update()

        try:
            if self.judge is not None:
                stage.run(self.judge.ready())
            stage.run(stage.ready())
            instances = [each.instance for each in left]
            keys = [each.key for each in left]
            stage.play(instances, player.generator, keys, asked.concurrent, one)
        except (EpisodeError, SimulationError) as error:
            fail(str(error), None)
        except EngineError as error:
            click.echo(f"error: {error.message}\n  = help: {error.help}", err=True)
            raise SystemExit(STOPPED) from None
        finally:
            bar.close()
            stage.close()
        return time.monotonic() - started, player.generator.usage.sampled

    def _fitting(self, positions: int | None) -> Limits:
        """The limits, within what the model knows. Exits where one that was given is not."""
        limits = self.limits
        if positions is None or limits.tokens <= positions:
            return limits
        if "tokens" in self.given:
            fail(
                f"a dialogue may have {limits.tokens} tokens, and the model knows {positions}",
                f"give --limits tokens={positions} or less",
            )
        return replace(limits, tokens=positions)

    def _key(self) -> Mapping[str, str]:
        from cm2.rollout.output import key_of
        from cm2.scoring.output import stamp

        asked = self.asked
        options = (asked.count, asked.seed, asked.temperature, asked.tokens, asdict(self.limits))
        return key_of(
            {
                "spec": (self.bundle.path / "manifest.json").read_text(encoding="utf-8"),
                "model": asked.source.identity(),
                "choice of rows": [one.instance.id for one in self.plan],
                "judge": self.judging,
                "world": (self.world.to_json(), stamp(self.replay)),
                "set of options": options,
            }
        )

    def _say(
        self, records: list[Mapping[str, Any]], seconds: float, sampled: int, out: Path | None
    ) -> None:
        from cm2.commands.rollout_report import report
        from cm2.rollout.report import masked_by

        to_err = out is None
        click.echo(report(records, seconds, sampled), err=to_err)
        if self.judge is not None and self.judge.ledger.items:
            click.echo("\n" + judge_text(self.judge.ledger), err=to_err)
        if out is not None:
            click.echo(f"rollouts are in {out}")
        masked = sum(masked_by(one) is not None for one in records)
        rewarded = sum(one["reward"] is not None for one in records)
        again = "see above what broke; a rollout that is masked has no reward"
        if say_masked(masked, len(records), rewarded, "something outside the policy", again):
            raise SystemExit(STOPPED)


def _without_tokens(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("prompt_ids", "completion_ids", "logprobs", "mask", "places"):
        row.pop(name, None)
    return row


def _write_recordings(path: Path, records: list[Mapping[str, Any]]) -> None:
    """The dialogues of the rollouts as recordings, with who answered their calls."""
    from cm2.recordings import write_recordings
    from cm2dsl.chat import from_chat

    kept = ("id", "task", "messages", "answers")
    with naming(path):
        write_recordings(
            path,
            (
                from_chat({k: row[k] for k in kept if k in row}, file=str(path), line=number)
                for number, row in enumerate(records, 1)
            ),
        )
