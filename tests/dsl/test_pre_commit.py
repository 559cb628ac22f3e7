"""The hooks, as pre-commit itself installs and runs them, from a clone of this repository.

They run where pre-commit is installed (`pip install pre-commit`), which the other tests do not
need; it makes an environment, for which pip must reach a package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pre_commit")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FINE = """cm2 1

domain a "A"

task t {
  turn u {
    user "x"
    item i { check called * }
  }
}
"""
WHO = ["-c", "user.name=a", "-c", "user.email=a@example.org"]


def git(folder: Path, *arguments: str | Path) -> None:
    subprocess.run(["git", *WHO, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, whose last commit is what pre-commit takes."""
    folder = tmp_path_factory.mktemp("hooks")
    git(folder, "clone", "--quiet", ROOT, "cm2")
    return folder / "cm2"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    for number in range(30):
        (tmp_path / f"spec {number}.cm2").write_text(FINE)
    (tmp_path / "readme.md").write_text("Not a spec.\n")
    return tmp_path


def run(hook: str, project: Path, hooks: Path) -> tuple[int, str]:
    """What pre-commit says of the project's files after they are added."""
    git(project, "add", "--all")
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(hooks), hook, "--all-files"]
    environment = os.environ | {"PRE_COMMIT_HOME": str(hooks.parent / "home")}
    result = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


def test_the_hooks_pass_where_nothing_is_wrong(project: Path, hooks: Path) -> None:
    for hook in ("cm2c-fmt", "cm2c-compile"):
        code, said = run(hook, project, hooks)
        assert code == 0, said
        assert "Passed" in said


def test_the_layout_is_mended_and_the_commit_stopped(project: Path, hooks: Path) -> None:
    (project / "spec 7.cm2").write_text(FINE.replace("\n  turn", "\nturn"))
    code, said = run("cm2c-fmt", project, hooks)
    assert (code, "files were modified by this hook" in said) == (1, True)
    assert "laid out spec 7.cm2" in said
    assert (project / "spec 7.cm2").read_text() == FINE


def test_a_spec_that_does_not_compile_stops_the_commit(project: Path, hooks: Path) -> None:
    (project / "spec 7.cm2").write_text(FINE.replace("called *", "called nothing_known"))
    for hook in ("cm2c-compile", "cm2c-lint"):
        code, said = run(hook, project, hooks)
        assert code == 1, said
        assert "spec 7.cm2:8:27: error[E101]" in said


def test_a_finding_stops_the_commit(project: Path, hooks: Path) -> None:
    vague = FINE.replace("check called *", 'ask "Is it appropriate?" fail "No"')
    (project / "spec 7.cm2").write_text(vague)
    code, said = run("cm2c-lint", project, hooks)
    assert code == 1, said
    assert "spec 7.cm2:8:18: warning[L203 vague-word]" in said


def test_a_test_that_fails_stops_the_commit_of_a_dialogue(project: Path, hooks: Path) -> None:
    said_by = '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", %s}]}\n'
    block = 'test "calls" for t { trajectory "a.jsonl" expect reward == 1 }\n'
    (project / "tested.cm2").write_text(f"{FINE}\n{block}")
    call = '"tool_calls": [{"function": {"name": "f", "arguments": {}}}]'
    for more, code, word in (
        (call, 0, "Passed"),
        ('"content": "y"', 1, "the reward should be == 1"),
    ):
        (project / "a.jsonl").write_text(said_by % more)
        found, said = run("cm2c-test", project, hooks)
        assert (found, word in said) == (code, True), said
