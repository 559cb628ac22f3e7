"""`cm2 score` in processes of its own: a spec, dialogues, and runs that can be stopped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from cm2.cli import main

SPEC = """cm2 1 domain d tools "tools.json"
task t {
  turn u { user "go"
    item searches weight 3 { check called search }
    item answers after searches { check reply contains "done" }
  }
  item polite { check reply contains "please" }
}"""

PIECES = """
from cm2.scoring import output, units
units.BLOCK, output.SAVE_EVERY = 2048, 0
"""
"""Small pieces, each of them noted: a run of a second has a thousand places to stop at."""

NO_NUMPY = """
import sys
sys.modules["numpy"] = None
"""


def write_spec(folder: Path, text: str = SPEC) -> Path:
    (folder / "tools.json").write_text(json.dumps([{"name": "search", "parameters": {}}]))
    path = folder / "spec.cm2"
    path.write_text(text)
    return path


def dialogue(number: int, **extra: Any) -> dict[str, Any]:
    """One of several; every third neither searches nor is of success, some say please."""
    call = {"id": "1", "function": {"name": "search", "arguments": "{}"}}
    search = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "{}"},
    ]
    reply = f"{'done' if number % 4 else 'no'}, {'please' if number % 5 else 'x'}"
    messages = [
        {"role": "user", "content": "go"},
        *(search if number % 3 else []),
        {"role": "assistant", "content": reply},
    ]
    official = {"reward": number % 2, "items": {"polite": number % 5 > 0, "u.searches": True}}
    return {"id": f"d{number}", "task": "t", "official": official, "messages": messages, **extra}


def write_dialogues(path: Path, count: int, spoil: int = 0) -> Path:
    """A file of dialogues; one in `spoil` lines is none."""
    lines = [json.dumps(dialogue(number)) for number in range(count)]
    for number in range(0, count, spoil or count + 1):
        lines[number] = "{" if spoil else lines[number]
    path.write_text("".join(line + "\n" for line in lines))
    return path


def command(*arguments: object, before: str = "") -> list[str]:
    run = f"{before}\nfrom cm2.cli import main\nmain(prog_name='cm2')"
    return [sys.executable, "-c", run, "score", *map(str, arguments)]


def score_here(*arguments: object) -> Result:
    """The finished run of `cm2 score` in this process, which saves the time to start one."""
    return CliRunner().invoke(main, ["score", *map(str, arguments)], prog_name="cm2")


def score(*arguments: object, before: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """The finished run of `cm2 score` with these arguments; `before` is run in it first."""
    run = command(*arguments, before=before)
    return subprocess.run(run, text=True, capture_output=True, timeout=60, check=False, **options)


@contextmanager
def started(
    *arguments: object, before: str = PIECES, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on; killed at the end."""
    run = command(*arguments, before=before)
    pipe = subprocess.PIPE
    with subprocess.Popen(run, text=True, stdout=pipe, stderr=pipe, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_pieces(out: Path, process: subprocess.Popen[str], count: int = 20) -> None:
    """Wait until a run with `-o out` has noted that many pieces."""
    until(lambda: _noted(out) >= count or process.poll() is not None)
    assert process.poll() is None, "the run was over before it could be stopped"


def _noted(out: Path) -> int:
    state = out.with_name(out.name + ".partial.json")
    return int(json.loads(state.read_text())["done"]) if state.exists() else 0


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)


def children(process: subprocess.Popen[str]) -> list[int]:
    """The ids of a process's own processes (Linux)."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(one) for one in listed.split()]


def alive(process: int) -> bool:
    """Whether a process is there and no zombie (Linux)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def names(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
