"""A golden call of ToolTalk as an item: what must be equal, and what only be to the point.

What a check wants of an argument:

    free text          its key words (tooltalk_words.py); a judge is asked about whole messages
    a point in time    of an action: itself; its day, where it is a day's first or last second
                       of a look-up: its day, because ToolTalk counts any range that finds the same
    a list of texts    the same elements, in any order
    all else           itself
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm2.importers.tooltalk_apis import Effect, api_of
from cm2.importers.tooltalk_words import Groups, found_in, pattern, prose_words, title_words
from cm2.importers.tooltalk_words import topic_words as topic
from cm2dsl.draft import syntax
from cm2dsl.draft.spec import Item, Template, Use
from cm2dsl.names import name_of

SESSION = "session_token"

# Arguments in the agent's own words. What else an API calls `name` or `location` is exact.
PROSE = frozenset({"body", "description", "message", "new_description"})
WORDS: Mapping[str, Callable[[str], Groups]] = {
    **dict.fromkeys(PROSE, prose_words),
    "query": topic,
    "subject": topic,
    "task": title_words,
}
EVENT_TITLES = frozenset({"name", "location", "new_name", "new_location"})

TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)\Z")
EDGES = ("00:00:00", "23:59:59")

JUDGED_FROM = 4
"""Words from which on a message says enough for a judge to be asked about it."""

LONGEST_NAME = 40

OWN = ("acts", "does_more")
"""What a turn's items are called that are of no call."""


SAYS = Template(
    "says",
    ("tool", "argument", "text"),
    Item(
        "says",
        focus="tool_call",
        ask="Does a {tool} call say in its `{argument}`, in whatever words, what this says? {text}",
        passes=("Says the same to the same person, in words of its own or in these",),
        fails=("Leaves out a fact, adds or changes one, or is meant for somebody else",),
    ),
)


@dataclass(frozen=True, slots=True)
class Golden:
    """A call of the golden conversation; `exception` is the error that it is expected to end in."""

    api: str
    parameters: Mapping[str, Any]
    response: Any
    exception: str | None

    @property
    def effect(self) -> Effect:
        return api_of(self.api).effect

    @property
    def acts(self) -> bool:
        """Whether the call changes something."""
        return self.effect == "write" and self.exception is None


@dataclass(frozen=True, slots=True)
class _Want:
    """A constraint on one argument, as text, and as a function of the argument's value."""

    key: str
    text: str
    holds: Callable[[Any], bool]


def items_of(calls: Sequence[Golden]) -> tuple[list[Item | Use], list[str]]:
    """The items for the golden calls of one turn, and the names of those that checks decide.

    Calls that the same pattern finds share an item, which wants them all.
    """
    found: list[Item | Use] = []
    checked: list[str] = []
    wanted = [_wants(call) for call in calls]
    texts = [tuple(want.text for want in wants) for wants in wanted]
    slots = [
        (call.api, call.exception is None, text) for call, text in zip(calls, texts, strict=True)
    ]
    first = [i for i, slot in enumerate(slots) if slots.index(slot) == i]
    names = _names([calls[i] for i in first])
    for i, name in zip(first, names, strict=True):
        call = calls[i]
        times = sum(_meets(other, call, wanted[i]) for other in calls)
        found.append(_item(name, call, texts[i], times))
        checked.append(name)
        found += _judged(name, call, [*names, *(each.name for each in found)])
    return found, checked


def _item(name: str, call: Golden, constraints: Sequence[str], times: int) -> Item:
    word = "called" if call.exception is None else "failed"
    bracketed = f"({', '.join(constraints)})" if constraints else ""
    check = f"{word} {syntax.tool(call.api)}{bracketed}"
    if times > 1:
        check += f" at_least {times} times"
    note = "" if call.exception is None else f"This call is expected to fail: {call.exception}"
    return Item(name, check=check, note=note)


