"""Sentences on what the agent does, and whether one required write is what they say.

`Agent books a trip from JFK to SEA with flights HAT136 and HAT039 for $255` is decided by the item
of a write that has all of it in its arguments. A claim too many hides a criterion, so a sentence
with anything that could say more (a condition, a number in words, a value of another choice) is
left to a judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from cm2.formats.criteria import Action
from cm2.importers.actions import Toolbox
from cm2.importers.questions import OUGHT, PLAIN, SUBJECT, sentences, statement

CODE = re.compile(r"\b(?=\w*[A-Z])(?=\w*\d)\w+\b|\b[A-Z]{3,}\b|\b\w+_\d+\b")
QUOTED = re.compile(r"(?<!\w)(['\"])(.+?)\1(?!\w)")
FIGURE = re.compile(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?(?![\w-])")
ISO = re.compile(r"\b\d{4}-\d\d-\d\d\b")
DAY = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december)"
    r"\s+\d+(?:st|nd|rd|th)?\b",
    re.IGNORECASE,
)
NAMED = re.compile(r"(?<=[^.!?] )[A-Z][a-z]+\b")
NOTHING = re.compile(r"\bno\s+(\w+)", re.IGNORECASE)
# What says more than the arguments of one call can: how many calls, when, whether, at what cost.
MORE = re.compile(
    r"\b(?:one(?!-)|two|three|four|five|six|seven|eight|nine|ten|half|once|twice|all|both|each|every|"
    r"only|any|others?|same|free|also|or|if|unless|until|after|before|when|while|instead|then|"
    r"first)\b",
    re.IGNORECASE,
)
PAYS = ("charge", "pay", "use", "uses")
SYNONYMS = {
    "book": ("make", "reserve"),
    "create": ("add", "make", "open"),
    "exchange": ("swap",),
    "modify": ("change", "switch", "update"),
    "place": ("put",),
    "renew": ("extend",),
    "send": ("give", "issue"),
    "update": ("add", "change", "downgrade", "modify", "move", "set", "switch", "upgrade"),
}
"""What else people call what a tool does, by the first word of its name."""

CARRIES_OUT = ("complete", "do", "make", "perform", "place", "process")
"""Verbs that leave it to their object to say what is done."""


def deciding(assertion: str, writes: Mapping[str, Action], tools: Toolbox) -> list[str]:
    """The item of the one required write that does what an assertion says, if there is one."""
    said = statement(assertion)
    subject = SUBJECT.match(said)
    if subject is None or subject[1].lower() != "agent" or sentences(assertion) > 1:
        return []
    deed = OUGHT.sub("", said[subject.end() :]).rstrip(".")
    if MORE.search(deed):
        return []
    named = bool(CODE.search(deed) or QUOTED.search(deed) or re.search(r"\d{3}", deed))
    if named:
        found = [name for name, action in writes.items() if _has_all_of(deed, action, tools)]
        return found if len(found) == 1 else []
    return [name for name in writes if len(writes) == 1 and _is_named_in(deed, writes[name])]


def _has_all_of(deed: str, action: Action, tools: Toolbox) -> bool:
    """Whether an action is done by the verb, and has every name, number and choice that is said."""
    values = values_of(action)
    known = {word for text in values for word in words_of(text)}
    return (
        _is_verb_of(deed, action)
        and set(CODE.findall(ISO.sub("", deed))) | set(ISO.findall(deed)) <= values
        and {text.lower() for _, text in QUOTED.findall(deed)} <= {v.lower() for v in values}
        and all(set(words_of(day)) <= known for day in DAY.findall(deed))
        and {name.lower() for name in NAMED.findall(DAY.sub("", deed))} <= known
        and _figures(DAY.sub("", ISO.sub("", deed))) <= _numbers(action)
        and all(_is_nothing(what, action) for what in NOTHING.findall(deed))
        and not _another_choice(deed, action, tools)
    )


def _is_named_in(deed: str, action: Action) -> bool:
    """Whether the words of a deed are those of the action's tool: `process the exchange`."""
    stems = [stem(word) for word in re.findall(r"\w+", deed.lower()) if word not in PLAIN]
    tool = [stem(word) for word in action.tool.split("_")]
    rest = [word for word in stems if word not in {stem(verb) for verb in CARRIES_OUT}]
    return tool[0] in rest and set(rest) <= set(tool)


