"""The README's spec compiles beside the shipped files, and its error is what the compiler says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cm2dsl.compiler import compile_file
from cm2dsl.diagnostic import CompileError

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "specs", tmp_path / "specs"))


def readme_spec() -> str:
    found = re.search(r"```cm2\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_spec_compiles(folder: Path) -> None:
    path = folder / "airline.cm2"
    path.write_text(readme_spec(), encoding="utf-8")
    compiled = compile_file(path)
    assert compiled is not None
    assert [task.name for task in compiled.spec.tasks] == ["cancel_refused"]


def test_the_error_is_the_compilers(folder: Path) -> None:
    path = folder / "airline.cm2"
    path.write_text(readme_spec().replace("result lookup(", "result lokup("), encoding="utf-8")
    with pytest.raises(CompileError) as error:
        compile_file(path, shown="airline.cm2")
    assert f"```\n{error.value}\n```" in README


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150
