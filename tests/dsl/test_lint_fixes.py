"""Every fix gives a spec that compiles; a safe one changes no reward and no prompt."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from shutil import copytree
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from flawed import LIBRARY, LIBRARY_NAME, flawed

from cm2.cli import main
from cm2dsl import ir
from cm2dsl.diagnostic import CompileError
from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.fix import apply
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.run import lint
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lint.subject import Subject

ROOT = Path(__file__).parents[2]
SPECS = ["airline", "tutor", "挂号"]
SEEDS = range(3)
MENDS = {"L102", "L105", "L109", "L213", "L305"}
"""The rules that have a fix."""


def meaning(spec: ir.Spec) -> Any:
    """What decides rewards and prompts.

    Places, hashes and names of files are left out, and so is what a safe fix may take out: an
    anchor that stands twice, a gate behind which no turn is, an `after` that another one implies,
    and the space around a text, which a judge is not shown.
    """
    found = msgspec.json.decode(msgspec.json.encode(spec))
    del found["sources"], found["compiler"]
    for task, known in zip(found["tasks"], spec.tasks, strict=True):
        closed = _closed(known)
        for turn in (*task["turns"], task):
            turn.pop("place", None)
            for item in turn["items"]:
                scope = turn["name"] if turn is not task else "dialogue"
                item["after"] = sorted(closed[f"{scope}.{item['name']}"])
                item["anchors"] = sorted({json.dumps(one) for one in item["anchors"]})
                del item["place"]
                if turn is not task and turn["name"] == task["turns"][-1]["name"]:
                    item["strict"] = False
                for text in (item["ask"] or [], *item["passes"], *item["fails"]):
                    _strip(text)
    for test in found["tests"]:
        test.pop("place", None)
    return found


def _strip(text: list[Any]) -> None:
    if text and isinstance(text[0], str):
        text[0] = text[0].lstrip()
    if text and isinstance(text[-1], str):
        text[-1] = text[-1].rstrip()
    text[:] = [part for part in text if part != ""]


def _closed(task: ir.Task) -> dict[str, set[str]]:
    """What each item waits for, directly or through one that a check alone decides."""
    items = {f"{s}.{item.name}": item for s, inside in scopes_of(task).items() for item in inside}
    closed: dict[str, set[str]] = {}

    def wait(name: str) -> set[str]:
        if name not in closed:
            direct = set(items[name].after)
            deciding = {one for one in direct if items[one].ask is None and items[one].weight}
            closed[name] = direct.union(*(wait(one) for one in deciding))
        return closed[name]

    for name in items:
        wait(name)
    return closed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("specs")
    copytree(ROOT / "specs", here, dirs_exist_ok=True)
    (here / LIBRARY_NAME).write_text(LIBRARY)
    return here


def compiled(path: Path, text: str) -> Subject:
    path.write_text(text, encoding="utf-8")
    try:
        return Subject.read(path)
    except CompileError as error:
        raise AssertionError(f"{error.diagnostics[0].message}:\n{text}") from None


def all_mended(path: Path, subject: Subject) -> tuple[ir.Spec, int]:
    """A spec after every fix, round by round until nothing is left to mend; how many there were."""
    rules = [rule for rule in all_rules() if rule.code in MENDS]
    mended = 0
    for _ in range(10):
        fixes = [one.finding.fix for one in lint(subject, rules)]
        text, count = apply(subject.source.text, [fix for fix in fixes if fix is not None])
        if not count:
            assert subject.spec is not None
            return subject.spec, mended
        subject, mended = compiled(path, text), mended + count
    raise AssertionError("there is always something to mend")


@pytest.mark.parametrize("name", SPECS)
def test_flaws_that_are_put_into_a_spec_are_mended_back_to_what_it_meant(
    name: str, folder: Path
) -> None:
    path = folder / f"{name}.cm2"
    written = (ROOT / "specs" / f"{name}.cm2").read_text(encoding="utf-8")
    rules = [rule for rule in all_rules() if rule.code in MENDS]
    meant = compiled(path, written)
    assert meant.spec is not None
    mended_codes: Counter[str] = Counter()
    for seed in SEEDS:
        worse = compiled(path, flawed(meant, seed))
        assert worse.spec is not None
        before = meaning(worse.spec)
        found = [one.diagnostic for one in lint(worse, rules)]
        fixes = [one.fix for one in found if one.fix is not None]
        safe = [fix for fix in fixes if fix.safe]
        mended_codes.update(one.code for one in found if one.fix is not None)
        for some in [*([fix] for fix in safe[::20]), safe]:
            text, count = apply(worse.source.text, some)
            assert count
            after = compiled(path, text).spec
            assert after is not None
            assert meaning(after) == before
        mended, count = all_mended(path, worse)
        assert count >= len({one.code for one in found})
        assert meaning(mended) == meaning(meant.spec)
    assert set(mended_codes) >= MENDS - {"L105"}


@pytest.mark.skipif("CM2_DATA" not in os.environ, reason="CM2_DATA names no folder of real data")
@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("tau2", "tau2/airline"),
        ("tau2", "tau2/retail"),
        ("bfcl", "bfcl"),
        ("tooltalk", "tooltalk/data"),
        ("cm2-json", "cm2/checklist_annotated.json"),
    ],
)
def test_imported_specs_with_flaws_are_mended_back_to_what_they_meant(
    source: str, data: str, tmp_path: Path
) -> None:
    command = ["import", source, str(Path(os.environ["CM2_DATA"]) / data), "-o", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    (tmp_path / LIBRARY_NAME).write_text(LIBRARY)
    mended = 0
    for seed, path in enumerate(sorted(tmp_path.glob("*.cm2"))):
        if path.name == LIBRARY_NAME:
            continue
        meant = Subject.read(path)
        assert meant.spec is not None
        worse = compiled(path, flawed(meant, seed))
        after, count = all_mended(path, worse)
        assert meaning(after) == meaning(meant.spec)
        mended += count
    assert mended >= 5


def test_every_fix_of_every_example_compiles_and_a_safe_one_keeps_the_meaning(
    tmp_path: Path,
) -> None:
    unpack(tmp_path)
    path = tmp_path / "spec.cm2"
    fixed = set()
    for rule in all_rules():
        for bad in rule.bad:
            before = compiled(path, whole(bad.text))
            for one in lint(before, all_rules()):
                fix = one.finding.fix
                if fix is None:
                    continue
                after = compiled(path, apply(before.source.text, [fix])[0])
                fixed.add(one.code)
                if fix.safe and before.spec is not None and after.spec is not None:
                    assert meaning(after.spec) == meaning(before.spec)
    assert fixed == MENDS
