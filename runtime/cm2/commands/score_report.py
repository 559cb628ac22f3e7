"""What `cm2 score` prints: tables for people."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from cm2.agreement import accuracy, interval, kappa
from cm2.commands.score_rejects import Rejects, counted
from cm2.scoring.tally import VERDICTS, Cells, Tally
from cm2.scoring.units import CHAT
from cm2.scoring.worker import Result
from cm2.table import table

POOLED = "all files"
SHOWN = 20
"""Disagreements that are printed; a file has them all."""
NAMED = 8
"""Items that a sentence names; the rows have them all."""


REPEATS = re.compile(r"(action|communicate)_\d+")
"""Items of an import with --diagnostics, each of which repeats one official criterion."""


class Shown:
    """Rows printed as they come, or kept for a table; the first rejects and disagreements."""

    most = SHOWN

    def __init__(self, as_json: bool, as_table: bool) -> None:
        self.as_json = as_json
        self.as_table = as_table
        self.rows: list[bytes] = []
        self.rejects = Rejects()
        self.disagreements: list[bytes] = []

    def take(self, result: Result) -> None:
        """What came of the next piece. Raises OSError."""
        if self.as_json:
            sys.stdout.buffer.write(result.rows)
        elif self.as_table and len(self.rows) <= 2 * SHOWN:
            self.rows += result.rows.splitlines()
        self.rejects.take(result.rejects)
        self.disagreements += result.disagreements[: SHOWN - len(self.disagreements)]

    @property
    def table_rows(self) -> list[bytes]:
        """The rows, where they are few enough for a table."""
        return self.rows if len(self.rows) <= 2 * SHOWN else []


@contextmanager
def progress(inputs: Sequence[Path], form: str, to_file: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, where rows go to a file and the input's size says how far it is."""
    sized = form in CHAT and all(path.suffix != ".gz" for path in inputs)
    if not (to_file and sized and sys.stderr.isatty()):
        yield lambda size: None
        return
    total = sum(path.stat().st_size for path in inputs)
    with click.progressbar(length=total, label="scoring", file=sys.stderr) as bar:
        yield bar.update


def summary_text(tally: Tally, rows: Sequence[bytes]) -> str:
    """The dialogues (where there are few), the items' verdicts, the mean reward."""
    parts = [_dialogues(rows)] if rows else []
    if tally.items:
        parts.append(_items(tally))
    parts.append("\n".join([_mean(tally), *_unjudged(tally)]))
    return "\n\n".join(parts)


def _dialogues(rows: Sequence[bytes]) -> str:
    cells = []
    for row in map(json.loads, rows):
        wanting = [
            name if verdict == "fail" else f"{name} ({verdict})"
            for name, verdict in row["items"].items()
            if verdict != "pass"
        ]
        turns = " ".join(map(_number, row["turn_rewards"]))
        cells.append([row["id"], row["task"], _number(row["reward"]), turns, ", ".join(wanting)])
    return table(["id", "task", "reward", "by turn", "not passed"], cells, right=(2,))


def _items(tally: Tally) -> str:
    rows = [[name, *map(str, counts)] for name, counts in tally.items.items()]
    return table(["item", *VERDICTS], rows, right=(1, 2, 3, 4))


def _mean(tally: Tally) -> str:
    mean = f"{tally.reward_sum / tally.rewarded:.3f}" if tally.rewarded else "-"
    without = tally.dialogues - tally.rewarded
    note = f", {without} without a reward" if without else ""
    return f"mean reward {mean} over {counted(tally.rewarded, 'dialogue')}{note}"


def _unjudged(tally: Tally) -> list[str]:
    if not tally.unjudged:
        return []
    items = counted(len(tally.unjudged), "item")
    left_out = f"{items} with an `ask` {'is' if len(tally.unjudged) == 1 else 'are'} left out"
    names = _names(tally.unjudged)
    return [f"no judge: {left_out} of the weights ({names}); name one with --judge"]


