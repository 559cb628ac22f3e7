"""Reference actions as items: writes are required, no other write may happen, words must be said.

One reference path is not the only one, so what it reads is no requirement. A write is matched by
the arguments that the tool's schema knows: what else a call carries, the tool never sees.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cm2.formats.criteria import Action, Criteria
from cm2dsl.draft import syntax
from cm2dsl.draft.spec import Item, Template, Use
from cm2dsl.names import name_of
from cm2dsl.schemas import NoSuchKey, type_at

FINAL = "ends_with_reply"
ANSWERS = "answers"
NO_WRITES = "no_writes"
NO_OTHER_WRITES = "no_other_writes"
LOOKS_UP = "looks_up"

TEMPLATES = {
    FINAL: Item("", kind="at_end", veto=True, check="replied", note="The agent has the last word."),
    NO_WRITES: Item(
        "", kind="never", veto=True, check="succeeded any write", note="Nothing is changed."
    ),
    LOOKS_UP: Item("", check="succeeded any read", note="The agent looks something up."),
    ANSWERS: Item(
        "", kind="at_end", check="replied", note="The agent answers, and has the last word."
    ),
}


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The agent's tools by name: what they take, and what they do."""

    schemas: Mapping[str, Mapping[str, Any]]
    effects: Mapping[str, str]

    @classmethod
    def of(cls, tools: Sequence[Mapping[str, Any]]) -> Toolbox:
        """The toolbox of some OpenAI function schemas."""
        functions = [tool["function"] for tool in tools]
        return cls(
            {function["name"]: function.get("parameters", {}) for function in functions},
            {function["name"]: function.get("x-effect", "") for function in functions},
        )

    def names(self, effect: str) -> list[str]:
        return [name for name in self.schemas if self.effects.get(name) == effect]

    def effect(self, action: Action) -> str:
        """What an action does; nothing is known of those of the user's tools."""
        return "" if action.by_user else self.effects.get(action.tool, "")

    def schema(self, action: Action) -> dict[str, Any]:
        """What an action's tool takes; nothing is known of the user's tools."""
        return {} if action.by_user else dict(self.schemas.get(action.tool, {}))

    def bare(self, effect: str) -> list[str]:
        """The tools of an effect that take no arguments: to call one, nothing need be known."""
        return [n for n in self.names(effect) if not self.schemas[n].get("properties")]


@dataclass(slots=True)
class Checklist:
    """The items of a task while they are made.

    `templates` are those that it uses, `said` the words that must be said, by the name of the item.
    """

    items: list[Item | Use] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    templates: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def add(self, item: Item) -> str:
        self.names.add(item.name)
        self.items.append(item)
        return item.name

    def free(self, text: str, otherwise: str = "item") -> str:
        """A name made from a text, which neither an item has nor what every task may use."""
        return name_of(text, {*self.names, *TEMPLATES, NO_OTHER_WRITES}, otherwise)

    def use(self, template: str, stricter: Sequence[Item] = ()) -> None:
        """Uses a template; `stricter` items are offered below it, and have their names."""
        self.names |= {template, *(item.name for item in stricter)}
        self.templates.append(template)
        self.items.append(Use(template, stricter=tuple(stricter)))


def goal_items(
    wanted: Sequence[Action],
    goal: Criteria,
    allowed: Sequence[Action] | None,
    tools: Toolbox,
    checklist: Checklist,
) -> dict[str, Action]:
    """Adds what a task's goal asks for: its actions, its words, and no write but the `allowed`.

    With `allowed` None, any write may happen. Returns the actions by the names of their items.
    """
    actions = required(wanted, tools, checklist)
    said(goal.communicate, checklist)
    if allowed is not None:
        no_other_writes(allowed, tools, checklist)
    return actions


def templates(used: Collection[str], tools: Toolbox) -> list[Template]:
    """The templates that are used; a look-up needs a tool that takes arguments."""
    found = {name: Template(name, (), item) for name, item in TEMPLATES.items() if name in used}
    bare = ", ".join(map(syntax.tool, tools.bare("read")))
    if LOOKS_UP in found and bare:
        item = TEMPLATES[LOOKS_UP]
        found[LOOKS_UP] = Template(LOOKS_UP, (), replace(item, check=f"{item.check} except {bare}"))
    return list(found.values())


def reads_of(goal: Criteria, tools: Toolbox) -> list[Action]:
    """What the reference path reads."""
    return [action for action in goal.actions if tools.effect(action) == "read"]


def required(actions: Sequence[Action], tools: Toolbox, checklist: Checklist) -> dict[str, Action]:
    """Adds an item for each action, and returns these by name; the same action counts once."""
    found: dict[str, Action] = {}
    for action in actions:
        if action in found.values():
            continue
        verb = "succeeded" if tools.effect(action) == "write" else "called"
        verb = f"user {verb}" if action.by_user else verb
        name = name_for(action, actions, checklist)
        check = f"{verb} {pattern(action, tools, exact=False)}"
        item = Item(name, check=check, weight=2)
        if _toggles(action) and actions.count(action) == 1:
            odd = f"{check} exactly 1 time or {check} exactly 3 times"
            item = replace(item, kind="at_end", check=odd)
        found[checklist.add(item)] = action
    return found


