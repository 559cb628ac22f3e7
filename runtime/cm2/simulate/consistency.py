"""Whether an answer contradicts what the same world has shown before: pure, and told to err gently.

A *fact* is a value in a record of a known object (`identity.py`), or in the answer to a very call.
Facts hold until a write. What may change with a write are the objects that it names in its
arguments, those that their records and its result name, and those whose records hold one of them;
a write that names nothing may change anything. Facts of two calls are compared unless an argument
that both have differs: a flight costs something else on another day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cm2.simulate.backend import Asked, Event
from cm2.simulate.identity import Identity, Scalar, identity, leaves, names_of, plain
from cm2.simulate.llm_state import failed, may_have_written, reached
from cm2dsl.jsonl import JsonError, parse

Path = tuple[str, ...]

PASSING = frozenset(
    {
        *("timestamp", "now", "as_of", "updated_at", "last_updated", "retrieved_at", "checked_at"),
        *("queried_at", "generated_at", "server_time", "request_id", "trace_id", "session_id"),
    }
)
"""Keys of what is another each time, and no fact."""

_SHOWN = 60
"""Letters of a value or of a call's arguments in a message."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one answer says of one object. `holds` are the names of the objects inside it."""

    identity: Identity
    facts: Mapping[Path, Scalar]
    holds: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """What names its object."""
        return frozenset(name for _, name in self.identity)


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer: its records, and what it says apart from them.

    `lists` are the names of the objects in each list. `outcome` is whether it was an error.
    """

    tool: str
    key: str
    arguments: Mapping[str, str]
    outcome: bool
    records: tuple[Record, ...]
    facts: Mapping[Path, Scalar]
    lists: Mapping[Path, frozenset[str]]

    @property
    def call(self) -> str:
        """The call as a message shows it."""
        return f"{self.tool}({_short(self.key)})"

    @property
    def names(self) -> frozenset[str]:
        """The names of all objects in it."""
        return frozenset(name for each in self.records for name in each.names | each.holds)


@dataclass(slots=True)
class _Known:
    """What holds. `whole` says whether all that a call answered holds, or its records alone."""

    shown: Shown
    records: list[Record]
    whole: bool = True
    changed: set[str] = field(default_factory=set)


def contradiction(history: Sequence[Event], asked: Asked, text: str, error: bool) -> str | None:
    """How an answer to `asked` contradicts what was shown in `history`; None where it does not."""
    known: list[_Known] = []
    for event in reached(history):
        shown = show(event.tool, event.key, event.arguments or {}, event.answer.text, failed(event))
        if may_have_written(event):
            known = _after_write(known, shown, event.arguments or {})
        known = [*_superseded(known, shown), _Known(shown, list(shown.records))]
    new = show(asked.tool, asked.key, asked.arguments, text, error)
    writes = asked.effect in ("write", None) and not error
    if writes:
        known = _after_write(known, new, asked.arguments)
    else:
        said = _misnamed(asked, text) if not error else None
        if said is not None:
            return said
    for one in reversed(known):
        said = (None if writes else _of_call(one, new)) or _of_records(one, new)
        if said is not None:
            return said
    return None


def show(tool: str, key: str, arguments: Mapping[str, Any], text: str, error: bool) -> Shown:
    """What an answer shows. An error shows no facts, nor does a text that is no JSON."""
    try:
        value = None if error else parse(text)
    except JsonError:
        value = None
    asked = frozenset(names_of(arguments))
    found = list(_records(value, tool, asked))
    records: dict[Identity, Record | None] = {}
    for one in found:  # a name that stands for two things in one answer is no name
        same = records.get(one.identity, one)
        records[one.identity] = one if same is not None and same.facts == one.facts else None
    given = {name: plain(value) for name, value in leaves(arguments)}
    kept = tuple(one for one in records.values() if one is not None)
    facts = dict(_facts(value)) if isinstance(value, Mapping) else {}
    return Shown(tool, key, given, error, kept, facts, dict(_lists(value)))


def _records(value: Any, kind: str, asked: frozenset[str]) -> Iterator[Record]:
    if isinstance(value, list):
        for one in value:
            yield from _records(one, kind, asked)
    elif isinstance(value, Mapping):
        inside = [r for key, one in value.items() for r in _records(one, key, asked)]
        yield from inside
        name = identity(value, kind, asked)
        if name:
            holds = frozenset(name for record in inside for name in record.names)
            yield Record(name, dict(_facts(value)), holds)


def _facts(record: Mapping[str, Any], before: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    """The values of a record, and of the records inside it that are of no object of their own."""
    for key, value in record.items():
        path = (*before, key)
        if isinstance(value, Mapping):
            if not identity(value, key):
                yield from _facts(value, path)
        elif not isinstance(value, list) and key.lower() not in PASSING:
            yield path, value


def _lists(value: Any, path: Path = ()) -> Iterator[tuple[Path, frozenset[str]]]:
    """The names of the objects in every list, where all that is in it has one."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _lists(one, (*path, key))
    elif isinstance(value, list):
        names = [
            identity(one, path[-1] if path else "") for one in value if isinstance(one, Mapping)
        ]
        if len(names) == len(value) and all(names):
            yield path, frozenset(name for one in names for _, name in one)


