"""Checks and dialogues out of small pools, so that they meet often; and checks as source text.

Checks are drawn by Hypothesis, dialogues by `random.Random` (a hundred times faster, and as
reproducible: Hypothesis draws the seed).
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.trajectory import Call, Step, Trajectory, Turn

TOOLS = ["search", "book", "查询"]
WRITES = ("book", "查询")
"""Those with `"x-effect": "write"`."""

KEYS = ["x", "y", "城市", "a key"]
STRINGS = ["", "1", "12", "ROM", "rom", "北京", "MU5101", "120.50", "true", "a b", 'a "b" \\ {x}']
NUMBERS = [0, 1, 1.0, -1, 2, 12, 12.0, 12.01, 120.5, 1200, 5101, -120.5]
SCALARS: list[Any] = [*STRINGS, *NUMBERS, True, False, None]
PATTERNS = ["^ROM", "OM", "(?i)rom", r"\d+", "^1", "京", r"a\s*b|12", r"\.5", "[一-龥]", "/"]

# One table in two forms. JSON Lines keeps types and structure; CSV has text too.
JSONL = [
    {
        "s": "ROM",
        "n": 12,
        "f": 120.5,
        "b": True,
        "l": [1, True, "ROM"],
        "o": {"k": 1},
        "z": None,
        "城市": "北京",
    },
    {
        "s": "1",
        "n": 1,
        "f": 12.0,
        "b": False,
        "l": [1, 1, ""],
        "o": {"k": True},
        "z": None,
        "城市": "a b",
    },
]
CSV = "s,n,f,b,城市\nROM,12,120.50,true,北京\n1x,1,12,false,a b\n"

REPLIES = [
    "",
    "ROM",
    "Rom to  北京 for 1,200.50",
    "1,200 EUR or 120.50",
    "ＲＯＭ，１２０．５元",
    "-120.5",
    "−1 and 12,34",
    "12.01",
    "MU5101 is 0.5101",
    "true",
    'A "B" \\ {x}',
    "a\n b",
    "北京，12人",
    "1,2,3",
    "1.2.12",
    "5101,200,1",
]
NOT_RESULTS = [None, None, "Error: no", "null", "NaN", '{"x": 1, "x": 1}', '{"x": 1', "", "12"]
NOT_RESULTS += ['{"error": "no"}', '{"error": null, "x": 1}', '{"error": 0}', " error", "Errors"]


# --- checks -----------------------------------------------------------------------------------

strings = st.sampled_from(STRINGS)
numbers = st.sampled_from(NUMBERS)
paths = st.lists(
    st.one_of(st.sampled_from(KEYS), st.sampled_from([0, 1, None])), min_size=0, max_size=2
).flatmap(lambda rest: st.sampled_from(KEYS).map(lambda head: (head, *rest)))


def row_refs(columns: list[tuple[str | int, ...]], as_text: bool = False) -> Any:
    return st.sampled_from(columns).map(lambda path: ir.RowRef(path=path, as_text=as_text))


TEXT_COLUMNS: list[tuple[str | int, ...]] = [("s",), ("城市",)]
NUMBER_COLUMNS: list[tuple[str | int, ...]] = [("n",), ("f",)]
SCALAR_COLUMNS = [*TEXT_COLUMNS, *NUMBER_COLUMNS, ("b",)]
ANY_COLUMNS = [*SCALAR_COLUMNS, ("l",), ("o",), ("l", 1), ("o", "k")]


def constants(values: Any) -> Any:
    return values.map(lambda value: ir.Constant(value=value))


def filled(form: str) -> Any:
    """Text with a row value in it."""
    columns = SCALAR_COLUMNS if form == "csv" else [*SCALAR_COLUMNS, ("z",), ("l", 1)]
    refs = row_refs(columns, as_text=form == "csv")
    around = st.sampled_from(["", "a ", "{", "0"])
    return st.tuples(around, refs, around).map(
        lambda parts: ir.Filled(text=tuple(part for part in parts if part != ""))
    )


def values(form: str) -> Any:
    columns = SCALAR_COLUMNS if form == "csv" else ANY_COLUMNS
    return st.one_of(constants(st.sampled_from(SCALARS)), row_refs(columns), filled(form))


@st.composite
def constraints(draw: st.DrawFn, form: str) -> ir.Constraint:
    path, negated = draw(paths), draw(st.booleans())
    op = draw(
        st.sampled_from(["==", "==", "!=", "<", "<=", ">", ">=", "in", "contains", "~", "exists"])
    )
    value: Any = None
    tolerance = None
    if op == "~":
        value = ir.Constant(value=draw(st.sampled_from(PATTERNS)))
    elif op == "in":
        value = ir.Many(values=tuple(draw(st.lists(values(form), min_size=1, max_size=3))))
    elif op in ("<", "<=", ">", ">="):
        ordered = st.one_of(
            constants(strings), constants(numbers), row_refs(TEXT_COLUMNS + NUMBER_COLUMNS)
        )
        value = draw(ordered)
    elif op in ("==", "!=") and draw(st.integers(0, 5)) == 0:
        value = ir.Many(values=tuple(draw(st.lists(values(form), max_size=3))))
    elif op in ("==", "!=") and draw(st.booleans()):
        value = draw(st.one_of(constants(numbers), row_refs(NUMBER_COLUMNS)))
        tolerance = draw(st.sampled_from([0.0, 0.01, 1.0, 11.0]))
    elif op != "exists":
        value = draw(values(form))
    return ir.Constraint(path=path, op=op, value=value, tolerance=tolerance, negated=negated)


@st.composite
def patterns(draw: st.DrawFn, form: str, by: str) -> ir.Called:
    tool = draw(st.sampled_from([*TOOLS, *TOOLS, None, "write"]))
    where = draw(st.lists(constraints(form), max_size=2))
    exact = draw(st.integers(0, 3)) == 0
    called: dict[str, Any] = {"tool": tool, "where": tuple(where), "exact": exact, "by": by}
    if tool == "write":
        called |= {"tool": None, "tools": WRITES}
    return ir.Called(**called)


@st.composite
def calls(draw: st.DrawFn, form: str, by: str | None = None) -> ir.Called:
    by = by or draw(st.sampled_from(["agent", "agent", "agent", "user"]))
    but = draw(st.lists(patterns(form, by), max_size=2)) if draw(st.integers(0, 3)) == 0 else []
    return replace(draw(patterns(form, by)), but=tuple(but))


@st.composite
def atoms(draw: st.DrawFn, form: str) -> Any:
    call = draw(calls(form))
    kinds = ["called", "called", "before", "result", "contains", "matches", "mentions", "replied"]
    match draw(st.sampled_from(kinds)):
        case "called":
            count = draw(st.sampled_from([None, None, "at_least", "at_most", "exactly"]))
            times = draw(st.integers(0, 3))
            counted = ir.Count(op=count, times=times) if count else None
            outcome = draw(st.sampled_from(["any", "any", "succeeded", "failed"]))
            return replace(call, count=counted, outcome=outcome)
        case "before":
            return ir.Before(first=call, second=draw(calls(form, call.by)))
        case "replied":
            return ir.Replied()
        case "result":
            return ir.Result(call=call, has=draw(constraints(form)))
        case "contains":
            said = [each for each in SCALARS if each is not None and each != ""]
            constant = constants(st.sampled_from(said))
            value = draw(st.one_of(constant, constant, row_refs(SCALAR_COLUMNS), filled(form)))
            plain = isinstance(value, ir.Constant) and not isinstance(value.value, str)
            ignoring = "" if plain else draw(st.sampled_from(["", "", ",", "OM"]))
            return ir.ReplyContains(value=value, ignoring=ignoring)
        case "matches":
            return ir.ReplyMatches(pattern=draw(st.sampled_from(PATTERNS)))
        case _:
            return ir.ReplyMentions(call=draw(calls(form, "agent")), path=draw(paths))


def checks(form: str) -> Any:
    def join(inner: Any) -> Any:
        parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            parts.map(lambda of: ir.And(of=of)),
            parts.map(lambda of: ir.Or(of=of)),
            inner.map(lambda of: ir.Not(of=of)),
        )

    return st.recursive(atoms(form), join, max_leaves=5)


# --- checks as source text --------------------------------------------------------------------


def source(check: Any) -> str:
    """The check as it is written in a spec."""
    match check:
        case ir.Called():
            times = f" {check.count.op} {check.count.times} times" if check.count else ""
            word = "called" if check.outcome == "any" else check.outcome
            return f"{_who(check)}{word} {_pattern(check)}{times}"
        case ir.Before():
            first, second = _pattern(check.first), _pattern(check.second)
            return f"{_who(check.first)}called {first} before {second}"
        case ir.Result():
            who = _who(check.call)
            return f"{who}result {_pattern(check.call)} has {_constraint(check.has)}"
        case ir.Replied():
            return "replied"
        case ir.ReplyContains():
            ignoring = f" ignoring {quoted(check.ignoring)}" if check.ignoring else ""
            return f"reply contains {_value(check.value)}{ignoring}"
        case ir.ReplyMatches():
            return f"reply matches {_regex(check.pattern)}"
        case ir.ReplyMentions():
            return f"reply mentions {_path(check.path)} of {_pattern(check.call)}"
        case ir.And():
            return "(" + " and ".join(source(part) for part in check.of) + ")"
        case ir.Or():
            return "(" + " or ".join(source(part) for part in check.of) + ")"
        case ir.Not():
            return f"not ({source(check.of)})"
    raise AssertionError(check)


def _pattern(call: ir.Called) -> str:
    tool = "*" if call.tool is None else call.tool
    if call.tools is not None:
        tool = "any write"
    where = [_constraint(each) for each in call.where]
    where += ["nothing else"] if call.exact else []
    text = f"{tool}({', '.join(where)})" if where else tool
    return text + (f" except {', '.join(map(_pattern, call.but))}" if call.but else "")


def _who(call: ir.Called) -> str:
    return "user " if call.by == "user" else ""


def _constraint(constraint: ir.Constraint) -> str:
    text = f"{'not ' if constraint.negated else ''}{_path(constraint.path)} {constraint.op}"
    if constraint.op == "~":
        assert isinstance(constraint.value, ir.Constant)
        return f"{text} {_regex(str(constraint.value.value))}"
    if constraint.value is not None:
        text += f" {_value(constraint.value)}"
    return text + (f" +- {constraint.tolerance}" if constraint.tolerance is not None else "")


def _path(path: ir.Path) -> str:
    first, *rest = path
    text = str(first) if str(first).isidentifier() else quoted(str(first))
    for step in rest:
        if isinstance(step, str):
            text += "." + (step if step.isidentifier() else quoted(step))
        else:
            text += f"[{'*' if step is None else step}]"
    return text


def _regex(pattern: str) -> str:
    return "/" + pattern.replace("/", "\\/") + "/"


def _value(value: Any) -> str:
    match value:
        case ir.Constant(value=str(text)):
            return quoted(text)
        case ir.Constant():
            return json.dumps(value.value)
        case ir.RowRef():
            return "row" + "".join(f".{s}" if isinstance(s, str) else f"[{s}]" for s in value.path)
        case ir.Filled():
            return (
                '"'
                + "".join(
                    _escaped(part) if isinstance(part, str) else "{" + _value(part) + "}"
                    for part in value.text
                )
                + '"'
            )
    return "[" + ", ".join(_value(each) for each in value.values) + "]"


def quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("{", "\\{")


# --- dialogues --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hints:
    """What a check looks for: values at paths, and values in replies. Dialogues plant them."""

    places: tuple[tuple[ir.Path, Any], ...]
    words: tuple[Any, ...]


def hints(check: Any, row: ir.Row) -> Hints:
    places: list[tuple[ir.Path, Any]] = []
    words: list[Any] = []

    def concrete(value: Any) -> list[Any]:
        match value:
            case ir.Constant():
                return [value.value]
            case ir.RowRef():
                return [ir.look_up(value, row)]
            case ir.Filled():
                return [ir.fill(value.text, row)]
            case ir.Many():
                return [each for inner in value.values for each in concrete(inner)]
        return [True]

    def visit(node: Any) -> None:
        if isinstance(node, ir.Constraint):
            found = concrete(node.value)
            if node.op == "contains":
                found += [[each] for each in found]
            places.extend((node.path, each) for each in found)
        elif isinstance(node, ir.ReplyContains):
            words.extend(concrete(node.value))
        elif isinstance(node, ir.ReplyMentions):
            places.extend((node.path, each) for each in (1200, 120.5, "ROM", True, False))
        if isinstance(node, ir.Node):
            for inner in (getattr(node, name) for name in node.__struct_fields__):
                for each in inner if isinstance(inner, tuple) else (inner,):
                    visit(each)

    visit(check)
    return Hints(tuple(places), (*words, 1200, 120.5, "ROM", True, False))


def near(rng: random.Random, value: Any) -> Any:
    """The value, or another that only a careless comparison takes for it."""
    if isinstance(value, bool):
        return rng.choice([value, not value, int(value), str(value).lower()])
    if isinstance(value, int | float):
        off = rng.choice([0, 0, 0.01, -0.01, 1, 11])
        return rng.choice([value, round(value + off, 4), float(value), str(value), value == 1])
    if isinstance(value, str):
        return rng.choice([value, value + "1", f"a {value}", value.lower(), [value], value.strip()])
    if isinstance(value, list):
        same = [near(rng, each) for each in value]
        return rng.choice([value, value[:1], same, [value], same])
    if isinstance(value, dict):
        return rng.choice([value, {key: near(rng, each) for key, each in value.items()}])
    return rng.choice([value, "", "None", 0])


def plant(value: Any, path: ir.Path, inner: Any, rng: random.Random) -> Any:
    """The JSON value with `inner` at the path, or its element where `[*]` is."""
    if not path:
        return inner
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        under = value if isinstance(value, dict) else {}
        return {**under, step: plant(under.get(step), rest, inner, rng)}
    elements = list(value) if isinstance(value, list) else []
    index = step if step is not None else rng.randint(0, 2)
    elements += [rng.choice(SCALARS) for _ in range(index + 1 - len(elements))]
    elements[index] = plant(elements[index], rest, inner, rng)
    return elements


def json_value(rng: random.Random, depth: int = 0) -> Any:
    roll = rng.random()
    if depth < 3 and roll < 0.2:
        return [json_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if depth < 3 and roll < 0.4:
        return json_object(rng, depth + 1)
    return rng.choice(SCALARS)


def json_object(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    keys = [key for key in KEYS if rng.random() < 0.6]
    return {key: json_value(rng, depth) for key in [*keys, *(["k"] if rng.random() < 0.2 else [])]}


def _planted(rng: random.Random, wanted: Hints) -> Any:
    value: Any = json_object(rng)
    for path, inner in wanted.places:
        if rng.random() < 0.5:
            value = plant(value, path, near(rng, inner), rng)
    return value


def _call(rng: random.Random, number: int, wanted: Hints) -> Call:
    arguments = _planted(rng, wanted) if rng.random() < 0.9 else None
    result = rng.choice(NOT_RESULTS)
    if rng.random() < 0.75:
        result = json.dumps(json_value(rng) if rng.random() < 0.2 else _planted(rng, wanted))
    raw = "{" if arguments is None else json.dumps(arguments)
    failed = rng.choice([None, None, None, True, False]) if result is not None else None
    return Call(f"c{number}", rng.choice(TOOLS), arguments, raw, result, failed)


def _figures(rng: random.Random, value: float) -> str:
    """A number in one of the forms that people write."""
    forms = [f"{value:,}", f"{value:,.2f}", str(value), f"{value:,}0", f"x{value}", f"{value}.5"]
    text = rng.choice([*forms, f"-{value}", f"({value})", f"{value}，", f"，{value}元"])
    wide = {ord(char): ord(char) + 0xFEE0 for char in "0123456789,.-"}
    return text.translate(wide) if rng.random() < 0.2 else text


def _said(rng: random.Random, wanted: Hints) -> str:
    value = near(rng, rng.choice(wanted.words))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _figures(rng, value)
    return rng.choice([str(value), str(value).upper(), f"The {value}!", rng.choice(REPLIES)])


def _step(rng: random.Random, wanted: Hints) -> Step:
    calls = tuple(_call(rng, number, wanted) for number in range(rng.choice([0, 0, 1, 1, 1, 2, 3])))
    said = [
        rng.choice(REPLIES) if rng.random() < 0.5 else _said(rng, wanted)
        for _ in range(rng.choice([0, 1, 1, 2]))
    ]
    malformed = "book(" if rng.random() < 0.05 else None
    return Step(reply=" ".join(said), calls=calls, malformed=malformed)


def trajectory(rng: random.Random, task: str, wanted: Hints) -> Trajectory:
    """One turn of 0 to 4 steps."""
    steps = tuple(_step(rng, wanted) for _ in range(rng.choice([0, 1, 2, 2, 3, 3, 4])))
    acts = tuple(_call(rng, 9 + number, wanted) for number in range(rng.choice([0, 0, 1, 2])))
    return Trajectory("generated", task, (Turn("go", steps, acts),))
