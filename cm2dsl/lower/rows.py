"""`each row in FILE where … split by …`: which rows a task has, their keys and their split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cm2dsl import checks, ir, nodes
from cm2dsl.checks import show
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.files import Files
from cm2dsl.lower.checks import show_path
from cm2dsl.lower.env import Env, read_value
from cm2dsl.rows import RawRow, RowFile, read_rows

KEY = "id"


def lower_rows(
    each: nodes.Each, files: Files, log: Log
) -> tuple[RowFile, tuple[ir.Row, ...]] | None:
    """The rows that `where` keeps, as a file and in the IR; None where the log says why not."""
    opened = files.open(each.file)
    file = read_rows(opened[1], log) if opened is not None else None
    if file is None or not _columns_exist(each, file, log):
        return None
    keys = _keys(file, log)
    kept = [row for row in file.rows if all(_meets(row, where, log) for where in each.where)]
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
        if not key or key in seen:
            what = f"`{key}` is on line {seen[key]} too" if key in seen else "the row has none"
            log.error("E308", f"`{KEY}` names a row: {what}", file.line(row), "make it unique")
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
        message = f"`{cell}` in column `{column.text}` is not a split"
        log.error("E308", message, file.line(row), "write `train` or `heldout`")
    return "train"


def _meets(row: RawRow, where: nodes.Constraint, log: Log) -> bool:
    found = list(checks.at(row.values, *where.path.steps))
    if where.op == "exists":
        return bool(found) != where.negated
    if isinstance(where.value, nodes.Regex):
        return checks.matches(found, where.value.pattern) != where.negated
    assert where.value is not None
    value = read_value(where.value, Env(log, {}))
    tests: dict[str, Callable[[list[Any], Any], bool]] = {
        "==": lambda found, other: checks.eq(found, other, where.tolerance or 0.0),
        "!=": lambda found, other: checks.ne(found, other, where.tolerance or 0.0),
        "<": checks.lt,
        "<=": checks.le,
        ">": checks.gt,
        ">=": checks.ge,
        "in": checks.one_of,
        "contains": checks.contains,
    }
    match value:
        case ir.Constant(value=constant) if where.op != "in":
            wanted: Any = constant
        case ir.Many(values=values) if where.op == "in":
            wanted = [each.value for each in values if isinstance(each, ir.Constant)]
        case None:
            return True
        case _:
            message = f"`{show_path(where.path.steps)}` cannot be compared with this"
            help = 'write a constant, or `in ["a", "b"]`'
            log.error("E202", message, where.value.span, help)
            return True
    return tests[where.op](found, wanted) != where.negated
