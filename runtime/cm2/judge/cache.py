"""Answers kept in an SQLite file, for every process that judges with it.

Reading is a look into an index, some microseconds, and is done where it is asked for. Writing may
have to wait for other processes: a thread does it, all that came meanwhile in one transaction. What
is not written yet is known to this process all the same. A process that is killed loses at most
that, and the file stays whole.

The cache can only save work. Whatever goes wrong with it is said once, and judging goes on without:
a damaged file is moved aside and begun anew, a row that is not what was written counts as none, and
where nothing can be written, nothing is.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cm2.judge import cache_file
from cm2.judge.engine import Answered, JudgeLoadError, Usage

DAY = 86_400

FIND = (
    "SELECT text, confidence, prompt, cached, output, seconds, sum, used FROM answers WHERE key = ?"
)
STORE = """INSERT OR IGNORE INTO answers
    (key, text, confidence, prompt, cached, output, seconds, sum, engine, made, used)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
COUNT = """INSERT INTO asked VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET hits = hits + excluded.hits, misses = misses + excluded.misses"""


@dataclass(slots=True)
class _News:
    """What the file does not know yet: answers, keys that were used again or are to be forgotten,
    and how often an answer was there or not."""

    answers: dict[str, Answered] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    hits: int = 0
    misses: int = 0

    def __bool__(self) -> bool:
        return bool(self.answers or self.used or self.wrong or self.hits or self.misses)