def _meets(other: Golden, call: Golden, wants: Sequence[_Want]) -> bool:
    """Whether the pattern of `call` finds `other`: a call that fails is a call too."""
    same = other.api == call.api and (call.exception is None or other.exception is not None)
    return same and all(
        want.key in other.parameters and want.holds(other.parameters[want.key]) for want in wants
    )


def _judged(name: str, call: Golden, taken: Sequence[str]) -> Iterable[Use]:
    """What a judge is asked of the call's messages: `sends_email_body`."""
    for key, value in call.parameters.items():
        if key in PROSE and isinstance(value, str) and len(value.split()) >= JUDGED_FROM:
            arguments = (syntax.quoted(call.api), syntax.quoted(key), syntax.quoted(value))
            yield Use(SAYS.name, arguments, name_of(f"{name}_{key}", taken), after=(name,))


# --- constraints ------------------------------------------------------------------------------


def _wants(call: Golden) -> list[_Want]:
    """The constraints of a call, the session last: it is the same everywhere."""
    keys = sorted(call.parameters, key=lambda key: key == SESSION)
    return [want for key in keys for want in _want(call, key, call.parameters[key])]


def _want(call: Golden, key: str, value: Any) -> list[_Want]:
    path = syntax.path([key])
    if isinstance(value, str):
        groups = _words_of(call, key)(value)
        if groups:
            return [_looks_for(key, path, group) for group in groups]
        time = TIME.match(value)
        if time and (call.effect == "read" or time[2] in EDGES):
            return [_on_day(key, path, time[1])]
    if _is_texts(value) and len(value) > 1:
        end = f"not {syntax.path([key, len(value)])} exists"
        parts = [f"{path} contains {syntax.value(each)}" for each in value]
        return [_Want(key, text, lambda other: _same_set(other, value)) for text in [*parts, end]]
    return [
        _Want(key, text, lambda other: json.dumps(other) == json.dumps(value))
        for text in syntax.equal([key], value)
    ]


def _words_of(call: Golden, key: str) -> Callable[[str], Groups]:
    if key in EVENT_TITLES and "Event" in call.api:
        return title_words
    return WORDS.get(key, lambda _: [])


def _looks_for(key: str, path: str, group: list[str]) -> _Want:
    def holds(other: Any) -> bool:
        return isinstance(other, str) and found_in([group], other)

    return _Want(key, f"{path} ~ {pattern(group)}", holds)


def _on_day(key: str, path: str, day: str) -> _Want:
    def holds(other: Any) -> bool:
        return isinstance(other, str) and bool(TIME.match(other)) and other.startswith(day)

    return _Want(key, f"{path} ~ /^{day} [\\d:]+$/", holds)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and bool(value)


def _same_set(other: Any, value: list[str]) -> bool:
    return _is_texts(other) and Counter(other) == Counter(value)


# --- names ------------------------------------------------------------------------------------


def _names(calls: Sequence[Golden]) -> list[str]:
    """A name for each call: several calls of an API are told apart by an argument."""
    names: list[str] = []
    for call in calls:
        alike = [other for other in calls if other.api == call.api]
        mark = _mark(call, alike) if len(alike) > 1 else ""
        names.append(name_of(f"{api_of(call.api).does} {mark}", [*names, *OWN]))
    return names


def _mark(call: Golden, alike: Sequence[Golden]) -> str:
    """The first short argument of the call that no other call of the same API has."""
    others = [other for other in alike if other is not call]
    for shorten in (_plain, _day, _moment):
        for key, value in call.parameters.items():
            mark = shorten(value)
            if mark and mark not in [shorten(other.parameters.get(key)) for other in others]:
                return mark
    return ""


def _plain(value: Any) -> str:
    """A short text that is no time."""
    text = value[0] if _is_texts(value) and len(value) == 1 else value
    short = isinstance(text, str) and len(text) <= LONGEST_NAME
    return text if short and not TIME.match(text) else ""


def _day(value: Any) -> str:
    time = TIME.match(value) if isinstance(value, str) else None
    return time[1] if time else ""


def _moment(value: Any) -> str:
    return value if isinstance(value, str) and TIME.match(value) else ""
