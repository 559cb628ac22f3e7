"""What the names in a task stand for: template parameters, and the row's columns."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from cm2dsl import ir, nodes
from cm2dsl.checks import show
from cm2dsl.diagnostic import Log, suggest, used_here
from cm2dsl.rows import RowFile
from cm2dsl.source import Span


class Rows(Struct, frozen=True):
    """The rows of a data-driven task and the name that the spec gives a row."""

    name: str
    file: RowFile


class Tools(Struct, frozen=True):
    """The tools of the agent and of the user, by name.

    `all` is false where a tools file could not be read, so that not every tool is known.
    """

    agent: Mapping[str, ir.Tool] = field(default_factory=dict)
    user: Mapping[str, ir.Tool] = field(default_factory=dict)
    all: bool = True


class Env(Struct, frozen=True):
    """The scope in which values are read.

    `params` maps a template's parameters to the arguments of its use, which are read in `outer`.
    `via` is the place of that use, for messages about the template's text.
    """

    log: Log
    tools: Tools
    rows: Rows | None = None
    params: Mapping[str, nodes.Value] = field(default_factory=dict)
    outer: Env | None = None
    via: Span | None = None

    def error(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        self.log.error(code, message, span, help, used_here(self.via, span))

    def inside(self, params: Mapping[str, nodes.Value], via: Span) -> Env:
        """The scope of a template's body at one of its uses."""
        return replace(self, params=params, outer=self, via=via)

    def known_names(self) -> list[str]:
        return [*self.params, *([self.rows.name] if self.rows else [])]


def constant_text(text: ir.Text) -> str | None:
    """The text, if it has no row values in it."""
    return "".join(str(part) for part in text) if all(isinstance(p, str) for p in text) else None


def read_text(string: nodes.String, env: Env) -> ir.Text:
    """A string with its parameters filled in and its row values typed."""
    parts: list[str | ir.RowRef] = []
    for part in string.parts:
        pieces = (part,) if isinstance(part, str) else _text_of(part, env)
        for piece in pieces:
            if isinstance(piece, str) and parts and isinstance(parts[-1], str):
                parts[-1] += piece
            else:
                parts.append(piece)
    return tuple(parts)


def _text_of(reference: nodes.Reference, env: Env) -> ir.Text:
    head = reference.path[0]
    if head in env.params and env.outer is not None:
        argument = env.params[str(head)]
        if len(reference.path) > 1:
            return _no_steps(reference, env)
        match argument:
            case nodes.String():
                return read_text(argument, env.outer)
            case nodes.Literal(value=value):
                return (show(value),)
            case nodes.Reference(path=(str(name),)) if not _is_row(name, env):
                return (name,)
            case nodes.Reference():
                return _text_of(argument, env.outer)
            case nodes.ListValue():
                help = "give it a string, a number or a name"
                env.error(
                    "E203", f"`{head}` is a list and cannot stand in text", reference.span, help
                )
                return ("",)
    if _is_row(head, env):
        ref = row_ref(reference, env, as_text=True)
        if ref is not None and row_types(ref, env) & {"array", "object"}:
            shown = show_path(reference.path)
            help = "name a part of it that is a string or a number"
            env.error("E203", f"`{shown}` cannot stand in text", reference.span, help)
        return (ref,) if ref is not None else ("",)
    unknown_name(reference, env, "write `\\{` for a brace that is text")
    return ("",)


def read_value(value: nodes.Value, env: Env, as_text: bool = False) -> ir.Value | None:
    """A value in a check. `as_text`: it is compared with text, so a CSV cell is not a number."""
    match value:
        case nodes.String():
            faults = len(env.log.diagnostics)
            text = read_text(value, env)
            if len(env.log.diagnostics) > faults:
                return None
            constant = constant_text(text)
            if constant is not None:
                return ir.Constant(value=constant)
            return ir.Filled(text=text)
        case nodes.Literal():
            return ir.Constant(value=value.value)
        case nodes.ListValue():
            values = [read_value(each, env, as_text) for each in value.values]
            known = tuple(each for each in values if each is not None)
            return ir.Many(values=known) if len(known) == len(values) else None
        case nodes.Reference():
            head = value.path[0]
            if head in env.params and env.outer is not None:
                if len(value.path) > 1:
                    _no_steps(value, env)
                    return None
                return read_value(env.params[str(head)], env.outer, as_text)
            if _is_row(head, env):
                return row_ref(value, env, as_text)
            unknown_name(value, env, "write text in quotes")
            return None


def row_ref(reference: nodes.Reference, env: Env, as_text: bool) -> ir.RowRef | None:
    """A reference into the row; every row must have the value."""
    assert env.rows is not None
    file = env.rows.file
    path = reference.path[1:]
    if not path:
        help = f"name a column: `{env.rows.name}.{file.columns[0]}`"
        env.error("E203", f"`{env.rows.name}` is a whole row", reference.span, help)
        return None
    if path[0] not in file.columns:
        message = f"`{file.source.name}` has no column `{path[0]}`"
        env.error("E105", message, reference.span, suggest(str(path[0]), file.columns))
        return None
    _, without = file.types_at(path)
    if without:
        line = file.line(without[0]).line
        shown = show_path(path)
        message = f"not every row has `{shown}`: line {line} of `{file.source.name}` has none"
        env.error("E105", message, reference.span, "give every row the value")
        return None
    return ir.RowRef(path=path, as_text=as_text and file.form == "csv")


def row_types(ref: ir.RowRef, env: Env) -> set[str]:
    """The JSON types of the values that a reference stands for."""
    assert env.rows is not None
    return env.rows.file.types_at(ref.path)[0]


def unknown_name(reference: nodes.Reference, env: Env, otherwise: str) -> None:
    head = str(reference.path[0])
    near = suggest(head, env.known_names())
    if env.known_names() and near.startswith("did you"):
        help = near
    else:
        names = ", ".join(f"`{name}`" for name in env.known_names())
        help = f"known here: {names}; {otherwise}" if names else otherwise
    env.error("E104", f"`{head}` is not a parameter or a row", reference.span, help)


def _is_row(head: str | int, env: Env) -> bool:
    return env.rows is not None and head == env.rows.name


def _no_steps(reference: nodes.Reference, env: Env) -> ir.Text:
    message = f"`{reference.path[0]}` is a parameter: nothing can be taken out of it"
    env.error("E203", message, reference.span, "pass the value itself to the template")
    return ("",)


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
