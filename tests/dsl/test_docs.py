"""docs/language.md and docs/diagnostics.md say what is so."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from cases import SHARED, all_cases, read_case
from make_tables import lark

from cm2dsl.codes import CODES
from cm2dsl.compiler import compile_file
from cm2dsl.explain import FAMILIES

ROOT = Path(__file__).parents[2]
LANGUAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
DIAGNOSTICS = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```cm2 (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(match[1], match[2]) for match in BLOCK.finditer(LANGUAGE)]
CODE = re.compile(r'"(E\d{3})"')
SHOWN = re.compile(r"\[(E\d{3})\]")

# What stands around an example that is no whole spec.
ITEMS = 'cm2 1 domain d tools "tools.json" task t {{ turn u {{ user "x"\n{0}\n}} }}'
CHECK = "item i{0} {{ check {1} }}"


def whole(form: str, text: str) -> str:
    if form == "checks":
        lines = [line for line in text.splitlines() if line.strip()]
        text = "\n".join(CHECK.format(number, line) for number, line in enumerate(lines))
    return text if form == "spec" else ITEMS.format(text)


@pytest.mark.parametrize(
    ("form", "text"), BLOCKS, ids=[f"{form}{number}" for number, (form, _) in enumerate(BLOCKS)]
)
def test_the_examples_compile(form: str, text: str, tmp_path: Path) -> None:
    assert form in ("spec", "items", "checks")
    shutil.copytree(SHARED, tmp_path, dirs_exist_ok=True)
    (tmp_path / "spec.cm2").write_text(whole(form, text), encoding="utf-8")
    assert compile_file(tmp_path / "spec.cm2") is not None


def test_every_example_is_compiled() -> None:
    assert len(BLOCKS) == len(re.findall(r"^```cm2", LANGUAGE, re.MULTILINE)) >= 8


def test_every_word_and_sign_of_the_grammar_is_in_the_reference() -> None:
    for terminal in lark().terminals:
        if terminal.pattern.type == "str":
            word = re.escape(terminal.pattern.value)
            bounded = rf"\b{word}\b" if terminal.pattern.value.isidentifier() else word
            assert re.search(bounded, LANGUAGE), terminal.pattern.value


def used_codes() -> set[str]:
    sources = (ROOT / "cm2dsl").rglob("*.py")
    return {code for path in sources for code in CODE.findall(path.read_text(encoding="utf-8"))}


def test_the_tables_of_codes_are_those_of_the_compiler(update_golden: bool) -> None:
    tables = ""
    for family, name in FAMILIES.items():
        codes = [one for one in CODES if one.code.startswith(family)]
        if family.startswith("E"):
            rows = "".join(
                f"| [{one.code}](errors/{one.code}.md) | {one.title} |\n" for one in codes
            )
            tables += f"\n## {family}: {name}\n\n| code | finds |\n|---|---|\n{rows}"
    text = DIAGNOSTICS.split("\n## ")[0].rstrip() + "\n" + tables
    if update_golden:
        (ROOT / "docs" / "diagnostics.md").write_text(text, encoding="utf-8")
        return
    assert text == DIAGNOSTICS, "run pytest with --update-golden"


def test_every_code_has_a_case() -> None:
    shown = {code for path in all_cases() for code in SHOWN.findall(read_case(path).stderr)}
    assert shown == used_codes()
