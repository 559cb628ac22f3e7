"""reward.py: every check as one small Python function.

Nothing of a spec reaches the file but names, which the grammar limits to letters and digits, and
values, which are written as Python literals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from cm2dsl import ir

HEAD = '''\
"""Checks of domain `{domain}`, edition {edition}. Written by cm2c {version}: edit the spec instead.

A check gets `d`, the dialogue (cm2dsl.scope.Scope), and the task's row. Bit s of what it returns
says whether it is true after step s.
"""

from cm2dsl.checks import {words}
'''

WORDS = (
    *("all_of", "any_of", "at", "contains", "each", "eq", "exists", "ge", "get", "gt", "has"),
    *(
        "if_said",
        "le",
        "lt",
        "matches",
        "ne",
        "negation",
        "no_more",
        "one_of",
        "same",
        "show",
        "sure",
    ),
)
COMPARE = {
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "in": "one_of",
    "contains": "contains",
    "~": "matches",
}
WIDTH = 100

WIDEST = 64
"""Parts that one `&`, `|` or `+` joins; more are joined in groups. Python reads `a | b | c` as a
tree that is as deep as it is long, and takes a tree of some thousands for a runaway recursion.
"""

NO_CODE = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|#.*')
"""Text and comments in a function."""

NAME = re.compile(r"(?<![\w.])[a-z_]+\b")
"""A name that is no attribute; parsing the functions to find them takes ten times longer."""

Argument = str | list[str]
"""An argument of a call; a list is the parts of a condition, joined by `and`."""


def emit_reward(spec: ir.Spec) -> str:
    """The text of reward.py: its functions, and CHECKS, which finds them by name."""
    functions: list[str] = []
    names: list[str] = []
    for item in _items(spec):
        if item.check is not None and item.expr is not None:
            functions.append(_function(item))
            names.append(item.check)
    body = "\n\n".join(functions)
    named = set(NAME.findall(NO_CODE.sub("", body)))
    used = [word for word in WORDS if word in named]
    words = ", ".join(used)
    if len(words) > WIDTH - len("from cm2dsl.checks import "):
        words = "(\n    " + ",\n    ".join(used) + ",\n)"
    head = HEAD.format(
        domain=spec.domain, edition=spec.edition, version=spec.compiler.version, words=words
    )
    if not used:
        head = head[: head.index("\nfrom cm2dsl")]
    table = "".join(f'    "{name}": {name},\n' for name in names)
    return f"{head}\n\n{body}\n\nCHECKS = {{\n{table}}}\n"


def _items(spec: ir.Spec) -> Iterator[ir.Item]:
    for task in spec.tasks:
        for turn in task.turns:
            yield from turn.items
        yield from task.items


def _function(item: ir.Item) -> str:
    assert item.expr is not None
    file = item.place.file if item.place.file.isprintable() else ascii(item.place.file)
    place = f"{file}:{item.place.line}"
    value = _expr(item.expr, item.ask is not None, indent=4, used=len("return "))
    return f"def {item.check}(d, row):\n    # {place} {item.kind}\n    return {value}\n"


def _expr(check: ir.Check, soft: bool, indent: int, used: int = 0, tail: int = 0) -> str:
    """A check as a Python expression; `soft` where a judge decides what words leave open.

    It begins at column `indent + used` of a line that is indented by `indent`; `tail` characters
    follow it on its last line.
    """
    match check:
        case ir.Called():
            name: str = "called" if check.outcome == "any" else check.outcome
            arguments = [*_call(check), *_count(check.count), *_but(check)]
            return _wrapped("sure", soft, _of(check) + name, arguments, indent, used, tail)
        case ir.Before():
            arguments = [*_full(check.first), *_full(check.second)]
            arguments += [*_but(check.first, "but_first"), *_but(check.second, "but_second")]
            name = _of(check.first) + "before"
            return _wrapped("sure", soft, name, arguments, indent, used, tail)
        case ir.Result():
            arguments = [*_full(check.call), [_constraint(check.has, False)], *_but(check.call)]
            name = _of(check.call) + "result"
            return _wrapped("sure", soft, name, arguments, indent, used, tail)
        case ir.Replied():
            return _wrapped("sure", soft, "d.replied", [], indent, used, tail)
        case ir.ReplyContains():
            arguments = [_value(check.value)]
            arguments += [_literal(check.ignoring)] if check.ignoring else []
            return _wrapped("if_said", soft, "d.reply_contains", arguments, indent, used, tail)
        case ir.ReplyMatches():
            arguments = [_literal(check.pattern)]
            return _wrapped("if_said", soft, "d.reply_matches", arguments, indent, used, tail)
        case ir.ReplyMentions():
            arguments = [*_full(check.call), *_path(check.path), *_but(check.call)]
            name = _of(check.call) + "reply_mentions"
            return _wrapped("if_said", soft, name, arguments, indent, used, tail)
        case ir.Not() if soft:
            inner = _expr(check.of, soft, indent, used + len("negation("), tail + 1)
            return f"negation({inner})"
        case ir.Not():
            inner = _expr(check.of, soft, indent, used + len("~"), tail)
            return f"~{_grouped(check.of, inner)}"
        case ir.And() | ir.Or():
            return _joined(check, soft, indent, used, tail)


def _joined(check: ir.And | ir.Or, soft: bool, indent: int, used: int, tail: int) -> str:
    word = "&" if isinstance(check, ir.And) else "|"
    if soft:
        parts: list[Argument] = [_expr(part, soft, indent + 4, tail=1) for part in check.of]
        return _invoke("all_of" if word == "&" else "any_of", parts, indent, used, tail)
    check = _in_groups(check)
    texts = [_grouped(part, _expr(part, soft, indent + 4, used=len(word) + 1)) for part in check.of]
    flat = f" {word} ".join(texts)
    if "\n" not in flat and indent + used + len(flat) + tail + 2 <= WIDTH:
        return flat
    pad = " " * (indent + 4)
    lines = f"\n{pad}{word} ".join(texts)
    return f"(\n{pad}{lines}\n{' ' * indent})"


def _in_groups(check: ir.And | ir.Or) -> ir.And | ir.Or:
    """The same check with at most so many parts, which may be groups of parts."""
    kind, parts = type(check), check.of
    while len(parts) > WIDEST:
        parts = tuple(kind(of=parts[at : at + WIDEST]) for at in range(0, len(parts), WIDEST))
    return kind(of=parts)


def _grouped(check: ir.Check, text: str) -> str:
    """Brackets around a conjunction or disjunction inside another."""
    return f"({text})" if isinstance(check, ir.And | ir.Or) and not text.startswith("(\n") else text


def _invoke(name: str, arguments: list[Argument], indent: int, used: int, tail: int) -> str:
    """A call, on one line if it fits, else with an argument a line."""
    flat = f"{name}({', '.join(_flat(argument) for argument in arguments)})"
    if "\n" not in flat and indent + used + len(flat) + tail <= WIDTH:
        return flat
    pad = " " * (indent + 4)
    lines = "".join(f"{pad}{_broken(argument, pad)},\n" for argument in arguments)
    return f"{name}(\n{lines}{' ' * indent})"


def _flat(argument: Argument) -> str:
    return argument if isinstance(argument, str) else f"lambda a: {' and '.join(argument)}"


def _broken(argument: Argument, pad: str) -> str:
    if isinstance(argument, str) or len(pad + _flat(argument)) < WIDTH:
        return _flat(argument)
    inner = f"\n{pad}    and ".join(argument)
    return f"lambda a: (\n{pad}    {inner}\n{pad})"


def _wrapped(
    wrapper: str,
    soft: bool,
    name: str,
    arguments: list[Argument],
    indent: int,
    used: int,
    tail: int,
) -> str:
    """A question to the dialogue, and how its answer counts where a judge is there too."""
    if not soft:
        return _invoke(name, arguments, indent, used, tail)
    inner = _invoke(name, arguments, indent, used + len(f"{wrapper}("), tail + 1)
    if "\n" not in inner:
        return f"{wrapper}({inner})"
    pad = " " * (indent + 4)
    return f"{wrapper}(\n{pad}{_invoke(name, arguments, indent + 4, 0, 1)}\n{' ' * indent})"


def _of(call: ir.Called) -> str:
    return "d.user." if call.by == "user" else "d."


def _call(call: ir.Called) -> list[Argument]:
    return [_tool(call), _condition(call)] if call.where or call.exact else [_tool(call)]


def _full(call: ir.Called) -> list[Argument]:
    return [_tool(call), _condition(call) if call.where or call.exact else "None"]


def _tool(call: ir.Called) -> str:
    """The tool, or where they are several a tuple of them."""
    if call.tools is None:
        return _literal(call.tool)
    names = ", ".join(_literal(name) for name in call.tools)
    return f"({names},)" if len(call.tools) == 1 else f"({names})"


def _but(call: ir.Called, keyword: str = "but") -> list[Argument]:
    if not call.but:
        return []
    patterns = [
        f"({_tool(each)}, {_flat(_condition(each)) if each.where or each.exact else None})"
        for each in call.but
    ]
    return [f"{keyword}=[{', '.join(patterns)}]"]


def _count(count: ir.Count | None) -> list[Argument]:
    match count:
        case None:
            return []
        case ir.Count(op="at_least", times=times):
            return [f"at_least={times}"]
        case ir.Count(op="at_most", times=times):
            return ["at_least=0", f"at_most={times}"]
        case ir.Count(times=times):
            return [f"at_least={times}", f"at_most={times}"]


def _condition(call: ir.Called) -> Argument:
    parts = [_constraint(constraint) for constraint in call.where]
    return [*parts, f"no_more(a, {_tree(call.where)})"] if call.exact else parts


def _tree(where: tuple[ir.Constraint, ...]) -> str:
    """The constraints' paths as a tree (`cm2dsl.checks.Paths`), as Python text."""
    return _branches([constraint.path for constraint in where])


