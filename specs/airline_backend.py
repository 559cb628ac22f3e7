"""Kitefall Air's systems, as small as the spec needs them: flights and bookings of one customer.

The backend does what it is told, as such systems do: it cancels a basic fare if an agent asks for
that. The fare policy is the agent's to keep, and the spec's to check.
"""

from __future__ import annotations

import hashlib
from typing import Any

State = dict[str, Any]

LETTERS, DIGITS = "ABCDEFGHJKMNPQRSTUVWXYZ", "23456789"


def initial(row: dict[str, Any]) -> State:
    """The flight and the booking that the row tells of."""
    flights = []
    if "seats" in row:
        offer = {name: row[name] for name in ("flight", "basic", "flex", "seats")}
        route = (row["origin"], row["destination"], row.get("flies", row["date"]))
        flights.append({"route": route, "offer": offer})
    bookings = {}
    if "booking" in row:
        held = {name: row[name] for name in ("booking", "flight", "date", "fare")}
        bookings[row["booking"]] = {"held": held, "refund": row["refund"], "fee": row["fee"]}
    return {"flights": flights, "bookings": bookings}


def search(state: State, origin: str, destination: str, date: str) -> State:
    route = (origin, destination, date)
    return {"flights": [found["offer"] for found in state["flights"] if found["route"] == route]}


def book(state: State, flight: str, date: str, fare: str) -> State:
    for found in state["flights"]:
        offer = found["offer"]
        if offer["flight"] == flight and found["route"][2] == date:
            code = new_code(f"{flight} {date} {fare}")
            total = offer[fare]
            held = {"booking": code, "flight": flight, "date": date, "fare": fare}
            state["bookings"][code] = {"held": held, "refund": total, "fee": 0}
            if offer["seats"] == 0:
                return {"booking": code, "total": total, "waitlist": True}
            offer["seats"] -= 1
            return {"booking": code, "total": total}
    raise ValueError(f"{flight} does not fly on {date}")


def lookup(state: State, booking: str) -> State:
    held: State = find(state, booking)["held"]
    return held


def change(state: State, booking: str, date: str) -> State:
    found = find(state, booking)
    found["held"]["date"] = date
    return {"booking": booking, "date": date, "fee": found["fee"]}


def cancel(state: State, booking: str) -> State:
    refund = find(state, booking)["refund"]
    del state["bookings"][booking]
    return {"booking": booking, "refund": refund}


def find(state: State, booking: str) -> State:
    if booking not in state["bookings"]:
        raise ValueError(f"no booking {booking}")
    found: State = state["bookings"][booking]
    return found


def new_code(seed: str) -> str:
    """Six different letters and digits, the first a letter; the same for the same seed."""
    number = int(hashlib.sha256(seed.encode()).hexdigest(), 16)
    left, code = list(LETTERS), ""
    for _ in range(6):
        number, at = divmod(number, len(left))
        code += left.pop(at)
        left += DIGITS if len(code) == 1 else ""
    return code
