"""reward.py and a separate interpreter of checks agree, on everything that can be drawn."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from generated import CSV, JSONL, TOOLS, WRITES, checks, hints, source, trajectory
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from interpreter import holds

from cm2dsl import ir
from cm2dsl.compiler import compile_file
from cm2dsl.emit.reward import emit_reward
from cm2dsl.scope import Scope, facts_of
from cm2dsl.trajectory import segments

EXAMPLES = 420
DIALOGUES = 60
SPEC = """cm2 1
domain d
tools "tools.json"
user tools "tools.json"
task t each row in "rows.{form}" {{
  turn u {{
    user "go"
    item hard {{ check {check} }}
    item soft {{ check {check} ask "Is it so?" }}
  }}
}}
"""
Function = Callable[[Scope, ir.Row | None], int | tuple[int, int]]


def compile_check(folder: Path, form: str, text: str) -> tuple[ir.Task, dict[str, Function]]:
    (folder / "spec.cm2").write_text(SPEC.format(form=form, check=text), encoding="utf-8")
    compiled = compile_file(folder / "spec.cm2")
    assert compiled is not None
    namespace: dict[str, Any] = {}
    exec(emit_reward(compiled.spec), namespace)
    return compiled.spec.tasks[0], namespace["CHECKS"]


def after(value: int | tuple[int, int], step: int) -> bool | None:
    """What a compiled check says of a step."""
    if isinstance(value, int):
        return bool(value >> step & 1)
    true, false = (bool(steps >> step & 1) for steps in value)
    assert not (true and false)
    return True if true else False if false else None


def test_compiled_checks_agree_with_the_interpreter(tmp_path: Path) -> None:
    tools = [
        {
            "name": tool,
            "parameters": {"type": "object"},
            "x-effect": "write" if tool in WRITES else "read",
        }
        for tool in TOOLS
    ]
    (tmp_path / "tools.json").write_text(json.dumps(tools), encoding="utf-8")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in JSONL)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(CSV, encoding="utf-8")
    compared: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), st.sampled_from(["jsonl", "csv"]), st.integers(0, 2**32))
    def agree(data: st.DataObject, form: str, seed: int) -> None:
        check = data.draw(checks(form))
        task, functions = compile_check(tmp_path, form, source(check))
        hard, soft = task.turns[0].items
        assert hard.expr == check == soft.expr
        assert hard.check is not None
        assert soft.check is not None
        assert task.rows is not None
        wanted = {row.key: hints(check, row) for row in task.rows}
        rng = random.Random(seed)
        for _ in range(DIALOGUES):
            row = rng.choice(task.rows)
            dialogue = trajectory(rng, f"t/{row.key}", wanted[row.key])
            facts = facts_of(dialogue)
            (turn,) = dialogue.turns
            names = {segment.name for segment in segments(dialogue)}
            for name, judged in ((hard.check, False), (soft.check, True)):
                scope = Scope(facts, turn=0)
                value = functions[name](scope, row)
                assert names.issuperset(scope.evidence(scope.found, scope.steps))
                for last in range(len(turn.steps)):
                    until_here = replace(turn, steps=turn.steps[: last + 1])
                    meant = holds(check, until_here, row, judged)
                    assert after(value, last) is meant, (source(check), dialogue, last, row)
                    compared[f"{judged} {meant}"] += 1
            compared["pairs"] += 1

    agree()
    assert compared["pairs"] >= 20_000
    for outcome in ("False True", "False False", "True True", "True False", "True None"):
        assert compared[outcome] > 0.05 * compared["pairs"], compared
