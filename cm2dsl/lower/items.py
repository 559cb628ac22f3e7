"""Items: modifiers and entries read, templates opened. Names of other items stay as written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import suggest
from cm2dsl.lower.checks import default_focus, lower_check
from cm2dsl.lower.env import Env, read_text
from cm2dsl.source import Span

CHANNELS: tuple[str, ...] = get_args(ir.Channel)
HEAVIEST = 1e6


class DraftAnchor(Struct, frozen=True):
    """An anchor that is not looked up yet; `via` is the use of the template it stands in."""

    channel: ir.Channel
    text: ir.Text
    span: Span
    via: Span | None


class DraftItem(Struct, frozen=True):
    """An item whose weight is as written and whose `after` is not resolved.

    `via` is the use of the template that it was made from, if it was.
    """

    name: nodes.Name
    kind: ir.Kind
    weight: float
    weight_span: Span
    after: tuple[nodes.ItemRef, ...]
    strict: bool
    veto: bool
    penalty: float
    focus: ir.Channel
    expr: ir.Check | None
    ask: ir.Text | None
    passes: tuple[ir.Text, ...]
    fails: tuple[ir.Text, ...]
    anchors: tuple[DraftAnchor, ...]
    via: Span | None


def read_items(
    parts: Sequence[object], templates: Mapping[str, nodes.Template], env: Env
) -> list[DraftItem]:
    """The items of a turn or task body, templates opened, in order."""
    items: list[DraftItem] = []
    for part in parts:
        if isinstance(part, nodes.Item):
            items.append(_item(part, env))
        elif isinstance(part, nodes.Use):
            opened = _use(part, templates, env)
            if opened is not None:
                items.append(opened)
    first: dict[str, DraftItem] = {}
    for item in items:
        if item.name.text in first:
            help = "give it another name, or use the template `as` another name"
            related = ((first[item.name.text].name.span, "first here"),)
            message = f"item `{item.name.text}` stands twice"
            env.log.error("E106", message, item.name.span, help, related)
        first.setdefault(item.name.text, item)
    return items


def _use(use: nodes.Use, templates: Mapping[str, nodes.Template], env: Env) -> DraftItem | None:
    template = templates.get(use.template.text)
    if template is None:
        help = suggest(use.template.text, templates)
        if not templates:
            help = "write one, or `import` a file that has it"
        message = f"template `{use.template.text}` is not defined"
        env.error("E107", message, use.template.span, help)
        return None
    wanted, given = len(template.params), len(use.arguments)
    if wanted != given:
        names = ", ".join(param.text for param in template.params)
        plural = "" if wanted == 1 else "s"
        message = f"`{template.name.text}` takes {wanted} argument{plural}, not {given}"
        env.error("E205", message, use.span, f"write `use {template.name.text}({names})`")
        return None
    params = {
        param.text: argument for param, argument in zip(template.params, use.arguments, strict=True)
    }
    own = {modifier.word for modifier in use.modifiers}
    inside = env.inside(params, use.span)
    inherited = [
        replace(modifier, refs=tuple(_filled(ref, inside) for ref in modifier.refs))
        for modifier in template.modifiers
        if modifier.word not in own
    ]
    item = nodes.Item(
        template.kind,
        use.alias or nodes.Name(template.name.text, use.template.span),
        (*inherited, *use.modifiers),
        template.entries,
        use.span,
    )
    return _item(item, inside)


def _filled(ref: nodes.ItemRef, env: Env) -> nodes.ItemRef:
    """A template's `after`, with a parameter replaced by the item it was given."""
    argument = env.params.get(ref.item.text) if ref.turn is None else None
    if not isinstance(argument, nodes.Reference):
        return ref
    names = [nodes.Name(str(step), argument.span) for step in argument.path]
    if len(names) == 1:
        return nodes.ItemRef(None, names[0], argument.span)
    return nodes.ItemRef(names[0], names[1], argument.span)


