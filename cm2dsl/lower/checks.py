"""Checks: tools are looked up, argument paths and values are checked against their schemas."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import suggest
from cm2dsl.lower.env import Env, constant_text, read_text, read_value, row_types, show_path
from cm2dsl.lower.types import check_value, describe
from cm2dsl.schemas import EFFECTS, NoSuchKey, PathType, type_at
from cm2dsl.source import Span

ANY_ARGUMENT = PathType()
ESCAPE = "correct it; write `\\` before a sign that stands for itself"


def lower_check(expr: nodes.Expr, env: Env) -> ir.Check | None:
    """The check in the IR, or None where the log says what is wrong."""
    match expr:
        case nodes.Called():
            call = _pattern(expr.pattern, env, expr.by_user)
            count = _count(expr.count, env) if expr.count is not None else None
            outcome = "any" if expr.word == "called" else expr.word
            return replace(call, count=count, outcome=outcome) if call is not None else None
        case nodes.Before():
            first = _pattern(expr.first, env, expr.by_user)
            second = _pattern(expr.second, env, expr.by_user)
            return ir.Before(first=first, second=second) if first and second else None
        case nodes.ResultHas():
            call = _pattern(expr.pattern, env, expr.by_user)
            has = lower_constraint(expr.has, ANY_ARGUMENT, "", env)
            return ir.Result(call=call, has=has) if call and has else None
        case nodes.Replied():
            return ir.Replied()
        case nodes.ReplyContains():
            value = read_value(expr.value, env)
            ignoring = _ignored(expr, env)
            if isinstance(value, ir.Many):
                help = 'write `reply contains "a" or reply contains "b"`'
                env.error("E203", "a reply contains one value, not a list", expr.span, help)
                return None
            if value == ir.Constant(value=""):
                help = "write the text that the reply must hold"
                env.error("E203", "every reply contains the empty string", expr.span, help)
                return None
            if isinstance(value, ir.RowRef) and row_types(value, env) & {"array", "object", "null"}:
                help = "name a part of it that is a string or a number"
                env.error("E203", "no reply contains a list, an object or null", expr.span, help)
                return None
            if value is None or ignoring is None:
                return None
            return ir.ReplyContains(value=value, ignoring=ignoring)
        case nodes.ReplyMatches():
            pattern = _regex(expr.regex, env)
            return ir.ReplyMatches(pattern=pattern) if pattern is not None else None
        case nodes.ReplyMentions():
            call = _pattern(expr.pattern, env, False)
            return ir.ReplyMentions(call=call, path=expr.path.steps) if call else None
        case nodes.AllOf() | nodes.AnyOf():
            parts = [lower_check(part, env) for part in expr.of]
            known = tuple(part for part in parts if part is not None)
            if len(known) < len(parts):
                return None
            return ir.And(of=known) if isinstance(expr, nodes.AllOf) else ir.Or(of=known)
        case nodes.Negate():
            inner = lower_check(expr.of, env)
            return ir.Not(of=inner) if inner is not None else None


def default_focus(check: ir.Check | None) -> ir.Channel:
    """The channel that a check looks at first."""
    match check:
        case ir.Called() | ir.Before():
            return "tool_call"
        case ir.Result():
            return "tool_result"
        case ir.And() | ir.Or():
            return default_focus(check.of[0])
        case ir.Not():
            return default_focus(check.of)
        case _:
            return "reply"


def has_text_atom(check: ir.Check) -> bool:
    """Whether some part of the check reads a reply."""
    match check:
        case ir.ReplyContains() | ir.ReplyMatches() | ir.ReplyMentions():
            return True
        case ir.And() | ir.Or():
            return any(has_text_atom(part) for part in check.of)
        case ir.Not():
            return has_text_atom(check.of)
        case _:
            return False


def _ignored(expr: nodes.ReplyContains, env: Env) -> str | None:
    """The characters that a text atom leaves out, or None where the log says what is wrong."""
    if expr.ignoring is None:
        return ""
    characters = constant_text(read_text(expr.ignoring, env))
    if not characters:
        help = 'write the characters to leave out: `ignoring ","`'
        env.error("E203", "these are no characters", expr.ignoring.span, help)
        return None
    if isinstance(expr.value, nodes.Literal):
        help = "a number is found in any of its written forms: leave `ignoring` out, or write text"
        env.error("E203", "`ignoring` is for text", expr.ignoring.span, help)
        return None
    if isinstance(expr.value, nodes.String):
        said = constant_text(read_text(expr.value, env))
        if said is not None and not set(said) - set(characters):
            help = "leave fewer characters out"
            env.error("E203", "nothing is left of the text", expr.ignoring.span, help)
            return None
    return characters


class _Callable(Struct, frozen=True):
    """What may stand before the brackets of a pattern: a tool, several, or any (`schemas` None)."""

    tool: str | None
    tools: tuple[str, ...] | None
    schemas: tuple[Mapping[str, Any], ...] | None
    shown: str


def _pattern(pattern: nodes.Pattern, env: Env, by_user: bool) -> ir.Called | None:
    named = _named(pattern, env, by_user)
    but = [_pattern(each, env, by_user) for each in pattern.but]
    if named is None:
        return None
    where = []
    for constraint in pattern.where:
        found: PathType | NoSuchKey = ANY_ARGUMENT
        if named.schemas is not None:
            found = _type_of(named.schemas, constraint.path.steps)
        if isinstance(found, NoSuchKey):
            _no_argument(named.shown, constraint, found, env)
            continue
        lowered = lower_constraint(constraint, found, named.shown, env)
        if lowered is not None:
            where.append(lowered)
    if len(where) < len(pattern.where) or None in but:
        return None
    return ir.Called(
        tool=named.tool,
        tools=named.tools,
        where=tuple(where),
        exact=pattern.exact,
        but=tuple(each for each in but if each is not None),
        by="user" if by_user else "agent",
    )


def _named(pattern: nodes.Pattern, env: Env, by_user: bool) -> _Callable | None:
    tools = env.tools.user if by_user else env.tools.agent
    statement = "user tools" if by_user else "tools"
    if pattern.tool is None:
        return _Callable(None, None, None, "any tool")
    if isinstance(pattern.tool, nodes.AnyEffect):
        return _with_effect(pattern.tool, tools, env)
    name = _tool_name(pattern.tool, env)
    if name is None:
        return None
    if name not in tools:
        help = f'declare the tools with `{statement} "file.json"`'
        other = env.tools.agent if by_user else env.tools.user
        if name in other:
            help = f"it is a tool of the agent: write `called {name}`"
            if not by_user:
                help = f"it is a tool of the user: write `user called {name}`"
        elif tools:
            help = suggest(name, tools)
        if env.tools.all:
            whose = "tool of the user" if by_user else "tool"
            env.error("E101", f"{whose} `{name}` is not defined", pattern.tool.span, help)
        return None
    return _Callable(name, None, (tools[name].parameters,), name)


def _with_effect(any_: nodes.AnyEffect, tools: Mapping[str, ir.Tool], env: Env) -> _Callable | None:
    effect = any_.effect.text
    if effect not in EFFECTS:
        near = suggest(effect, EFFECTS)
        env.error("E108", f"`{effect}` is not an effect", any_.effect.span, near)
        return None
    found = {name: tool for name, tool in tools.items() if tool.effect == effect}
    if not found:
        help = f'mark tools with `"x-effect": "{effect}"` in the tools file'
        if env.tools.all:
            env.error("E101", f"no tool has the effect `{effect}`", any_.span, help)
        return None
    schemas = tuple(tool.parameters for tool in found.values())
    return _Callable(None, tuple(found), schemas, f"any {effect}")


def _type_of(schemas: Sequence[Mapping[str, Any]], path: ir.Path) -> PathType | NoSuchKey:
    """What a path's value is in the one schema; of several, whether any of them has it."""
    found = [type_at(dict(schema), path) for schema in schemas]
    if len(found) == 1:
        return found[0]
    missing = [each for each in found if isinstance(each, NoSuchKey)]
    if len(missing) < len(found):
        return ANY_ARGUMENT
    return NoSuchKey(
        missing[0].key, tuple(sorted({name for each in missing for name in each.known}))
    )


