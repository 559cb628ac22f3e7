"""An entry of BFCL's multi-turn questions with its ground truth and the functions it may call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cm2.formats.bfcl_calls import CallError, parse_call
from cm2.formats.source import Found
from cm2.importers.bfcl_effects import BACKENDS
from cm2.importers.bfcl_functions import Function, arguments_of, read_functions
from cm2.importers.bfcl_turns import Reference
from cm2dsl.names import name_of

MORE_FUNCTIONS = "I have updated some more functions you can choose from. What about now?"
"""What BFCL's user says at the turn where functions that were held back are added."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A task of the benchmark. `held` are the functions that appear at a turn, by turn."""

    id: str
    category: str
    users: tuple[str, ...]
    calls: tuple[tuple[Reference, ...], ...]
    held: dict[int, tuple[str, ...]]
    classes: tuple[str, ...]
    excluded: tuple[str, ...]
    functions: tuple[Function, ...]
    has_state: bool

    def missing(self, turn: int) -> tuple[str, ...]:
        """The functions that the agent does not have yet at a turn."""
        return tuple(name for at in sorted(self.held) if at > turn for name in self.held[at])


class Library:
    """The function documents, read when a class is first used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, list[Function]] = {}

    def functions(self, owner: Found) -> list[Function]:
        name = owner.filled()
        if name not in self._read:
            known = BACKENDS.get(name)
            path = self.folder / (known.documents if known else f"{name_of(name)}.json")
            if not path.is_file():
                help = f"put its function documents into `{self.folder}`"
                raise owner.fault(f"there is no `{path.name}` for the class `{name}`", help)
            self._read[name] = read_functions(path, name)
        return self._read[name]


def read_entry(found: Found, answers: dict[str, Found], library: Library) -> Entry:
    """An entry of a question file; `answers` are the ground truths by id. Raises SourceFault."""
    id = found["id"].filled()
    if id not in answers:
        help = "add a line for it to the file of the same name with the answers"
        raise found["id"].fault(f"there is no ground truth for `{id}`", help)
    functions: dict[str, Function] = {}
    for owner in found["involved_classes"].items():
        for function in library.functions(owner):
            if function.name in functions:
                message = f"`{function.name}` is documented for two of the classes"
                raise owner.fault(message, "keep one of the two documents")
            functions[function.name] = function
    held = _held(found.get("missed_function"), functions)
    questions = list(found["question"].items())
    truth = list(answers[id].items())
    if len(truth) != len(questions):
        message = f"{len(truth)} turns, and the question has {len(questions)}"
        raise answers[id].fault(message, "give a list of calls for each turn of the question")
    calls = tuple(tuple(_calls(each, functions)) for each in truth)
    # An entry may exclude what its classes do not have, or what its own ground truth calls.
    called = {call.function.name for turn in calls for call in turn}
    wanted = found.get("excluded_function")
    excluded = sorted(set(wanted.texts() if wanted else ()) & functions.keys() - called)
    for name in excluded:
        del functions[name]
    return Entry(
        id=id,
        category=id.rpartition("_")[0],
        users=tuple(_user(each, number in held) for number, each in enumerate(questions)),
        calls=calls,
        held=held,
        classes=tuple(sorted(set(found["involved_classes"].texts()), key=_class_order)),
        excluded=tuple(excluded),
        functions=tuple(functions.values()),
        has_state=bool(found.get("initial_config")),
    )


def _class_order(name: str) -> tuple[int, str]:
    order = list(BACKENDS)
    return (order.index(name) if name in order else len(order), name)


def _held(found: Found | None, functions: dict[str, Function]) -> dict[int, tuple[str, ...]]:
    held: dict[int, tuple[str, ...]] = {}
    for key, names in found.members() if found else ():
        if not (key.isascii() and key.isdigit()):
            raise names.fault(f"`{key}` is no turn", "write the turn's number, from 0")
        for each in names.items():
            if each.text() not in functions:
                help = "name a function that the documents of the classes describe"
                raise each.fault(f"there is no function `{each.text()}`", help)
        held[int(key)] = tuple(dict.fromkeys(names.texts()))
    return held


def _user(turn: Found, adds_functions: bool) -> str:
    """What the user says; BFCL leaves the turn empty where held functions are added."""
    messages = list(turn.items())
    if not messages and adds_functions:
        return MORE_FUNCTIONS
    if not messages:
        raise turn.fault(
            "the turn has no message", "only a turn of `missed_function` may have none"
        )
    for message in messages:
        if message["role"].text() != "user":
            raise message["role"].wrong("`user`: a turn holds what the user says")
    return "\n\n".join(message["content"].filled().strip() for message in messages)


def _calls(turn: Found, functions: dict[str, Function]) -> Iterator[Reference]:
    for found in turn.items():
        try:
            call = parse_call(found.text())
            if call.function not in functions:
                help = "the ground truth may call what the entry's classes document"
                raise CallError(f"the agent has no function `{call.function}`", help)
            function = functions[call.function]
            yield Reference(function, arguments_of(call, function))
        except CallError as error:
            raise found.fault(error.message, error.help) from None
