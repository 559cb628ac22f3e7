"""Drafts as .cm2 text: nothing of it is lost, it compiles, and it looks as if a person wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cm2.bundle import Bundle, open_spec
from cm2.chat import read as read_chat
from cm2.importers.write import write_specs
from cm2.trajectory import Call, Step, Trajectory
from cm2.trajectory import Turn as Said
from cm2dsl import ir
from cm2dsl.diagnostic import CompileError
from cm2dsl.draft import syntax
from cm2dsl.draft.spec import Item, Spec, Task, Template, Turn, Use
from cm2dsl.draft.text import spec_text
from cm2dsl.draft.wrapping import WIDTH
from cm2dsl.draft.write import WriteFault
from cm2dsl.names import is_name, name_of

TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "x-effect": "write", "parameters": {"type": "object"}},
    }
    for name in ("book", "any", "给-book", 'say "hi"')
]

# Any text that JSON can hold, with a liking for what the language or a wrapped line may trip over.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                '"',
                '"""',
                "\\",
                "{",
                "}",
                "{row.x}",
                "{a[0]}",
                "{订.b}",
                "\n",
                "\n\n",
                "\r",
                "\t",
                "#",
                "/",
                "é",
            ]
        ),
        st.sampled_from(["\u2028", "\x00", "\x0b", "\ufeff", "\u200b", "🚲", "\U000e0001", "订"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.just("word "),
    ),
    max_size=12,
).map("".join)


def written(folder: Path, spec: Spec) -> Bundle:
    (path,) = write_specs([spec], folder)
    return open_spec(path)


def one_task(**parts: Any) -> Spec:
    """A spec of one task, with a scripted turn where it has no simulated user."""
    calls = (Item("calls", check="called book"),)
    if "simulated" in parts:
        parts.setdefault("items", calls)
    else:
        parts.setdefault("turns", (Turn("go", "Go", calls),))
    return Spec("shop", "A shop", tools=TOOLS, tasks=[Task("go", **parts)])


def lines_of(*items: Item | Use) -> list[str]:
    """The lines of items in a task, without its indentation."""
    text = spec_text(one_task(simulated="Go", items=items))
    body = text.split('user simulated "Go"\n\n')[1]
    return [line.removeprefix("  ") for line in body.splitlines()[:-1]]


# --- text -------------------------------------------------------------------------------------


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_text_is_compiled_as_it_was(tmp_path_factory: Any, data: st.DataObject) -> None:
    def text() -> str:
        return data.draw(TEXTS.filter(str.strip))

    title, told, ask, passes, fails, note = (text() for _ in range(6))
    item = Item("asks", ask=ask, passes=(passes,), fails=(fails,), note=note)
    called = Item("calls", check=f"called {syntax.call('book', {text(): text()})}")
    spec = one_task(title=title, simulated=told, items=(item, called), note=note)
    spec.note = note
    bundle = written(tmp_path_factory.mktemp("specs"), spec)
    (task,) = bundle.spec.tasks
    found = task.items[0]
    assert (task.title, task.simulated) == (title, (told,))
    assert (found.ask, found.passes, found.fails) == ((ask,), ((passes,),), ((fails,),))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_becomes_a_name(text: str) -> None:
    name = name_of(text)
    assert is_name(name)
    assert name_of(text, {name}) != name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Agent tells 2 things", "agent_tells_2_things"),
        ("PayPal", "pay_pal"),
        ("7", "item_7"),
        ("  --  ", "item"),
        ("Größe", "größe"),
        ("订票", "订票"),
        ("#W23", "w23"),
    ],
)
def test_a_name_keeps_what_can_be_read_in_a_text(text: str, name: str) -> None:
    assert name_of(text) == name


def test_a_text_of_several_lines_stands_between_triple_quotes(tmp_path: Path) -> None:
    told = 'Say:\n\n  "Hello {name}"\nand """ or \\ it.'
    spec = one_task(simulated=told)
    assert '  user simulated """\n    Say:\n\n      "Hello \\{name}"\n' in spec_text(spec)
    assert written(tmp_path, spec).spec.tasks[0].simulated == (told,)


