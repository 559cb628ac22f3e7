"""One run of `cm2 rollout`: what is played, with what, and where it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from cm2.bundle import Bundle
from cm2.commands.judge_report import cost_text, judge_text, say_masked
from cm2.commands.score_faults import cannot, fail, naming
from cm2.commands.score_rejects import counted
from cm2.commands.world_options import PLAYS
from cm2.interrupts import ignore
from cm2.judge.engine import EngineError
from cm2.judge.judge import Judge
from cm2.judge.ledger import Cost
from cm2.rollout.limits import Limits
from cm2.rollout.opening import Source
from cm2.scoring.places import OutputFault
from cm2dsl.chat import ChatError

STOPPED = 1
GO_ON = "give the same command again to go on"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say about which rollouts are played, and how.

    `given` are the limits that were given; the others may give way to what the model knows.
    `replay` are recordings that answer before all else, `judging` the settings of the judge.
    """

    source: Source
    count: int
    seed: int
    temperature: float
    concurrent: int
    names: tuple[str, ...]
    split: str
    tokens: bool
    limits: Limits
    given: frozenset[str]
    replay: tuple[Path, ...] = ()
    judging: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Took:
    """Seconds, tokens that were sampled, and what the models of users and tools cost."""

    seconds: float = 0.0
    sampled: int = 0
    costs: Mapping[str, Cost] = field(default_factory=dict)


class Run:
    """One run: what is played, with what, and where it is written."""

    def __init__(
        self,
        bundle: Bundle,
        asked: Asked,
        world: Path | None,
        judge: Judge | None,
    ) -> None:
        """Exits where there is nothing to play, or nobody to play it."""
        from cm2.recordings import RecordingError, read_recordings
        from cm2.rollout.selection import SelectionError, chosen, planned
        from cm2.simulate.backend import SimulationError
        from cm2.simulate.config import NO_SETTINGS, read_world

        self.bundle, self.asked, self.judge = bundle, asked, judge
        try:
            which: Any = asked.split
            instances = chosen(bundle, asked.names, which)
            self.world = NO_SETTINGS if world is None else read_world(world)
            self.plan = planned(bundle, instances, asked.count, asked.seed)
            self.recordings = read_recordings(bundle, asked.replay)
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
        from cm2.simulate.servers import see_described

        wanted = needed(self.bundle.spec)
        simulated = any(one.instance.task.simulated is not None for one in self.plan)
        recorded = bool(self.asked.replay)
        parts = [part for part in wanted if part != "user" or (simulated and not recorded)]
        see_played([part for part in parts if part != "llm" or not recorded], self.world)
        if not recorded:
            see_described(self.bundle.spec.simulate, self.world.servers)

    def play(self, out: Path | None, record: Path | None, restart: bool) -> None:
        """Play what is not played yet, write it, and say what it came to."""
        from cm2.rollout.output import RolloutFile, Rows
        from cm2.rollout.quiet import quieten
        from cm2.rollout.report import record as row_of
        from cm2.rollout.report import tokens
        from cm2.rollout.stage import Played

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

            took = self._play(done, ended) if done < len(self.plan) else _Took()
            if file is not None:
                records = [_without_tokens(row) for row in file.written()]
            if record is not None:
                _write_recordings(record, records)
            if file is not None:
                with naming(file.path):
                    file.finish()
        except KeyboardInterrupt:
            code = ignore()
            saved = 0 if file is None else file.rows.done
            if file is not None:
                file.pause()
            said = f": {counted(saved, 'rollout')} saved; {GO_ON}" if saved else ""
            click.echo(f"interrupted{said}", err=True)
            raise SystemExit(code) from None
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
        self._say(records, took, out)

    def _play(self, done: int, ended: Any) -> _Took:
        """Play the rollouts after the first `done`, and say what that took.

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
            stage = Stage(
                self.bundle,
                player.codec,
                limits,
                self.recordings,
                self.judge,
                user,
                llm,
                self.world.servers,
            )
        except PolicyError as error:
            fail(error.message, error.help)
        except SimulationError as error:
            fail(str(error), None)
        bar = tqdm(total=len(self.plan), initial=done, desc="playing", unit="rollout", disable=None)
        started = time.monotonic()

        over = 0

        def one(number: int, played: Any) -> None:
            nonlocal over
            ended(number, played)
            over += 1
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
            if not over:
                fail(error.message, error.help)
            click.echo(f"error: {error.message}\n  = help: {error.help}", err=True)
            click.echo(f"  = help: with -o, what was played is kept: {GO_ON}", err=True)
            raise SystemExit(STOPPED) from None
        finally:
            bar.close()
            stage.close()
        seconds = time.monotonic() - started
        costs = {str(part): cost for part, cost in stage.costs.items()}
        return _Took(seconds, player.generator.usage.sampled, costs)

    def _fitting(self, positions: int | None) -> Limits:
        """The limits, within what the model knows. Exits where one that was given is not."""
        limits = self.asked.limits
        if positions is None or limits.tokens <= positions:
            return limits
        if "tokens" in self.asked.given:
            fail(
                f"a dialogue may have {limits.tokens} tokens, and the model knows {positions}",
                f"give --limits tokens={positions} or less",
            )
        return replace(limits, tokens=positions)

    def _key(self) -> Mapping[str, str]:
        from cm2.rollout.output import key_of
        from cm2.scoring.output import stamp

        asked = self.asked
        options = (asked.count, asked.seed, asked.temperature, asked.tokens, asdict(asked.limits))
        return key_of(
            {
                "spec": (self.bundle.path / "manifest.json").read_text(encoding="utf-8"),
                "model": asked.source.identity(),
                "choice of rows": [one.instance.id for one in self.plan],
                "judge": asked.judging,
                "world": (self.world.to_json(), stamp(asked.replay)),
                "set of options": options,
            }
        )

    def _say(self, records: list[Mapping[str, Any]], took: _Took, out: Path | None) -> None:
        from cm2.commands.rollout_report import report
        from cm2.rollout.report import lost_tasks, masked_by

        to_err = out is None
        click.echo(report(records, took.seconds, took.sampled), err=to_err)
        for part, cost in took.costs.items():
            if cost.calls or cost.hits:
                click.echo(f"\n{cost_text(PLAYS[part], cost)}", err=to_err)
        if self.judge is not None and self.judge.ledger.items:
            click.echo("\n" + judge_text(self.judge.ledger), err=to_err)
        if out is not None:
            click.echo(f"rollouts are in {out}")
        masked = sum(masked_by(one) is not None for one in records)
        rewarded = sum(one["reward"] is not None for one in records)
        again = "see above what broke; a rollout that is masked has no reward"
        none = say_masked(masked, len(records), rewarded, "something outside the policy", again)
        lost = sorted(lost_tasks(records))
        if lost and not none:
            names = ", ".join(f"`{name}`" for name in lost)
            click.echo(f"error: no rollout of {names} has a reward because of it", err=True)
        if lost:
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
