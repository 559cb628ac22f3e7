"""How many faults of a file are found in one run, and where: a corpus of files with known ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from cases import SHARED
from faults import SPOILS, faulty, right

from cm2dsl.compiler import compile_file
from cm2dsl.diagnostic import CompileError, Diagnostic, Log
from cm2dsl.parse import parse
from cm2dsl.source import Source

FILES = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(SHARED, tmp_path_factory.mktemp("faults") / "specs"))


def faults_of(folder: Path, text: str) -> list[Diagnostic]:
    path = folder / "spec.cm2"
    path.write_text(text, encoding="utf-8")
    try:
        compile_file(path)
    except CompileError as error:
        return error.diagnostics
    return []


def test_what_is_not_spoilt_compiles(folder: Path) -> None:
    for seed in range(5):
        text = "\n".join(line.text for line in right(Random(seed))) + "\n"
        assert faults_of(folder, text) == []


def test_every_kind_of_fault_is_found_alone(folder: Path) -> None:
    left = set(SPOILS)
    for seed in range(2000):
        made = faulty(seed)
        if len(made.kinds) == 1 and made.kinds[0] in left:
            found = faults_of(folder, made.text)
            assert [one.span.line in made.places[0] for one in found] == [True], made.kinds
            left -= set(made.kinds)
    assert left == set()


def test_faults_are_counted_placed_and_understood(folder: Path) -> None:
    exact = placed = understood = slips = total = 0
    for seed in range(FILES):
        made = faulty(seed)
        found = faults_of(folder, made.text)
        exact += len(found) == len(made.kinds)
        for lines, meant in zip(made.places, made.meant, strict=True):
            total += 1
            here = [one for one in found if one.span.line in lines]
            placed += bool(here)
            if meant is not None and here:
                slips += 1
                understood += any(one.help == f"did you mean `{meant}`?" for one in here)
    print(f"{exact}/{FILES} counted, {placed}/{total} placed, {understood}/{slips} understood")
    assert exact / FILES >= 0.95
    assert placed / total >= 0.95
    assert understood == slips > 200


@pytest.mark.parametrize("seed", range(60))
def test_there_is_always_a_tree(seed: int) -> None:
    text = faulty(seed).text
    rng = Random(seed)
    for _ in range(5):
        start = rng.randrange(len(text))
        log = Log()
        cut = "cm2 1\n" + text[start : start + rng.randrange(400)]
        assert parse(Source(Path("x"), "x", cut), log) is not None