def _after_write(
    known: Sequence[_Known], wrote: Shown, arguments: Mapping[str, Any]
) -> list[_Known]:
    """What still holds after a write."""
    named = set(names_of(arguments))
    if not named:
        return []
    named |= wrote.names
    linked = set(named)
    for one in known:
        for record in one.records:
            if record.names & named:
                linked |= record.names | record.holds | _links(record)
    kept: list[_Known] = []
    for one in known:
        one.records = [
            record
            for record in one.records
            if not (record.names & linked or record.holds & named or _links(record) & named)
        ]
        one.changed |= linked
        if {*one.shown.arguments.values()} & linked:
            one.whole = False
            one.changed |= one.shown.names
        elif one.shown.names & named:
            one.whole = False
        if one.records or one.whole or not one.shown.names <= one.changed:
            kept.append(one)
    return kept


def _superseded(known: Sequence[_Known], new: Shown) -> list[_Known]:
    """What holds beside a newer answer, which holds where the two are not of one mind."""
    newer = {record.identity: record for record in new.records}
    kept = []
    for one in known:
        if (one.shown.tool, one.shown.key) == (new.tool, new.key):
            continue
        one.records = [
            record
            if record.identity not in newer
            else replace(record, facts=_agreed(record.facts, newer[record.identity].facts))
            for record in one.records
        ]
        kept.append(one)
    return kept


def _agreed(old: Mapping[Path, Scalar], new: Mapping[Path, Scalar]) -> Mapping[Path, Scalar]:
    return {
        path: value for path, value in old.items() if plain(new.get(path, value)) == plain(value)
    }


def _links(record: Record) -> set[str]:
    """The names of other objects among a record's facts."""
    return {name for path, value in record.facts.items() for name in names_of({path[-1]: value})}


def _of_call(known: _Known, new: Shown) -> str | None:
    """What is wrong with another answer to the same call."""
    old = known.shown
    if (old.tool, old.key) != (new.tool, new.key) or {*old.arguments.values()} & known.changed:
        return None
    if known.whole and old.outcome != new.outcome:
        was, now = ("an error", "a result") if old.outcome else ("a result", "an error")
        return f"{old.call} was answered with {was} before, and now with {now}"
    if old.outcome or new.outcome:
        return None
    for path in old.lists.keys() & new.lists.keys():
        for names, what in (
            (old.lists[path] - new.lists[path], "is missing"),
            (new.lists[path] - old.lists[path], "is new"),
        ):
            names -= known.changed
            if names:
                where = ".".join(path) or "the list"
                return f"{old.call}: `{min(names)}` {what} in `{where}`, and no write named it"
    return _differ(old.facts, new.facts, f"{old.call}:") if known.whole else None


def _of_records(known: _Known, new: Shown) -> str | None:
    old = known.shown
    shared = old.arguments.keys() & new.arguments.keys()
    if any(old.arguments[name] != new.arguments[name] for name in shared):
        return None
    new_records = {record.identity: record for record in new.records}
    for record in known.records:
        same = new_records.get(record.identity)
        if same is not None:
            named = " ".join(sorted(record.names))
            said = _differ(record.facts, same.facts, f"{old.call} showed of `{named}` that")
            if said is not None:
                return said
    return None


def _differ(old: Mapping[Path, Scalar], new: Mapping[Path, Scalar], start: str) -> str | None:
    for path, value in old.items():
        if path in new and plain(value) != plain(new[path]):
            where = ".".join(path)
            was, now = _short(value), _short(new[path])
            return f"{start} `{where}` is `{was}`, and now it is `{now}` without a write"
    return None


def _misnamed(asked: Asked, text: str) -> str | None:
    """Where a result is of another object than was asked for."""
    try:
        value = parse(text)
    except JsonError:
        return None
    if not isinstance(value, Mapping):
        return None
    names = {*names_of(asked.arguments)}
    for key, given in asked.arguments.items():
        said = value.get(key)
        if not (isinstance(given, str | int) and isinstance(said, str | int)):
            continue
        if plain(given) in names and plain(said) != plain(given):
            return f"`{key}` is `{_short(given)}` in the call, and `{_short(said)}` in its result"
    return None


def _short(value: Scalar) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
