"""docs/guides/first-spec.md, followed word for word."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from followed import Reader

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "first-spec.md").read_text(encoding="utf-8")
FILES = Path("docs") / "guides" / "files"


def test_the_way_to_a_first_spec_is_as_the_guide_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / FILES, tmp_path / FILES)
    reader = Reader(tmp_path)
    assert reader.follow(GUIDE) > 50
    check_workflow(reader.here / ".github" / "workflows" / "reward.yml")


def check_workflow(path: Path) -> None:
    """It is one, and uses what the action has."""
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema"]
    subprocess.run([*command, "vendor.github-workflows", path], check=True, capture_output=True)
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (job,) = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    assert set(job["steps"][-1]["with"]) <= set(action["inputs"])
