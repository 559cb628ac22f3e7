"""reward.py is valid Python that means what the spec says, whatever names and texts it has."""

from __future__ import annotations

import ast
import json
import keyword
from pathlib import Path
from typing import Any

import pytest
from generated import quoted
from hypothesis import given, settings
from hypothesis import strategies as st

from cm2dsl import ir
from cm2dsl.compiler import compile_file
from cm2dsl.emit.reward import WIDEST, WORDS, emit_reward
from cm2dsl.scope import Scope, facts_of
from cm2dsl.trajectory import Call, Step, Trajectory, Turn

HERE = Path(__file__).parent
SPECS = [HERE.parents[1] / "specs" / f"{name}.cm2" for name in ("airline", "tutor", "挂号")]
SPEC = 'cm2 1 domain d task {0} {{ turn {0} {{ user "x" item {0} {{ check {1} }} }} }}'
EACH = 'task t each row in "rows.jsonl"'
HOSTILE = [
    '"',
    "'",
    '"""',
    "\\",
    '\\"',
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\x7f",
    "\x1b[2J",
    "\u2028",
    "\u202e",
    "\ufeff",
    "{row.x}",
    "{}",
    "%s",
    "#",
    "')\nimport os\n",
    '"""\nimport os\n',
    "中文",
    "😀",
    "e\u0301",
]


def compile_text(folder: Path, text: str) -> ir.Spec:
    (folder / "spec.cm2").write_text(text, encoding="utf-8", newline="")
    compiled = compile_file(folder / "spec.cm2")
    assert compiled is not None
    return compiled.spec


def functions(spec: ir.Spec) -> dict[str, Any]:
    text = emit_reward(spec)
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, ast.Import | ast.JoinedStr)
        assert not isinstance(node, ast.ImportFrom) or node.module == "cm2dsl.checks"
    parts = list(ast.walk(ast.parse(text)))
    imported = [
        one.name for part in parts if isinstance(part, ast.ImportFrom) for one in part.names
    ]
    used = {part.id for part in parts if isinstance(part, ast.Name)}
    assert set(imported) == used & set(WORDS)
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    found: dict[str, Any] = namespace["CHECKS"]
    return found


def scope(text: str) -> Scope:
    arguments = {"value of": text, text: 1}
    call = Call("c", "tool", arguments, "", json.dumps({"value of": text}))
    step = Step(reply=text, calls=(call,))
    return Scope(facts_of(Trajectory("d", "t", (Turn("go", (step,)),))))


def verdict(check: Any, text: str) -> bool | None:
    """What a check says after the one step of `scope(text)`."""
    value = check(scope(text), None)
    true, false = value if isinstance(value, tuple) else (value, ~value)
    return True if true & 1 else False if false & 1 else None


def spec_with(text: str) -> str:
    literal = quoted(text).replace("\0", "\\u0000").replace("\r", "\\u000d")
    return f"""cm2 1
domain d
tools "tools.json"
task t {{ turn u {{ user {literal}
  item value {{ check called tool("value of" == {literal}) }}
  item member {{ check called tool("value of" in ["other", {literal}]) }}
  item key {{ check called tool({literal} == 1) }}
  item has {{ check result tool has "value of" contains {literal} }}
  item hard {{ check reply contains {quoted("x")} or called tool("value of" == {literal}) }}
  item soft {{ check reply contains {quoted("x")} or called tool("value of" == {literal})
    ask {literal} }}
}} }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tools = [{"name": "tool", "parameters": {"type": "object"}}]
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    return tmp_path


def check_text(folder: Path, text: str) -> None:
    if not text.strip():
        text += "x"
    spec = compile_text(folder, spec_with(text))
    assert spec.tasks[0].turns[0].user == (text,)
    for check in functions(spec).values():
        assert verdict(check, text) is True
        assert verdict(check, "y") in (False, None)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str, folder: Path) -> None:
    check_text(folder, text)


def test_any_text_stays_text(folder: Path) -> None:
    @settings(max_examples=150, derandomize=True, database=None, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="y"), min_size=1))
    def check(text: str) -> None:
        check_text(folder, text)

    check()


@pytest.mark.parametrize(
    "pattern", ['"', "'", '"""', r"\\", r"\"", r"\n", "{row.x}", r"\/", "[一-龥]"]
)
def test_hostile_patterns_stay_patterns(pattern: str, folder: Path) -> None:
    spec = compile_text(folder, SPEC.format("t", f"reply matches /{pattern}/"))
    (check,) = functions(spec).values()
    said = {"[一-龥]": "中", r"\n": "\n", r"\"": '"', r"\\": "\\", r"\/": "/"}.get(pattern, pattern)
    assert verdict(check, f"a{said}b") is True
    assert verdict(check, "ab") is False