def _toggles(action: Action) -> bool:
    """Whether the user's tool turns over what is on or off: called twice, it has changed nothing.

    What it does to the state can be told from its name alone, and only without arguments.
    """
    return action.by_user and action.tool.startswith("toggle_") and not action.arguments


def no_other_writes(allowed: Sequence[Action], tools: Toolbox, checklist: Checklist) -> None:
    """Adds the veto on every write that is not among these actions."""
    if not tools.names("write"):
        return
    item = veto_on_others(allowed, tools)
    if item.name == NO_WRITES:
        checklist.use(NO_WRITES)
    else:
        checklist.add(item)


def veto_on_others(allowed: Sequence[Action], tools: Toolbox) -> Item:
    """The veto on every write that is not among these actions."""
    patterns = dict.fromkeys(
        pattern(action, tools, False) for action in allowed if tools.effect(action) == "write"
    )
    if not patterns:
        return replace(TEMPLATES[NO_WRITES], name=NO_WRITES, note="")
    check = f"succeeded any write except {', '.join(patterns)}"
    return Item(NO_OTHER_WRITES, check=check, kind="never", veto=True)


def said(texts: Sequence[str], checklist: Checklist) -> None:
    """Adds an item for each text that the agent must say, commas apart; a blank one is no text."""
    for text in dict.fromkeys(text for text in texts if text.strip()):
        name = checklist.free(f"says {text}"[:40], "says")
        ignoring = ' ignoring ","' if set(text) - {","} else ""
        check = f"reply contains {syntax.quoted(text)}{ignoring}"
        checklist.said[checklist.add(Item(name, check=check))] = text


def repeat_official(goal: Criteria, tools: Toolbox, checklist: Checklist) -> None:
    """Adds items of weight 0, by number: one for each official criterion that a check can be."""
    for index, action in enumerate(goal.actions):
        schema = tools.schema(action)
        if action.compare is None and _known(schema, [], action.arguments) != action.arguments:
            continue  # no check can ask for what the schema rules out
        who = "user called" if action.by_user else "called"
        check = f"{who} {pattern(action, tools, exact=True)}"
        name = name_of(f"action_{index}", checklist.names)
        checklist.add(Item(name, check=check, weight=0))
    for index, text in enumerate(goal.communicate):
        if "," in text or not text.strip():
            continue  # commas are taken out of replies alone: such a text is never found, "" always
        check = f'reply contains {syntax.quoted(text)} ignoring ","'
        name = name_of(f"communicate_{index}", checklist.names)
        checklist.add(Item(name, check=check, weight=0))


def pattern(action: Action, tools: Toolbox, exact: bool) -> str:
    """The calls that are this action.

    `exact`: name and arguments are equal, as the benchmark compares them. Else what the tool's
    schema does not know is left out, its other arguments must not be there, and the order of a
    list does not count where it is the only one: nothing else in the call goes by its places.
    """
    arguments: Mapping[str, Any] = action.arguments
    schema = tools.schema(action)
    if action.compare is not None:
        compared = _known(schema, [], dict.fromkeys(action.compare))
        absent = [key for key in compared if key not in arguments]
        kept = _known(schema, [], {k: arguments[k] for k in arguments if k in compared})
        parts = [part for key in kept for part in syntax.equal([key], kept[key])]
        parts += [f"not {syntax.path([key])} exists" for key in absent]
        return syntax.tool(action.tool) + (f"({', '.join(parts)})" if parts else "")
    if exact:
        return syntax.call(action.tool, arguments, exact=True)
    known = _known(schema, [], arguments)
    alone = sum(isinstance(value, list) for value in known.values()) == 1
    parts = [
        part
        for key, value in known.items()
        for part in (
            syntax.members([key], value)
            if alone and isinstance(value, list)
            else syntax.equal([key], value)
        )
    ]
    properties = schema.get("properties")
    others = [key for key in properties or {} if key not in arguments]
    parts += [f"not {syntax.path([key])} exists" for key in others]
    return syntax.tool(action.tool) + (f"({', '.join(parts)})" if parts else "")


def _known(schema: dict[str, Any], path: list[str | int | None], value: Any) -> Any:
    """The value without the members that the schema rules out."""
    if isinstance(value, Mapping):
        return {
            key: _known(schema, [*path, key], value[key])
            for key in value
            if not isinstance(type_at(schema, (*path, key)), NoSuchKey)
        }
    if isinstance(value, list):
        return [_known(schema, [*path, index], each) for index, each in enumerate(value)]
    return value


def name_for(action: Action, actions: Sequence[Action], checklist: Checklist) -> str:
    """`cancel_reservation`, or with what only it is about where a task has several of the tool."""
    alike = [other for other in actions if other.tool == action.tool and other != action]
    words = action.tool
    if alike:
        values = [text for text in texts_of(action.arguments) if 0 < len(text) <= 24]
        theirs = {text for other in alike for text in texts_of(other.arguments)}
        own = [text for text in values if text not in theirs]
        words = f"{words} {next(iter(own or values), '')}"
    return checklist.free(words.strip(), "action")


def texts_of(value: Any) -> Iterator[str]:
    """The strings in a JSON value, at any depth, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        inner = value.values() if isinstance(value, Mapping) else value
        for each in inner:
            yield from texts_of(each)
