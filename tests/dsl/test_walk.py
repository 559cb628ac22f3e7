"""Parts of trees are found however deep they are, in the order of the text."""

from __future__ import annotations

from pathlib import Path

from cm2dsl import ir, nodes
from cm2dsl.compiler import compile_file
from cm2dsl.diagnostic import Log
from cm2dsl.parse import parse
from cm2dsl.source import Source, Span
from cm2dsl.walk import walk

TEXT = """cm2 1
domain d
task t each row in "rows.csv" {
  turn a {
    user "{row.first}"
    item i {
      check reply contains row.second and not (reply contains "{row.third}" or replied)
      ask "Is it {row.fourth}?"
    }
  }
}
"""


def test_syntax_is_walked_in_the_order_of_the_text() -> None:
    tree = parse(Source(Path("a.cm2"), "a.cm2", TEXT), Log())
    places = [one.path for one in walk(tree, nodes.Reference)]
    assert places == [("row", name) for name in ("first", "second", "third", "fourth")]
    spans = [one.span.start for one in walk(tree, nodes.Name)]
    assert spans == sorted(spans)


def test_the_ir_is_walked_too(tmp_path: Path) -> None:
    (tmp_path / "a.cm2").write_text(TEXT, encoding="utf-8")
    (tmp_path / "rows.csv").write_text("first,second,third,fourth\nw,x,y,z\n", encoding="utf-8")
    compiled = compile_file(tmp_path / "a.cm2")
    assert compiled is not None
    found = {one.path[0] for one in walk(compiled.spec.tasks[0].turns, ir.RowRef)}
    assert found == {"first", "second", "third", "fourth"}


def test_a_part_is_looked_into_and_the_whole_is_one_and_places_are_none() -> None:
    inner = ir.Not(ir.Replied())
    outer = ir.Not(inner)
    assert list(walk(outer, ir.Not)) == [outer, inner]
    tree = parse(Source(Path("a.cm2"), "a.cm2", TEXT), Log())
    assert list(walk(tree, Span)) == []
    assert list(walk((), ir.Not)) == list(walk(None, ir.Not)) == []
