"""`cm2 trust`: the backend files that may run without `--allow-python`."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click

from cm2.simulate.trust import TrustError, digest, trust_file, trusted, write

USER_ERROR = 2


@click.group(no_args_is_help=True)
def command() -> None:
    """Say which backend files may run without --allow-python.

    A backend is Python code that a spec names, and it runs with your rights. Read it first. A file
    is trusted as it is now: once it has changed, it has to be trusted again.
    """


@command.command("add")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def add(files: tuple[Path, ...]) -> None:
    """Trust FILES as they are now."""
    known = _known()
    fresh = {}
    for path in files:
        try:
            fresh[path.resolve()] = digest(path.read_bytes())
        except OSError as error:
            _fail(f"`{path}` cannot be read: {(error.strerror or 'it failed').lower()}")
    _write(known | fresh)
    for path in fresh:
        click.echo(f"trusted: {path}")


@command.command("remove")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def remove(files: tuple[Path, ...]) -> None:
    """Trust FILES no more; they need not be there."""
    known = _known()
    for path in files:
        if path.resolve() not in known:
            _fail(f"`{path}` is not trusted; `cm2 trust list` shows what is")
    gone = {path.resolve() for path in files}
    _write({path: found for path, found in known.items() if path not in gone})
    for path in sorted(gone):
        click.echo(f"no longer trusted: {path}")


@command.command("list")
def show() -> None:
    """List the trusted files, and whether they are still what was trusted."""
    for path, found in sorted(_known().items()):
        try:
            state = "as trusted" if digest(path.read_bytes()) == found else "changed, not trusted"
        except OSError:
            state = "not there"
        click.echo(f"{state}: {path}")


def _known() -> dict[Path, str]:
    try:
        return trusted()
    except TrustError as error:
        _fail(f"{error}; correct or delete {trust_file()}")


def _write(files: dict[Path, str]) -> None:
    try:
        write(files)
    except TrustError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise SystemExit(USER_ERROR)
