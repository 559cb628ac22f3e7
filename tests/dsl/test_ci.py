"""The action, the pre-commit hooks and the recipes of docs/ci.md do what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
DOC = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(yaml (?:github|gitlab|pre-commit)|sh)\n(.*?)^```$", DOC, re.M | re.S)
INSTALL = 'pip install "git+https://github.com/YOUR-ORG/cm2@v0.1.0"'
RECIPES = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}
FINE = """cm2 1

domain a "A"

task t {
  turn u {
    user "x"
    item i { check replied }
  }
}
"""
VAGUE = FINE.replace("check replied", 'ask "Is the reply appropriate?" fail "No"')
BROKEN = FINE.replace("replied", "called nothing_known")
TESTED = f"""{FINE}
test "says something" for t {{
  trajectory "a.jsonl"
  expect reward == 1
}}
"""
DIALOGUE = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Specs, and the place where the action has installed cm2c."""
    work = tmp_path / "work"
    (work / "specs").mkdir(parents=True)
    (tmp_path / "runner" / "cm2c").mkdir(parents=True)
    (tmp_path / "runner" / "cm2c" / "bin").symlink_to(BIN)
    monkeypatch.chdir(work)
    return work


def valid(schema: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [BIN / "check-jsonschema", "--builtin-schema", schema, path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# --- the action -----------------------------------------------------------------------------


def test_the_action_is_valid(tmp_path: Path) -> None:
    result = valid("vendor.github-actions", ROOT / "action.yml")
    assert result.returncode == 0, result.stdout
    wrong = tmp_path / "action.yml"
    wrong.write_text((ROOT / "action.yml").read_text().replace("shell: bash", "shel: bash"))
    assert valid("vendor.github-actions", wrong).returncode != 0


def test_no_input_becomes_part_of_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
    used = re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text(encoding="utf-8"))
    assert set(used) == set(ACTION["inputs"])


def test_the_inputs_are_documented() -> None:
    table = re.findall(r"^\| (`.+?) \| .* \| (`.*`)? ?\|$", DOC, re.M)
    documented = {name: default.strip("`") for names, default in table for name in names_of(names)}
    assert documented == {name: one["default"] for name, one in ACTION["inputs"].items()}


def names_of(cell: str) -> list[str]:
    return re.findall(r"`([\w-]+)`", cell)


def run_step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as a runner does, with the inputs that it is given."""
    step = STEPS[name]
    given = {key: one["default"] for key, one in ACTION["inputs"].items()} | inputs
    assert set(given) == set(ACTION["inputs"])
    environment = {
        key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], value)
        for key, value in step.get("env", {}).items()
    }
    runner = {"RUNNER_TEMP": str(folder.parent / "runner"), "GITHUB_ACTION_PATH": str(ROOT)}
    script = folder.parent / "step.sh"
    script.write_text(step["run"], encoding="utf-8")
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
        env=os.environ | runner | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_action_checks_the_layout(folder: Path) -> None:
    (folder / "specs" / "a.cm2").write_text(FINE)
    assert run_step("cm2c fmt --check", folder).returncode == 0
    (folder / "specs" / "b.cm2").write_text(FINE.replace("  turn", "turn"))
    result = run_step("cm2c fmt --check", folder, paths="specs/\n")
    assert (result.returncode, result.stdout) == (1, "would change specs/b.cm2\n")


def test_the_action_annotates_findings_and_faults(folder: Path) -> None:
    (folder / "specs" / "a.cm2").write_text(VAGUE)
    result = run_step("cm2c lint", folder, select="L203")
    assert result.returncode == 1
    assert result.stdout.startswith("::warning file=specs/a.cm2,line=8,")
    (folder / "specs" / "a.cm2").write_text(BROKEN)
    result = run_step("cm2c lint", folder)
    assert result.returncode == 2
    assert result.stdout.startswith("::error file=specs/a.cm2,line=8,")


def test_the_action_writes_a_report_and_knows_a_baseline(folder: Path) -> None:
    (folder / "specs" / "a.cm2").write_text(VAGUE)
    inputs = {"format": "sarif", "output": "out file.sarif", "select": "L203,L205"}
    result = run_step("cm2c lint", folder, **inputs)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(json.loads((folder / "out file.sarif").read_text())["runs"][0]["results"]) == 1
    command = [BIN / "cm2c", "lint", ".", "--baseline", "known.json", "--update-baseline"]
    subprocess.run(command, check=True, capture_output=True)
    assert run_step("cm2c lint", folder, baseline="known.json").returncode == 0
    result = run_step("cm2c lint", folder, select="L2", ignore="L203")
    assert (result.returncode, result.stdout) == (0, "")


def test_the_action_runs_tests_where_a_coverage_is_wanted(folder: Path) -> None:
    assert STEPS["cm2c test"]["if"] == "${{ !cancelled() && inputs.coverage != '' }}"
    (folder / "specs" / "a.cm2").write_text(TESTED)
    (folder / "specs" / "a.jsonl").write_text(json.dumps(DIALOGUE))
    assert run_step("cm2c test", folder, coverage="50").returncode == 0
    result = run_step("cm2c test", folder, coverage="100")
    assert (result.returncode, result.stderr) == (1, "coverage is 50%, and should be 100%\n")
    assert run_step("cm2c test", folder, coverage="$(touch gone)").returncode == 2
    assert not (folder / "gone").exists()


@pytest.mark.parametrize(
    "path", ["a b.cm2", "$(touch gone).cm2", "--help.cm2", "`id`;.cm2", "*.cm2"]
)
def test_the_action_takes_any_file_name_as_a_file_name(path: str, folder: Path) -> None:
    (folder / path).write_text(VAGUE)
    (folder / "specs" / "other.cm2").write_text(VAGUE)
    result = run_step("cm2c lint", folder, paths=path, select="L203")
    assert (result.returncode, result.stdout.count("::warning")) == (1, 1), result
    assert run_step("cm2c fmt --check", folder, paths=f"{path}\nspecs\n").returncode == 0
    assert not (folder / "gone").exists()
    wrong = run_step("cm2c lint", folder, select=path, paths="specs")
    assert wrong.returncode == 2
    assert f"there is no rule `{path}`" in wrong.stderr


# --- the hooks ------------------------------------------------------------------------------


def test_every_hook_takes_many_files_and_says_which_is_wrong(folder: Path) -> None:
    names = [f"specs/{number:03}/same.cm2" for number in range(200)]
    for name in names:
        (folder / name).parent.mkdir()
        (folder / name).write_text(FINE)
    library = "cm2 1\n\ntemplate t() { check replied }\n"
    (folder / "specs" / "library.cm2").write_text(library)
    names.append("specs/library.cm2")
    (folder / "specs" / "tested.cm2").write_text(TESTED)
    (folder / "specs" / "a.jsonl").write_text(json.dumps(DIALOGUE))
    ids = [hook["id"] for hook in HOOKS]
    assert ids == ["cm2c-fmt", "cm2c-lint", "cm2c-compile", "cm2c-test"]
    for text, codes in ((FINE, (0, 0, 0, 0)), (BROKEN, (0, 2, 1, 2))):
        (folder / names[7]).write_text(text)
        for hook, code in zip(HOOKS, codes, strict=True):
            assert all(re.search(hook["files"], name) for name in names)
            entry = hook["entry"].split()
            extra = ["--select", "L203"] if hook["id"] == "cm2c-lint" else []
            given = names if hook.get("pass_filenames", True) else []
            result = subprocess.run(
                [BIN / entry[0], *entry[1:], *extra, *given],
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == code, result
            said = result.stdout + result.stderr
            assert (f"{names[7]}:8:27: error[" in said) == bool(code)
    assert not (folder / "build").exists()


# --- the recipes ----------------------------------------------------------------------------


def test_the_guide_has_a_recipe_for_each() -> None:
    kinds = [kind for kind, _ in BLOCKS]
    assert set(kinds) == {"yaml github", "yaml gitlab", "yaml pre-commit", "sh"}
    assert len(BLOCKS) == DOC.count("```") / 2


@pytest.mark.parametrize(("kind", "text"), BLOCKS, ids=[kind for kind, _ in BLOCKS])
def test_a_recipe_is_valid(kind: str, text: str, tmp_path: Path) -> None:
    name = kind.removeprefix("yaml ")
    if name in RECIPES:
        path = tmp_path / "recipe.yml"
        path.write_text(text, encoding="utf-8")
        result = valid(RECIPES[name], path)
        assert result.returncode == 0, result.stdout
    if name == "github":
        check_uses_of_the_action(yaml.safe_load(text))
    if name == "pre-commit":
        known = {hook["id"] for hook in HOOKS}
        for repository in yaml.safe_load(text)["repos"]:
            assert set(repository) == {"repo", "rev", "hooks"}
            assert {hook["id"] for hook in repository["hooks"]} <= known


def check_uses_of_the_action(workflow: dict[str, Any]) -> None:
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    ours = [step for step in steps if step.get("uses", "").startswith("YOUR-ORG/cm2@")]
    assert ours
    for step in ours:
        assert set(step["with"]) <= set(ACTION["inputs"])


def test_the_commands_of_the_guide_run_as_they_stand(folder: Path) -> None:
    (folder / "specs" / "a.cm2").write_text(VAGUE)
    (folder / "specs" / "tested.cm2").write_text(TESTED)
    (folder / "specs" / "a.jsonl").write_text(json.dumps(DIALOGUE))
    scripts = [text for kind, text in BLOCKS if kind == "sh"]
    gitlab = yaml.safe_load(next(text for kind, text in BLOCKS if kind == "yaml gitlab"))
    for job in ("specs", "spec-tests"):
        scripts.append("\n".join(gitlab[job]["script"][1:]))
        assert gitlab[job]["script"][0] == INSTALL
    codes = []
    for script in scripts:
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        result = subprocess.run(
            ["bash", "-e", "-c", script],
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        codes.append(result.returncode)
    assert codes == [0, 1, 1, 1]  # only the baseline knows what is found; one spec has no test
    assert (folder / "cm2c-test.xml").read_text(encoding="utf-8").count("<testcase") == 1
    report = json.loads((folder / "gl-code-quality-report.json").read_text(encoding="utf-8"))
    assert report
    assert (folder / "cm2c.xml").read_text(encoding="utf-8").count("<failure") == len(report)
