"""For whoever wants to confirm: a shell script that gives each counterexample to `cm2 credit`."""

from __future__ import annotations

from cm2dsl.diff.output import words
from cm2dsl.diff.report import Diff


def show(diff: Diff) -> str:
    lines = ["set -e"]
    for spec in diff.specs:
        for task in spec.tasks:
            for proof in task.proofs:
                if proof.witness is None:
                    continue
                name = f"{spec.file} " if spec.file else ""
                title = " ".join(f"{name}task {task.name}, {proof.level}".split())
                lines += [f"# {title}: {words.credited(proof)}"]
                lines += [each.command for each in proof.witness]
    return "\n".join(lines) + "\n"