def _is_verb_of(deed: str, action: Action) -> bool:
    """Whether the deed's verb is what the action's tool does, or pays for it."""
    words = [word for word in re.findall(r"\w+", deed.lower()) if not word.endswith("ly")]
    verb = stem(words[0]) if words else ""
    first = action.tool.split("_")[0].lower()
    if verb in {stem(each) for each in (first, *SYNONYMS.get(first, ()))}:
        return True
    pays = verb in {stem(each) for each in PAYS}
    return pays and any("payment" in key for key in keys_of(action.arguments))


def _figures(text: str) -> set[Decimal]:
    return {Decimal(found.replace(",", "")) for found in FIGURE.findall(CODE.sub("", text))}


def _numbers(action: Action) -> set[Decimal]:
    numbers = [value for value in _scalars(action.arguments) if not isinstance(value, bool)]
    texts = [str(each) for each in numbers if isinstance(each, int | float | str)]
    return {Decimal(text) for text in texts if re.fullmatch(r"\d{1,15}(?:\.\d{1,9})?", text)}


def _is_nothing(what: str, action: Action) -> bool:
    """Whether an argument of that name says that there is none: `insurance == "no"`."""
    return any(
        stem(what.lower()) == stem(key.lower()) and value in ("no", "none", False, 0)
        for key, value in action.arguments.items()
        if isinstance(value, str | bool | int)
    )


def _another_choice(deed: str, action: Action, tools: Toolbox) -> bool:
    """Whether the deed names a value that the tool may be given, and this action is not."""
    left = _phrase(deed)
    for value in sorted(values_of(action), key=len, reverse=True):
        left = re.sub(rf"\b{re.escape(_phrase(value))}\b", " ", left) if value else left
    return any(
        re.search(rf"\b{re.escape(_phrase(choice))}\b", left)
        for choice in _choices(tools.schema(action))
        if choice != "no"  # _is_nothing looks at that
    )


def _phrase(text: str) -> str:
    return re.sub(r"[_-]", " ", text.lower())


def _choices(schema: Any) -> set[str]:
    """The strings of every `enum` in a schema."""
    if isinstance(schema, list):
        return {choice for each in schema for choice in _choices(each)}
    if not isinstance(schema, Mapping):
        return set()
    listed = schema.get("enum")
    own = {each for each in listed if isinstance(each, str)} if isinstance(listed, list) else set()
    return own | {choice for each in schema.values() for choice in _choices(each)}


# --- words and values -------------------------------------------------------------------------


def words_of(text: str) -> list[str]:
    """The words of a text; those of a date as they are, and as people write it (`May 2 2024`)."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return [word.rstrip(".-") for word in re.findall(r"[^\W_][\w.-]*", text.lower())]
    return [text, *day.strftime("%B %b %d %Y").lower().split(), str(day.day)]


def stem(word: str) -> str:
    """A verb or a noun without its ending, as far as that tells `cancelled` from `booked`."""
    found = re.sub(r"(?:es|s|ed|e|ing)$", "", re.sub(r"ie[sd]$", "y", word))
    return re.sub(r"([^aeiou])\1$", r"\1", found) if len(found) > 2 else word


def keys_of(value: Any) -> list[str]:
    """The names of all arguments, at any depth."""
    if isinstance(value, Mapping):
        return [*value, *(key for inner in value.values() for key in keys_of(inner))]
    return [key for inner in value for key in keys_of(inner)] if isinstance(value, list) else []


def values_of(action: Action) -> set[str]:
    """The values of all arguments, at any depth, as text."""
    return {str(value) for value in _scalars(action.arguments)}


def _scalars(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [each for inner in value.values() for each in _scalars(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in _scalars(inner)]
    return [value]
