"""One piece of the input scored: the rows and rejects to write, and what they add up to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import msgspec

from cm2.bundle import Bundle, load
from cm2.fastchat import read_facts
from cm2.formats.record import Record, Reject
from cm2.judge.judge import Judge
from cm2.score import ScoreError, find_instance, score_all, score_judged
from cm2.scoring.compare import SUCCESS, Comparison, OfficialFault, official_of
from cm2.scoring.scripts import Scripts
from cm2.scoring.tally import VERDICTS, Tally
from cm2.scoring.units import Lines, Unit
from cm2.scoring.verdicts import evidence_of, judged_of, verdict_of
from cm2.trajectory import Trajectory
from cm2dsl.chat import ChatError, from_chat
from cm2dsl.jsonl import JsonError, parse
from cm2dsl.reward.card import Scored, score_facts
from cm2dsl.reward.plan import Plan
from cm2dsl.scope import Facts, facts_of


@dataclass(frozen=True, slots=True)
class Options:
    """`task` is that of dialogues that name none; `evidence` whether it is written.

    With `agree` every dialogue is compared with the official result; ours is a success from a
    reward of `threshold` on.
    """

    task: str = ""
    evidence: bool = False
    agree: bool = False
    threshold: float = SUCCESS


@dataclass(slots=True)
class Result:
    """What came of a piece. `disagreements` are lines of JSON, with the evidence."""

    rows: bytes = b""
    rejects: list[Reject] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    disagreements: list[bytes] = field(default_factory=list)


Kept = tuple[Trajectory, Record]
"""A dialogue with its task, and what was read."""


class Worker:
    """Scores pieces with one bundle; a judge, where there is one, decides `ask` items."""

    def __init__(self, bundle: Bundle, options: Options, judge: Judge | None = None) -> None:
        self.bundle = bundle
        self.options = options
        self.judge = judge
        # A dialogue need name no task where all are of one, or where there is but one.
        unknown = not options.task and len(bundle.by_id) > 1
        self._scripts = Scripts(bundle) if unknown else None
        self._tally = Tally()
        self._of_task: dict[str, dict[str, list[int]]] = {}
        effects = {tool.name: tool.effect for tool in bundle.spec.tools}
        self.compare = Comparison(options.threshold, effects)

    def score(self, unit: Unit) -> Result:
        """The result of one piece."""
        result = Result()
        rows: list[bytes] = []
        if isinstance(unit, Lines) and self.judge is None and not self.options.agree:
            self._score_lines(unit, rows, result)
        else:
            kept = self._kept(unit, result)
            scored = score_all(self.bundle, [trajectory for trajectory, _ in kept], self.judge)
            self._take(unit.file, scored, kept, rows, result)
        return self._whole(rows, result)

    async def judged(self, unit: Unit, judge: Judge) -> Result:
        """`score` with a judge, on the running loop. Raises EngineError."""
        result = Result()
        rows: list[bytes] = []
        kept = self._kept(unit, result)
        scored = await score_judged(self.bundle, [trajectory for trajectory, _ in kept], judge)
        self._take(unit.file, scored, kept, rows, result)
        return self._whole(rows, result)

    def _whole(self, rows: list[bytes], result: Result) -> Result:
        result.tally.unread = sum(reject.whole for reject in result.rejects)
        result.tally.rejected = len(result.rejects) - result.tally.unread
        result.rows = b"".join(rows)
        return result

    def dialogues(self, unit: Unit) -> list[Trajectory | Reject]:
        """The dialogues of one piece, each with its task, to be judged by somebody else."""
        records = self._read_lines(unit) if isinstance(unit, Lines) else unit.records
        ready = (
            record if isinstance(record, Reject) else self._ready(unit.file, record)
            for record in records
        )
        return [one if isinstance(one, Reject) else one[0] for one in ready]

    # --- chat lines, checks alone: the fast way -------------------------------------------------

    def _score_lines(self, unit: Lines, rows: list[bytes], result: Result) -> None:
        bundle, known, default = self.bundle, self.bundle.by_id, self.options.task
        named = self._scripts is None
        data, start = unit.read(), 0
        view = memoryview(data)  # a line need not be copied to be read
        number = unit.first - 1
        while start < len(data):
            end = data.find(b"\n", start)
            end = end if end >= 0 else len(data)
            line, start = view[start:end], end + 1
            number += 1
            found = read_facts(line)
            if found is None or not (named or found[1]):
                text = bytes(line)
                if not text or text.isspace():
                    continue
                found = self._read_slowly(unit.file, number, text, result)
                if found is None:
                    continue
            identity, task, facts = found
            instance = known.get(task or default)
            if instance is None:
                try:
                    instance = find_instance(bundle, task or default)
                except ScoreError as error:
                    result.rejects.append(
                        Reject(unit.file, number, "task", error.message, error.help)
                    )
                    continue
            scored = score_facts(bundle.plan(instance, False), facts)
            rows.append(self._row(scored, identity or str(number), result.tally))

    def _read_slowly(
        self, file: str, number: int, line: bytes, result: Result
    ) -> tuple[str, str, Facts] | None:
        record = self._read_line(file, number, line)
        if isinstance(record, Reject):
            result.rejects.append(record)
            return None
        trajectory = record.trajectory
        try:
            return trajectory.id, self._task_of(trajectory), facts_of(trajectory)
        except ScoreError as error:
            result.rejects.append(Reject(file, number, "task", error.message, error.help))
            return None

    def _task_of(self, trajectory: Trajectory) -> str:
        """The task that the dialogue, the options or its user name. Raises ScoreError."""
        task = trajectory.task or self.options.task
        if task or self._scripts is None:
            return task
        return self._scripts.task_of(trajectory)

    # --- everything else ------------------------------------------------------------------------

    def _read_lines(self, unit: Lines) -> list[Record | Reject]:
        return [
            self._read_line(unit.file, number, line)
            for number, line in enumerate(unit.read().split(b"\n"), unit.first)
            if line.strip()
        ]

    def _read_line(self, file: str, number: int, line: bytes) -> Record | Reject:
        try:
            trajectory = from_chat(parse(line), file=file, line=number)
        except JsonError as error:
            return Reject(file, number, "", error.message, error.help)
        except ChatError as error:
            return Reject(file, number, "", error.message, error.help)
        if not trajectory.id:
            trajectory = replace(trajectory, id=str(number))
        return Record(trajectory, line=number)

    def _kept(self, unit: Unit, result: Result) -> list[Kept]:
        """The dialogues of a piece that can be scored; the others are rejects."""
        kept: list[Kept] = []
        for record in self._read_lines(unit) if isinstance(unit, Lines) else unit.records:
            if isinstance(record, Reject):
                result.rejects.append(record)
                continue
            ready = self._ready(unit.file, record)
            if isinstance(ready, Reject):
                result.rejects.append(ready)
            else:
                kept.append(ready)
        return kept

    def _take(
        self,
        file: str,
        scored: Sequence[Scored],
        kept: Sequence[Kept],
        rows: list[bytes],
        result: Result,
    ) -> None:
        for one, (trajectory, record) in zip(scored, kept, strict=True):
            rows.append(self._row(one, trajectory.id, result.tally))
            if self.options.agree and record.official is not None and one.reward is not None:
                found = self.compare(file, one, trajectory, record.official, result.tally)
                if found is not None:
                    result.disagreements.append(found)

    def _ready(self, file: str, record: Record) -> Kept | Reject:
        """The dialogue with its task, and with the official result where one is asked for."""
        trajectory = record.trajectory
        where = "" if record.line is not None else f"dialogue `{trajectory.id}`: "
        try:
            task = self._task_of(trajectory)
            find_instance(self.bundle, task)
            if self.options.agree and record.official is None:
                record = replace(record, official=official_of(trajectory))
        except ScoreError as error:
            return Reject(file, record.line, "task", where + error.message, error.help)
        except OfficialFault as fault:
            return Reject(file, record.line, fault.path, where + fault.message, fault.help)
        return replace(trajectory, task=task), record

    # --- what is written ------------------------------------------------------------------------

    def _row(self, scored: Scored, identity: str, tally: Tally) -> bytes:
        """One line of JSON: reward, turn rewards, and the verdict on every item; counted too."""
        plan = scored.plan
        verdicts = {name: verdict_of(outcome) for name, outcome in scored.outcomes.items()}
        tally.count(scored.reward, "error" in verdicts.values())
        counts = self._counts(plan, tally)
        for name, verdict in verdicts.items():
            counts[name][_PLACE[verdict]] += 1
        row: dict[str, Any] = {
            "id": identity,
            "task": plan.instance.id,
            "reward": scored.reward,
            "turn_rewards": scored.turn_rewards,
            "items": verdicts,
            "unjudged": plan.unjudged,
        }
        if self.options.evidence:
            row["evidence"] = evidence_of(scored)
            if judged := judged_of(scored):
                row["judged"] = judged
        return _encode(row) + b"\n"

    def _counts(self, plan: Plan, tally: Tally) -> dict[str, list[int]]:
        """The tally's counts of a task's items, by full name."""
        task = plan.instance.task.name
        if self._tally is not tally:
            self._tally, self._of_task = tally, {}
        if task not in self._of_task:
            tally.unjudged |= dict.fromkeys(f"{task}.{name}" for name in plan.unjudged)
            names = [one.name for items in (*plan.turns, plan.dialogue) for one in items]
            self._of_task[task] = {
                name: tally.items.setdefault(f"{task}.{name}", [0, 0, 0, 0]) for name in names
            }
        return self._of_task[task]


_encode = msgspec.json.Encoder().encode
_PLACE = {verdict: number for number, verdict in enumerate(VERDICTS)}


# --- in a process of its own ------------------------------------------------------------------

_WORKER: list[Worker] = []


def start(bundle: str, options: Options) -> None:
    """Make this process ready to score with the bundle in a folder.

    An interrupt is for the process that hands out the pieces. When that dies, this one ends, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _WORKER[:] = [Worker(load(Path(bundle)), options)]


def work(unit: Unit) -> Result:
    """Score a piece with what `start` made ready."""
    return _WORKER[0].score(unit)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
