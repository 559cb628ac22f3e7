"""`cm2c graph`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cases import SHARED
from click.testing import CliRunner, Result

from cm2dsl.cm2c import main

SPEC = """cm2 1
domain air "Air"
tools "tools.json"
task fly {
  turn find {
    user "x"
    item searches weight 3 strict { check called flight_search }
    item 说明 after searches { check replied }
    never books veto { check called flight_book }
  }
  at_end polite after find.说明 { check replied }
}
task other { turn u { user "x" never "…" { check called today } } }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    shutil.copytree(SHARED, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "spec.cm2"
    path.write_text(SPEC.replace('never "…"', "never calls weight 1"), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["graph", *map(str, arguments)], prog_name="cm2c")


def test_mermaid_has_turns_items_and_what_comes_after(spec: Path) -> None:
    assert (
        run(spec, "--task", "fly").stdout
        == """flowchart LR
  subgraph t0["fly"]
    subgraph t0s0["find"]
      t0s0i0{{"searches<br/>75%<br/>strict"}}
      t0s0i1["说明<br/>25%"]
      t0s0i2["books<br/>never<br/>veto"]
    end
    subgraph t0s1["dialogue"]
      t0s1i0["polite<br/>at_end<br/>100%"]
    end
  end
  t0s0i0 --> t0s0i1
  t0s0i1 --> t0s1i0
"""
    )


def test_dot_has_the_same(spec: Path) -> None:
    text = run(spec, "--format", "dot").stdout
    assert text.startswith("digraph spec {\n")
    assert '      t0s0i0 [label="searches\\n75%\\nstrict" shape=hexagon];' in text
    assert "  t0s0i0 -> t0s0i1;" in text
    assert '    label="other";' in text
    assert text.count("{") == text.count("}")


def test_a_task_that_is_not_there_and_a_spec_that_does_not_compile(spec: Path) -> None:
    result = run(spec, "--task", "flee")
    assert result.exit_code == 2
    assert "there is no task `flee`: there is `fly`, `other`" in result.stderr
    spec.write_text("cm2 1\ndomain a {")
    result = run(spec)
    assert result.exit_code == 1
    assert "error[E001]: unexpected `{`" in result.stderr
    spec.write_text("cm2 1\ntemplate a() { check replied }")
    assert "this is a library" in run(spec).stderr
