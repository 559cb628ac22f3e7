"""What a task's versions credit, level by level and row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cm2dsl import ir
from cm2dsl.diff.deciders import Decider, decider, sameness
from cm2dsl.diff.pairs import Rows, ScopePair
from cm2dsl.diff.report import LEVELS, Proof, Standing
from cm2dsl.diff.steps import step
from cm2dsl.diff.table import Table
from cm2dsl.diff.tables import Label, scopes_of, table_of
from cm2dsl.diff.verdicts import Finding, Level, trajectory, turn
from cm2dsl.diff.witness import witness

PROVE: Mapping[Level, Callable[[Table], Finding]] = {
    "trajectory": trajectory,
    "turn": turn,
    "step": step,
}
WORST: tuple[Standing, ...] = ("same", "unknown", "may differ", "differs")


def prove(
    before: ir.Task, after: ir.Task, scopes: Sequence[ScopePair], rows: Rows
) -> tuple[Proof, ...]:
    tables: dict[tuple[Table, Table], list[str]] = {}
    for old, new in rows:
        assumed = table_of(before, after, _labels(scopes, before, after, old, new, True))
        apart = table_of(before, after, _labels(scopes, before, after, old, new, False))
        tables.setdefault((assumed, apart), []).append("" if new is None else new.key)
    proofs = []
    for level in LEVELS:
        found = [
            _proof(before, after, level, assumed, apart, tuple(keys))
            for (assumed, apart), keys in tables.items()
        ]
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
    assumed: Table,
    apart: Table,
    rows: tuple[str, ...],
) -> Proof:
    """What is known of a level; first as if changed checks said the same, then as they may not."""
    table = assumed
    verdict: Standing = "differs"
    finding = PROVE[level](assumed)
    if finding.verdict != "differs" and apart != assumed:
        table, verdict = apart, "may differ"
        finding = PROVE[level](apart)
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


def _labels(
    scopes: Sequence[ScopePair],
    before: ir.Task,
    after: ir.Task,
    old: ir.Row | None,
    new: ir.Row | None,
    assume: bool,
) -> tuple[list[list[Label]], list[list[Label]]]:
    """Who decides each item; what is decided by one decider has one verdict.

    A judge that is asked otherwise is taken for the same one; with `assume`, so is a changed check.
    """
    found: tuple[list[list[Label]], list[list[Label]]] = ([], [])
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
            if taken and free and one.closed == two.closed and one not in same.values():
                same.setdefault(two, one)
        found[0].append([(own[item.name], own[item.name].closed) for item in items])
        deciders = [same.get(other[item.name], other[item.name]) for item in new_items]
        found[1].append([(one, one.closed) for one in deciders])
    return found
