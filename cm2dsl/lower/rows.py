"""`each row in FILE where … split by …`: which rows a task has, their keys and their split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from cm2dsl import checks, ir, nodes
from cm2dsl.checks import show
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.files import Files
from cm2dsl.lower.checks import lower_constraint
from cm2dsl.lower.env import Env, Tools
from cm2dsl.rows import RawRow, RowFile, read_rows
from cm2dsl.schemas import PathType

KEY = "id"

TESTS: dict[str, Callable[..., bool]] = {
    "==": checks.eq,
    "!=": checks.ne,
    "<": checks.lt,
    "<=": checks.le,
    ">": checks.gt,
    ">=": checks.ge,
    "in": checks.one_of,
    "contains": checks.contains,
    "~": checks.matches,
}


def lower_rows(
    each: nodes.Each, files: Files, log: Log
) -> tuple[RowFile, tuple[ir.Row, ...]] | None:
    """The rows that `where` keeps, as a file and in the IR; None where the log says why not."""
    opened = files.open(each.file)
    file = read_rows(opened[1], log) if opened is not None else None
    if file is None or not _columns_exist(each, file, log):
        return None
    wheres = _wheres(each, file, log)
    if wheres is None:
        return None
    keys = _keys(file, log)
    kept = [row for row in file.rows if all(_meets(row, where) for where in wheres)]
    if not kept:
        help = "correct `where`, or add such rows"
        log.error("E308", f"no row of `{file.source.name}` is left", each.span, help)
        return None
    rows = tuple(
        ir.Row(
            key=keys[row.line],
            split=_split(row, each.split, file, log),
            values=row.values,
            text=row.text,
        )
        for row in kept
    )
    return replace(file, rows=tuple(kept)), rows


def _columns_exist(each: nodes.Each, file: RowFile, log: Log) -> bool:
    wanted = [(str(where.path.steps[0]), where.path.span) for where in each.where]
    if each.split is not None:
        wanted.append((each.split.text, each.split.span))
    for column, span in wanted:
        if column not in file.columns:
            message = f"`{file.source.name}` has no column `{column}`"
            log.error("E105", message, span, suggest(column, file.columns))
    return all(column in file.columns for column, _ in wanted)


def _keys(file: RowFile, log: Log) -> dict[int, str]:
    """A key for each row, by its line: the cell of `id`, else its number from 1."""
    if KEY not in file.columns:
        return {row.line: str(number) for number, row in enumerate(file.rows, 1)}
    keys: dict[int, str] = {}
    seen: dict[str, int] = {}
    for row in file.rows:
        key = row.text[KEY] if row.text is not None else show(row.values.get(KEY))
        if not key:
            help = f"give every row one: tasks are named by it, such as `task/{len(keys) + 1}`"
            log.error("E308", f"this row has no `{KEY}`", file.line(row), help)
        elif key in seen:
            message = f"`{KEY}` `{key}` is on line {seen[key]} too"
            log.error("E308", message, file.line(row), "make it unique: tasks are named by it")
        seen.setdefault(key, row.line)
        keys[row.line] = key
    return keys


def _split(row: RawRow, column: nodes.Name | None, file: RowFile, log: Log) -> ir.Split:
    if column is None:
        return "train"
    cell = row.values.get(column.text)
    if cell == "heldout":
        return "heldout"
    if cell != "train":
        what = f"`{show(cell)}` is not a split" if show(cell) else "this row has no split"
        help = "write `train` or `heldout`"
        log.error("E308", f"{what} (column `{column.text}`)", file.line(row), help)
    return "train"


def _wheres(each: nodes.Each, file: RowFile, log: Log) -> list[ir.Constraint] | None:
    """The constraints on rows, or None where the log says what is wrong with one."""
    lowered = [
        lower_constraint(
            where,
            PathType(frozenset(file.types_at(where.path.steps)[0])),
            file.source.name,
            Env(log, Tools()),
        )
        for where in each.where
    ]
    known = [where for where in lowered if where is not None]
    return known if len(known) == len(lowered) else None


def _meets(row: RawRow, where: ir.Constraint) -> bool:
    found = list(checks.at(row.values, *where.path))
    if where.op == "exists":
        return checks.exists(found) != where.negated
    tolerance = () if where.tolerance is None else (where.tolerance,)
    return TESTS[where.op](found, _constant(where.value), *tolerance) != where.negated


def _constant(value: ir.Value | None) -> Any:
    """The value of a constraint that stands outside any row."""
    if isinstance(value, ir.Many):
        return [_constant(each) for each in value.values]
    assert isinstance(value, ir.Constant)
    return value.value
