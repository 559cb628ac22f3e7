"""A turn of a BFCL task: the items that its ground truth becomes, and the recorded steps."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm2.importers.bfcl_effects import PHRASES, STEPS, third_person
from cm2.importers.bfcl_functions import Function
from cm2.trajectory import Call, Step
from cm2dsl.draft import syntax
from cm2dsl.draft.spec import Item, Template, Turn, Use
from cm2dsl.names import name_of

LONGEST_SUFFIX = 30
"""Characters of an argument that may go into an item's name."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A call of the ground truth; `arguments` are as written, without defaults."""

    function: Function
    arguments: Mapping[str, Any]

    @property
    def meaning(self) -> str:
        """What is equal for calls that do the same: the arguments with the defaults filled in."""
        filled = {**self.function.defaults, **self.arguments}
        for key in self.function.unordered & filled.keys():
            if isinstance(filled[key], list):
                filled[key] = sorted(filled[key], key=repr)
        return f"{self.function.name} {json.dumps(_plain(filled), sort_keys=True)}"


@dataclass(frozen=True, slots=True)
class Idle:
    """Why the ground truth of a turn is empty: what the template asks, and what a recording says.

    `tools` are the functions that the agent does not have yet, if that is why.
    """

    template: str
    turn: str
    reply: str
    tools: tuple[str, ...] = ()


def without_tools(tools: Sequence[str]) -> Idle:
    return Idle("says_no_tool", "missing_tool", "I have no tool for that.", tuple(tools))


WITHOUT_DETAILS = Idle(
    "asks_for_details", "missing_details", "I need more details for that. Could you give me them?"
)
WITHOUT_REASON = Idle("says_why_not", "nothing_to_call", "I cannot do that.")

CLOSING = "That is done."
"""What a recording says at the end of a turn: BFCL has no replies of its own."""

OTHERS = "no_other_writes"
AGAIN = "no_write_again"
OWN = (OTHERS, AGAIN, "changes_nothing")
"""What a turn's items are called that are of no call."""

TEMPLATES = {
    "changes_nothing": Template(
        "changes_nothing",
        (),
        Item("", kind="never", veto=True, check="called any write"),
    ),
    "replies": Template(
        "replies",
        (),
        Item(
            "",
            kind="at_end",
            check="replied",
            note="Where nothing can be called, saying nothing is not enough.",
        ),
    ),
    "says_no_tool": Template(
        "says_no_tool",
        ("tools",),
        Item(
            "",
            weight=2,
            focus="reply",
            ask="At this point the agent has no {tools} yet. "
            "Does the reply say that the request cannot be carried out for want of a tool?",
            passes=("Says that no tool at hand does what the user wants",),
            fails=(
                "Claims that the request was carried out",
                "Does something else instead, and says nothing of what is missing",
            ),
        ),
    ),
    "asks_for_details": Template(
        "asks_for_details",
        (),
        Item(
            "",
            weight=2,
            focus="reply",
            ask="Does the reply ask the user for what the request leaves open, "
            "or say what keeps it from being carried out?",
            passes=("Asks for the detail that is missing, such as which file, amount or person",),
            fails=(
                "Goes on with a detail that the user never gave",
                "Claims that the request was carried out",
            ),
        ),
    ),
    "says_why_not": Template(
        "says_why_not",
        (),
        Item(
            "",
            weight=2,
            focus="reply",
            ask="Does the reply say that the request was not carried out, and why?",
            fails=("Claims that the request was carried out",),
        ),
    ),
}
"""What turns without calls share, in the order in which a spec defines it."""


# --- items ------------------------------------------------------------------------------------


def acting_turn(
    name: str, user: str, calls: Sequence[Reference], limited: bool, note: str = ""
) -> Turn:
    """A turn whose ground truth calls something. `limited`: the spec has tools that write."""
    names = _item_names(calls)
    times = Counter(call.meaning for call in calls)
    items: list[Item | Use] = []
    for meaning, call in {call.meaning: call for call in calls}.items():
        count = f" at_least {times[meaning]} times" if times[meaning] > 1 else ""
        items.append(Item(names[meaning], check=f"called {pattern(call)}{count}"))
    writes = {call.meaning: pattern(call) for call in calls if call.function.writes}
    if limited and writes:
        others = f"called any write except {', '.join(writes.values())}"
        more = [
            f"called {pattern(call)} at_least {_times(call, calls) + 1} times"
            for call in {call.meaning: call for call in calls}.values()
            if call.function.writes
        ]
        items.append(Item(OTHERS, kind="never", veto=True, check=others))
        items.append(Item(AGAIN, kind="never", veto=True, check=" or ".join(more)))
    elif limited:
        items.append(Use("changes_nothing"))
    return Turn(name, user, tuple(items), note)


