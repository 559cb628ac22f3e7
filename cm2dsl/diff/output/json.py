"""For programs: everything that was found, with lines that `cm2 credit` reads."""

from __future__ import annotations

import json
from typing import Any

from cm2dsl.diff.report import Diff, Note, Proof, SpecDiff, TaskDiff
from cm2dsl.diff.witness import Witness


def show(diff: Diff) -> str:
    found = {
        "level": diff.impact.name,
        "before": diff.before,
        "after": diff.after,
        "specs": [_spec(spec) for spec in diff.specs],
    }
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _spec(spec: SpecDiff) -> dict[str, Any]:
    return {
        "file": spec.file,
        "level": spec.impact.name,
        "notes": [_note(note) for note in spec.notes],
        "tasks": [_task(task) for task in spec.tasks],
        "unchanged_tasks": spec.same,
    }


def _task(task: TaskDiff) -> dict[str, Any]:
    return {
        "before": task.before,
        "after": task.after,
        "level": task.impact.name,
        "notes": [_note(note) for note in task.notes],
        "credit": {proof.level: _proof(proof) for proof in task.proofs},
    }


def _note(note: Note) -> dict[str, Any]:
    return {"about": note.heading, "place": note.place, "text": note.text}


def _proof(proof: Proof) -> dict[str, Any]:
    both = None
    if proof.witness is not None:
        both = {
            "before": _witness(proof.witness[0]),
            "after": _witness(proof.witness[1]),
        }
    return {
        "verdict": proof.verdict,
        "own": proof.own,
        "rows": list(proof.rows),
        "tried": proof.finding.tried,
        "of": proof.finding.of,
        "counterexample": both,
    }


def _witness(witness: Witness) -> dict[str, Any]:
    return {
        "line": witness.line,
        "options": witness.options,
        "credit": [
            {
                "reward": one.reward,
                "turn_rewards": one.turn_rewards,
                "advantages": one.advantages,
            }
            for one in witness.credit
        ],
    }
