"""docs/diff.md shows what `cm2c diff` says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cm2dsl.cm2c import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "diff.md"
EXAMPLE = re.compile(r"```diff\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(DOCS.read_text(encoding="utf-8"))


def edited(folder: Path, patch: str) -> None:
    """Apply a patch's lines to every place in the spec that has them."""
    gone = "".join(f"{line[1:]}\n" for line in patch.splitlines() if line[0] == "-")
    come = "".join(f"{line[1:]}\n" for line in patch.splitlines() if line[0] == "+")
    path = folder / "b" / "airline.cm2"
    text = path.read_text(encoding="utf-8")
    assert gone in text
    path.write_text(text.replace(gone, come), encoding="utf-8")


@pytest.mark.parametrize(("patch", "said"), EXAMPLES)
def test_the_examples_are_what_is_said(
    patch: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        shutil.copytree(ROOT / "specs", tmp_path / name)
    edited(tmp_path, patch)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["diff", "a/airline.cm2", "b/airline.cm2"])
    assert result.exit_code == 0
    assert result.stdout == said


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == DOCS.read_text(encoding="utf-8").count("```diff") >= 3
