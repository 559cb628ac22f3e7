"""How `cm2 score` ends where it cannot go on: what is wrong, of which file, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC, EPIPE
from pathlib import Path
from typing import NoReturn

import click

USER_ERROR = 2
STDOUT = "standard output"


def fail(message: str, help: str | None) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    if help:
        click.echo(f"  = help: {help}", err=True)
    raise SystemExit(USER_ERROR)


def cannot(error: OSError) -> NoReturn:
    """End with what the system says of a file that is read or written."""
    if error.errno == EPIPE:
        raise error  # nobody reads what is printed: click ends quietly
    reason = (error.strerror or "it failed").lower()
    place = error.filename
    what = place if place == STDOUT else f"`{place}`" if place else "the dialogues"
    if place == STDOUT:
        with suppress(OSError):
            sys.stdout.close()  # what is left would be written once more at the end
    full = error.errno in (ENOSPC, EFBIG, EDQUOT)
    help = (
        "make room, and give the same command again"
        if full
        else "see that it can be, or name another file"
    )
    fail(f"cannot read or write {what}: {reason}", help)


@contextmanager
def naming(*paths: Path | str | None) -> Iterator[None]:
    """An OSError is of one of these, which the user knows; of the first, where it says of none.

    While a run goes on, what it writes has names that begin with those.
    """
    try:
        yield
    except OSError as error:
        known = [str(path) for path in paths if path is not None]
        longest = sorted(known, key=len, reverse=True)
        said = str(error.filename or "")
        error.filename = next((path for path in longest if said.startswith(path)), known[0])
        raise
