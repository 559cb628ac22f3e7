"""Whatever stands in a spec or in its files, the compiler compiles it or says what is wrong."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sentences import sentence

from cm2dsl.compiler import compile_file
from cm2dsl.diagnostic import CompileError, Diagnostic, render
from cm2dsl.emit.bundle import bundle_files, read_spec

HERE = Path(__file__).parent
EVERYTHING = HERE / "everything"
SPECS = HERE.parents[1] / "specs"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*|\w+|\s+|.', re.DOTALL)
FOREIGN = [
    "{",
    "}",
    "(",
    ")",
    '"',
    '"""',
    "\\",
    "#",
    "*",
    "not",
    "after",
    "=",
    "“",
    "\0",
    "\r",
    "é",
]
FOREIGN += ["1e999", "²", "{row.x}", "\\ud800", "/(/", "-", "9" * 5000, "\x1b[2J", "、", "check"]
BYTES = [
    b"",
    b"\xff",
    b"\0",
    b"null",
    b"[]",
    b'"',
    b"{",
    b"\\ud800",
    b"1e999",
    b",",
    b"\n",
    b"[" * 9999,
]

settings.register_profile(
    "robust",
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
robust = settings.get_profile("robust")


def check_faults(faults: Sequence[Diagnostic]) -> None:
    assert faults
    for fault in faults:
        assert fault.help, fault
        for span in (fault.span, *(span for span, _ in fault.related)):
            assert 0 <= span.start < span.stop <= max(len(span.source.text), 1), fault
            assert span.line <= len(span.source.line_starts)
        text = render(fault)
        assert "\x1b" not in text
        text.encode("utf-8")


def outcome(path: Path) -> str:
    """`compiled`, `library` or `faults`; every fault has a place and says what to do."""
    try:
        compiled = compile_file(path)
    except CompileError as error:
        check_faults(error.diagnostics)
        return "faults"
    if compiled is None:
        return "library"
    files = bundle_files(compiled)
    assert read_spec(Path("bundle"), files) == compiled.spec
    namespace: dict[str, Any] = {}
    exec(files["reward.py"], namespace)
    items = [
        item
        for task in compiled.spec.tasks
        for scope in (*(turn.items for turn in task.turns), task.items)
        for item in scope
    ]
    assert list(namespace["CHECKS"]) == [item.check for item in items if item.check is not None]
    return "compiled"


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    shutil.copytree(EVERYTHING, tmp_path / "everything")
    return tmp_path / "everything"


def test_the_spec_that_has_everything_compiles(everything: Path) -> None:
    assert outcome(everything / "spec.cm2") == "compiled"


Edits = list[tuple[str, int, int, str]]
edits = st.lists(
    st.tuples(
        st.sampled_from(["delete", "double", "swap", "insert", "replace", "cut"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(FOREIGN),
    ),
    min_size=1,
    max_size=3,
)


def edited(text: str, changes: Edits) -> str:
    """The text with tokens deleted, doubled, swapped, put in, or all after one cut off."""
    tokens = [token for token in TOKEN.findall(text) if token]
    for kind, first, second, foreign in changes:
        if not tokens:
            break
        i, j = first % len(tokens), second % len(tokens)
        if kind == "delete":
            del tokens[i]
        elif kind == "double":
            tokens.insert(i, tokens[i])
        elif kind == "swap":
            tokens[i], tokens[j] = tokens[j], tokens[i]
        elif kind == "insert":
            tokens.insert(i, foreign)
        elif kind == "replace":
            tokens[i] = tokens[j] if second % 2 else foreign
        else:
            del tokens[i:]
    return "".join(tokens)


def test_a_spec_with_tokens_changed(everything: Path) -> None:
    original = (everything / "spec.cm2").read_text(encoding="utf-8")
    seen: Counter[str] = Counter()

    @settings(robust, max_examples=700)
    @given(edits)
    def check(changes: Edits) -> None:
        path = everything / "changed.cm2"
        path.write_text(edited(original, changes), encoding="utf-8")
        seen[outcome(path)] += 1

    check()
    assert seen["faults"] > 300
    assert seen["compiled"] > 30


@pytest.mark.parametrize("name", ["airline", "tutor", "挂号"])
def test_a_shipped_spec_with_tokens_changed(name: str, tmp_path: Path) -> None:
    shutil.copytree(SPECS, tmp_path / "specs")
    original = (SPECS / f"{name}.cm2").read_text(encoding="utf-8")
    seen: Counter[str] = Counter()

    @settings(robust, max_examples=50)
    @given(edits)
    def check(changes: Edits) -> None:
        path = tmp_path / "specs" / "changed.cm2"
        path.write_text(edited(original, changes), encoding="utf-8")
        seen[outcome(path)] += 1

    check()
    assert seen["faults"] > 15


def test_sentences_of_the_grammar(everything: Path) -> None:
    seen: Counter[str] = Counter()

    @settings(robust, max_examples=700)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        path = everything / "sentence.cm2"
        path.write_text(sentence(random.Random(seed)), encoding="utf-8")
        seen[outcome(path)] += 1

    check()
    assert seen["faults"] > 500


@pytest.mark.parametrize(
    "name",
    ["tools.json", "rows.csv", "rows.jsonl", "recordings.jsonl", "common.cm2", "backend.py"],
)
def test_a_file_with_bytes_changed(name: str, everything: Path) -> None:
    original = (EVERYTHING / name).read_bytes()

    @settings(robust, max_examples=100)
    @given(st.integers(0, 10**6), st.integers(0, 8), st.sampled_from(BYTES))
    def check(start: int, length: int, put: bytes) -> None:
        at = start % (len(original) + 1)
        (everything / name).write_bytes(original[:at] + put + original[at + length :])
        outcome(everything / "spec.cm2")

    check()


SCHEMA_KEYS = ["name", "function", "parameters", "type", "properties", "items", "enum", "origin"]
SCHEMA_KEYS += ["$ref", "anyOf", "allOf", "const", "additionalProperties", "x-effect", "a"]
JSON = st.recursive(
    st.sampled_from([None, True, 0, 1.5, "", "name", "string", "object", "array", "#/a", "#"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(SCHEMA_KEYS),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


def test_tools_of_any_shape(everything: Path) -> None:
    """The path is asked of every schema, whatever the schema is."""
    (everything / "spec.cm2").write_text(
        'cm2 1 domain d tools "tools.json" task t { turn u { user "x" item i {'
        ' check called flight_search(origin == "a", origin[*].a < 3, a.b[0].a in [true, null])'
        " } } }",
        encoding="utf-8",
    )

    @settings(robust, max_examples=250)
    @given(JSON)
    def check(schema: Any) -> None:
        tools = [{"name": "flight_search", "parameters": schema}, schema]
        for written in (tools, schema):
            (everything / "tools.json").write_text(json.dumps(written), encoding="utf-8")
            outcome(everything / "spec.cm2")

    check()


def test_nesting_is_limited_and_what_is_allowed_can_be_read_back(tmp_path: Path) -> None:
    head = 'cm2 1 domain d task t { turn u { user "x" item i { check '
    seen: Counter[str] = Counter()
    for depth in (10, 31, 32, 33, 100, 10_000):
        for before, after in (("(", ")"), ("not ", ""), ("(called * and (called * or not ", "))")):
            path = tmp_path / "deep.cm2"
            path.write_text(f"{head}{before * depth}called *{after * depth} }} }} }}")
            seen[f"{depth} {outcome(path)}"] += 1
    assert seen["10 compiled"] == 3
    assert seen["31 compiled"] == 2
    assert seen["10000 faults"] == 3
