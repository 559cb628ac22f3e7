"""How long `cm2c` takes: one file as a whole process, and a thousand specs.

    python tests/bench/speed.py               # about three minutes; --specs 100 for a quick look

Every figure is that of whole processes, started as a shell would, with compiled Python beside the
sources as pip leaves it. Rivals run in the same round: Python that does nothing, Python with the
two libraries that every command of ours imports, `python -m json.tool` and `ruff check` of a file
of ours. The specs are those of `desks.py`, in a temporary folder; `--folder DIR` for another disk.
One core: the processes are bound to the first one. Where others use that core too, the seconds for
which it was busy with a process say more than those by the clock.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
    tools = spec.with_suffix("") / "tools.json"
    airline = str(ROOT / "specs" / "airline.cm2")
    floor = "python, click and msgspec imported"
    commands = {
        "python that does nothing": python("pass"),
        floor: python("import click, msgspec"),
        "python -m json.tool tools.json": [sys.executable, "-m", "json.tool", str(tools)],
        "ruff check cm2c.py": ["ruff", "check", str(ROOT / "cm2dsl" / "cm2c.py")],
        "cm2c lint one.cm2, again": cm2c("lint", str(spec)),
        "cm2c lint one.cm2, anew": cm2c("lint", "--no-cache", str(spec)),
        "cm2c lint airline.cm2, again": cm2c("lint", airline),
        "cm2c compile one.cm2, again": cm2c("compile", str(spec), "-o", "kept"),
        "cm2c compile one.cm2, anew": cm2c("compile", "--no-cache", str(spec), "-o", "anew"),
        "cm2c --version": cm2c("--version"),
    }
    for command in commands.values():
        run(command, home)  # what is compiled and kept once is there from now on
    times: dict[str, list[Taken]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(run(command, home))
    print_table("ms", 1000, 0, [(name, median(taken)) for name, taken in times.items()], floor)


# --- many files -------------------------------------------------------------------------------


def many_files(home: Path) -> None:
    """A table of seconds, with ratios to reading and hashing every file."""
    rival = "python reads and hashes every file"
    rows = [(rival, median([run(python(READ_ALL, "specs"), home) for _ in range(5)]))]
    compile_, lint = cm2c("compile", "specs"), cm2c("lint", "specs", "--format", "concise")
    rows.append(("cm2c compile, nothing kept", run(compile_, home)))
    rows.append(("cm2c compile, nothing changed", median([run(compile_, home) for _ in range(5)])))
    rows.append(("cm2c lint, nothing kept", run(lint, home)))
    rows.append(("cm2c lint, nothing changed", median([run(lint, home) for _ in range(5)])))
    changed = home / "specs" / "team00" / "desk0001.cm2"
    changed.write_text(changed.read_text("utf-8") + "# changed\n", "utf-8")
    rows.append(("cm2c compile, one changed", run(compile_, home)))
    print_table("s", 1, 2, rows, rival)


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


class Taken(NamedTuple):
    """Seconds by the clock, and those for which a processor was busy with it."""

    clock: float
    busy: float


def run(command: Sequence[str], folder: Path) -> Taken:
    """How long a process takes. Raises SystemExit where it does not do its work."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in FINE or b"Traceback" in done.stderr:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode()}")
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(clock, busy)


def median(taken: Sequence[Taken]) -> Taken:
    return Taken(*(statistics.median(column) for column in zip(*taken, strict=True)))


def environment() -> Mapping[str, str]:
    """The environment, in which Python keeps what it compiled."""
    own = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return own | {"PATH": os.pathsep.join([bin_folder(), own.get("PATH", "")])}


def print_table(
    unit: str, factor: int, digits: int, rows: Sequence[tuple[str, Taken]], rival: str
) -> None:
    """Each row's time by the clock, its ratio to the rival's, and the time of the processor."""
    least = dict(rows)[rival].clock
    print(f"{'':36}{unit:>8}{'ratio':>8}{'busy ' + unit:>10}")
    for name, (clock, busy) in rows:
        print(
            f"{name:36}{clock * factor:8.{digits}f}{clock / least:8.2f}{busy * factor:10.{digits}f}"
        )


if __name__ == "__main__":
    main()