def _no_argument(tool: str, constraint: nodes.Constraint, found: NoSuchKey, env: Env) -> None:
    shown = show_path(constraint.path.steps)
    if found.known:
        message = f"`{tool}` has no argument `{shown}`"
        env.error("E102", message, constraint.path.span, suggest(found.key, found.known))
    elif len(constraint.path.steps) == 1:
        env.error("E102", f"`{tool}` takes no arguments", constraint.path.span, f"write `{tool}`")
    else:
        message = f"`{shown}` cannot be in an argument of `{tool}`"
        help = f"nothing stands at `{found.key}` there: see the schema of `{tool}`"
        env.error("E102", message, constraint.path.span, help)


def _tool_name(name: nodes.Name | nodes.String, env: Env) -> str | None:
    """The tool's name; a template's parameter stands for the name it was given."""
    if isinstance(name, nodes.String):
        faults = len(env.log.diagnostics)
        constant = constant_text(read_text(name, env))
        if constant is None:
            help = "write the name out, or make it a parameter of a template"
            env.error("E203", "a tool's name cannot hold a row value", name.span, help)
        return constant if len(env.log.diagnostics) == faults else None
    argument = env.params.get(name.text)
    match argument:
        case nodes.Reference(path=(str(tool),)):
            return tool
        case nodes.String(parts=(str(tool),)):
            return tool
        case _:
            return name.text


