"""Files of drafts in a folder: all of them or none, and only if the specs among them compile."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cm2dsl.compiler import compile_file
from cm2dsl.fmt import formatted
from cm2dsl.source import Source


class WriteFault(Exception):  # noqa: N818 - a fault of what is there, not of the program
    """Files that cannot be written where they should go. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"error: {message}\n  = help: {help}")
        self.message = message
        self.help = help


def write_all(
    files: Iterable[tuple[str, str]],
    out: Path,
    *,
    given: Mapping[str, bytes] | None = None,
    force: bool = False,
    help: str = "name another folder with -o, or move the file away",
) -> None:
    """Write files, (name below `out`, text), all of them or none. Specs are laid out.

    `given` are files that are in `out` already and that the specs name. With `force`, files of
    these names are replaced. Raises WriteFault where a file is there already (`help` says what
    then), OSError where the folder cannot be written, and CompileError where a spec is not valid,
    which is a fault of who drafted it.
    """
    with _folder(out), tempfile.TemporaryDirectory(prefix=".draft-", dir=out) as name:
        fresh, old = Path(name) / "new", Path(name) / "old"
        for written, text in files:
            _save(fresh / written, text.encode())
        made = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
        for beside, raw in (given or {}).items():
            _save(fresh / beside, raw)
        for spec in [path for path in made if path.suffix == ".cm2"]:
            compile_file(fresh / spec)
            _lay_out(fresh / spec)
        for file in made:
            if (out / file).exists() and not force:
                raise WriteFault(f"`{out / file}` is there already", help)
        _move(made, fresh, out, old)


def _save(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def _lay_out(path: Path) -> None:
    text = formatted(Source(path, path.name, path.read_text(encoding="utf-8")))
    path.write_text(text, encoding="utf-8", newline="\n")


def _move(files: list[Path], fresh: Path, out: Path, old: Path) -> None:
    """Move the files into the folder; where that is interrupted, it is left as it was."""
    begun: list[Path] = []
    folders: list[Path] = []
    try:
        for file in files:
            begun.append(file)
            for folder in reversed((out / file).parents):
                if not folder.exists():
                    folders.append(folder)
                    folder.mkdir()
            if (out / file).exists():
                (old / file).parent.mkdir(parents=True, exist_ok=True)
                (out / file).replace(old / file)
            shutil.move(fresh / file, out / file)
    except BaseException:
        for file in begun:
            (out / file).unlink(missing_ok=True)
            if (old / file).exists():
                (old / file).replace(out / file)
        for folder in reversed(folders):
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """The folder and those above it are there; where nothing is written, only if they were."""
    fresh = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in fresh:
            with suppress(OSError):
                folder.rmdir()
        raise