def _times(call: Reference, calls: Sequence[Reference]) -> int:
    """How often the ground truth has calls that the pattern of this one may match.

    An empty object matches any value, and a default that cannot be written is not compared.
    """
    defaults = call.function.defaults.values()
    loose = not all(map(_is_value, defaults)) or _has_empty_object(call.arguments)
    return sum(
        other.meaning == call.meaning or (loose and other.function.name == call.function.name)
        for other in calls
    )


def _has_empty_object(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(each == {} or _has_empty_object(each) for each in value.values())
    return isinstance(value, list) and any(e == {} or _has_empty_object(e) for e in value)


def idle_turn(name: str, user: str, idle: Idle, limited: bool, note: str = "") -> Turn:
    """A turn whose ground truth calls nothing."""
    arguments = (syntax.quoted(_listed(idle.tools)),) if idle.tools else ()
    items: list[Item | Use] = [Use("replies"), Use(idle.template, arguments)]
    if limited:
        items.append(Use("changes_nothing"))
    if idle.tools:
        check = " or ".join(f"called {syntax.tool(each)}" for each in idle.tools)
        items.append(Item("uses_missing_tool", kind="never", veto=True, check=check))
    return Turn(name, user, tuple(items), note)


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def pattern(call: Reference) -> str:
    """The calls that do what this one does.

    An optional argument that is at its default may be left out, and one that was left out may be
    given as its default: `not x != D` is true of both. Other arguments there may be none. A list
    that is a set has its elements in any order, each once.
    """
    defaults = call.function.defaults
    parts: list[str] = []
    for key in dict.fromkeys([*call.function.parameters["properties"], *call.arguments]):
        if key in defaults and _same(call.arguments.get(key, defaults[key]), defaults[key]):
            if not _is_value(defaults[key]):
                continue
            parts.append(f"not {syntax.path([key])} != {syntax.value(defaults[key])}")
        elif key in call.arguments:
            value = call.arguments[key]
            unordered = isinstance(value, list) and key in call.function.unordered
            parts += (syntax.members if unordered else syntax.equal)([key], value)
    parts.append("nothing else")
    return f"{syntax.tool(call.function.name)}({', '.join(parts)})"


def _plain(value: Any) -> Any:
    """The value with whole numbers written in one way: 1.0 is 1."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_value(default: Any) -> bool:
    """Whether the language can write it: a scalar, or a list of scalars."""
    if isinstance(default, list):
        return not any(isinstance(each, list | dict) for each in default)
    return not isinstance(default, dict)


# --- names ------------------------------------------------------------------------------------


def turn_name(calls: Sequence[Reference], taken: Collection[str]) -> str:
    """A turn is named for its last write, or for its last call where none writes.

    A step on the way, such as `cd`, is not what a turn is about.
    """
    writes = [call for call in calls if call.function.writes and call.function.name not in STEPS]
    writes = writes or list(calls)
    return name_of(_phrase(writes[-1].function.name), taken, "turn")


def _phrase(function: str) -> str:
    return PHRASES.get(function, name_of(function, otherwise="tool"))


def _item_names(calls: Sequence[Reference]) -> dict[str, str]:
    """The items' names by the calls' meaning: what is done, and to what where that tells apart."""
    distinct = {call.meaning: call for call in calls}
    names: dict[str, str] = {}
    for meaning, call in distinct.items():
        name = third_person(_phrase(call.function.name))
        same = [each for each in distinct.values() if each.function.name == call.function.name]
        if len(same) > 1:
            suffix = _suffix(call, same)
            name = f"{name}_{suffix}" if suffix else name
        names[meaning] = name_of(name, [*names.values(), *OWN])
    return names


def _suffix(call: Reference, same: Sequence[Reference]) -> str:
    """The first short argument that not all calls of the function share."""
    for key, value in call.arguments.items():
        differs = any(not _same(each.arguments.get(key), value) for each in same)
        text = str(value)
        if differs and isinstance(value, str | int) and len(text) <= LONGEST_SUFFIX:
            return text if re.search(r"\w", text) else ""
    return ""


# --- recordings -------------------------------------------------------------------------------


def acting_steps(calls: Sequence[Reference], turn: int) -> tuple[Step, ...]:
    """A step for each call, and a reply: BFCL runs its ground truth call by call."""
    steps = [Step(calls=(_call(call, f"t{turn}c{number}"),)) for number, call in enumerate(calls)]
    return (*steps, Step(reply=CLOSING))


def _call(call: Reference, id: str) -> Call:
    arguments = dict(call.arguments)
    return Call(id, call.function.name, arguments, json.dumps(arguments, ensure_ascii=False))
