"""Seconds a step of one process and of two, in turn, on the same rollouts.

    python tests/bench/ranks.py [ROUNDS]

Starts whole runs of `cm2 train` on the spec of tests/runtime/talk.py, the second kind under
torchrun, and prints the median of the seconds of a step (`seconds` of metrics.jsonl, without the
first step), by round, and the ratio.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))

from talk import lines, talk

STEPS = 8
SETTINGS = (f"steps={STEPS}", "group=8", "groups=8", "micro_batch=32", "validation.every=0")


def seconds(folder: Path, processes: int, number: int) -> float:
    out = folder / f"{processes}-{number}"
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    command = [*start, "cm2", "train", str(folder / "desk.cm2")]
    command += ["--config", str(folder / "run.toml"), "--out", str(out)]
    for one in (*SETTINGS, "checkpoint_every=100", "rows.resample=0", "limits.step_tokens=48"):
        command += ["--set", one]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    return median(line["seconds"] for line in lines(out / "metrics.jsonl")[1:])


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        talk(folder, 16)
        pairs: list[Any] = [(seconds(folder, 1, i), seconds(folder, 2, i)) for i in range(rounds)]
        size = len((folder / "2-0" / "rollouts.jsonl").read_bytes())
    print("| round | one process | two | ratio |\n|---|---|---|---|")
    for number, (one, two) in enumerate(pairs):
        print(f"| {number + 1} | {one:.2f} s | {two:.2f} s | {two / one:.2f} |")
    ratio = median(two / one for one, two in pairs)
    print(f"median ratio {ratio:.2f}; {size} bytes of rollouts in a run")


if __name__ == "__main__":
    main()