def test_braces_that_are_no_reference_stay_as_they_are() -> None:
    assert syntax.quoted('{"a": {}} {row.x} {x[0]} { x }') == (
        '"{\\"a\\": {}} \\{row.x} \\{x[0]} { x }"'
    )


def test_a_text_in_which_a_line_ends_in_blanks_stays_on_one_line(tmp_path: Path) -> None:
    spec = one_task(simulated="Hello \nyou")
    assert 'user simulated "Hello \\nyou"\n' in spec_text(spec)
    assert written(tmp_path, spec).spec.tasks[0].simulated == ("Hello \nyou",)


def test_a_comment_is_wrapped_and_keeps_its_lines() -> None:
    spec = one_task(note="word " * 30 + "\nnext\n\nlast")
    text = spec_text(spec)
    assert "# next\n#\n# last\ntask go {" in text
    assert all(len(line) <= WIDTH for line in text.splitlines())


# --- layout -----------------------------------------------------------------------------------


def test_an_item_of_one_entry_stands_on_a_line_where_it_fits() -> None:
    assert lines_of(Item("calls", check="called book")) == ["item calls { check called book }"]
    long = f'called book(a == "{"x" * 90}")'
    assert lines_of(Item("calls", check=long)) == ["item calls {", f"  check {long}", "}"]


def test_entries_are_aligned_and_roles_stand_in_the_head() -> None:
    item = Item(
        "asks",
        ask="Well?",
        passes=("Well",),
        focus="reply",
        weight=2,
        after=("calls", "looks"),
        strict=True,
    )
    assert lines_of(item) == [
        "item asks weight 2 after calls, looks strict {",
        "  focus reply",
        '  ask   "Well?"',
        '  pass  "Well"',
        "}",
    ]


def test_a_long_check_is_broken_between_calls_and_then_inside_them() -> None:
    calls = [f'book(a == "{letter * 30}", b == "{letter * 30}")' for letter in "xy"]
    check = f"succeeded any write except {', '.join(calls)}, any"
    assert lines_of(Item("others", kind="never", veto=True, check=check)) == [
        "never others veto {",
        "  check succeeded any write",
        f"      except {calls[0]},",
        f"      {calls[1]}, any",
        "}",
    ]


def test_no_string_and_no_regular_expression_is_broken(tmp_path: Path) -> None:
    inner = 'a, b and c \\" or (d'
    check = " and ".join([f'called book(a == "{inner * 3}")', f"called book(b ~ /{'x, ' * 30}/)"])
    lines = lines_of(Item("calls", check=check))
    assert " ".join(line.strip() for line in lines[1:-1]).split() == f"check {check}".split()
    assert sum(f'"{inner * 3}"' in line for line in lines) == 1
    written(tmp_path, one_task(simulated="Go", items=(Item("calls", check=check),)))


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_lines_are_not_longer_than_they_need_be(tmp_path: Path, count: int) -> None:
    arguments = {f"argument_{i}": ["x" * (i % 7), i, None, True] for i in range(count)}
    check = f"called {syntax.call('book', arguments, exact=True)} or called book"
    spec = one_task(simulated="Go", items=(Item("calls", check=check),))
    assert all(len(line) <= WIDTH for line in spec_text(spec).splitlines())
    written(tmp_path, spec)


def test_templates_and_their_uses(tmp_path: Path) -> None:
    asks = Item("", ask="Does {it} work, {row.x}?", weight=2, note="What works.")
    spec = one_task(
        simulated="Go",
        items=(Use("works", ('"it"',)), Use("works", ('"that"',), name="that_works", weight=3)),
    )
    spec.templates = [Template("works", ("it",), asks)]
    text = spec_text(spec)
    assert '# What works.\ntemplate works(it) weight 2 { ask "Does {it} work, \\{row.x}?" }' in text
    assert '  use works("it")\n  use works("that") as that_works weight 3\n' in text
    items = written(tmp_path, spec).spec.tasks[0].items
    assert [item.name for item in items] == ["works", "that_works"]


