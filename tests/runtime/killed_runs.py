"""Runs that are killed: a process that has imported everything forks the runs, so that one starts
in a blink, and kills them with SIGKILL at moments drawn from a seed.

    python killed_runs.py FOLDER KILLS SEED < the words of the command, a JSON list

plays the run once without interruption (FOLDER/whole), then as often as it takes to have killed it
KILLS times, each time going on with the same command until it ends (FOLDER/0, FOLDER/1, …), and
prints a JSON list of the moments: seconds into the run, and what the folder showed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

LONGEST = 600.0
"""Seconds after which a run that nobody kills has hung."""


def start(words: list[str], out: Path, log: Path) -> int:
    """The process that trains."""
    child = os.fork()
    if child:
        return child
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 3
    try:
        from cm2.cli import main

        main.main([*words, "--out", str(out)], standalone_mode=False)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(child: int, seconds: float) -> int | None:
    """Its exit code, None where it is still at it then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def shown(out: Path) -> str:
    """How far a run was, as its folder shows it."""
    if not (out / "cold").exists() and not (out / "before.json").exists():
        return "start" if not (out / "config.json").exists() else "cold start or first evaluation"
    if not (out / "before.json").exists():
        return "first evaluation"
    marks = out / "checkpoints"
    if any(not (path / "cm2.json").exists() for path in marks.glob("*/")):
        return "checkpoint"
    if (marks / "trained" / "cm2.json").exists():
        return "last evaluation"
    return "training"


def kill_and_go_on(words: list[str], folder: Path, kills: int, seed: int) -> list[Any]:
    noise = random.Random(seed)
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    child = start(words, folder / "whole", folder / "whole.log")
    if wait(child, LONGEST) != 0:
        raise SystemExit((folder / "whole.log").read_text("utf-8"))
    length = time.monotonic() - began
    moments: list[Any] = []
    run = 0
    while len(moments) < kills:
        out, log = folder / str(run), folder / f"{run}.log"
        while True:
            child = start(words, out, log)
            # Long enough to hit any phase of a run, and to come to its end in a few attempts.
            lives = LONGEST if len(moments) >= kills else noise.uniform(0, 0.6 * length)
            code = wait(child, lives)
            if code is None:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                if lives == LONGEST:
                    raise SystemExit(f"a run hung: {log.read_text('utf-8')}")
                moments.append([round(lives, 2), shown(out)])
                if (out / "summary.json").exists():  # it had come to its end, and was only leaving
                    break
            elif code:
                raise SystemExit(log.read_text("utf-8"))
            else:
                break
        run += 1
    return [round(length, 2), moments]


if __name__ == "__main__":
    import torch

    import cm2.commands.train
    import cm2.rollout.quiet

    cm2.rollout.quiet.quieten()
    import cm2.train.run

    torch.set_num_threads(1)  # threads do not survive a fork
    where, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(kill_and_go_on(json.load(sys.stdin), where, kills, seed)))
