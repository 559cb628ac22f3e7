"""Specs with known faults: a right one is written, and one to five of its lines are spoilt.

Each fault is on a line of its own and of another kind than the others of its file, so how many
there are, and where, is known.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

TOOLS = ("flight_search", "flight_book", "today")
TEMPLATES = ("grounded", "courteous")
TURNS = ("opening", "choosing", "paying")
WORDS = ("prices", "route", "cargo", "weather", "refund", "baggage", "calendar", "discount")

HEAD = """cm2 1

domain air "Airline"
tools  "tools.json"

template grounded(tool) {
  focus reply
  ask   "Is every fact in the reply found in a {tool} result?"
  fail  "States a price that no result contains"
}

template courteous() {
  check reply contains "please"
}
"""


@dataclass
class Line:
    """A line of a spec, and what can be spoilt in it."""

    text: str
    tags: frozenset[str] = frozenset()


@dataclass
class Faulty:
    """A spec with faults: its text, and for each of them its kind, the lines where a person would
    look, and the word that was meant, where one is misspelt."""

    text: str = ""
    kinds: list[str] = field(default_factory=list)
    places: list[tuple[int, ...]] = field(default_factory=list)
    meant: list[str | None] = field(default_factory=list)


def right(rng: random.Random) -> list[Line]:
    """The lines of a spec without a fault."""
    lines = [Line(text) for text in HEAD.splitlines()]
    lines[6] = Line(lines[6].text, frozenset({"focus"}))
    for number in range(rng.randint(2, 3)):
        lines.append(Line(""))
        lines.append(Line(f'task journey_{number} "A journey" {{', frozenset({"opens"})))
        for turn in TURNS[: rng.randint(1, 3)]:
            lines.append(Line(f"  turn {turn} {{", frozenset({"opens", "turn"})))
            lines.append(Line(f'    user "I would like to know about {turn}"', frozenset({"user"})))
            lines += _items(rng)
            lines.append(Line("  }", frozenset({"closes"})))
        lines.append(Line("}", frozenset({"ends"})))
    return lines


def _items(rng: random.Random) -> Iterator[Line]:
    names = rng.sample(WORDS, rng.randint(4, 6))
    for place, name in enumerate(names):
        after = f" after {names[place - 1]}" if place and rng.random() < 0.5 else ""
        weight = f" weight {rng.randint(1, 3)}" if rng.random() < 0.5 else ""
        tags = {"item"} | ({"after"} if after else set()) | ({"weight"} if weight else set())
        kind = rng.randrange(5)
        head = f"    item {name}{weight}{after} {{ "
        if kind == 0:
            body = 'check called flight_search(cabin == "business", adults == 2)'
            tags |= {"called", "equals", "enum", "brackets", "tool", "argument", "comma"}
        elif kind == 1:
            body = 'ask "Does the reply name a price?" fail "Names none"'
            tags |= {"ask", "string"}
        elif kind == 2:
            body = "check result flight_search has flights[*].price > 100"
            tags |= {"result", "tool", "compare"}
        elif kind == 3:
            body = 'check reply contains "MU5101" or reply matches /MU[0-9]+/'
            tags |= {"or", "string"}
        else:
            yield Line(f"{head.rstrip()}", frozenset({"opens", *tags}))
            yield Line("      focus reply", frozenset({"focus"}))
            yield Line('      ask   "Is the answer complete?"', frozenset({"ask", "string"}))
            yield Line('      fail  "Leaves something out"', frozenset({"string"}))
            yield Line("    }", frozenset({"closes"}))
            continue
        yield Line(f"{head}{body} }}", frozenset({*tags, "one line"}))
    yield Line(f"    use grounded({TOOLS[0]}) as extra", frozenset({"use"}))


def misspelt(word: str, rng: random.Random) -> str:
    """The word with one slip, or two where it is long."""
    text = word
    for _ in range(rng.randint(1, 2) if len(word) >= 7 else 1):
        at = rng.randrange(1, len(text) - 1)
        text = rng.choice(
            [
                text[:at] + text[at + 1 :],
                text[:at] + text[at] + text[at:],
                text[:at] + text[at + 1] + text[at] + text[at + 2 :],
                text[:at] + "x" + text[at + 1 :],
            ]
        )
    return text if text != word else word[:-1] + "x"


Spoil = Callable[[str, random.Random], str]


def _word(*words: str) -> Spoil:
    """One of the words misspelt, the first that is there."""

    def spoil(text: str, rng: random.Random) -> str:
        found = [word for word in words if re.search(rf"\b{word}\b", text)]
        word = rng.choice(found)
        return re.sub(rf"\b{word}\b", misspelt(word, rng), text, count=1)

    return spoil


def _exchange(old: str, *new: str) -> Spoil:
    return lambda text, rng: text.replace(old, rng.choice(new), 1)


SPOILS: dict[str, tuple[str, Spoil]] = {
    # form
    "keyword item": ("item", _word("item")),
    "keyword check": ("called", _word("check", "called")),
    "keyword result": ("result", _word("result", "has")),
    "keyword ask": ("ask", _word("ask")),
    "keyword turn": ("turn", _word("turn")),
    "keyword weight": ("weight", _word("weight")),
    "keyword after": ("after", _word("after")),
    "single equals": ("equals", _exchange(" == ", " = ")),
    "stray sign": ("called", _exchange("check ", "check ! ", "check ; ", "check & ")),
    "full-width brace": ("one line", _exchange("{", "\uff5b")),
    "no bracket": ("brackets", _exchange(") }", " }")),
    "no comma": ("comma", _exchange(", ", " ")),
    "no value": ("compare", _exchange(" > 100", " >")),
    "no name": ("item", lambda text, rng: re.sub(r"item \w+ ", "item ", text, count=1)),
    "no open brace": ("one line", _exchange(" { ", " ")),
    "no closing brace": ("one line", lambda text, rng: text[:-2]),
    "closing brace twice": ("one line", lambda text, rng: text + " }"),
    "no end of a string": ("string", lambda text, rng: _unquoted(text)),
    "full-width quotes": ("ask", lambda text, rng: _curly(text)),
    "word twice": ("called", _exchange("called ", "called called ")),
    "block not closed": ("closes", lambda text, rng: ""),
    # meaning
    "unknown tool": ("tool", _word("flight_search")),
    "unknown argument": ("argument", _word("cabin", "adults")),
    "unknown choice": ("enum", _word("business")),
    "unknown item": (
        "after",
        lambda text, rng: re.sub(
            r"after (\w+)", lambda m: f"after {misspelt(m[1], rng)}", text, count=1
        ),
    ),
    "unknown template": ("use", _word("grounded")),
    "unknown channel": ("focus", _word("reply")),
    "negative weight": ("weight", lambda text, rng: re.sub(r"weight \d", "weight -1", text)),
    "wrong type": ("argument", _exchange("adults == 2", 'adults == "two"')),
    "too many arguments": ("use", _exchange("(flight_search)", "(flight_search, today)")),
    "escape": ("string", lambda text, rng: text.replace('"', '"\\q', 1)),
}

SLIPS = frozenset({"keyword", "unknown"})
"""First words of the kinds in which a word is misspelt."""


def _meant(text: str, spoilt: str) -> str:
    """The word that was misspelt."""
    pairs = zip(re.findall(r"\w+", text), re.findall(r"\w+", spoilt), strict=False)
    return next(right for right, wrong in pairs if right != wrong)


def _unquoted(text: str) -> str:
    """Without the last quote."""
    at = text.rindex('"')
    return text[:at] + text[at + 1 :]


def _curly(text: str) -> str:
    at = text.index('"')
    end = text.index('"', at + 1)
    return f"{text[:at]}\u201c{text[at + 1 : end]}\u201d{text[end + 1 :]}"


def faulty(seed: int) -> Faulty:
    """A spec with one to five faults of different kinds, on lines that are apart."""
    rng = random.Random(seed)
    lines = right(rng)
    texts = [line.text for line in lines]
    made = Faulty()
    used: set[int] = set()
    wanted = rng.randint(1, 5)
    for kind in rng.sample(list(SPOILS), len(SPOILS)):
        if len(made.kinds) == wanted:
            break
        tag, spoil = SPOILS[kind]
        places = [
            place
            for place, line in enumerate(lines)
            if tag in line.tags and not {place - 1, place, place + 1} & used
        ]
        if not places:
            continue
        place = rng.choice(places)
        spoilt = spoil(texts[place], rng)
        if spoilt == texts[place]:
            continue
        made.meant.append(_meant(texts[place], spoilt) if kind.split()[0] in SLIPS else None)
        texts[place] = spoilt
        used.add(place)
        made.kinds.append(kind)
        made.places.append((place + 1, place + 2) if kind in NEXT_TOO else (place + 1,))
    made.text = "\n".join(texts) + "\n"
    return made


NEXT_TOO = frozenset({"block not closed", "no closing brace", "no end of a string"})
"""Faults that a person may as well look for at the next line, before which something is missing."""
