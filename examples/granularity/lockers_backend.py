"""The parcel station's systems: one parcel, its locker, and what has been paid."""

from __future__ import annotations

from typing import Any

State = dict[str, Any]


def initial(row: dict[str, Any]) -> State:
    """What the station knows of the row's parcel."""
    return {"row": row, "paid": False}


def find(state: State, parcel: str) -> State:
    row = state["row"]
    if parcel != row["parcel"]:
        raise ValueError("no such parcel")
    return {"locker": row["locker"], "fee": row["fee"]}


def pay(state: State, amount: int) -> State:
    row = state["row"]
    if amount != row["fee"]:
        raise ValueError("not the fee")
    state["paid"] = True
    return {"receipt": row["receipt"]}


def unlock(state: State, locker: str) -> State:
    row = state["row"]
    if locker != row["locker"]:
        raise ValueError("no such locker")
    if not state["paid"]:
        raise ValueError("not paid")
    return {"code": row["code"]}


def mail(state: State, receipt: str) -> State:
    row = state["row"]
    if receipt != row["receipt"] or not state["paid"]:
        raise ValueError("no such receipt")
    return {"mail": row["mail"]}