@pytest.mark.parametrize("name", [*keyword.kwlist, "row", "d", "at", "eq", "CHECKS", "__import__"])
def test_words_of_python_are_names_like_others(name: str, folder: Path) -> None:
    if name in ("and", "or", "not", "in", "True", "False", "None"):
        name += "_"
    spec = compile_text(folder, SPEC.format(name, "called *"))
    assert list(functions(spec)) == [f"{name}__{name}__{name}"]


@pytest.mark.parametrize(
    "name", ["订票", "réservé", "бронь", "予約", "예약", "ﬁn", "ｆｌｙ", "_x", "x²"]
)
def test_names_of_any_script(name: str, folder: Path) -> None:
    (check,) = functions(compile_text(folder, SPEC.format(name, "called *"))).values()
    assert verdict(check, "") is True


def test_two_items_never_share_a_function(folder: Path) -> None:
    text = """cm2 1 domain d
    task a { turn b { user "x" item c__d { check called tool } item c__d_ { check called * } }
             turn b__c { user "x" item d { check called other } } }
    task a__b { turn c { user "x" item d { check reply contains "x" } } }
    tools "tools.json"
    """.replace("called other", "not called tool")
    spec = compile_text(folder, text)
    items = [item for task in spec.tasks for turn in task.turns for item in turn.items]
    assert len({item.check for item in items}) == 4
    assert list(functions(spec)) == [item.check for item in items]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_text_is_laid_out_to_be_read(path: Path) -> None:
    compiled = compile_file(path)
    assert compiled is not None
    text = emit_reward(compiled.spec)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert all(line == line.rstrip() for line in text.splitlines())
    functions(compiled.spec)


def test_a_spec_without_checks_has_an_empty_table(folder: Path) -> None:
    spec = compile_text(
        folder, 'cm2 1 domain d task t { turn u { user "x" item i { ask "Is it?" } } }'
    )
    assert functions(spec) == {}


WIDE = 5_000


@pytest.mark.parametrize(("word", "asked"), [("or", False), ("and", False), ("or", True)])
def test_a_check_of_thousands_of_parts_is_read_and_means_the_same(
    word: str, asked: bool, tmp_path: Path
) -> None:
    atoms = f" {word} ".join(f'reply contains "w{number}w"' for number in range(WIDE))
    said = f'{atoms} ask "Is it said?"' if asked else atoms
    spec = compile_text(tmp_path, SPEC.format("t", said))
    (check,) = functions(spec).values()
    for words in ((), (WIDE - 1,), range(WIDE)):
        reply = " ".join(f"w{number}w" for number in words) or "nothing"
        found = check(Scope(facts_of(Trajectory("d", "t", (Turn("x", (Step(reply),)),)))), None)
        holds = found[0] if isinstance(found, tuple) else found
        assert bool(holds & 1) == (len(words) == WIDE or (word == "or" and len(words) == 1))


def test_a_check_of_few_parts_stays_one_chain(tmp_path: Path) -> None:
    atoms = " or ".join(f'reply contains "w{number}"' for number in range(WIDEST))
    text = emit_reward(compile_text(tmp_path, SPEC.format("t", atoms)))
    assert text.count("\n        | d.reply_contains(") == WIDEST - 1


def test_a_text_of_thousands_of_values_is_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": "1", "to": "Rome"}\n', encoding="utf-8")
    text = "{row.to} " * WIDE
    task = SPEC.format("t", f'called * (to == "{text}")').replace("task t", EACH)
    (check,) = functions(compile_text(tmp_path, task)).values()
    assert check is not None
