"""What a task's versions credit, level by level and row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cm2dsl import ir
from cm2dsl.diff.deciders import Decider, decider, sameness
from cm2dsl.diff.pairs import Rows, ScopePair
from cm2dsl.diff.report import LEVELS, Proof, Standing
from cm2dsl.diff.steps import step
from cm2dsl.diff.table import Table
from cm2dsl.diff.tables import scopes_of, table_of
from cm2dsl.diff.verdicts import Finding, Level, trajectory, turn
from cm2dsl.diff.witness import witness

PROVE: Mapping[Level, Callable[[Table], Finding]] = {
    "trajectory": trajectory,
    "turn": turn,
    "step": step,
}
WORST: tuple[Standing, ...] = ("same", "unknown", "may differ", "differs")


@dataclass(frozen=True)
class _Tables:
    """The table in which changed checks say the same, as far as can be, and that in which they need
    not. `all_of_them`: every changed check says the same in the first."""

    assumed: Table
    apart: Table
    all_of_them: bool


def prove(
    before: ir.Task, after: ir.Task, scopes: Sequence[ScopePair], rows: Rows
) -> tuple[Proof, ...]:
    """The proofs of a task, one a level; none where no row is common to both versions."""
    tables: dict[_Tables, list[str]] = {}
    for old, new in rows:
        assumed, all_of_them = _deciders(scopes, before, after, old, new, assume=True)
        apart, _ = _deciders(scopes, before, after, old, new, assume=False)
        both = _Tables(
            table_of(before, after, assumed), table_of(before, after, apart), all_of_them
        )
        tables.setdefault(both, []).append("" if new is None else new.key)
    proofs = []
    for level in LEVELS:
        found = [_proof(before, after, level, both, tuple(keys)) for both, keys in tables.items()]
        if not found:
            continue
        worst = max(found, key=lambda proof: WORST.index(proof.verdict))
        keys = [key for one in found if one.verdict == worst.verdict for key in one.rows]
        proofs.append(replace(worst, rows=tuple(key for key in keys if key)))
    return tuple(proofs)


def _proof(
    before: ir.Task,
    after: ir.Task,
    level: Level,
    tables: _Tables,
    rows: tuple[str, ...],
) -> Proof:
    """What is known of a level; first as if changed checks said the same, then as they may not."""
    table = tables.assumed
    verdict: Standing = "differs" if tables.all_of_them else "may differ"
    finding = PROVE[level](table)
    if finding.verdict != "differs" and tables.apart != table:
        table, verdict = tables.apart, "may differ"
        finding = PROVE[level](table)
    both = None
    if finding.group:
        both = (
            witness(table, 0, before, level, finding.group),
            witness(table, 1, after, level, finding.group),
        )
    return Proof(
        level=level,
        verdict=verdict if finding.verdict == "differs" else finding.verdict,
        own=level in (before.assign.level, after.assign.level),
        rows=rows,
        finding=finding,
        witness=both,
    )


def _deciders(
    scopes: Sequence[ScopePair],
    before: ir.Task,
    after: ir.Task,
    old: ir.Row | None,
    new: ir.Row | None,
    assume: bool,
) -> tuple[tuple[list[list[Decider]], list[list[Decider]]], bool]:
    """Who decides each item; what is decided by one decider has one verdict.

    A judge that is asked otherwise is taken for the same one; with `assume`, so is a changed check,
    where what it says now is not what another item says too. Also whether all were.
    """
    found: tuple[list[list[Decider]], list[list[Decider]]] = ([], [])
    all_of_them = True
    for scope, (_, items), (_, new_items) in zip(
        scopes, scopes_of(before), scopes_of(after), strict=True
    ):
        own = {item.name: decider(item, old) for item in items}
        other = {item.name: decider(item, new) for item in new_items}
        same: dict[Decider, Decider] = {}
        for pair in scope.items.pairs:
            one, two = own[pair.before.name], other[pair.after.name]
            how = sameness(one, two)
            taken = how == "asked otherwise" or (assume and how == "other")
            free = one not in other.values() and two not in own.values()
            if (
                taken
                and free
                and (one.closed, one.kept) == (two.closed, two.kept)
                and one not in same.values()
            ):
                same.setdefault(two, one)
            elif how != "same":
                all_of_them = False
        found[0].append([own[item.name] for item in items])
        found[1].append([same.get(other[item.name], other[item.name]) for item in new_items])
    return found, all_of_them
