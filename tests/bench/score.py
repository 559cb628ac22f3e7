"""What `cm2 score` costs: against `orjson.loads` of the same file, in memory, and by processes.

    CM2_DATA=… python tests/bench/score.py throughput     # seconds against orjson.loads, one core
    CM2_DATA=… python tests/bench/score.py profile        # where the rest goes
    CM2_DATA=… python tests/bench/score.py memory         # peak memory, 1,000 to 100,000 dialogues
    CM2_DATA=… python tests/bench/score.py processes      # one process against two

Most dialogues are those of the τ²-bench airline runs in CM2_DATA (`toolorchestra` left out),
written as chat lines and repeated; the spec is the one that `cm2 import tau2` makes of the tasks in
one of these files. `throughput` also has the short recordings of specs/airline.cm2. Nothing else
should run on the machine.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from cm2.bundle import open_spec
from cm2.formats.record import Record
from cm2.formats.tau2 import read
from cm2.importers.options import Options as ImportOptions
from cm2.importers.tau2 import read as read_tasks
from cm2.importers.write import write_specs
from cm2.scoring.units import blocks
from cm2.scoring.worker import Options, Worker
from cm2.table import table
from cm2dsl.chat import to_chat

ROUNDS = 9
SHORT_SPEC = Path(__file__).parents[2] / "specs" / "airline.cm2"
SHORT = SHORT_SPEC.parent / "airline" / "recordings"
RUN = "gpt-4o__azure-PR103.json.gz"


def main(what: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = sorted((Path(os.environ["CM2_DATA"]) / "tau2" / "airline" / "runs").glob("*.gz"))
        runs = [path for path in runs if not path.name.startswith("toolorchestra")]
        (run,) = (path for path in runs if path.name == RUN)
        (spec,) = write_specs(read_tasks(run, ImportOptions()), folder / "specs")
        known = {task.name for task in open_spec(spec).spec.tasks}
        lines = [
            json.dumps(to_chat(record.trajectory)).encode() + b"\n"
            for path in runs
            for record in read(path)
            if isinstance(record, Record) and record.trajectory.task in known
        ]
        print(f"{len(lines)} dialogues of {sum(map(len, lines)) / len(lines) / 1000:.1f} kB")
        {"throughput": throughput, "profile": profile, "memory": memory, "processes": processes}[
            what
        ](spec, lines, folder)


def repeated(lines: list[bytes], count: int, path: Path) -> Path:
    """A file of `count` dialogues."""
    with path.open("wb") as file:
        for number in range(count):
            file.write(lines[number % len(lines)])
    return path


def throughput(spec: Path, lines: list[bytes], folder: Path) -> None:
    compare(spec, repeated(lines, 4000, folder / "dialogues.jsonl"), folder)
    short = [line for path in SHORT.glob("*.jsonl") for line in path.open("rb")]
    print(f"\n{len(short)} dialogues of {sum(map(len, short)) / len(short) / 1000:.1f} kB")
    compare(SHORT_SPEC, repeated(short, 4000, folder / "short.jsonl"), folder)


def compare(spec: Path, path: Path, folder: Path) -> None:
    worker = Worker(open_spec(spec), Options())

    def rival() -> None:
        with path.open("rb") as file:
            for line in file:
                orjson.loads(line)

    def score() -> None:
        with (folder / "rows.jsonl").open("wb") as out:
            for unit in blocks(path):
                out.write(worker.score(unit).rows)

    rounds = [(seconds(rival), seconds(score)) for _ in range(ROUNDS)]
    ratios = [ours / theirs for theirs, ours in rounds]
    rows = [
        ["orjson.loads", f"{statistics.median(r for r, _ in rounds) / 4000 * 1e6:.1f}", "1.00"],
        [
            "cm2 score",
            f"{statistics.median(o for _, o in rounds) / 4000 * 1e6:.1f}",
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        ],
    ]
    print(table(["", "µs a dialogue", f"ratio (median of {ROUNDS} rounds)"], rows, right=(1, 2)))


def profile(spec: Path, lines: list[bytes], folder: Path) -> None:
    path = repeated(lines, 4000, folder / "dialogues.jsonl")
    worker = Worker(open_spec(spec), Options())
    units = list(blocks(path))
    profiler = cProfile.Profile()
    profiler.enable()
    for unit in units:
        worker.score(unit)
    profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(20)


def memory(spec: Path, lines: list[bytes], folder: Path) -> None:
    rows = []
    for count in (1000, 10_000, 100_000):
        path = repeated(lines, count, folder / "dialogues.jsonl")
        _, peak = run(spec, path, folder, 1)
        rows.append([f"{count:,}", f"{path.stat().st_size / 1e6:,.0f}", f"{peak / 1000:.0f}"])
    print(table(["dialogues", "file, MB", "peak memory, MB"], rows, right=(0, 1, 2)))


def processes(spec: Path, lines: list[bytes], folder: Path) -> None:
    path = repeated(lines, 100_000, folder / "dialogues.jsonl")
    rounds = [tuple(run(spec, path, folder, jobs)[0] for jobs in (1, 2)) for _ in range(3)]
    one, two = (statistics.median(column) for column in zip(*rounds, strict=True))
    speedups = [a / b for a, b in rounds]
    rows = [["1", f"{one:.1f}", "1.00"], ["2", f"{two:.1f}", f"{statistics.median(speedups):.2f}"]]
    print(table(["processes", "seconds, start included", "speed"], rows, right=(1, 2)))


def run(spec: Path, path: Path, folder: Path, jobs: int) -> tuple[float, int]:
    """(seconds, peak memory in kB of the largest process) of the command itself."""
    out = folder / "rows.jsonl"
    command = ["score", str(spec), str(path), "-o", str(out), "--jobs", str(jobs), "--restart"]
    code = "import sys; from cm2.cli import main; main()"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1])