def _warn(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class AnswerCache:
    """The cache in a file; see `cm2.judge.desk.Cache` for what it is asked.

    `get` and `put` are for one thread. Errors are never stored, for there is no way to.
    """

    def __init__(
        self, path: Path, identity: Callable[[], str], say: cache_file.Say = _warn
    ) -> None:
        """`identity` says whose answers are put in; `say` hears what went wrong.

        Raises JudgeLoadError where the file is not a cache: it is left as it is.
        """
        self._path = path
        self._identity = identity
        self._say = say
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._news = _News()
        self._writing: Mapping[str, Answered] = {}
        self._scheduled = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self._mended = False
        self._keeps = True
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._number: int | None = None
        self._read_number: int | None = None
        try:
            self._writer = cache_file.open_file(path, say)
        except (sqlite3.Error, OSError) as error:
            self._keeps = False
            self._warn_of("written", error)
        self._number = cache_file.number_of(path)
        self._open_reader()

    def get(self, key: str) -> Answered | None:
        """The answer that was put in under a key, by whatever process."""
        found = self._known(key) or self._stored(key)
        with self._lock:
            self._news.hits += found is not None
            self._news.misses += found is None
        return found

    def put(self, key: str, answer: Answered) -> None:
        """Keep an answer; that it is in the file is certain once the cache is closed."""
        if not self._keeps:
            return
        with self._lock:
            self._news.answers[key] = answer
        self._schedule()

    def close(self) -> None:
        """Write what is not written, and let go of the file. A second time does nothing."""
        with suppress(RuntimeError):  # the thread has ended: it was closed before
            self._thread.submit(self._write_news)
        self._thread.shutdown(wait=True)
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    # --- reading, where it is asked for ---------------------------------------------------------

    def _known(self, key: str) -> Answered | None:
        with self._lock:
            return self._news.answers.get(key) or self._writing.get(key)

    def _stored(self, key: str) -> Answered | None:
        if self._read_number != self._number:  # another file took its place
            self._open_reader()
        if self._reader is None:
            return None
        try:
            row = self._reader.execute(FIND, (bytes.fromhex(key),)).fetchone()
        except sqlite3.Error as error:
            if not cache_file.is_busy(error):
                self._reading_failed(error)
            return None
        if row is None:
            return None
        text, confidence, prompt, cached, output, seconds, check, used = row
        answer = Answered(text, Usage(prompt, cached, output, seconds), confidence)
        if check != _check(key, answer):
            self._warn_once(f"warning: an answer in the cache `{self._path}` was changed: not used")
            with self._lock:
                self._news.wrong.add(key)
            self._schedule()
            return None
        if used < time.time() - DAY:  # to the day is enough to know what is not used any more
            with self._lock:
                self._news.used.add(key)
            self._schedule()
        return answer

    def _open_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader, self._read_number = None, self._number
        if self._number is None:
            return
        try:
            self._reader = cache_file.open_to_read(self._path)
        except (sqlite3.Error, OSError) as error:
            self._warn_of("read", error)

    def _reading_failed(self, error: sqlite3.Error) -> None:
        assert self._reader is not None
        self._reader.close()
        self._reader = None
        if cache_file.is_damage(error) and self._keeps:
            self._thread.submit(self._mend, self._read_number)
        else:
            self._warn_of("read", error)

    # --- writing, in the thread -----------------------------------------------------------------

    def _schedule(self) -> None:
        if self._keeps and not self._scheduled:
            self._scheduled = True
            self._thread.submit(self._write_news)

    def _write_news(self) -> None:
        self._scheduled = False
        with self._lock:
            news, self._news = self._news, _News()
            self._writing = news.answers
        if news and self._keeps:
            try:
                self._write(news)
            except sqlite3.Error as error:
                if not cache_file.is_damage(error):
                    self._writing_failed(error)
                elif self._mend(self._number):
                    with suppress(sqlite3.Error):
                        self._write(news)
        with self._lock:
            self._writing = {}

    def _write(self, news: _News) -> None:
        """All or nothing of it is in the file then. Raises sqlite3.Error."""
        if cache_file.number_of(self._path) != self._number:
            self._take_over(None)
        writer = self._writer
        if writer is None:
            return
        now = int(time.time())
        writer.execute("BEGIN IMMEDIATE")
        try:
            identity = (self._identity(),)
            writer.execute("INSERT OR IGNORE INTO engines (identity) VALUES (?)", identity)
            found = writer.execute("SELECT id FROM engines WHERE identity = ?", identity)
            engine = found.fetchone()[0]
            wrong = [(bytes.fromhex(key),) for key in news.wrong]
            writer.executemany("DELETE FROM answers WHERE key = ?", wrong)
            rows = [(*_row(key, one), engine, now, now) for key, one in news.answers.items()]
            writer.executemany(STORE, rows)
            used = [(now, bytes.fromhex(key)) for key in news.used]
            writer.executemany("UPDATE answers SET used = ? WHERE key = ?", used)
            writer.execute(COUNT, (engine, now // DAY, news.hits, news.misses))
            writer.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                writer.execute("ROLLBACK")
            raise

    def _mend(self, number: int | None) -> bool:
        """Begin a new file in place of the damaged one with this number; whether there is one now.

        Once: a second damaged file is the disk's fault.
        """
        if number == self._number:
            if self._mended:
                self._warn_once(f"warning: the cache `{self._path}` is damaged again: not used")
                self._let_go()
                return False
            self._mended = True
            self._take_over(number)
        return self._keeps

    def _take_over(self, damaged: int | None) -> None:
        """Go on with the file that is there now. `damaged` is the number of one that is not."""
        if self._writer is not None:
            self._writer.close()
        try:
            self._writer = cache_file.reopen(self._path, damaged, self._say)
        except (sqlite3.Error, OSError, JudgeLoadError) as error:
            self._writer = None
            self._keeps = False
            self._warn_of("written", error)
        self._number = cache_file.number_of(self._path)

    def _writing_failed(self, error: sqlite3.Error) -> None:
        self._warn_of("written", error)
        if not cache_file.is_busy(error):
            self._let_go()

    def _let_go(self) -> None:
        """Write nothing any more."""
        self._keeps = False
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    # --- what is said ---------------------------------------------------------------------------

    def _warn_of(self, what: str, error: Exception) -> None:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        go_on = "judging without it" if what == "read" else "answers are not kept"
        self._warn_once(f"warning: the cache `{self._path}` cannot be {what}: {reason}; {go_on}")

    def _warn_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._say(message)


def _row(key: str, answer: Answered) -> tuple[object, ...]:
    usage, confidence = answer.usage, answer.confidence
    said = None if confidence is None else float(confidence)
    counts = (usage.prompt, usage.cached, usage.output, float(usage.seconds))
    return (bytes.fromhex(key), answer.text, said, *counts, _check(key, answer))


def _check(key: str, answer: Answered) -> bytes:
    """A sum over a row, for SQLite has none: a bit that flipped must not flip a verdict."""
    confidence = None if answer.confidence is None else float(answer.confidence)
    text = repr((key, answer.text, confidence))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
