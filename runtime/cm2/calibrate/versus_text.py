"""The comparison of two judges on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from cm2.calibrate.shown import HEAD, number, on_one_line, row
from cm2.calibrate.text import cost_text
from cm2.calibrate.versus import Versus
from cm2.judge.ledger import Cost
from cm2.table import table
from cm2dsl.report.words import counted

SHOWN = 10
"""Dialogues that are printed, those whose rewards differ most."""


def versus_text(found: Versus, names: tuple[str, str], costs: Sequence[Cost | None]) -> str:
    """The whole comparison. A cost of None is that of rows: they were paid for before."""
    items = {"all items": found.whole, **found.items}
    rows = [[on_one_line(name), *row(one)] for name, one in items.items()]
    parts = [
        "\n".join(f"{letter}  {name}" for letter, name in zip("AB", names, strict=True)),
        table(["item", *HEAD], rows, right=range(1, len(HEAD) + 1)),
        "a pass is yes; fail and insufficient are no; errors count as neither",
        _rewards(found),
        "\n".join(
            f"{letter}: {'rows, judged before' if cost is None else cost_text(cost)}"
            for letter, cost in zip("AB", costs, strict=True)
        ),
    ]
    if any(one.rewards[0] != one.rewards[1] for one in found.apart):
        parts.append(_apart(found))
    return "\n\n".join(parts)


def _rewards(found: Versus) -> str:
    lines = [
        f"rewards of {counted(found.both, 'dialogue')}: mean {number(found.means[0])} by A, "
        f"{number(found.means[1])} by B; they differ by {number(found.mean_difference)} in the "
        f"mean; Spearman's ρ {_ranked(found)}"
    ]
    if found.unrewarded:
        lines.append(f"without a reward from one of them: {counted(found.unrewarded, 'dialogue')}")
    if found.missing:
        lines.append(f"not compared, as only one has them: {counted(found.missing, 'dialogue')}")
    return "\n".join(lines)


def _ranked(found: Versus) -> str:
    """The rank correlation, and of what it is where that is not the rewards."""
    if not any(found.rated):
        return number(found.ranks)
    names = [
        f"{letter}'s {'scores of whole dialogues' if rated else 'rewards'}"
        for letter, rated in zip("AB", found.rated, strict=True)
    ]
    return f"of {' and '.join(names)} {number(found.ranks)}"


def _apart(found: Versus) -> str:
    rows = []
    for one in found.apart[:SHOWN]:
        (instance, id), (a, b) = one.key, one.rewards
        if a == b:
            break
        differ = ", ".join(
            f"{name.partition('.')[2]} {first}/{second}" for name, first, second in one.differ
        )
        rows.append(
            [on_one_line(id), instance, number(a), number(b), f"{a - b:+.3f}", on_one_line(differ)]
        )
    head = ["dialogue", "task", "A", "B", "A - B", "verdicts that differ, A/B"]
    return "rewards that differ most\n" + table(head, rows, right=(2, 3, 4))
