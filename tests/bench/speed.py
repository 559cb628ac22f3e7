"""How long `cm2c` takes: one file as a whole process, and a thousand specs.

    python tests/bench/speed.py               # about three minutes; --specs 100 for a quick look

Every figure is that of whole processes, started as a shell would, with compiled Python beside the
sources as pip leaves it. Rivals run in the same round: Python that does nothing, Python with the
two libraries that every command of ours imports, `python -m json.tool` and `ruff check` of a file
of ours. The specs are those of `desks.py`, in a temporary folder; `--folder DIR` for another disk.
One core: the processes are bound to the first one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from desks import write_desks

ROOT = Path(__file__).parents[2]
ROUNDS = 20
CM2C = "import sys; from cm2dsl.cm2c import main; sys.exit(main())"
FINE = (0, 1)
"""Exit codes of a linter that did its work: nothing found, something found."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--specs", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        home = Path(folder)
        lines = write_desks(home / "specs", options.specs)
        print(f"one file, whole processes: median of {ROUNDS}\n")
        one_file(home)
        print(f"\n{options.specs:,} specs, {lines:,} lines\n")
        many_files(home)


# --- one file ---------------------------------------------------------------------------------


def one_file(home: Path) -> None:
    """A table of medians, each with its ratio to Python with the same libraries."""
    spec = home / "specs" / "team00" / "desk0001.cm2"
    airline = ROOT / "specs" / "airline.cm2"
    floor = "python, click and msgspec imported"
    commands = {
        "python that does nothing": python("pass"),
        floor: python("import click, msgspec"),
        "python -m json.tool tools.json": [
            *python()[:1],
            "-m",
            "json.tool",
            str(spec.with_suffix("") / "tools.json"),
        ],
        "ruff check cm2c.py": ["ruff", "check", str(ROOT / "cm2dsl" / "cm2c.py")],
        "cm2c lint one.cm2, again": cm2c("lint", str(spec)),
        "cm2c lint one.cm2, anew": cm2c("lint", "--no-cache", str(spec)),
        "cm2c lint airline.cm2, again": cm2c("lint", str(airline)),
        "cm2c compile one.cm2, again": cm2c("compile", str(spec)),
        "cm2c compile one.cm2, anew": cm2c("compile", "--no-cache", str(spec)),
        "cm2c --version": cm2c("--version"),
    }
    for command in commands.values():
        seconds(command, home)  # what is compiled and kept once is there from now on
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(seconds(command, home))
    medians = {name: statistics.median(all_) for name, all_ in times.items()}
    table(
        ("", "ms", "ratio"),
        [(name, f"{t * 1000:.0f}", f"{t / medians[floor]:.2f}") for name, t in medians.items()],
    )


# --- many files -------------------------------------------------------------------------------


def many_files(home: Path) -> None:
    """A table of seconds, with ratios to reading and hashing every file."""
    rival = seconds(python(READ_ALL, str(home / "specs")), home)
    rows = [("python reads and hashes every file", rival)]
    steps: dict[str, Sequence[str]] = {
        "cm2c compile, nothing kept": cm2c("compile", "specs"),
        "cm2c compile, nothing changed": cm2c("compile", "specs"),
        "cm2c lint, nothing kept": cm2c("lint", "specs", "--format", "concise"),
        "cm2c lint, nothing changed": cm2c("lint", "specs", "--format", "concise"),
    }
    for name, command in steps.items():
        again = "nothing changed" in name
        taken = [seconds(command, home) for _ in range(5 if again else 1)]
        rows.append((name, statistics.median(taken)))
    changed = sorted((home / "specs").rglob("desk*.cm2"))[0]
    changed.write_text(changed.read_text("utf-8") + "# changed\n", "utf-8")
    rows.append(("cm2c compile, one changed", seconds(steps["cm2c compile, nothing kept"], home)))
    table(("", "s", "ratio"), [(name, f"{t:.2f}", f"{t / rival:.1f}") for name, t in rows])


READ_ALL = """
import hashlib, pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*"):
    if path.is_file():
        hashlib.sha256(path.read_bytes())
"""


# --- processes --------------------------------------------------------------------------------


def bin_folder() -> str:
    return str(Path(sys.executable).parent)


def python(code: str = "", *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def cm2c(*arguments: str) -> list[str]:
    return python(CM2C, *arguments)


def seconds(command: Sequence[str], folder: Path) -> float:
    """How long a process takes. Raises SystemExit where it does not do its work."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True)
    taken = time.perf_counter() - start
    if done.returncode not in FINE or b"Traceback" in done.stderr:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode()}")
    return taken


def environment() -> Mapping[str, str]:
    """The environment, in which Python keeps what it compiled."""
    own = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return own | {"PATH": os.pathsep.join([bin_folder(), own.get("PATH", "")])}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        first, *rest = (
            f"{cell:<{width}}" if not i else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))


if __name__ == "__main__":
    main()
