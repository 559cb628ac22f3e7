"""The dialogues of airline.cm2's `test` blocks: a name, a task, a row, and what the desk does.

Each task has a dialogue that earns everything, and for each of its items at least one in which that
item fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents import Dialogue, book, search, serve

Script = Callable[[Dialogue], None]

# --- what the dialogues are made of ---------------------------------------------------------------


def opening(desk: Dialogue) -> None:
    desk.user(desk.row["opening"])


def look_for(desk: Dialogue, said: str | None = None) -> list[dict[str, Any]]:
    """Search for the flight that the row tells of."""
    row = desk.row
    route = {name: row[name] for name in ("origin", "destination", "date")}
    flights: list[dict[str, Any]] = desk.call("search", said=said, **route)["flights"]
    return flights


def take(desk: Dialogue, **other: Any) -> dict[str, Any]:
    """Book what the customer asks for, but for what is given otherwise."""
    wanted = {name: desk.row.get(name) for name in ("flight", "date", "fare")}
    return desk.call("book", **{**wanted, **other})


def look_up(desk: Dialogue, booking: str | None = None, said: str | None = None) -> None:
    desk.call("lookup", said=said, booking=booking or desk.row["booking"])


def move(desk: Dialogue, **other: str) -> dict[str, Any]:
    """Move the booking to the day that the customer asks for, but for what is given otherwise."""
    return desk.call(
        "change", **{"booking": desk.row["booking"], "date": desk.row["new_date"], **other}
    )


# --- search ---------------------------------------------------------------------------------------


def found(desk: Dialogue) -> None:
    search("good", desk)


def hidden(desk: Dialogue) -> None:
    search("broken", desk)


def unlooked(desk: Dialogue) -> None:
    opening(desk)
    desk.reply("none")


def guessed(desk: Dialogue) -> None:
    opening(desk)
    look_for(desk, said=desk.phrase("found"))


def unasked(desk: Dialogue) -> None:
    opening(desk)
    look_for(desk)
    booked = take(desk, fare="basic")
    desk.say(f"Booked: {booked['booking']}, {booked['total']} EUR.")


def other_day(desk: Dialogue) -> None:
    opening(desk)
    look_for(desk)
    booked = take(desk, date=desk.row["flies"], fare="basic")
    desk.say(f"Booked: {booked['booking']}, {booked['total']} EUR.")


# --- book -----------------------------------------------------------------------------------------


def booked(desk: Dialogue) -> None:
    book("good", desk)


def in_words(desk: Dialogue) -> None:
    search("good", desk)
    desk.user(desk.row["followup"])
    code = take(desk)["booking"]
    desk.say(f"Booked: your code is {code}, and it costs a hundred and seventy euros.")


def wrong_day(desk: Dialogue) -> None:
    book("wrong", desk)


def unsearched(desk: Dialogue) -> None:
    opening(desk)
    desk.reply("found")
    desk.user(desk.row["followup"])
    done = take(desk)
    desk.reply("booked", {"code": done["booking"], "total": done["total"]})


def denied(desk: Dialogue) -> None:
    search("broken", desk)
    desk.user(desk.row["followup"])
    desk.reply("full")


def eager(desk: Dialogue) -> None:
    """Books before the customer has decided, and then again, and again."""
    opening(desk)
    look_for(desk)
    first = take(desk, fare="basic")
    desk.reply("booked", {"code": first["booking"], "total": first["total"]})
    desk.user(desk.row["followup"])
    take(desk)
    done = take(desk)
    desk.reply("booked", {"code": done["booking"], "total": done["total"]})


def other_flight(desk: Dialogue) -> None:
    search("good", desk)
    desk.user(desk.row["followup"])
    take(desk, flight="KF708")
    desk.say("Sorry, that flight is not there.")


def wrong_fare(desk: Dialogue) -> None:
    search("good", desk)
    desk.user(desk.row["followup"])
    done = take(desk, fare="basic")
    desk.reply("booked", {"code": done["booking"], "total": done["total"]})


def guessed_then_booked(desk: Dialogue) -> None:
    guessed(desk)
    desk.user(desk.row["followup"])
    done = take(desk)
    desk.reply("booked", {"code": done["booking"], "total": done["total"]})


def waitlisted(desk: Dialogue) -> None:
    book("broken", desk)


def unseen(desk: Dialogue) -> None:
    opening(desk)
    desk.reply("none")
    desk.user(desk.row["followup"])
    desk.reply("full")


def curt(desk: Dialogue) -> None:
    search("broken", desk)
    desk.user(desk.row["followup"])
    desk.say("No. Next.")


def eager_full(desk: Dialogue) -> None:
    opening(desk)
    look_for(desk)
    done = take(desk)
    desk.reply("booked", {"code": done["booking"], "total": done["total"]})
    desk.user(desk.row["followup"])
    desk.reply("full")


def guessed_then_full(desk: Dialogue) -> None:
    guessed(desk)
    desk.user(desk.row["followup"])
    desk.reply("full")


# --- change ---------------------------------------------------------------------------------------


def moved(desk: Dialogue) -> None:
    serve("change", "good", desk)


def moved_anyway(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk)
    move(desk)
    desk.say(f"Done: it is moved to {desk.row['new_day']}.")


def other_form(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk)
    changed = move(desk)
    month, day = desk.row["new_date"].split("-")
    desk.reply("changed", {**changed, "new_day": f"{day}/{month}"})


def kept_flex(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk)
    desk.say("Sorry, this booking cannot be changed.")


def unseen_move(desk: Dialogue) -> None:
    opening(desk)
    desk.reply("changed", move(desk))


def wrong_move(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk, "HNJGUW")
    move(desk, booking="HNJGUW")
    desk.reply("unknown", {"booking": "HNJGUW"})


def moved_twice(desk: Dialogue) -> None:
    """Takes the wrong day first, then the right one, and then gives the money back too."""
    opening(desk)
    look_up(desk)
    move(desk, date="07-18")
    changed = move(desk)
    desk.call("cancel", booking=desk.row["booking"])
    desk.say(f"Done: {desk.row['booking']} is moved to July 13, fee {changed['fee']} EUR.")


def lowest_fare(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk)
    kind = "changed" if "new_date" in desk.row else "cancelled"
    code = desk.row["booking"]
    desk.say(f"Sorry, {code} was bought at our lowest fare, and so it cannot be {kind}.")


def blind_keep(desk: Dialogue) -> None:
    opening(desk)
    desk.reply("unchangeable")


def cancelled_instead(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk, "ERNZPE")
    look_up(desk)
    desk.call("cancel", booking=desk.row["booking"])
    desk.say("You should have read the fare rules. The booking is gone.")


# --- cancel ---------------------------------------------------------------------------------------


def kept(desk: Dialogue) -> None:
    serve("cancel", "good", desk)


def cancelled(desk: Dialogue) -> None:
    serve("cancel", "good", desk)


def cancelled_anyway(desk: Dialogue) -> None:
    serve("cancel", "broken", desk)


def blind(desk: Dialogue) -> None:
    opening(desk)
    desk.reply("uncancellable")


def pried(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk, "ZZZ999")
    look_up(desk)
    desk.reply("cancelled", desk.call("cancel", booking=desk.row["booking"]))


def bare_end(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk)
    desk.call("cancel", booking=desk.row["booking"])
    desk.say("All done, have a good day.")


def unseen_cancel(desk: Dialogue) -> None:
    opening(desk)
    desk.reply("cancelled", desk.call("cancel", booking=desk.row["booking"]))


def wrong_cancel(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk, "YVFQP5")
    desk.call("cancel", booking="YVFQP5")
    desk.reply("unknown", {"booking": "YVFQP5"})


def moved_first(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk)
    desk.call("change", booking=desk.row["booking"], date="07-29")
    refund = desk.call("cancel", booking=desk.row["booking"])["refund"]
    desk.say(f"{desk.row['booking']} is cancelled, refund {refund} EUR.")


def moved_instead(desk: Dialogue) -> None:
    opening(desk)
    look_up(desk, "MZX86P")
    look_up(desk)
    desk.call("change", booking=desk.row["booking"], date="07-19")
    desk.say("You should have read the fare rules. The trip is on July 19 now.")


FIXTURES: dict[str, tuple[str, str, Script]] = {
    "found": ("search_found", "S001", found),
    "hidden": ("search_found", "S001", hidden),
    "unlooked": ("search_found", "S001", unlooked),
    "guessed": ("search_found", "S001", guessed),
    "unasked": ("search_found", "S003", unasked),
    "none": ("search_none", "S002", found),
    "invented": ("search_none", "S002", hidden),
    "unlooked_none": ("search_none", "S002", unlooked),
    "other_day": ("search_none", "S004", other_day),
    "booked": ("book_open", "B003", booked),
    "in_words": ("book_open", "B001", in_words),
    "wrong_day": ("book_open", "B001", wrong_day),
    "unsearched": ("book_open", "B001", unsearched),
    "denied": ("book_open", "B001", denied),
    "eager": ("book_open", "B001", eager),
    "other_flight": ("book_open", "B003", other_flight),
    "wrong_fare": ("book_open", "B001", wrong_fare),
    "guessed_open": ("book_open", "B001", guessed_then_booked),
    "declined": ("book_full", "B002", booked),
    "waitlisted": ("book_full", "B004", waitlisted),
    "unseen": ("book_full", "B002", unseen),
    "curt": ("book_full", "B004", curt),
    "eager_full": ("book_full", "B002", eager_full),
    "guessed_full": ("book_full", "B002", guessed_then_full),
    "moved": ("change_allowed", "M001", moved),
    "other_form": ("change_allowed", "M001", other_form),
    "kept_flex": ("change_allowed", "M001", kept_flex),
    "unseen_move": ("change_allowed", "M001", unseen_move),
    "wrong_move": ("change_allowed", "M001", wrong_move),
    "moved_twice": ("change_allowed", "M003", moved_twice),
    "kept_day": ("change_refused", "M002", moved),
    "lowest_fare": ("change_refused", "M002", lowest_fare),
    "moved_anyway": ("change_refused", "M002", moved_anyway),
    "blind_keep": ("change_refused", "M002", blind_keep),
    "cancelled_instead": ("change_refused", "M004", cancelled_instead),
    "cancelled": ("cancel_allowed", "C001", cancelled),
    "refused_flex": ("cancel_allowed", "C001", cancelled_anyway),
    "pried": ("cancel_allowed", "C003", pried),
    "bare_end": ("cancel_allowed", "C001", bare_end),
    "unseen_cancel": ("cancel_allowed", "C001", unseen_cancel),
    "wrong_cancel": ("cancel_allowed", "C001", wrong_cancel),
    "moved_first": ("cancel_allowed", "C003", moved_first),
    "kept": ("cancel_refused", "C002", kept),
    "lowest_fare_kept": ("cancel_refused", "C002", lowest_fare),
    "cancelled_anyway": ("cancel_refused", "C002", cancelled_anyway),
    "blind": ("cancel_refused", "C002", blind),
    "moved_instead": ("cancel_refused", "C004", moved_instead),
}
