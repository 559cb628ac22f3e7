"""Row files: CSV and JSON Lines, and the types of their columns."""

from __future__ import annotations

import csv
import re
from typing import Any, Literal

from msgspec import Struct

from cm2dsl.checks import at
from cm2dsl.diagnostic import Log
from cm2dsl.files import read_json
from cm2dsl.schemas import json_type
from cm2dsl.source import Source, Span

# Numbers as in JSON, no longer than a double can hold; everything else is text.
INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,307})")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,199})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


class RawRow(Struct, frozen=True):
    """One row and its line; `text` is the row as written (CSV only)."""

    line: int
    values: dict[str, Any]
    text: dict[str, str] | None


class RowFile(Struct, frozen=True):
    """All rows of a file, in order."""

    source: Source
    form: Literal["csv", "jsonl"]
    columns: tuple[str, ...]
    rows: tuple[RawRow, ...]

    def line(self, row: RawRow) -> Span:
        """The place of a row."""
        start = self.source.line_starts[row.line - 1]
        return Span(self.source, start, start + max(len(self.source.line(row.line)), 1))

    def types_at(self, path: tuple[str | int | None, ...]) -> tuple[set[str], list[RawRow]]:
        """The JSON types of the values at `path`, and the rows that have no value there."""
        types: set[str] = set()
        without: list[RawRow] = []
        for row in self.rows:
            found = list(at(row.values, *path))
            types |= {json_type(value) for value in found}
            without += [] if found else [row]
        return types, without


def read_rows(source: Source, log: Log) -> RowFile | None:
    """The rows of a `.csv` or `.jsonl` file, or None where the log says why there are none."""
    if source.path.suffix == ".csv":
        return _read_csv(source, log)
    if source.path.suffix == ".jsonl":
        return _read_jsonl(source, log)
    help = "rows are read from `.csv` and `.jsonl` files"
    log.error("E405", f"`{source.name}` is not a row file", Span(source, 0, 1), help)
    return None


def _read_csv(source: Source, log: Log) -> RowFile | None:
    lines = source.text.split("\n")
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    records: list[tuple[int, list[str]]] = []
    last = 0
    try:
        for record in reader:
            if record:
                records.append((last + 1, record))
            last = reader.line_num
    except csv.Error as error:
        help = 'a cell with `"`, `,` or a line break stands in quotes, with `""` for each `"` in it'
        log.error("E405", f"not CSV: {error}", _line(source, last + 1), help)
        return None
    if len(records) < 2:
        help = "write a line of column names, then a line for each row"
        log.error("E405", "the file has no rows", Span(source, 0, 1), help)
        return None
    columns = records[0][1]
    if len(set(columns)) < len(columns) or not all(columns):
        help = "give every column a name of its own"
        log.error("E405", "column names are missing or stand twice", _line(source, 1), help)
        return None
    for line, record in records[1:]:
        if len(record) != len(columns):
            message = f"this row has {len(record)} cells, the head has {len(columns)}"
            log.error("E405", message, _line(source, line), "give every column a cell")
            return None
    cells = list(zip(*(record for _, record in records[1:]), strict=True))
    typed = [
        [_typed(cell, form) for cell in column] for column in cells for form in [_form(column)]
    ]
    rows = tuple(
        RawRow(
            line, dict(zip(columns, values, strict=True)), dict(zip(columns, record, strict=True))
        )
        for (line, record), values in zip(records[1:], zip(*typed, strict=True), strict=True)
    )
    return RowFile(source, "csv", tuple(columns), rows)


def _form(cells: tuple[str, ...]) -> str:
    """The narrowest type that every cell of a column has."""
    if all(INTEGER.fullmatch(cell) for cell in cells):
        return "integer"
    if all(NUMBER.fullmatch(cell) for cell in cells):
        return "number"
    if all(cell in ("true", "false") for cell in cells):
        return "boolean"
    return "string"


def _typed(cell: str, form: str) -> Any:
    match form:
        case "integer":
            return int(cell)
        case "number":
            return float(cell)
        case "boolean":
            return cell == "true"
        case _:
            return cell


def _read_jsonl(source: Source, log: Log) -> RowFile | None:
    rows: list[RawRow] = []
    columns: dict[str, None] = {}
    for number, text in enumerate(source.text.split("\n"), 1):
        if not text.strip():
            continue
        value = read_json(source, log, text, number)
        if value is None:
            return None
        if not isinstance(value, dict):
            log.error("E405", "a row is not an object", _line(source, number), "write {…} a line")
            return None
        columns |= dict.fromkeys(value)
        rows.append(RawRow(number, value, None))
    if not rows:
        log.error("E405", "the file has no rows", Span(source, 0, 1), "write an object a line")
        return None
    return RowFile(source, "jsonl", tuple(columns), tuple(rows))


def _line(source: Source, number: int) -> Span:
    start = source.line_starts[number - 1]
    return Span(source, start, start + max(len(source.line(number)), 1))
