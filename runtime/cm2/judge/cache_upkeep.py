"""What is in a cache, and what is taken out of it again."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from cm2.judge import cache_file

DAY = 86_400
AGES = (("within a day", DAY), ("within a week", 7 * DAY), ("within 30 days", 30 * DAY))
"""When an answer was last used; each without those before it."""
EARLIER = "earlier"
_ROUNDS = 4
"""Times that a file is made smaller to reach a size: each frees about what it says."""


@dataclass(frozen=True, slots=True)
class OfEngine:
    """The answers of one engine: how many, how long, when; and how often one was found.

    Times are seconds since 1970, `letters` are of the answers' texts.
    """

    identity: str
    answers: int
    letters: int
    first: int | None
    last_used: int | None
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class Contents:
    """A cache file: bytes on the disk, answers by engine, and by when they were last used.

    `wrong` says what SQLite finds wrong with the file; empty is sound.
    """

    size: int
    engines: tuple[OfEngine, ...]
    ages: dict[str, int] = field(default_factory=dict)
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Which answers go: those not used for so many seconds, then the longest unused until the file
    has at most so many bytes. With `engine`, only those of engines whose identity contains it; all
    of them, where nothing else is given."""

    unused: float | None = None
    size: int | None = None
    engine: str | None = None


def contents(path: Path) -> Contents:
    """What is in a cache. Raises JudgeLoadError, and sqlite3.Error where it cannot be read."""
    cache_file.require_cache(path)
    size = size_of(path)
    with closing(cache_file.open_to_read(path)) as file:
        found = file.execute(
            """SELECT identity, coalesce(n, 0), coalesce(letters, 0), first, used,
                      coalesce(hits, 0), coalesce(misses, 0)
               FROM engines
               LEFT JOIN (SELECT engine, count(*) AS n, sum(length(text)) AS letters,
                                 min(made) AS first, max(used) AS used
                          FROM answers GROUP BY engine) AS a ON a.engine = engines.id
               LEFT JOIN (SELECT engine, sum(hits) AS hits, sum(misses) AS misses
                          FROM asked GROUP BY engine) AS b ON b.engine = engines.id
               ORDER BY identity"""
        ).fetchall()
        now = time.time()
        bounds = [float("inf"), *(now - seconds for _, seconds in AGES), -1.0]
        counts = [
            file.execute(
                "SELECT count(*) FROM answers WHERE used <= ? AND used > ?", pair
            ).fetchone()[0]
            for pair in pairwise(bounds)
        ]
        wrong = [row[0] for row in file.execute("PRAGMA quick_check(3)")]
    names = [*(name for name, _ in AGES), EARLIER]
    return Contents(
        size,
        tuple(OfEngine(*row) for row in found),
        dict(zip(names, counts, strict=True)),
        "" if wrong == ["ok"] else "; ".join(wrong),
    )


def size_of(path: Path) -> int:
    """Bytes on the disk, with what SQLite has beside the file."""
    parts = [Path(f"{path}{part}") for part in cache_file.PARTS]
    return sum(part.stat().st_size for part in parts if part.exists())


def prune(path: Path, unwanted: Unwanted, say: cache_file.Say) -> int:
    """Take answers out of a cache, and make the file smaller; how many those were.

    What other processes do with the file meanwhile goes on. Raises JudgeLoadError, and
    sqlite3.Error or OSError where the file cannot be written.
    """
    cache_file.require_cache(path)
    with closing(cache_file.open_file(path, say)) as file:
        by_size_alone = unwanted.size is not None and unwanted.unused is None
        gone = 0 if by_size_alone else _delete(file, unwanted)
        _shrink(file)
        for _ in range(_ROUNDS):
            if unwanted.size is None or (size := size_of(path)) <= unwanted.size:
                break
            fewer = _delete_longest_unused(file, unwanted.size, size, unwanted.engine)
            if not fewer:
                break
            gone += fewer
            _shrink(file)
        return gone


def clear(path: Path, say: cache_file.Say) -> int:
    """Take all answers, and what was counted, out of a cache; how many answers those were."""
    cache_file.require_cache(path)
    with closing(cache_file.open_file(path, say)) as file:
        file.execute("BEGIN IMMEDIATE")
        gone = file.execute("DELETE FROM answers").rowcount
        file.execute("DELETE FROM asked")
        file.execute("DELETE FROM engines")
        file.execute("COMMIT")
        _shrink(file)
        return gone


def _delete(file: sqlite3.Connection, unwanted: Unwanted) -> int:
    clauses, values = _of(unwanted.engine)
    if unwanted.unused is not None:
        clauses.append("used < ?")
        values.append(time.time() - unwanted.unused)
    where = " AND ".join(clauses) or "1"
    return file.execute(f"DELETE FROM answers WHERE {where}", values).rowcount


def _of(engine: str | None) -> tuple[list[str], list[object]]:
    """Answers of engines whose identity contains a text."""
    if engine is None:
        return [], []
    return ["engine IN (SELECT id FROM engines WHERE instr(identity, ?))"], [engine]


def _delete_longest_unused(
    file: sqlite3.Connection, wanted: int, size: int, engine: str | None
) -> int:
    """Delete about what the file has too much; those used longest ago first."""
    count, letters = file.execute("SELECT count(*), sum(length(text)) FROM answers").fetchone()
    if not count:
        return 0
    each = max((size - letters) / count, 0.0)  # what a row takes beside its text
    clauses, values = _of(engine)
    where = " AND ".join(clauses) or "1"
    return file.execute(
        f"""DELETE FROM answers WHERE key IN (
            SELECT key FROM (
                SELECT key, sum(length(text) + ?) OVER (ORDER BY used, key) AS freed,
                       length(text) + ? AS own
                FROM answers WHERE {where})
            WHERE freed - own < ?)""",
        (each, each, *values, size - wanted),
    ).rowcount


def _shrink(file: sqlite3.Connection) -> None:
    """Give the room back to the disk: what others hold open is given back by the last of them."""
    for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        try:
            file.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if not cache_file.is_busy(error):
                raise


def rate(hits: int, misses: int) -> float | None:
    """The share of look-ups that found an answer; None where nothing was looked up."""
    asked = hits + misses
    return hits / asked if asked else None


def total(engines: Sequence[OfEngine]) -> tuple[int, int, int]:
    """(answers, hits, misses) of all."""
    return (
        sum(one.answers for one in engines),
        sum(one.hits for one in engines),
        sum(one.misses for one in engines),
    )