def test_turns_stand_apart_with_their_items(tmp_path: Path) -> None:
    item = Item("calls", check="called book")
    spec = one_task(turns=(Turn("a", "One", (item,), note="First"), Turn("b", "Two", (item,))))
    assert spec_text(spec).endswith(
        "task go {\n"
        "  # First\n"
        "  turn a {\n"
        '    user "One"\n'
        "\n"
        "    item calls { check called book }\n"
        "  }\n"
        "\n"
        "  turn b {\n"
        '    user "Two"\n'
        "\n"
        "    item calls { check called book }\n"
        "  }\n"
        "}\n"
    )
    assert [turn.name for turn in written(tmp_path, spec).spec.tasks[0].turns] == ["a", "b"]


# --- patterns ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["book", "any", "给-book", 'say "hi"'])
def test_a_tool_of_any_name_can_be_called(tmp_path: Path, name: str) -> None:
    check = f"called {syntax.call(name, {'not': 1, 'a b': None, '': [], 'ok': {}})}"
    bundle = written(tmp_path, one_task(simulated="Go", items=(Item("calls", check=check),)))
    assert isinstance(bundle.spec.tasks[0].items[0], ir.Item)


def test_a_value_is_compared_member_by_member() -> None:
    wanted = {"a": {"b": [1, {"c": "x"}]}, "d": {}, "e": ["y", None]}
    assert syntax.call("book", wanted) == (
        'book(a.b[0] == 1, a.b[1].c == "x", not a.b[2] exists, d exists, e == ["y", null])'
    )


def test_a_list_in_any_order_is_compared_by_what_is_in_it() -> None:
    assert syntax.members(["a"], ["x", "y"]) == [
        'a contains "x"',
        'a contains "y"',
        "not a[2] exists",
    ]
    for as_it_is in (["x"], ["x", "x"], [["x"], ["y"]], []):
        assert syntax.members(["a"], as_it_is) == syntax.equal(["a"], as_it_is)


# --- files ------------------------------------------------------------------------------------


def test_all_files_stand_beside_the_spec_and_recordings_name_their_task(tmp_path: Path) -> None:
    call = Call("1", "book", {"a": "订"}, "", "ok")
    turns = (Said("Go", (Step(calls=(call,)), Step(reply="Gone"))),)
    spec = one_task(simulated="Go", recordings=(Trajectory("d", "other", turns),))
    spec.system = "  Be kind.\n\n"
    spec.user_tools = TOOLS[:1]
    spec.unsaid = ["One thing", "another", "One thing"]
    written(tmp_path, spec)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "shop.cm2",
        "shop.recordings.jsonl",
        "shop.report.md",
        "shop.system.md",
        "shop.tools.json",
        "shop.user_tools.json",
    ]
    (recording,) = read_chat(tmp_path / "shop.recordings.jsonl")
    assert (recording.task, recording.turns[0].steps[0].calls[0].arguments) == ("go", {"a": "订"})
    assert (tmp_path / "shop.system.md").read_text() == "Be kind.\n"
    assert json.loads((tmp_path / "shop.tools.json").read_text()) == TOOLS
    report = (tmp_path / "shop.report.md").read_text()
    assert report.startswith("# What `shop.cm2` does not say\n")
    assert report.endswith("\n\n- One thing\n- another\n")


def test_a_spec_that_has_nothing_beside_it_is_one_file(tmp_path: Path) -> None:
    turn = Turn("go", "Go", (Item("ends", kind="at_end", check="replied"),))
    written(tmp_path, Spec("bare", tasks=[Task("go", turns=(turn,))]))
    assert [path.name for path in tmp_path.iterdir()] == ["bare.cm2"]


def test_nothing_is_written_where_one_of_several_specs_is_wrong(tmp_path: Path) -> None:
    wrong = one_task(simulated="Go", items=(Item("calls", check="called nothing_there"),))
    wrong.domain = "wrong"
    with pytest.raises(CompileError):
        write_specs([one_task(), wrong], tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "shop.tools.json").write_text("mine")
    with pytest.raises(WriteFault, match="is there already"):
        write_specs([one_task()], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["shop.tools.json"]
    assert (tmp_path / "shop.tools.json").read_text() == "mine"


def test_the_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_specs([one_task(title="Ünï")], tmp_path / name)
    first, second = ((tmp_path / name / "shop.cm2").read_bytes() for name in ("a", "b"))
    assert first == second
    assert b"\r" not in first
