"""Drafts as files: DOMAIN.cm2, and beside it its tools, system prompt, recordings and report.

Nothing reaches the output folder unless everything was written and the spec compiles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cm2.trajectory import Trajectory
from cm2dsl.chat import to_chat
from cm2dsl.draft.spec import Spec
from cm2dsl.draft.text import recordings_name, spec_text
from cm2dsl.draft.write import write_all


def write_specs(specs: Sequence[Spec], out: Path) -> list[Path]:
    """Write every draft into the folder `out`, all of them or none; the paths of the .cm2 files.

    Raises WriteFault where a file is there already, OSError where the folder cannot be written, and
    CompileError where a draft is no valid spec, which is a fault of the importer.
    """
    write_all((file for spec in specs for file in _files(spec)), out)
    return [out / f"{spec.domain}.cm2" for spec in specs]


def _files(spec: Spec) -> Iterator[tuple[str, str]]:
    """(name, text) of each file of a draft."""
    stem = spec.domain
    yield f"{stem}.cm2", spec_text(spec)
    if spec.tools:
        yield f"{stem}.tools.json", _tools_text(spec.tools)
    if spec.user_tools:
        yield f"{stem}.user_tools.json", _tools_text(spec.user_tools)
    if spec.system:
        yield f"{stem}.system.md", spec.system.strip() + "\n"
    recordings = list(_recordings(spec))
    if recordings:
        lines = (json.dumps(to_chat(each), ensure_ascii=False) + "\n" for each in recordings)
        yield recordings_name(spec), "".join(lines)
    if spec.unsaid:
        lines = (f"- {line}\n" for line in dict.fromkeys(spec.unsaid))
        head = (
            f"# What `{stem}.cm2` does not say\n\n"
            "What is in the source and not in the spec, and what to know before it is used:\n\n"
        )
        yield f"{stem}.report.md", head + "".join(lines)


def _tools_text(tools: Sequence[dict[str, object]]) -> str:
    return json.dumps(tools, ensure_ascii=False, indent=2) + "\n"


def _recordings(spec: Spec) -> Iterator[Trajectory]:
    for task in spec.tasks:
        for recording in task.recordings:
            yield replace(recording, task=task.name)
