"""Row files: types, quoting, line numbers, keys and splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm2dsl import ir
from cm2dsl.compiler import compile_file
from cm2dsl.diagnostic import CompileError, Log
from cm2dsl.rows import RowFile, read_rows
from cm2dsl.source import Source


def read(name: str, text: str) -> RowFile:
    log = Log()
    file = read_rows(Source(Path(name), name, text), log)
    assert log.diagnostics == []
    assert file is not None
    return file


def faults(name: str, text: str) -> list[str]:
    log = Log()
    read_rows(Source(Path(name), name, text), log)
    return [f"{fault.span.line} {fault.message}" for fault in log.diagnostics]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["1", "2.50", "1e3"], [1.0, 2.5, 1000.0]),
        (["true", "false"], [True, False]),
        (["true", "1"], ["true", "1"]),
        (["1", ""], ["1", ""]),
        (["007", "12"], ["007", "12"]),
        (["1", "１２"], ["1", "１２"]),
        (["1", "+2"], ["1", "+2"]),
        (["1.", "2"], ["1.", "2"]),
        (["1", "9" * 309], ["1", "9" * 309]),
        (["nan", "inf"], ["nan", "inf"]),
        ([" 1", "2"], [" 1", "2"]),
    ],
)
def test_a_column_has_the_narrowest_type_of_all_its_cells(
    cells: list[str], values: list[object]
) -> None:
    file = read("rows.csv", "id,x\n" + "".join(f"r{i},{c}\n" for i, c in enumerate(cells)))
    found = [row.values["x"] for row in file.rows]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]
    assert [row.text and row.text["x"] for row in file.rows] == cells


def test_cells_with_commas_quotes_and_line_breaks() -> None:
    file = read("rows.csv", 'id,x\n1,"a,b"\n\n2,"say ""hi""\nto\n\nme"\n3,c\n')
    assert [row.values["x"] for row in file.rows] == ["a,b", 'say "hi"\nto\n\nme', "c"]
    assert [row.line for row in file.rows] == [2, 4, 8]
    assert [file.line(row).line for row in file.rows] == [2, 4, 8]


def test_a_cell_may_hold_characters_that_other_tools_take_for_line_breaks() -> None:
    file = read("rows.csv", "id,x\n1,a\u2028b\n2,c\u0085d\x0ce\n")
    assert [(row.line, row.values["x"]) for row in file.rows] == [
        (2, "a\u2028b"),
        (3, "c\u0085d\x0ce"),
    ]


def test_a_fault_is_at_the_line_of_its_row() -> None:
    text = 'id,x\n1,"two\nlines"\n2,a,b\n'
    assert faults("rows.csv", text) == ["4 this row has 3 cells, the head has 2"]
    assert faults("rows.csv", 'id,x\n1,"two\nlines"\n2,"open\n\n') == [
        "4 not CSV: unexpected end of data"
    ]


def test_json_lines_keep_types_and_structure() -> None:
    file = read("rows.jsonl", '{"a": 1, "b": [1.0, "1"]}\n\n{"a": true, "c": null}\n')
    assert file.columns == ("a", "b", "c")
    assert [row.line for row in file.rows] == [1, 3]
    assert [row.text for row in file.rows] == [None, None]
    types, without = file.types_at(("a",))
    assert types == {"integer", "boolean"}
    assert without == []
    types, without = file.types_at(("b", 0))
    assert types == {"number"}
    assert without == [file.rows[1]]
    assert file.types_at(("b", "x"))[1] == list(file.rows)


def test_text_has_no_parts() -> None:
    file = read("rows.csv", "id\nab\n")
    assert file.types_at(("id", 0)) == (set(), [file.rows[0]])


@pytest.mark.parametrize(
    "line",
    ['{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}', "[" * 200 + "]" * 200],
)
def test_json_that_two_readers_could_read_differently_is_refused(line: str) -> None:
    assert len(faults("rows.jsonl", f'{{"a": 1}}\n{line}\n')) == 1


# --- in a task --------------------------------------------------------------------------------

TASK = """cm2 1
domain d
task t each row in "rows.csv" {head} {{
  turn u {{ user "{{row.x}}" item i {{ check reply contains row.x }} }}
}}
"""


def rows_of(folder: Path, text: str, head: str = "") -> list[tuple[str, str, object]]:
    (folder / "rows.csv").write_bytes(text.encode())
    (folder / "spec.cm2").write_text(TASK.format(head=head), encoding="utf-8")
    compiled = compile_file(folder / "spec.cm2")
    assert compiled is not None
    rows = compiled.spec.tasks[0].rows
    assert rows is not None
    return [(row.key, row.split, row.values["x"]) for row in rows]


def test_rows_are_numbered_where_they_have_no_id(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "x\na\nb\n") == [("1", "train", "a"), ("2", "train", "b")]


def test_numbers_count_all_rows_also_those_left_out(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "x\na\nb\n", 'where x == "b"') == [("2", "train", "b")]


def test_an_id_is_text_as_it_is_written(tmp_path: Path) -> None:
    assert [key for key, _, _ in rows_of(tmp_path, "id,x\n1.50,a\n2,b\n")] == ["1.50", "2"]


def test_a_column_splits_the_rows(tmp_path: Path) -> None:
    text = "x,use\na,train\nb,heldout\n"
    assert [split for _, split, _ in rows_of(tmp_path, text, "split by use")] == [
        "train",
        "heldout",
    ]


def test_the_file_may_have_a_byte_order_mark_and_any_line_breaks(tmp_path: Path) -> None:
    expected = [("1", "train", "a"), ("2", "train", "b")]
    assert rows_of(tmp_path, "\ufeffx\r\na\r\nb\r\n") == expected
    assert rows_of(tmp_path, "x\ra\rb\r") == expected


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("n > 1", ["b", "c"]),
        ("n in [1, 3]", ["a", "c"]),
        ("not n == 2", ["a", "c"]),
        ("n == 2.4 +- 0.6", ["b", "c"]),
        ("x ~ /[ab]/", ["a", "b"]),
        ('x contains "c"', ["c"]),
        ('n >= 2, x != "c"', ["b"]),
        ("n exists", ["a", "b", "c"]),
    ],
)
def test_where_keeps_the_rows_that_meet_it(where: str, kept: list[str], tmp_path: Path) -> None:
    found = rows_of(tmp_path, "x,n\na,1\nb,2\nc,3\n", f"where {where}")
    assert [x for _, _, x in found] == kept


@pytest.mark.parametrize("where", ['n == "2"', "x > 1", "n ~ /2/", "n in 2", 'n contains "2"'])
def test_where_is_type_checked_against_the_column(where: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError):
        rows_of(tmp_path, "x,n\na,1\nb,2\n", f"where {where}")


def test_every_value_in_the_ir_is_as_typed(tmp_path: Path) -> None:
    rows_of(tmp_path, "id,x,n\nr,a,1\n")
    compiled = compile_file(tmp_path / "spec.cm2")
    assert compiled is not None
    assert compiled.spec.tasks[0].rows == (
        ir.Row(
            key="r",
            split="train",
            values={"id": "r", "x": "a", "n": 1},
            text={"id": "r", "x": "a", "n": "1"},
        ),
    )
