"""What `cm2 score` prints: tables for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.agreement import accuracy, interval, kappa
from cm2.scoring.tally import VERDICTS, Cells, Tally
from cm2.table import table

POOLED = "all files"
NAMED = 8
"""Items that a sentence names; the rows have them all."""


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
    return f"mean reward {mean} over {tally.rewarded} dialogues{note}"


def _unjudged(tally: Tally) -> list[str]:
    if not tally.unjudged:
        return []
    names = ", ".join(list(tally.unjudged)[:NAMED])
    names += f" and {len(tally.unjudged) - NAMED} more" if len(tally.unjudged) > NAMED else ""
    return [
        f"no judge: {len(tally.unjudged)} items with an `ask` are left out of the weights"
        f" ({names}); name one with --judge-model"
    ]


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


# --- agreement --------------------------------------------------------------------------------

AGREEMENT = ("n", "agree", "κ", "95% interval", "both", "ours alone", "official alone", "neither")


def agreement_text(tally: Tally) -> str:
    """How the reward agrees with the official one, by file and pooled; then by task and item."""
    if not tally.by_file:
        return "no dialogue has an official result to agree with"
    parts = [_by_file(tally)]
    if tally.by_item:
        parts.append(_by_kind(tally.by_item))
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
    files: dict[str, Mapping[str, Cells]] = {Path(f).name: g for f, g in tally.by_file.items()}
    if len(files) > 1:
        files[POOLED] = pooled
    rows = [
        [file if not number else "", name, *_figures(cells, with_interval=True)]
        for file, groups in files.items()
        for number, (name, cells) in enumerate(groups.items())
    ]
    return table(["official result", "compared with", *AGREEMENT], rows, right=range(2, 10))


def _by_kind(items: Mapping[str, Cells]) -> str:
    """Items by the kind of official criterion that they repeat: `action`, `communicate`."""
    kinds: dict[str, Cells] = {}
    for name, cells in items.items():
        kind = name.rpartition(".")[2].rpartition("_")[0] or name
        known = kinds.setdefault(kind, [0, 0, 0, 0])
        kinds[kind] = [a + b for a, b in zip(known, cells, strict=True)]
    differ = {name: cells for name, cells in items.items() if cells[1] or cells[2]}
    text = _plain("items of the kind", kinds)
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


def disagreement_text(found: Sequence[Mapping[str, Any]]) -> str:
    """The first disagreements: who says what, which items failed, and on what evidence."""
    lines = [f"disagreements (the first {len(found)}; --disagreements FILE writes all)"]
    for one in found:
        lines.append("")
        lines.append(
            f"{Path(one['file']).name}: dialogue {one['id']}, {one['task']}: "
            f"ours {one['reward']:.3f}, official {one['official']:g}"
        )
        for name, verdict in one["items"].items():
            if verdict == "pass" and name not in one["other items"]:
                continue
            segments = ", ".join(each["segment"] for each in one["evidence"].get(name, ()))
            lines.append(f"  {name}: {verdict}" + (f"  ({segments})" if segments else ""))
    return "\n".join(lines)