def _branches(paths: list[ir.Path]) -> str:
    if () in paths:  # one ends here: what is beyond it may be anything
        return "{}"
    steps = dict.fromkeys(path[0] for path in paths)
    parts = (
        f"{'each' if step is None else _literal(step)}: "
        + _branches([path[1:] for path in paths if path[0] == step and type(path[0]) is type(step)])
        for step in steps
    )
    return "{" + ", ".join(parts) + "}"


def _constraint(constraint: ir.Constraint, of_object: bool = True) -> str:
    """A constraint on `a`, which is an object where it is a call's arguments."""
    if constraint.tolerance is None and constraint.op == "==" and None not in constraint.path:
        assert constraint.value is not None
        return _equal(constraint, of_object)
    if constraint.op == "exists" and None not in constraint.path:
        text = f"has({', '.join(['a', *_path(constraint.path)])})"
        return f"not {text}" if constraint.negated else text
    arguments = [f"at({', '.join(['a', *_path(constraint.path)])})"]
    if constraint.op == "exists":
        name = "exists"
    else:
        assert constraint.value is not None
        name = COMPARE[constraint.op]
        arguments.append(_value(constraint.value))
    if constraint.tolerance is not None:
        arguments.append(repr(constraint.tolerance))
    text = f"{name}({', '.join(arguments)})"
    return f"not {text}" if constraint.negated else text


