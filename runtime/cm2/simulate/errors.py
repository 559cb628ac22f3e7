"""The shape of the errors that the world itself gives: a refused call, a call without an answer.

It is that of the failed results of the recordings, so that an agent reads one kind of error from
one tool, whoever gave it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from cm2.simulate.backend import dump
from cm2.simulate.recorded import recorded_calls
from cm2.trajectory import Trajectory, has_failed
from cm2dsl.jsonl import JsonError, parse

ErrorShape = Literal["object", "message", "text"]
"""`{"error": "…"}`, `{"error": {"message": "…"}}`, or `Error: …`."""


def error(message: str, shape: ErrorShape) -> str:
    """An error's text; it is one for `has_failed`, whatever the shape."""
    if shape == "text":
        return f"Error: {message}"
    return dump({"error": message if shape == "object" else {"message": message}})


def recorded_shape(trajectories: Iterable[Trajectory]) -> ErrorShape | None:
    """The most frequent shape of the failed results, the first of equally frequent ones.

    None where no call failed. Where the world of an earlier run gave errors of its own, theirs
    alone are counted: a run that is replayed refuses as it did.
    """
    own: Counter[ErrorShape] = Counter()
    others: Counter[ErrorShape] = Counter()
    for trajectory in trajectories:
        for recorded in recorded_calls(trajectory):
            result = recorded.call.result
            if result is not None and has_failed(result, recorded.call.failed):
                (own if recorded.by_world else others)[_shape(result)] += 1
    counted = own or others
    return counted.most_common(1)[0][0] if counted else None


def _shape(result: str) -> ErrorShape:
    try:
        value = parse(result)
    except JsonError:
        return "text"
    found = value.get("error") if isinstance(value, dict) else None
    if isinstance(found, dict):
        return "message" if "message" in found else "object"
    return "object" if found else "text"
