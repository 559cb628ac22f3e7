"""Scripted desks of mixed quality, talking to the spec's own backend.

`good` keeps the policy. `broken` breaks the rule that matters: it cancels or changes a basic fare
and refuses a flex one, books a full flight and calls a free one sold out, invents a flight or hides
one. `wrong` copies a code or a date wrongly. `vague` does the right thing and ends badly.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from phrases import REPLIES
from rows import Row, iso, say_day


class Dialogue:
    """Messages in OpenAI chat form; `call` runs the backend and returns its answer."""

    def __init__(self, backend: ModuleType, row: Row, rng: random.Random) -> None:
        self.messages: list[dict[str, Any]] = []
        self.row = row
        self.rng = rng
        self._backend = backend
        self._state = backend.initial(row)
        self._calls = 0

    def user(self, text: str) -> None:
        self.messages.append({"role": "user", "content": text})

    def call(self, tool: str, *, said: str | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a tool; `said` is what the same message says before the result is in."""
        self._calls += 1
        call_id = f"c{self._calls}"
        function = {"name": tool, "arguments": json.dumps(arguments, ensure_ascii=False)}
        asked = {"id": call_id, "type": "function", "function": function}
        try:
            answer = getattr(self._backend, tool)(self._state, **arguments)
        except ValueError as error:
            answer = {"error": str(error)}
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        self.messages.append({"role": "assistant", "content": said, "tool_calls": [asked]})
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        result: dict[str, Any] = json.loads(text)
        return result

    def reply(self, kind: str, values: Mapping[str, Any] | None = None) -> None:
        self.say(self.phrase(kind, values))

    def phrase(self, kind: str, values: Mapping[str, Any] | None = None) -> str:
        text = self.rng.choice(REPLIES[kind][self.row["lang"]])
        return text.format(**{**self.row, **(values or {})})

    def say(self, text: str) -> None:
        self.messages.append({"role": "assistant", "content": text})


def talk(family: str, quality: str, dialogue: Dialogue) -> None:
    """Let an agent of that quality handle the row's request."""
    if family == "search":
        search(quality, dialogue)
    elif family == "book":
        book(quality, dialogue)
    else:
        serve(family, quality, dialogue)


def search(quality: str, dialogue: Dialogue) -> None:
    row = dialogue.row
    dialogue.user(row["opening"])
    date = misread(row["date"], dialogue.rng) if quality == "wrong" else row["date"]
    found = dialogue.call(
        "search", origin=row["origin"], destination=row["destination"], date=date
    )["flights"]
    if quality == "vague":
        dialogue.reply("vague")
    elif quality == "broken" and found:
        dialogue.reply("none")
    elif quality == "broken":
        dialogue.reply("found")
    elif found:
        dialogue.reply("found", found[0])
    else:
        day = tuple(int(part) for part in date.split("-"))
        dialogue.reply("none", {"day": say_day((day[0], day[1]), row["lang"])})


def book(quality: str, dialogue: Dialogue) -> None:
    row = dialogue.row
    search("wrong" if quality == "wrong" else "good", dialogue)
    dialogue.user(row["followup"])
    if quality == "wrong":
        dialogue.reply("none")
        return
    if (row["seats"] > 0) == (quality != "broken"):
        booked = dialogue.call("book", flight=row["flight"], date=row["date"], fare=row["fare"])
        values = {"code": booked["booking"], "total": booked["total"]}
        dialogue.reply("vague" if quality == "vague" else "booked", values)
    else:
        dialogue.reply("vague" if quality == "vague" else "full")


def serve(family: str, quality: str, dialogue: Dialogue) -> None:
    """Change or cancel a booking."""
    row = dialogue.row
    dialogue.user(row["opening"])
    booking = misread(row["booking"], dialogue.rng) if quality == "wrong" else row["booking"]
    held = dialogue.call("lookup", booking=booking)
    if "error" in held:
        dialogue.reply("unknown", {"booking": booking})
    elif (held["fare"] == "flex") == (quality != "broken"):
        if family == "change":
            done = dialogue.call("change", booking=booking, date=row["new_date"])
        else:
            done = dialogue.call("cancel", booking=booking)
        kind = "changed" if family == "change" else "cancelled"
        dialogue.reply("vague" if quality == "vague" else kind, done)
    else:
        kind = "unchangeable" if family == "change" else "uncancellable"
        dialogue.reply("vague" if quality == "vague" else kind)


def misread(text: str, rng: random.Random) -> str:
    """The code or date with one of its digits or letters read wrongly."""
    if "-" in text:
        month, number = (int(part) for part in text.split("-"))
        return iso((month, rng.choice([day for day in range(10, 30) if day != number])))
    at = rng.randrange(1, len(text))
    wrong = rng.choice(
        [letter for letter in "ABCDEFGHJKMNPQRSTUVWXYZ23456789" if letter not in text]
    )
    return text[:at] + wrong + text[at + 1 :]