def _equal(constraint: ir.Constraint, of_object: bool) -> str:
    """Equality at a path that leads to one value: Python's own where it is JSON's."""
    value = constraint.value
    assert value is not None
    constant = value.value if isinstance(value, ir.Constant) else None
    is_text = isinstance(value, ir.Filled) or (isinstance(value, ir.RowRef) and value.as_text)
    # `a.get` is None where there is nothing, which is right unless the value can be null.
    plain = of_object and len(constraint.path) == 1 and (is_text or constant is not None)
    path = ", ".join(_path(constraint.path))
    found = f"a.get({path})" if plain else f"get(a, {path})"
    if is_text or isinstance(constant, str):
        return f"{found} {'!=' if constraint.negated else '=='} {_value(value)}"
    if isinstance(constant, bool):
        return f"{found} is {'not ' if constraint.negated else ''}{constant}"
    text = f"same({found}, {_value(value)})"
    return f"not {text}" if constraint.negated else text


def _path(path: ir.Path) -> list[str]:
    return ["each" if step is None else _literal(step) for step in path]


def _value(value: ir.Value) -> str:
    match value:
        case ir.Constant():
            return _literal(value.value)
        case ir.RowRef():
            return _row(value)
        case ir.Filled():
            parts = [
                _literal(part) if isinstance(part, str) else f"show({_row(part)})"
                for part in value.text
            ]
            while len(parts) > WIDEST:
                groups = (parts[at : at + WIDEST] for at in range(0, len(parts), WIDEST))
                parts = [f"({' + '.join(group)})" for group in groups]
            return " + ".join(parts)
        case ir.Many():
            return f"[{', '.join(_value(each) for each in value.values)}]"


def _row(ref: ir.RowRef) -> str:
    table = "row.text" if ref.as_text else "row.values"
    return table + "".join(f"[{_literal(step)}]" for step in ref.path)


def _literal(value: ir.Scalar) -> str:
    """A Python literal. Text is JSON-quoted, which Python reads alike, with letters as they are."""
    if not isinstance(value, str):
        return repr(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else ascii(value)
