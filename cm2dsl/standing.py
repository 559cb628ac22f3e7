"""How the files of specs stand on disk: what a later look is compared with.

A spec's files are those that it names and its imports name, there or not. They are read off the
syntax tree, which there is of any text, so a spec that does not compile has them too. A parse is
done again only where a file has changed, so a look costs a `stat` a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from msgspec import Struct

from cm2dsl import nodes
from cm2dsl.diagnostic import Log
from cm2dsl.files import decode
from cm2dsl.parse import parse
from cm2dsl.project import FILE, Project, read_project
from cm2dsl.specs import specs_below

Stamp = tuple[int, int, int, int] | None
"""Times, size and number of a file; None where it is not there. A file that is written beside and
renamed has another number, also if its size and its time are the same."""

Standing = dict[Path, Stamp]


class Named(Struct, frozen=True):
    """The names of files in one .cm2 file: of imports, and of all others."""

    imports: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class Looker:
    """Looks at files again and again, and remembers what the .cm2 files among them name."""

    def __init__(self, paths: Iterable[Path]) -> None:
        # The folder that they are named from may go while they are looked at.
        self._paths = tuple((path, _settings(path)) for path in paths)
        self._projects: dict[Path, tuple[Standing, Project]] = {}
        self._known: dict[Path, tuple[Stamp, Named]] = {}

    def look(self) -> Standing:
        """Every file that the paths lead to, as it stands; a folder leads to the specs in it."""
        found: Standing = {}
        for path, settings in self._paths:
            now: Standing = {one: stamp(one) for one in settings}
            specs = specs_below(path, self._project(path, now)) if is_folder(path) else [path]
            for spec in specs:
                self._look_at(spec, found)
            found |= now
        return found

    def _project(self, path: Path, now: Standing) -> Project:
        """What the project says of a folder; nothing where it is wrong, which the run says."""
        before = self._projects.get(path)
        if before is None or before[0] != now:
            try:
                before = (now, read_project(path))
            except click.UsageError:
                before = (now, Project())
            self._projects[path] = before
        return before[1]

    def _look_at(self, spec: Path, found: Standing) -> None:
        """The spec, what it names, and what its imports name: all of it from the spec's folder."""
        try:
            folder = (spec.resolve() if spec.is_symlink() else spec).parent
        except (OSError, RuntimeError):  # a circle of links
            folder = spec.parent
        waiting = [spec]
        done: set[Path] = set()
        while waiting:
            path = waiting.pop()
            if path in done:
                continue
            done.add(path)
            named = self._named(path, found)
            waiting += _below(folder, named.imports)
            for other in _below(folder, named.others):
                if other not in found:
                    found[other] = stamp(other)

    def _named(self, path: Path, found: Standing) -> Named:
        # The stamp comes first: what changes while the file is read is seen at the next look.
        now = found[path] if path in found else stamp(path)
        found[path] = now
        before = self._known.get(path)
        if before is None or before[0] != now:
            before = (now, named_in(path) if now is not None else Named())
            self._known[path] = before
        return before[1]


def _settings(path: Path) -> list[Path]:
    """Where settings may stand that hold for a path."""
    start = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
    return [folder / FILE for folder in [start, *start.parents]]


def is_folder(path: Path) -> bool:
    """Whether a folder is there, as far as can be seen."""
    try:
        return path.is_dir()
    except OSError:
        return False


def stamp(path: Path) -> Stamp:
    """How a file stands now."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def named_in(path: Path) -> Named:
    """The names of files in a .cm2 file, also in one with faults; none where it cannot be read."""
    try:
        if not path.is_file():  # reading a pipe would not end
            return Named()
        raw = path.read_bytes()
    except OSError:
        return Named()
    log = Log()
    source = decode(raw, path, str(path), log)
    file = parse(source, log) if source is not None else None
    if file is None:
        return Named()
    imports = [
        one.file
        for one in file.statements
        if isinstance(one, nodes.FileStatement) and one.word == "import"
    ]
    others = [name for name in _strings(file) if name not in imports]
    return Named(tuple(map(_written, imports)), tuple(map(_written, others)))


def _strings(node: object) -> Iterator[nodes.String]:
    """The strings that name files, in a part of a tree, however deep."""
    if isinstance(node, tuple):
        for one in node:
            yield from _strings(one)
        return
    for name in getattr(node, "__struct_fields__", ()):
        value = getattr(node, name)
        if name == "file" and isinstance(value, nodes.String):
            yield value
        elif name != "span":
            yield from _strings(value)


def _written(text: nodes.String) -> str:
    return "".join(part for part in text.parts if isinstance(part, str))


def _below(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """The files of these names, as the compiler finds them: in the folder or below it."""
    for name in names:
        plain = os.path.normpath(name) if name.strip() and "\0" not in name else ".."
        if not (plain == "." or plain.startswith("..") or os.path.isabs(plain)):  # noqa: PTH117
            yield folder / plain
