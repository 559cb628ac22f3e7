"""The rows: who asks for what, and what the airline's systems hold for them."""

from __future__ import annotations

import random
from typing import Any

from phrases import CITIES, DENIAL, DONE, FARES, MONTHS, OPENINGS

Row = dict[str, Any]

TRAIN, HELDOUT = 60, 20  # rows of each branch
BRANCHES = {
    "search": ("found", "none"),
    "book": ("open", "full"),
    "change": ("allowed", "refused"),
    "cancel": ("allowed", "refused"),
}
LETTERS, ALL = "ABCDEFGHJKMNPQRSTUVWXYZ", "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


class Sampler:
    """Draws without repeating itself: codes once only, held-out routes apart from the others."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._codes: set[str] = set()
        routes = [(a, b) for a in CITIES for b in CITIES if a != b]
        self.rng.shuffle(routes)
        cut = len(routes) * TRAIN // (TRAIN + HELDOUT)
        self._routes = {"train": routes[:cut], "heldout": routes[cut:]}

    def code(self) -> str:
        """Six different letters and digits; the first a letter, so that no code is a number."""
        while True:
            first = self.rng.choice(LETTERS)
            code = first + "".join(self.rng.sample(ALL.replace(first, ""), 5))
            if code not in self._codes:
                self._codes.add(code)
                return code

    def route(self, split: str) -> tuple[str, str]:
        return self.rng.choice(self._routes[split])

    def day(self) -> tuple[int, int]:
        return self.rng.choice(list(MONTHS)), self.rng.randint(10, 29)

    def number(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)


def say_day(day: tuple[int, int], lang: str) -> str:
    month, number = day
    return f"{MONTHS[month]} {number}" if lang == "en" else f"{month}月{number}日"


def iso(day: tuple[int, int]) -> str:
    return f"{day[0]:02}-{day[1]:02}"


def make_rows(family: str, sampler: Sampler) -> list[Row]:
    """Both branches of a family, each with its training and its held-out rows."""
    rows = []
    for number in range(TRAIN + HELDOUT):
        for branch in BRANCHES[family]:
            split = "train" if number < TRAIN else "heldout"
            lang = "en" if number % 2 == 0 else "zh"
            key = f"{family[0].upper() if family != 'change' else 'M'}{len(rows) + 1:03}"
            head = {"id": key, "kind": branch, "split": split, "lang": lang}
            make = flight_row if family in ("search", "book") else booking_row
            rows.append({**head, **make(family, branch, split, lang, number // 2, sampler)})
    return rows


def flight_row(family: str, branch: str, split: str, lang: str, nth: int, sampler: Sampler) -> Row:
    """A route, a day and the flight that flies it: on that day, or in branch `none` on another."""
    origin, destination = sampler.route(split)
    day = sampler.day()
    flies = day
    while branch == "none" and flies == day:
        flies = sampler.day()
    basic = sampler.number(41, 199)
    names = {"origin": CITIES[origin][lang], "destination": CITIES[destination][lang]}
    row: Row = {
        "opening": phrase("search", lang, nth).format(day=say_day(day, lang), **names),
        "origin": origin,
        "destination": destination,
        "date": iso(day),
        "day": say_day(day, lang),
        "flight": f"KF{sampler.number(101, 989)}",
        "basic": basic,
        "flex": basic + sampler.number(15, 95),
        "seats": 0 if branch == "full" else sampler.number(1, 9),
        "denial": DENIAL[family][lang],
    }
    if family == "search":
        return {**row, "flies": iso(flies)}
    fare = sampler.rng.choice(["basic", "flex"])
    return {
        **row,
        "followup": phrase("book", lang, nth).format(fare=FARES[fare][lang]),
        "fare": fare,
        "done": DONE[family][lang],
    }


def booking_row(family: str, branch: str, split: str, lang: str, nth: int, sampler: Sampler) -> Row:
    """A booking with its fare; `new_date` is where its customer wants to move it."""
    booking, day = sampler.code(), sampler.day()
    new_day = day
    while new_day == day:
        new_day = sampler.day()
    filled = phrase(family, lang, nth).format(booking=booking, new_day=say_day(new_day, lang))
    row: Row = {
        "opening": filled,
        "booking": booking,
        "flight": f"KF{sampler.number(101, 989)}",
        "date": iso(day),
        "fare": "flex" if branch == "allowed" else "basic",
        "refund": sampler.number(41, 289),
        "fee": sampler.number(11, 69),
        "done": DONE[family][lang],
        "denial": DENIAL[family][lang],
    }
    if family == "change":
        row |= {"new_date": iso(new_day), "new_day": say_day(new_day, lang)}
    return row


def phrase(family: str, lang: str, nth: int) -> str:
    """The nth phrasing, so that each split of each branch hears all of them."""
    choices = OPENINGS[family][lang]
    return choices[nth % len(choices)]
