"""The SQLite file of a cache: whose it is, how it is made, and what becomes of a damaged one.

Processes make and mend the file one at a time: each locks `FILE.lock` beside it, which stays there
and says that FILE was made here, also where nothing in FILE itself says so any more. A damaged file
is moved aside with all that belongs to it, so that nothing is lost and nothing old is taken for
part of the new one. A file that is not a cache is never touched.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from cm2.judge.engine import JudgeLoadError

try:
    import fcntl
except ImportError:  # Windows: a file that is open cannot be moved there, so nothing is mended
    fcntl = None  # type: ignore[assignment]

MAGIC = b"SQLite format 3\0"
APPLICATION = 0x636D326A
"""`cm2j`, at byte 68 of the file: SQLite keeps this number for the program that made it."""
VERSION = 1
MARK = b"cm2 locks this file while it makes or mends the cache beside it\n"
BUSY = 30.0
"""Seconds that a writer waits for the others."""
LOCKED = 10.0
"""Seconds that a process waits for another that makes or mends the file: that takes none."""
PARTS = ("-journal", "-wal", "-shm", "")
"""What SQLite adds to the file's name; the file comes last, so that no part is left alone."""

SCHEMA = (
    """CREATE TABLE engines (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE)""",
    """CREATE TABLE answers (
        key BLOB PRIMARY KEY NOT NULL, text TEXT NOT NULL, confidence REAL,
        prompt INTEGER, cached INTEGER, output INTEGER, seconds REAL NOT NULL,
        engine INTEGER NOT NULL REFERENCES engines(id),
        made INTEGER NOT NULL, used INTEGER NOT NULL, sum BLOB NOT NULL)""",
    """CREATE INDEX answers_used ON answers (used)""",
    """CREATE TABLE asked (
        engine INTEGER NOT NULL REFERENCES engines(id), day INTEGER NOT NULL,
        hits INTEGER NOT NULL, misses INTEGER NOT NULL, PRIMARY KEY (engine, day))""",
)
"""`made` and `used` are seconds since 1970, `day` days since then; `sum` is a check on the row."""

Say = Callable[[str], None]
"""Tells the user something that is no reason to stop."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is not what SQLite wrote."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether others held the file for too long."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def open_file(path: Path, say: Say) -> sqlite3.Connection:
    """A connection that reads and writes; the file is made, or moved aside and made anew.

    Raises JudgeLoadError where the file is not a cache, and sqlite3.Error or OSError where it
    cannot be read or written.
    """
    _refuse_foreign(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        return _opened(path, say)


def reopen(path: Path, damaged: int | None, say: Say) -> sqlite3.Connection:
    """The same once a file turned out to be damaged, whose number on the disk was `damaged`.

    Another process may have moved it aside already; then there is nothing to be moved.
    """
    _refuse_foreign(path)
    with _locked(path):
        if damaged is not None and number_of(path) == damaged:
            _move_aside(path, say)
        return _opened(path, say)


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that reads, also in a folder where nothing can be written.

    Raises sqlite3.Error where the file cannot be read.
    """
    name = path.resolve().as_uri()
    try:
        return _reading(f"{name}?mode=rw")  # the last to close tidies up, which takes writing
    except sqlite3.OperationalError:
        # Nobody writes where we cannot write, as far as can be known; rows are checked one by one.
        return _reading(f"{name}?mode=ro&immutable=1")


def _reading(uri: str) -> sqlite3.Connection:
    # An answer is read while others wait for the event loop: rather none than a late one.
    connection = sqlite3.connect(
        uri, uri=True, timeout=1.0, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("SELECT count(*) FROM engines").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def number_of(path: Path) -> int | None:
    """What tells this file from one that takes its place under the same name."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def require_cache(path: Path) -> None:
    """Raises JudgeLoadError where there is no cache in a file."""
    if not path.is_file():
        raise JudgeLoadError(f"there is no file `{path}`")
    _refuse_foreign(path)


def _refuse_foreign(path: Path) -> None:
    if _whose(path) == "foreign":
        raise JudgeLoadError(
            f"`{path}` is not a cache of answers, and is left as it is; name another file"
        )


def _whose(path: Path) -> Literal["nobody", "ours", "damaged", "foreign"]:
    """Whose file it is. Raises OSError."""
    if path.is_dir():
        return "foreign"
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return "nobody"
    if not head:
        return "nobody"
    if head.startswith(MAGIC) and head[68:72] == APPLICATION.to_bytes(4):
        return "ours"
    if not _marked(path) or _is_sound(path):
        return "foreign"
    return "damaged"


def _is_sound(path: Path) -> bool:
    """Whether SQLite can read it: it is then another program's.

    `immutable` reads the file by itself: the log of writes beside it may be ours, from before the
    damage, and hold a first page that makes any bytes look sound.
    """
    name = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(name, uri=True)) as other:
            other.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        return False
    return True


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _marked(path: Path) -> bool:
    try:
        return _mark_of(path).read_bytes() == MARK
    except OSError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keeps other processes from making or mending the file. The system frees what a dead one held.

    Raises OSError.
    """
    with _mark_of(path).open("ab") as file:
        if not file.tell():
            file.write(MARK)
            file.flush()
        _lock(file)
        yield


def _lock(file: BinaryIO) -> None:
    if fcntl is None:
        return
    end = time.monotonic() + LOCKED
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _opened(path: Path, say: Say) -> sqlite3.Connection:
    """A connection to the file of our own, made where there is none; with the lock held."""
    if _whose(path) == "damaged":
        _move_aside(path, say)
    try:
        return _prepared(path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
    _move_aside(path, say)
    return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    # Transactions are written out; the thread that writes is not the one that opens.
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise JudgeLoadError(f"`{path}` is a cache of a newer version of cm2; name another")
        if version < VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        # In WAL mode a cut in power may lose the last answers, and damages nothing.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT count(*) FROM engines").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _move_aside(path: Path, say: Say) -> None:
    """Give a damaged file, with what SQLite keeps beside it, another name. Raises OSError."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for part in PARTS:
        with suppress(FileNotFoundError):
            Path(f"{path}{part}").replace(f"{aside}{part}")
    say(f"warning: the cache `{path}` is damaged: it is now `{aside}`, and a new one is begun")
