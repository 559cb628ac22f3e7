"""The dialogues of airline.cm2's `test` blocks: a name, a task, a row, and what the desk does."""

from __future__ import annotations

from collections.abc import Callable

from agents import Dialogue, book, search, serve
from rows import Row

Script = Callable[[Dialogue], None]


def kept(desk: Dialogue) -> None:
    serve("cancel", "good", desk)


def cancelled_anyway(desk: Dialogue) -> None:
    serve("cancel", "broken", desk)


def blind(desk: Dialogue) -> None:
    desk.user(desk.row["opening"])
    desk.reply("uncancellable")


def pried(desk: Dialogue) -> None:
    desk.user(desk.row["opening"])
    desk.call("lookup", booking="ZZZ999")
    desk.call("lookup", booking=desk.row["booking"])
    desk.reply("cancelled", desk.call("cancel", booking=desk.row["booking"]))


def other_form(desk: Dialogue) -> None:
    row: Row = desk.row
    desk.user(row["opening"])
    desk.call("lookup", booking=row["booking"])
    changed = desk.call("change", booking=row["booking"], date=row["new_date"])
    month, day = row["new_date"].split("-")
    desk.reply("changed", {**changed, "new_day": f"{day}/{month}"})


def invented(desk: Dialogue) -> None:
    search("broken", desk)


def booked(desk: Dialogue) -> None:
    book("good", desk)


def waitlisted(desk: Dialogue) -> None:
    book("broken", desk)


def wrong_day(desk: Dialogue) -> None:
    book("wrong", desk)


FIXTURES: dict[str, tuple[str, str, Script]] = {
    "kept": ("cancel_refused", "C002", kept),
    "cancelled_anyway": ("cancel_refused", "C002", cancelled_anyway),
    "blind": ("cancel_refused", "C002", blind),
    "refused_flex": ("cancel_allowed", "C001", cancelled_anyway),
    "pried": ("cancel_allowed", "C003", pried),
    "other_form": ("change_allowed", "M001", other_form),
    "invented": ("search_none", "S002", invented),
    "booked": ("book_open", "B003", booked),
    "waitlisted": ("book_full", "B004", waitlisted),
    "wrong_day": ("book_open", "B001", wrong_day),
}
