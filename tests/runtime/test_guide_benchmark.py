"""Guides that need the runtime, followed word for word."""

from __future__ import annotations

import shutil
from pathlib import Path

from followed import Reader

ROOT = Path(__file__).parents[2]


def test_the_way_from_a_benchmark_to_a_spec_is_as_the_guide_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "library_desk", tmp_path / "examples" / "library_desk")
    guide = (ROOT / "docs" / "guides" / "benchmark.md").read_text(encoding="utf-8")
    assert Reader(tmp_path).follow(guide) > 12
