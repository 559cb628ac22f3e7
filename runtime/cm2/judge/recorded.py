"""Verdicts that were given before, read from files: rows of a run, or labels that people wrote.

    {"id": "d1", "item": "find.presents", "verdict": "pass", "reason": "…",
     "evidence": [{"segment": "t0.s1.reply", "quote": "MU5101 departs at 08:00"}]}

is a label; `reason`, `evidence` and `step` may be left out. Rows are what `cm2 score --evidence`
writes, and the rollouts of a run: of those the verdicts that a judge gave count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from cm2 import jsonl
from cm2.judge.engine import JudgeLoadError
from cm2.judge.judge import BY

Said = Literal["pass", "fail", "insufficient", "error"]


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of evidence."""

    segment: str
    quote: str | None = None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A judge's verdict as rows and rollouts hold it; `question` is a digest of what it was of."""

    verdict: Said
    evidence: tuple[Piece, ...] = ()
    reason: str = ""
    step: int | None = None
    agreement: float | None = None
    confidence: float | None = None
    question: str = ""


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person wrote; `step` counts from 0 in the item's scope.

    `labeller` and `task` are for who compares labels: here there may be one verdict on an item.
    """

    id: str | int
    item: str
    verdict: Said
    reason: str = ""
    evidence: tuple[Piece, ...] = ()
    step: int | None = None
    labeller: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A verdict on an item of a dialogue, and the file and line that it was read from."""

    id: str
    item: str
    given: Given
    where: str


class Record:
    """Verdicts by what they are of."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, str], list[Recorded]] = {}
        self._of_question: dict[tuple[str, str], Recorded] = {}

    def __len__(self) -> int:
        return sum(map(len, self._named.values()))

    def add(self, one: Recorded) -> None:
        """Raises JudgeLoadError where another verdict is known on the same."""
        known = self._named.setdefault((one.id, one.item), [])
        for other in known:
            if other.given.question == one.given.question:
                if other.given.verdict != one.given.verdict:
                    raise JudgeLoadError(
                        f"{one.where}: `{one.item}` of `{one.id}` is {one.given.verdict} here, and "
                        f"{other.given.verdict} at {other.where}; keep one"
                    )
                return
        known.append(one)
        if one.given.question:
            self._of_question.setdefault((one.item, one.given.question), one)

    def find(self, id: str, items: tuple[str, ...], question: str) -> Recorded | str:
        """The verdict on an item, which has several names; or why there is none.

        What was said of the same question and the same dialogue is that; what a person said of a
        dialogue is known by the dialogue's id alone.
        """
        for item in items:
            if (item, question) in self._of_question:
                return self._of_question[item, question]
        known = [one for item in items for one in self._named.get((id, item), ())]
        for one in known:
            if not one.given.question:
                return one
        if known:
            return (
                f"the verdict on `{items[0]}` of `{id}` at {known[0].where} is of another dialogue "
                "or question"
            )
        return f"there is no verdict on `{items[0]}` of `{id}`"


def read_record(paths: list[Path]) -> Record:
    """The verdicts in files. Raises JudgeLoadError, naming the line."""
    record = Record()
    for path in paths:
        try:
            with path.open("rb") as file:
                for number, line in jsonl.lines(file):
                    for one in _read(line, f"{path}:{number}", number):
                        record.add(one)
        except OSError as error:
            reason = (error.strerror or "it cannot be read").lower()
            raise JudgeLoadError(f"cannot read `{path}`: {reason}") from None
    if not len(record):
        names = ", ".join(f"`{path}`" for path in paths)
        raise JudgeLoadError(
            f"no judge's verdict is in {names}; "
            "write labels, or rows of `cm2 score` with --judge and --evidence"
        )
    return record


def _read(line: bytes, where: str, number: int) -> Iterator[Recorded]:
    try:
        value = jsonl.parse(line)
        if isinstance(value, dict) and "verdict" in value:
            label = msgspec.convert(value, Label)
            given = Given(
                verdict=label.verdict,
                evidence=label.evidence,
                reason=label.reason,
                step=label.step,
            )
            yield Recorded(str(label.id), label.item, given, where)
        elif isinstance(value, dict) and isinstance(value.get("items"), dict):
            id = str(value.get("id") or number)
            for item, said in _judged(value):
                yield Recorded(id, item, msgspec.convert(said, Given), where)
        else:
            raise JudgeLoadError(
                f"{where}: neither a label nor a row; a label has `id`, `item` and `verdict`"
            )
    except jsonl.JsonError as error:
        raise JudgeLoadError(f"{where}: {error.message}; {error.help}") from None
    except msgspec.ValidationError as error:
        says = str(error)
        raise JudgeLoadError(f"{where}: {says[:1].lower()}{says[1:]}") from None


def _judged(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a judge said of the items of a row, with its evidence; of a rollout, likewise."""
    evidence = row.get("evidence")
    for item, said in row["items"].items():
        if isinstance(said, dict) and said.get("by") == BY:
            yield item, said
    judged = row.get("judged")
    if isinstance(judged, dict):
        for item, said in judged.items():
            if isinstance(said, dict):
                pieces = evidence.get(item, ()) if isinstance(evidence, dict) else ()
                yield item, {"verdict": row["items"].get(item), "evidence": pieces, **said}
