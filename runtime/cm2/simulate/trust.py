"""The backend files that a user lets run without being asked each time.

The list is the user's own, outside of any spec: `$XDG_CONFIG_HOME/cm2/trusted.toml`, or
`~/.config/cm2/trusted.toml`. A file is trusted by its place and its contents: one that was changed
is not trusted any more.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cm2.simulate.backend import SimulationError
from cm2dsl import ir
from cm2dsl.write import write_beside

_HEAD = "# Backend files that cm2 may run: the sha256 of each. `cm2 trust` writes this file.\n\n"


class TrustError(Exception):
    """The list cannot be read or written; the message names it."""


def trust_file() -> Path:
    """Where the list is."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(given) if Path(given).is_absolute() else Path.home() / ".config"
    return folder / "cm2" / "trusted.toml"


def trusted() -> dict[Path, str]:
    """The sha256 by resolved path. Raises TrustError."""
    path = trust_file()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("files", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TrustError(f"{path}: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise TrustError(f"{path}: `[files]` must give a sha256 for each file")
    return {Path(name): digest for name, digest in found.items()}


def write(files: Mapping[Path, str]) -> None:
    """Make this the list. Raises TrustError where there can be no folder for it, and Unwritten."""
    path = trust_file()
    lines = [f"{json.dumps(str(name))} = {json.dumps(files[name])}" for name in sorted(files)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrustError(f"{path.parent}: {error.strerror}") from error
    write_beside(path, _HEAD + "\n".join(["[files]", *lines, ""]))


def digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()


def permit_all(backends: Sequence[ir.Backend], files: Path, origin: Path) -> None:
    """Raises SimulationError for the first Python file of a chain that is not trusted.

    `files` is the folder that they are read from, `origin` where the user has them. One that
    cannot be read is passed over: whoever loads it says so.
    """
    for backend in backends:
        if isinstance(backend, ir.PythonBackend):
            with suppress(OSError):
                permit(origin / backend.file, (files / backend.file).read_bytes())


def permit(path: Path, code: bytes) -> None:
    """Raises SimulationError unless the file at `path`, which holds `code`, is trusted."""
    found = path.resolve()
    try:
        known = trusted().get(found)
    except TrustError as error:
        raise SimulationError(str(error)) from error
    if known == digest(code):
        return
    why = "it has changed since you trusted it" if known else "code runs only where you say so"
    raise SimulationError(
        f"tools are answered by the code in `{found}`, and {why}\n"
        "  = help: read the file; then give --allow-python, or trust it as it is with "
        f"`cm2 trust add {shlex.quote(_short(found))}`"
    )


def _short(path: Path) -> str:
    """The path from where the user is, if that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
