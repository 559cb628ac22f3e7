"""The .cm2 files that a command line names."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from cm2dsl.project import Project, read_project

SUFFIX = ".cm2"
STDIN = Path("-")

ENVIRONMENT = "pyvenv.cfg"
"""What makes a folder a virtual environment."""
BUNDLE = frozenset({"manifest.json", "ir.json", "reward.py"})
"""What makes a folder a bundle: what is in it was compiled already."""
OF_OTHERS = "node_modules"


def find_specs(paths: Iterable[Path], dash: bool = False) -> list[Path]:
    """The files, and the .cm2 files in the folders, each once; `-` as it is, if `dash` allows it.

    Raises click.UsageError for what is not there or cannot be read, and where no file is left.
    """
    return list(find_named(paths, dash))


def find_named(paths: Iterable[Path], dash: bool = False) -> dict[Path, str]:
    """The same, and each one's name: that below its folder, or its own, without the suffix."""
    found: dict[Path, str] = {}
    folders: list[Path] = []
    for path in paths:
        if dash and path == STDIN:
            found[path] = path.name
        elif stat.S_ISDIR(_mode(path)):
            folders.append(path)
            for spec in specs_below(path, read_project(path), _refuse):
                _refuse_special(spec)
                found[spec] = spec.relative_to(path).with_suffix("").as_posix()
        else:
            _refuse_special(path)
            found[path] = path.stem
    if not found:
        named = ", ".join(f"`{folder}`" for folder in folders) or "`.`"
        raise click.UsageError(f"no spec here: there is no .cm2 file in {named}")
    return found


def specs_below(
    folder: Path, project: Project, unread: Callable[[OSError], None] = lambda error: None
) -> list[Path]:
    """The .cm2 files in a folder and its folders, in order; links to folders are not followed.

    Left out are what is hidden, virtual environments, `node_modules`, bundles, and what the project
    excludes; the folder itself never is. `unread` is told of folders that cannot be read.
    """
    found: list[str] = []
    waiting = [(os.fspath(folder), _place(folder, project))]
    for number, (each, place) in enumerate(waiting):
        try:
            with os.scandir(each) as opened:
                entries = list(opened)
        except OSError as error:
            unread(error)
            continue
        names = {entry.name for entry in entries}
        if number and (ENVIRONMENT in names or names >= BUNDLE):
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if not (is_folder or entry.name.endswith(SUFFIX)) or entry.name == OF_OTHERS:
                continue
            inside = (*place, entry.name)
            if project.exclude and project.excludes(inside):
                continue
            if is_folder:
                waiting.append((entry.path, inside))
            else:
                found.append(entry.path)
    return sorted(map(Path, found))


def _place(folder: Path, project: Project) -> tuple[str, ...]:
    """The names from the project's folder to this one."""
    if not project.exclude or project.path is None:
        return ()
    return folder.resolve().relative_to(project.path.parent).parts


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise click.UsageError(f"there is no file or folder `{path}`") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _refuse(error: OSError) -> None:
    raise _unreadable(Path(error.filename), error) from None


def _refuse_special(path: Path) -> None:
    """Raises click.UsageError for what may have no end, such as a pipe or a device."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:  # it was there a moment ago, or is a link: the compiler says so
        return
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(mode):
        what = "is not a regular file: name a .cm2 file or a folder of them"
        raise click.UsageError(f"`{path}` {what}")


def _unreadable(path: Path, error: OSError) -> click.UsageError:
    reason = (error.strerror or "it failed").lower()
    return click.UsageError(f"cannot read `{path}`: {reason}")