def _names(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(list(names)[:NAMED]) + more


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


# --- agreement --------------------------------------------------------------------------------

AGREEMENT = ("n", "agree", "κ", "95% interval", "both", "ours alone", "official alone", "neither")


def agreement_text(tally: Tally) -> str:
    """How the reward agrees with the official one, by file and pooled; then by task and item."""
    if not tally.by_file:
        return "no dialogue has a reward and an official result to agree with"
    parts = [_by_file(tally)]
    compared = sum(map(sum, tally.by_task.values()))
    if compared < tally.dialogues:
        without = f"{tally.dialogues - compared} of {counted(tally.dialogues, 'dialogue')}"
        why = "which have no official result of their task, or no reward"
        parts.append(f"not compared: {without}, {why}")
    if tally.elsewhere:
        names = _names(tally.elsewhere)
        parts.append(f"judged by other reference actions than those of their task: {names}")
    if tally.by_item:
        parts.append(_by_kind(tally.by_item))
    if tally.unknown:
        names = f"{len(tally.unknown)} ({_names(tally.unknown)})"
        parts.append(f"not compared: items with an official verdict that the spec has not: {names}")
    differ = {name: cells for name, cells in tally.by_task.items() if cells[1] or cells[2]}
    agreed = len(tally.by_task) - len(differ)
    head = f"tasks: {agreed} of {len(tally.by_task)} agree on every dialogue"
    parts.append(head + ("\n" + _plain("task", differ) if differ else ""))
    return "\n\n".join(parts)


def _by_file(tally: Tally) -> str:
    pooled: dict[str, Cells] = {}
    for groups in tally.by_file.values():
        for name, cells in groups.items():
            known = pooled.setdefault(name, [0, 0, 0, 0])
            pooled[name] = [a + b for a, b in zip(known, cells, strict=True)]
    names = [Path(file).name for file in tally.by_file]
    short = len(set(names)) == len(names)
    files = dict(zip(names if short else tally.by_file, tally.by_file.values(), strict=True))
    if len(files) > 1:
        files[POOLED] = pooled
    rows = [
        [file if not number else "", name, *_figures(cells, with_interval=True)]
        for file, groups in files.items()
        for number, (name, cells) in enumerate(groups.items())
    ]
    return table(["file", "compared with", *AGREEMENT], rows, right=range(2, 10))


def _by_kind(items: Mapping[str, Cells]) -> str:
    """Items by name; those that repeat a benchmark's criteria by their kind, `action_N`."""
    kinds: dict[str, Cells] = {}
    for name, cells in items.items():
        repeats = REPEATS.fullmatch(name.rpartition(".")[2])
        kind = f"{repeats[1]}_N" if repeats else name
        known = kinds.setdefault(kind, [0, 0, 0, 0])
        kinds[kind] = [a + b for a, b in zip(known, cells, strict=True)]
    differ = {
        name: cells for name, cells in items.items() if name not in kinds and (cells[1] or cells[2])
    }
    text = _plain("item", kinds)
    return text + ("\n\n" + _plain("item", differ) if differ else "")


def _plain(head: str, groups: Mapping[str, Cells]) -> str:
    rows = [[name, *_figures(cells, with_interval=False)] for name, cells in groups.items()]
    names = [name for name in AGREEMENT if name != "95% interval"]
    return table([head, *names], rows, right=range(1, 8))


def _figures(cells: Cells, with_interval: bool) -> list[str]:
    neither, ours, official, both = cells
    bounds = []
    if with_interval:
        low, high = interval(cells)
        bounds = ["-" if math.isnan(low) else f"{low:.2f} to {high:.2f}"]
    return [
        str(sum(cells)),
        f"{accuracy(cells):.3f}",
        _number(kappa(cells)),
        *bounds,
        *map(str, (both, ours, official, neither)),
    ]


def disagreement_text(found: Sequence[bytes]) -> str:
    """The first disagreements, a JSON object each: who says what, which items failed, and why."""
    lines = [f"disagreements (the first {len(found)}; --disagreements FILE writes all)"]
    for one in map(json.loads, found):
        lines.append("")
        lines.append(
            f"{Path(one['file']).name}: dialogue {one['id']}, {one['task']}: "
            f"ours {one['reward']:.3f}, official {one['official']:g}"
        )
        for name, verdict in one["items"].items():
            if verdict == "pass" and name not in one["other_items"]:
                continue
            segments = ", ".join(each["segment"] for each in one["evidence"].get(name, ()))
            lines.append(f"  {name}: {verdict}" + (f"  ({segments})" if segments else ""))
    return "\n".join(lines)
