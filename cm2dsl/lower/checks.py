"""Checks: tools are looked up, argument paths and values are checked against their schemas."""

from __future__ import annotations

import re

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import suggest
from cm2dsl.lower.env import Env, read_value
from cm2dsl.lower.types import check_value, describe
from cm2dsl.schemas import NoSuchKey, PathType, type_at
from cm2dsl.source import Span

ANY_ARGUMENT = PathType()


def lower_check(expr: nodes.Expr, env: Env) -> ir.Check | None:
    """The check in the IR, or None where the log says what is wrong."""
    match expr:
        case nodes.Called():
            call = _pattern(expr.pattern, env)
            count = _count(expr.count, env) if expr.count is not None else None
            return call.model_copy(update={"count": count}) if call is not None else None
        case nodes.Before():
            first, second = _pattern(expr.first, env), _pattern(expr.second, env)
            return ir.Before(first=first, second=second) if first and second else None
        case nodes.ResultHas():
            call = _pattern(expr.pattern, env)
            has = _constraint(expr.has, ANY_ARGUMENT, "", env)
            return ir.Result(call=call, has=has) if call and has else None
        case nodes.ReplyContains():
            value = read_value(expr.value, env)
            if isinstance(value, ir.Many):
                help = 'write `reply contains "a" or reply contains "b"`'
                env.error("E203", "a reply contains one value, not a list", expr.span, help)
                return None
            if value == ir.Constant(value=""):
                help = "write the text that the reply must hold"
                env.error("E203", "every reply contains the empty string", expr.span, help)
                return None
            return ir.ReplyContains(value=value) if value is not None else None
        case nodes.ReplyMatches():
            pattern = _regex(expr.regex, env)
            return ir.ReplyMatches(pattern=pattern) if pattern is not None else None
        case nodes.ReplyMentions():
            call = _pattern(expr.pattern, env)
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


def _pattern(pattern: nodes.Pattern, env: Env) -> ir.Called | None:
    if pattern.tool is None:
        if not pattern.where:
            return ir.Called(tool=None)
        name, schema = "any tool", None
    else:
        name = _tool_name(pattern.tool, env)
        if name not in env.tools:
            help = 'declare the tools with `tools "file.json"`'
            if env.tools:
                help = suggest(name, env.tools)
            env.error("E101", f"tool `{name}` is not defined", pattern.tool.span, help)
            return None
        schema = env.tools[name].parameters
    where = []
    for constraint in pattern.where:
        found: PathType | NoSuchKey = ANY_ARGUMENT
        if schema is not None:
            found = type_at(schema, constraint.path.steps)
        if isinstance(found, NoSuchKey):
            _no_argument(name, constraint, found, env)
            continue
        lowered = _constraint(constraint, found, name, env)
        if lowered is not None:
            where.append(lowered)
    if len(where) < len(pattern.where):
        return None
    return ir.Called(tool=name if pattern.tool is not None else None, where=tuple(where))


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


def _tool_name(name: nodes.Name, env: Env) -> str:
    """The tool's name; a template's parameter stands for the name it was given."""
    argument = env.params.get(name.text)
    match argument:
        case nodes.Reference(path=(str(tool),)):
            return tool
        case nodes.String(parts=(str(tool),)):
            return tool
        case _:
            return name.text


def _constraint(
    constraint: nodes.Constraint, expected: PathType, tool: str, env: Env
) -> ir.Constraint | None:
    op = constraint.op
    path = constraint.path.steps
    what = f"`{show_path(path)}`" + (f" of `{tool}`" if tool else "")
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
    return ir.Constraint.model_validate(
        {
            "path": path,
            "op": op,
            "value": value,
            "tolerance": constraint.tolerance,
            "negated": constraint.negated,
        }
    )


def _count(count: nodes.Count, env: Env) -> ir.Count | None:
    times = count.times.value
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        env.error("E301", f"`{times}` is not a count", count.times.span, "write 0, 1, 2 …")
        return None
    return ir.Count.model_validate({"op": count.op, "times": times})


def _regex(regex: nodes.Regex, env: Env) -> str | None:
    try:
        re.compile(regex.pattern)
    except re.error as error:
        span = regex.span
        if error.pos is not None:
            start = min(span.start + 1 + error.pos, span.stop - 1)
            span = Span(span.source, start, start + 1)
        env.error("E204", f"not a regular expression: {error.msg}", span, "correct it")
        return None
    return regex.pattern


def show_path(path: ir.Path) -> str:
    """A path as it is written."""
    text = ""
    for step in path:
        if step is None:
            text += "[*]"
        elif isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text
