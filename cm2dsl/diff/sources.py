"""What A and B name: a file, a folder, or `git:REV:path`, which is put into a temporary folder.

Of a revision, the folder of the path is taken with all that is below it: a spec reads nothing else.
Its files are as git keeps them: no attribute leaves one out or changes it.
"""

from __future__ import annotations

import posixpath
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import click

from cm2dsl.compiler import Compiled, compile_file
from cm2dsl.diagnostic import CompileError, Diagnostic

GIT = "git:"
LINK = b"120000"


@contextmanager
def opened(named: str) -> Iterator[Path]:
    """The file or folder. Raises click.UsageError for what is not there."""
    if not named.startswith(GIT):
        path = Path(named)
        if not path.exists():
            raise click.UsageError(f"there is no file or folder `{named}`")
        yield path
        return
    revision, inner = _parts(named.removeprefix(GIT))
    if inner is None or not revision:
        raise click.UsageError(f"`{named}` names no revision and path: write `git:REV:path`")
    with TemporaryDirectory(prefix="cm2c-diff-") as folder:
        yield _extracted(revision, inner, Path(folder).resolve())


def _parts(named: str) -> tuple[str, str | None]:
    """Revision and path: the first colon outside braces (`HEAD^{/a: b}`) is between them."""
    depth = 0
    for place, char in enumerate(named):
        depth += (char == "{") - (char == "}")
        if char == ":" and depth <= 0:
            return named[:place], named[place + 1 :]
    return named, None


def _extracted(revision: str, inner: str, folder: Path) -> Path:
    """The path at a revision, put into a folder. Raises click.UsageError."""
    if revision.startswith("-"):
        raise click.UsageError(f"`{revision}` is no revision")
    prefix = _git("rev-parse", "--show-prefix").decode().rstrip("\n")
    # A commit, a tag, or a tree by itself: all that has files.
    found = _git(
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}"),
        fault=f"git knows no revision `{revision}`",
    )
    hash = found.decode().strip()
    # As git has it: from the top of the repository, or with `./` from here.
    base = prefix if inner.split("/")[0] in (".", "..") else ""
    path = posixpath.normpath(posixpath.join(base, inner))
    if path.split("/")[0] == ".." or path.startswith("/"):
        raise click.UsageError(f"`{inner}` is outside the repository")
    kind = "tree"
    if path != ".":
        missing = f"there is no `{inner}` at `{revision}`"
        kind = _git("cat-file", "-t", f"{hash}:{path}", fault=missing).decode().strip()
    root = path if kind == "tree" else PurePosixPath(path).parent.as_posix()
    _write(hash if root == "." else f"{hash}:{root}", folder)
    return folder if kind == "tree" else folder / PurePosixPath(path).name


def _write(tree: str, folder: Path) -> None:
    """Every file of a tree, below a folder. A link that leads out of it is left out."""
    listed = _git("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")
    entries = [line.partition(b"\t")[::2] for line in listed if line]
    blobs = [(head.split(), name) for head, name in entries if head.split()[1] == b"blob"]
    asked = b"".join(hash + b"\n" for (_, _, hash), _ in blobs)
    found = memoryview(_git("cat-file", "--batch", told=asked))
    links: list[tuple[Path, str]] = []
    for (mode, _, _), name in blobs:
        end = bytes(found[:4096]).index(b"\n")
        size = int(bytes(found[:end]).split()[-1])
        content, found = bytes(found[end + 1 : end + 1 + size]), found[end + size + 2 :]
        path = folder / name.decode("utf-8", "surrogateescape")
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode == LINK:
            links.append((path, content.decode("utf-8", "surrogateescape")))
        else:
            path.write_bytes(content)
    for path, target in links:
        if (path.parent / target).resolve().is_relative_to(folder):
            path.symlink_to(target)


def _git(*arguments: str, fault: str | None = None, told: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, input=told, check=False)
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