def _item(item: nodes.Item, env: Env) -> DraftItem:
    words: dict[str, nodes.Modifier] = {}
    for modifier in item.modifiers:
        if modifier.word in words:
            help = "keep one of the two"
            env.error("E302", f"`{modifier.word}` stands twice", modifier.span, help)
        words.setdefault(modifier.word, modifier)
    if "veto" in words and "penalty" in words:
        help = "a veto takes the whole turn already: keep one of the two"
        env.error("E302", "`veto` and `penalty` exclude each other", words["penalty"].span, help)
    penalty = _number(words["penalty"], 0.0) if "penalty" in words else 0.0
    if "penalty" in words and not 0 < penalty <= 1:
        help = "write the share of the turn's worth that it takes, more than 0 and at most 1"
        env.error("E301", f"penalty `{penalty:g}` is out of range", words["penalty"].span, help)
    default = 0.0 if "veto" in words or "penalty" in words else 1.0
    weight = _number(words["weight"], default) if "weight" in words else default
    weight_span = words["weight"].span if "weight" in words else item.name.span
    if weight < 0:
        help = "write 0 or more; a `penalty` subtracts"
        env.error("E301", f"weight `{weight:g}` is negative", weight_span, help)
        weight = 0.0
    if weight > HEAVIEST:
        help = "weights are shares of their turn: write small numbers"
        env.error("E301", f"weight `{weight:g}` is too large", weight_span, help)
    expr, ask, passes, fails = _deciders(item, env)
    return DraftItem(
        item.name,
        item.kind,  # type: ignore[arg-type]
        weight,
        weight_span,
        words["after"].refs if "after" in words else (),
        "strict" in words,
        "veto" in words,
        penalty,
        _focus(item, expr, ask, env),
        expr,
        ask,
        passes,
        fails,
        _anchors(item, env),
        env.via,
    )


def _number(modifier: nodes.Modifier, default: float) -> float:
    value = modifier.number.value if modifier.number is not None else default
    return float(value) if value is not None else default


def _deciders(
    item: nodes.Item, env: Env
) -> tuple[ir.Check | None, ir.Text | None, tuple[ir.Text, ...], tuple[ir.Text, ...]]:
    checks = [entry for entry in item.entries if isinstance(entry, nodes.Check)]
    said = [entry for entry in item.entries if isinstance(entry, nodes.Said)]
    asks = [entry for entry in said if entry.word == "ask"]
    name = item.name.text
    for extra in checks[1:]:
        help = "join the two with `and`, or make two items of them"
        env.error("E303", f"item `{name}` has two checks", extra.span, help)
    for question in asks[1:]:
        help = "ask one question an item: make two items of them"
        env.error("E303", f"item `{name}` asks twice", question.span, help)
    if not checks and not asks:
        help = "give it a `check`, an `ask`, or both"
        env.error("E304", f"item `{name}` decides nothing", item.name.span, help)
    if asks and item.kind == "never":
        help = "ask for what should be so, in an `item` or `at_end`; `never` takes a `check`"
        env.error("E304", "a judge is not asked for what never happens", asks[0].span, help)
    for entry in said:
        if entry.word != "ask" and not asks:
            message = f"`{entry.word}` tells a judge what to look for, and no judge is asked"
            env.error("E304", message, entry.span, 'add the question: `ask "…?"`')
            break
    expr = lower_check(checks[0].expr, env) if checks else None
    ask = read_text(asks[0].text, env) if asks else None
    if ask is not None and not "".join(str(part) for part in ask).strip():
        env.error("E304", "the question is empty", asks[0].span, "ask a yes/no question")
    passes, fails = (
        tuple(read_text(entry.text, env) for entry in said if entry.word == word)
        for word in ("pass", "fail")
    )
    return expr, ask, passes, fails


def _focus(item: nodes.Item, expr: ir.Check | None, ask: ir.Text | None, env: Env) -> ir.Channel:
    entries = [entry for entry in item.entries if isinstance(entry, nodes.Focus)]
    for extra in entries[1:]:
        env.error("E303", f"item `{item.name.text}` has two focuses", extra.span, "keep one")
    if entries:
        return read_channel(entries[0].channel, env)
    return default_focus(expr) if ask is None else "reply"


def read_channel(name: nodes.Name, env: Env) -> ir.Channel:
    if name.text not in CHANNELS:
        near = suggest(name.text, CHANNELS)
        env.error("E108", f"`{name.text}` is not a channel", name.span, near)
        return "reply"
    return name.text  # type: ignore[return-value]


def _anchors(item: nodes.Item, env: Env) -> tuple[DraftAnchor, ...]:
    for entry in item.entries:
        if isinstance(entry, nodes.Anchor) and not any(entry.text.parts):
            help = "copy some words from the recording"
            env.error("E310", "the anchor is empty", entry.span, help)
    return tuple(
        DraftAnchor(
            read_channel(entry.channel, env), read_text(entry.text, env), entry.span, env.via
        )
        for entry in item.entries
        if isinstance(entry, nodes.Anchor)
    )
