"""What a spec means: names resolved, weights normalised, templates opened, anchors found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cases import SHARED
from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.compiler import compile_file
from cm2dsl.tables import KEYWORDS


@pytest.fixture
def spec(tmp_path: Path) -> Any:
    """Compiles a spec that lies beside the shared files."""
    shutil.copytree(SHARED, tmp_path, dirs_exist_ok=True)

    def compiled(text: str, **files: str) -> ir.Spec:
        for name, content in files.items():
            (tmp_path / f"{name}.cm2").write_text(content, encoding="utf-8")
        (tmp_path / "spec.cm2").write_text(f'cm2 1 domain d tools "tools.json" {text}', "utf-8")
        found = compile_file(tmp_path / "spec.cm2")
        assert found is not None
        return found.spec

    return compiled


def items(spec: ir.Spec, turn: int = 0) -> dict[str, ir.Item]:
    return {item.name: item for item in spec.tasks[0].turns[turn].items}


def test_weights_are_normalised_within_their_turn(spec: Any) -> None:
    found = items(
        spec(
            """task t { turn u { user "x"
            item a weight 3 { check called * }
            item b { check called * }
            never c veto { check called * }
            never d penalty 0.5 weight 4 { check called * }
            } }"""
        )
    )
    assert [item.weight for item in found.values()] == [0.375, 0.125, 0.0, 0.5]
    assert [item.penalty for item in found.values()] == [0, 0, 0, 0.5]


def test_after_has_full_names_and_none_twice(spec: Any) -> None:
    compiled = spec(
        """task t {
        turn u { user "x" item a { check called * } item b after a, u.a { check called * } }
        turn v { user "x" item a after u.b { check called * } }
        item c after u.a, v.a { check called * }
        item d after c { check called * } }"""
    )
    task = compiled.tasks[0]
    assert task.turns[0].items[1].after == ("u.a",)
    assert task.turns[1].items[0].after == ("u.b",)
    assert [item.after for item in task.items] == [("u.a", "v.a"), ("dialogue.c",)]


@pytest.mark.parametrize(
    ("entries", "focus"),
    [
        ("check called today", "tool_call"),
        ("check called today before flight_book", "tool_call"),
        ("check not result today has x", "tool_result"),
        ("check reply contains 1", "reply"),
        ("check (result today has x or called today) and reply contains 1", "tool_result"),
        ('check called today ask "Is it?"', "reply"),
        ('ask "Is it?"', "reply"),
        ('focus reasoning ask "Is it?"', "reasoning"),
    ],
)
def test_the_focus_is_what_is_looked_at_first(entries: str, focus: str, spec: Any) -> None:
    assert (
        items(spec(f'task t {{ turn u {{ user "x" item a {{ {entries} }} }} }}'))["a"].focus
        == focus
    )


def test_a_template_is_an_item_with_its_parameters_filled_in(spec: Any) -> None:
    found = items(
        spec(
            """
            template found(tool, words, what) at_end weight 2 after first strict {
              focus reply
              check called tool and reply contains words and called "{tool}"
              ask   "Is {what} in {tool}? {words}"
              pass  "{words}"
            }
            task t { turn u { user "x"
              item first { check called * }
              use found(today, "a {b}", 3)
              use found("flight_book", 1.50, first) as other weight 1 after found
            } }""".replace("{b}", "\\{b}")
        )
    )
    one, two = found["found"], found["other"]
    assert (one.kind, one.weight, one.after, one.strict) == ("at_end", 0.5, ("u.first",), True)
    assert (two.kind, two.weight, two.after, two.strict) == ("at_end", 0.25, ("u.found",), True)
    assert one.ask == ("Is 3 in today? a {b}",)
    assert two.ask == ("Is first in flight_book? 1.5",)
    assert one.passes == (("a {b}",),)
    assert two.expr == ir.And(
        of=(
            ir.Called(tool="flight_book"),
            ir.ReplyContains(value=ir.Constant(value=1.5)),
            ir.Called(tool="flight_book"),
        )
    )


def test_a_templates_parameter_may_be_an_item_or_a_row_value(spec: Any) -> None:
    found = items(
        spec(
            """
            template says(what, then) after then { check reply contains what ask "{what}?" }
            task t each r in "rows.csv" { turn u { user "x"
              item a { check called flight_search(origin == r.origin) }
              use says(r.price, a)
              use says("{r.origin}!", u.a) as b
            } }"""
        )
    )
    price = ir.RowRef(path=("price",))
    assert found["says"].after == found["b"].after == ("u.a",)
    assert found["says"].expr == ir.ReplyContains(value=price)
    assert found["says"].ask == (replace(price, as_text=True), "?")
    origin = ir.RowRef(path=("origin",), as_text=True)
    assert found["b"].expr == ir.ReplyContains(value=ir.Filled(text=(origin, "!")))
    assert found["b"].ask == (origin, "!?")


def test_imports_bring_in_templates_of_their_imports(spec: Any) -> None:
    compiled = spec(
        'import "one.cm2" task t { turn u { user "x" use a() use b() } }',
        one='cm2 1 import "two.cm2" template a() { check called today }',
        two='cm2 1 import "one.cm2" template b() { check called * } judge { votes 9 }',
    )
    assert list(items(compiled)) == ["a", "b"]
    assert compiled.judge.votes == 1
    assert [one.file for one in compiled.sources] == [
        "one.cm2",
        "spec.cm2",
        "tools.json",
        "two.cm2",
    ]


def test_settings_have_defaults_and_a_task_its_own(spec: Any) -> None:
    body = '{ turn u { user "x" item a { check called * } } turn v { user "x" } assign { ASSIGN } }'
    plain = spec(f"task t {body.replace('ASSIGN', '')}")
    assert plain.tasks[0].assign == ir.Assign(
        level="trajectory", at=None, scale="none", unreached="zero"
    )
    assert plain.simulate == (ir.Replay(),)
    assert plain.judge == ir.JudgeProtocol(votes=1, view="turn")
    sure = spec(f"judge {{ votes 2 .. 5 until 1 }} task t {body.replace('ASSIGN', '')}")
    assert sure.judge == ir.JudgeProtocol(votes=5, view="turn", first=2, until=1.0)
    own = spec(
        "assign { level step scale std at u } "
        f"task t {body.replace('ASSIGN', 'level turn at v, u')}"
        f"task s {body.replace('ASSIGN', 'at all')}"
    )
    assert own.tasks[0].assign == ir.Assign(level="turn", at=("u", "v"), scale="std")
    assert own.tasks[1].assign == ir.Assign(level="step", at=None, scale="std")


def test_an_anchor_names_the_first_place_where_it_stands(spec: Any) -> None:
    found = items(
        spec(
            """task fly { reference "recordings.jsonl" turn u { user "x"
            item a { check called * anchor reply "departs 08:00" anchor tool_call "ROM"
                     anchor tool_result "120.5" anchor user "flight" } } }"""
        )
    )
    assert [(one.recording, one.segment) for one in found["a"].anchors] == [
        ("rec1", "t0.s1.reply"),
        ("rec1", "t0.s0.tool_call"),
        ("rec1", "t0.s0.tool_result"),
        ("rec1", "t0.user"),
    ]


def test_an_anchor_with_row_values_stands_in_the_recording_of_its_row(
    spec: Any, tmp_path: Path
) -> None:
    def recording(row: str, reply: str) -> str:
        said = [{"role": "user", "content": "go"}, {"role": "assistant", "content": reply}]
        return json.dumps({"id": f"of {row}", "task": f"fly/{row}", "messages": said}) + "\n"

    (tmp_path / "rows.jsonl").write_text('{"id": "a", "to": "ROM"}\n{"id": "b", "to": "PAR"}\n')
    text = recording("a", "to PAR") + recording("c", "to ROM") + recording("b", "to PAR")
    (tmp_path / "of_rows.jsonl").write_text(text)
    found = items(
        spec(
            """task fly each row in "rows.jsonl" { reference "of_rows.jsonl" turn u { user "x"
            item a { check called * anchor reply "to {row.to}" } } }"""
        )
    )
    assert [(one.recording, one.segment) for one in found["a"].anchors] == [("of b", "t0.s0.reply")]


def test_a_cell_is_text_where_the_schema_wants_text(spec: Any, tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("code\n120\n130\n")
    found = items(
        spec(
            """task t each row in "codes.csv" { turn u { user "x"
            item a { check called flight_search(origin == row.code, adults == row.code) }
            item b { check result flight_search has code == row.code }
            item c { check result flight_search has code == "{row.code}" } } }"""
        )
    )
    where = found["a"].expr.where
    assert [one.value.as_text for one in where] == [True, False]
    assert found["b"].expr.has.value == ir.RowRef(path=("code",), as_text=False)
    assert found["c"].expr.has.value == ir.Filled(text=(ir.RowRef(path=("code",), as_text=True),))


def test_several_alternatives_bind_as_in_the_reference(spec: Any) -> None:
    check = "not called today and called * or called today and not (called * or called today)"
    expr = items(spec(f'task t {{ turn u {{ user "x" item a {{ check {check} }} }} }}'))["a"].expr
    today, some = ir.Called(tool="today"), ir.Called(tool=None)
    assert expr == ir.Or(
        of=(
            ir.And(of=(ir.Not(of=today), some)),
            ir.And(of=(today, ir.Not(of=ir.Or(of=(some, today))))),
        )
    )


def test_every_item_says_where_it_was_written(spec: Any, tmp_path: Path) -> None:
    compiled = spec('\ntemplate a() { check called * }\ntask t { turn u { user "x"\n  use a()\n} }')
    assert items(compiled)["a"].place == ir.Place(file="spec.cm2", line=4, column=7)
    assert compiled.tasks[0].place == ir.Place(file="spec.cm2", line=3, column=6)


@pytest.mark.parametrize("word", KEYWORDS)
def test_every_word_of_the_language_can_name_a_task_a_turn_an_item_and_a_template(
    word: str, spec: Any
) -> None:
    text = """template NAME() never weight 0 { check called today }
    task NAME { turn NAME { user "x"
      item NAME weight 2 strict { check called * }
      use NAME() as b after NAME, NAME.NAME
    } item NAME after NAME.NAME { check called * } }
    test "t" for NAME { trajectory "recordings.jsonl" expect dialogue.NAME fail }"""
    assert items(spec(text.replace("NAME", word)))["b"].after == (f"{word}.{word}",)


def test_words_of_the_language_are_names_where_no_such_word_can_stand(spec: Any) -> None:
    compiled = spec(
        """task task { turn turn { user "x"
        item item { check called * }
        item weight weight 2 after item, turn.item strict { ask "Is it?" }
        never never veto { check called today }
        item pass { check called flight_search(origin == "a") or reply contains "b" }
        } }
        test "t" for task {
          trajectory "recordings.jsonl" expect turn.pass pass judged turn.weight fail
        }
        """
    )
    assert list(items(compiled)) == ["item", "weight", "never", "pass"]
    assert compiled.tests[0].expect == (ir.ItemExpectation(item="turn.pass", verdict="pass"),)
