"""How a command of cm2c ends that is interrupted, or cannot write what it has to say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from cm2dsl.cm2c import main
from cm2dsl.lint.linter import Linter
from cm2dsl.process import INTERRUPTED, UNWRITTEN

GOOD = 'cm2 1\ndomain a\ntask t { turn x { user "Hello" item answers { check replied } } }\n'
START = "from cm2dsl.cm2c import main; main()"
FULL = Path("/dev/full")
SLOW = """
import sys, time
from importlib.abc import MetaPathFinder
class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            print("here", flush=True)
            time.sleep(20)
sys.meta_path.insert(0, Slow())
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("spec.cm2").write_text(GOOD, encoding="utf-8")
    return tmp_path


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """A command line of a shell in which `cm2c` is the command."""
    start = f'cm2c() {{ "{sys.executable}" -c "{START}" "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {start}{line}"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize(
    "module",
    ["cm2dsl.process", "cm2dsl.lint.command", "cm2dsl.compiler", "cm2dsl.lint.output.text"],
)
@pytest.mark.parametrize("options", [(), ("--watch",)], ids=["once", "watched"])
def test_what_is_interrupted_while_it_imports_ends_without_a_trace(
    module: str, options: Sequence[str]
) -> None:
    code = SLOW.format(module=module) + START
    process = subprocess.Popen(
        [sys.executable, "-c", code, "lint", "spec.cm2", "--no-cache", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == INTERRUPTED
    # Before click is there, nothing is begun, and nothing is said.
    assert said == ("" if module == "cm2dsl.process" else "interrupted\n")


@pytest.mark.parametrize("options", [(), ("--watch",)], ids=["once", "watched"])
def test_an_interrupted_run_says_so_in_one_line(
    options: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Linter, "look", look)
    result = CliRunner().invoke(main, ["lint", "spec.cm2", *options])
    assert (result.exit_code, result.output) == (INTERRUPTED, "interrupted\n")


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is full")
@pytest.mark.parametrize("what", ["lint spec.cm2", "explain L203", "--help", "schema"])
def test_output_that_does_not_fit_is_said_in_one_line(what: str) -> None:
    done = shell(f"cm2c {what} >{FULL}")
    assert done.returncode == UNWRITTEN
    assert done.stderr == "Error: cannot write the output: no space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is full")
def test_what_cannot_be_said_of_a_fault_still_makes_the_exit_code_2() -> None:
    assert shell(f"cm2c lint none.cm2 2>{FULL}").returncode == UNWRITTEN
    assert shell(f"cm2c lint spec.cm2 >{FULL} 2>&1").returncode == UNWRITTEN


def test_an_output_that_is_closed_is_said_and_no_file_takes_its_place() -> None:
    done = shell("cm2c lint spec.cm2 >&-")
    assert done.returncode == UNWRITTEN
    assert done.stderr == "Error: cannot write the output: bad file descriptor\n"
    assert shell("cm2c fmt spec.cm2 >&-").returncode == 0  # it has nothing to say there
    assert shell("cm2c fmt --check spec.cm2 2>&-").returncode == 0


def test_an_input_that_is_closed_is_said() -> None:
    done = shell("cm2c fmt - <&-")
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot read standard input: bad file descriptor\n")


def test_a_reader_that_leaves_ends_a_command_quietly() -> None:
    done = shell("cm2c schema | head -1")
    assert (done.stdout, done.stderr) == ("{\n", "")
