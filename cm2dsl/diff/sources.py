"""What A and B name: a file, a folder, or `git:REV:path`, which is put into a temporary folder.

Of a revision, the folder of the path is taken with all that is below it: a spec reads nothing else.
"""

from __future__ import annotations

import io
import posixpath
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import click

from cm2dsl.compiler import Compiled, compile_file
from cm2dsl.diagnostic import CompileError, Diagnostic

GIT = "git:"


@contextmanager
def opened(named: str) -> Iterator[Path]:
    """The file or folder. Raises click.UsageError for what is not there."""
    if not named.startswith(GIT):
        path = Path(named)
        if not path.exists():
            raise click.UsageError(f"there is no file or folder `{named}`")
        yield path
        return
    revision, colon, inner = named.removeprefix(GIT).partition(":")
    if not colon or not revision:
        raise click.UsageError(f"`{named}` names no revision and path: write `git:REV:path`")
    with TemporaryDirectory(prefix="cm2c-diff-") as folder:
        yield _extracted(revision, inner, Path(folder).resolve())


def _extracted(revision: str, inner: str, folder: Path) -> Path:
    """The path at a revision, put into a folder. Raises click.UsageError."""
    if revision.startswith("-"):
        raise click.UsageError(f"`{revision}` is no revision")
    top = Path(_git("rev-parse", "--show-toplevel").decode().rstrip("\n"))
    commit = _git(
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"),
        fault=f"git knows no revision `{revision}`",
    )
    hash = commit.decode().strip()
    prefix = _git("rev-parse", "--show-prefix").decode().rstrip("\n")
    # As git has it: from the top of the repository, or with `./` from here.
    base = prefix if inner.split("/")[0] in (".", "..") else ""
    path = posixpath.normpath(posixpath.join(base, inner))
    if path.split("/")[0] == ".." or path.startswith("/"):
        raise click.UsageError(f"`{inner}` is outside the repository {top}")
    kind = "tree"
    if path != ".":
        missing = f"there is no `{inner}` at `{revision}`"
        kind = _git("cat-file", "-t", f"{hash}:{path}", fault=missing).decode().strip()
    root = path if kind == "tree" else PurePosixPath(path).parent.as_posix()
    tree = hash if root == "." else f"{hash}:{root}"
    packed = _git("archive", "--format=tar", tree, cwd=top)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder if kind == "tree" else folder / PurePosixPath(path).name


def _git(*arguments: str, fault: str | None = None, cwd: Path | None = None) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, cwd=cwd, check=False)
    except FileNotFoundError:
        raise click.UsageError("`git:` needs git, and there is none on the path") from None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().splitlines()
    raise click.UsageError(fault or f"git failed: {said[-1] if said else 'it says not why'}")


class FaultsError(Exception):
    """Specs that do not compile: which, and why."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(f"{len(diagnostics)} faults")
        self.diagnostics = diagnostics


def read(path: Path, named: str) -> dict[str, Compiled]:
    """The compiled specs below a path, by name; libraries count through those that import them.

    A file alone is called ``. `named` is what A or B says, for messages. Raises FaultsError with
    every fault, and click.UsageError where there is no spec.
    """
    files = sorted(path.rglob("*.cm2")) if path.is_dir() else [path]
    found: dict[str, Compiled] = {}
    faults: list[Diagnostic] = []
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else ""
        shown = f"{named.rstrip('/')}/{name}" if name else named
        try:
            compiled = compile_file(file, shown)
        except CompileError as error:
            faults += error.diagnostics
            continue
        if compiled is not None:
            found[name] = compiled
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    if not found:
        raise click.UsageError(f"`{named}` has no spec: a spec is a .cm2 file with a `domain`")
    return found
