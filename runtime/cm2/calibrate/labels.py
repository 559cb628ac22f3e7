"""People's verdicts on items of dialogues, read strictly from JSON Lines.

    {"id": "d17", "item": "search.presents", "verdict": "pass", "labeller": "ada", "reason": "…"}

`item` is the full name, as in the rows of `cm2 score` (task scope: `dialogue.polite`). `task` may
say which task the dialogue is of, where two have a dialogue of one id. `evidence` and `step`, which
the engine `replay` reads, are nothing to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2dsl.diagnostic import suggest
from cm2dsl.fields import shown
from cm2dsl.jsonl import JsonError, lines, parse

TEXTS = ("id", "item", "labeller", "task", "reason")
KEYS = (*TEXTS, "verdict", "evidence", "step")
VERDICTS = ("pass", "fail")


class LabelError(Exception):
    """A label that says nothing: where, what is wrong (`message`), what to do (`help`)."""

    def __init__(self, place: str, message: str, help: str) -> None:
        super().__init__(f"{place}: {message}; {help}")
        self.place = place
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Label:
    """One person's verdict on one item of one dialogue; `place` is its file and line."""

    place: str
    id: str
    item: str
    passed: bool
    labeller: str = ""
    task: str = ""
    reason: str = ""

    def error(self, message: str, help: str) -> LabelError:
        return LabelError(self.place, message, help)


def read_labels(path: Path) -> list[Label]:
    """The labels of a file, in its order. Raises LabelError at the first wrong one, and OSError.

    Nobody labels an item of a dialogue twice.
    """
    found: list[Label] = []
    known: dict[tuple[str, str, str, str], Label] = {}
    with path.open("rb") as file:
        for number, line in lines(file):
            place = f"{path}:{number}"
            try:
                label = _label(place, parse(line))
            except JsonError as error:
                raise LabelError(place, error.message, error.help) from None
            key = (label.task, label.id, label.item, label.labeller)
            if key in known:
                whose = f"`{label.labeller}` labels" if label.labeller else "this labels"
                message = f"{whose} `{label.item}` of dialogue `{label.id}` again"
                help = f"the other is at {known[key].place}; name the labellers, or keep one"
                raise label.error(message, help)
            known[key] = label
            found.append(label)
    if not found:
        raise LabelError(str(path), "there is no label", 'write {"id": …, "item": …, "verdict": …}')
    return found


def _label(place: str, value: Any) -> Label:
    if not isinstance(value, dict):
        raise LabelError(place, f"found {shown(value)}", "expected an object")
    for key in value:
        if key not in KEYS:
            raise LabelError(place, f"there is no `{key}` in a label", suggest(key, KEYS))
    verdict = value.get("verdict")
    if verdict not in VERDICTS:
        help = "a person says `pass` or `fail`; who cannot say leaves the item out"
        raise LabelError(place, f"`verdict` is {shown(verdict)}", help)
    texts = {key: _text(place, value, key) for key in TEXTS}
    for key in ("id", "item"):
        if not texts[key]:
            raise LabelError(place, f"`{key}` is missing", _NEEDED[key])
    return Label(place, passed=verdict == "pass", **texts)


_NEEDED = {
    "id": "it is the id of the dialogue",
    "item": "it is the item's full name, such as `search.presents`",
}


def _text(place: str, value: dict[str, Any], key: str) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if key == "id" and isinstance(text, int) and not isinstance(text, bool):
        return str(text)
    if not isinstance(text, str):
        raise LabelError(place, f"`{key}` is {shown(text)}", "expected a string")
    return text


def labellers(labels: Sequence[Label]) -> list[str]:
    """Who labelled, in the order in which they come."""
    return list(dict.fromkeys(label.labeller for label in labels))