def lower_constraint(
    constraint: nodes.Constraint, expected: PathType, owner: str, env: Env
) -> ir.Constraint | None:
    """The constraint in the IR, or None where the log says what is wrong.

    `expected` is what may stand at its path, and `owner` (for messages) has it: a tool, or a file
    of rows.
    """
    op = constraint.op
    path = constraint.path.steps
    what = f"`{show_path(path)}`" + (f" of `{owner}`" if owner else "")
    if op == "exists":
        return ir.Constraint(path=path, op="exists", negated=constraint.negated)
    if op == "~":
        assert isinstance(constraint.value, nodes.Regex)
        pattern = _regex(constraint.value, env)
        if expected.types and "string" not in expected.types:
            help = "`~` matches text"
            message = f"{what} is {describe(expected.types)}"
            env.error("E201", message, constraint.span, help)
            return None
        if pattern is None:
            return None
        value: ir.Value | None = ir.Constant(value=pattern)
        return ir.Constraint(path=path, op="~", value=value, negated=constraint.negated)
    assert constraint.value is not None
    assert not isinstance(constraint.value, nodes.Regex)
    wants_text = "string" in expected.types and not expected.types & {"integer", "number"}
    value = read_value(constraint.value, env, as_text=wants_text)
    if value is None or not check_value(op, value, expected, what, constraint, env):
        return None
    if constraint.tolerance is not None and op not in ("==", "!="):
        help = "write `==` or `!=` with it"
        env.error("E202", f"a tolerance has no meaning with `{op}`", constraint.span, help)
        return None
    return ir.Constraint(
        path=path,
        op=op,  # type: ignore[arg-type]
        value=value,
        tolerance=constraint.tolerance,
        negated=constraint.negated,
    )


def _count(count: nodes.Count, env: Env) -> ir.Count | None:
    times = count.times.value
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        env.error("E301", f"`{times}` is not a count", count.times.span, "write 0, 1, 2 …")
        return None
    return ir.Count(op=count.op, times=times)  # type: ignore[arg-type]


def _regex(regex: nodes.Regex, env: Env) -> str | None:
    """The pattern, or None where the log says why Python's `re` does not take it."""
    try:
        with warnings.catch_warnings(category=FutureWarning, action="error"):
            re.compile(regex.pattern)
    except re.error as error:
        message = f"not a regular expression: {error.msg}"
        env.error("E204", message, _inside(regex, error.pos), ESCAPE)
        return None
    except (FutureWarning, OverflowError) as error:
        message = f"not a regular expression: {str(error).lower()}"
        env.error("E204", message, regex.span, ESCAPE)
        return None
    except RecursionError:
        message = "the regular expression is nested too deeply"
        env.error("E204", message, regex.span, "write it flatter")
        return None
    return regex.pattern


def _inside(regex: nodes.Regex, position: int | None) -> Span:
    """The place of a character of the pattern, in which `\\/` has become `/`."""
    span = regex.span
    if position is None:
        return span
    written = span.source.text[span.start + 1 : span.stop - 1]
    at = 0
    for _ in range(position):
        at += 2 if written.startswith("\\/", at) else 1
    start = min(span.start + 1 + at, span.stop - 1)
    return Span(span.source, start, start + 1)
