"""Random specs with a test each: several turns, items of every kind, and a dialogue.

Checks are drawn by Hypothesis, all else by `random.Random`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generated import JSONL, TOOLS, WRITES, Hints, hints, source, trajectory

from cm2dsl import ir
from cm2dsl.chat import to_chat
from cm2dsl.trajectory import Trajectory

HEAD = """cm2 1
domain d
tools "tools.json"
user tools "tools.json"
"""
KINDS = ("item", "item", "item", "always", "never", "at_end")
VERDICTS = ("pass", "pass", "pass", "fail", "fail", "insufficient", "error")
ROWS = [
    ir.Row(key=str(number), split="train", values=row) for number, row in enumerate(JSONL, start=1)
]

Draw = Callable[[], Any]
"""Draws a check."""


@dataclass(frozen=True)
class Drawn:
    """A spec without its test: the task's text, its items' names, and those that are asked."""

    text: str
    names: tuple[str, ...]
    asked: tuple[str, ...]
    checks: tuple[Any, ...]
    whole: bool
    """Whether an item of task scope has a check."""


def write_files(folder: Path) -> None:
    """The tools and rows that every drawn spec names."""
    tools = [
        {
            "name": tool,
            "parameters": {"type": "object"},
            "x-effect": "write" if tool in WRITES else "read",
        }
        for tool in TOOLS
    ]
    (folder / "tools.json").write_text(json.dumps(tools), encoding="utf-8")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in JSONL)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")


class _Spec:
    """Items while they are drawn, one turn after the other."""

    def __init__(self, rng: random.Random, draw: Draw) -> None:
        self.rng, self.draw = rng, draw
        self.names: list[str] = []
        self.asked: list[str] = []
        self.checks: list[Any] = []
        self.before: list[str] = []
        self.whole = False

    def items(self, scope: str, count: int) -> list[str]:
        """The text of a scope's items; what an item comes after is what stands above it."""
        rng = self.rng
        lines: list[str] = []
        here: list[str] = []
        for number in range(count):
            name = f"{scope}.i{number}"
            kind = rng.choice(KINDS)
            roles = [f"weight {rng.randint(1 if not number else 0, 4)}"]
            known = [*self.before, *here]
            if known and rng.random() < 0.5:
                after = rng.sample(known, rng.randint(1, min(2, len(known))))
                roles.append("after " + ", ".join(after))
            if scope != "dialogue" and rng.random() < 0.25:
                roles.append("strict")
            roles += rng.choice([[], [], [], ["veto"], ["penalty 0.25"]])
            entries = self._deciders(name, kind)
            lines.append(f"    {kind} i{number} {' '.join(roles)} {{ {entries} }}")
            self.names.append(name)
            here += [name] if kind == "item" else []
        self.before += [f"{scope}.i{number}" for number in range(count)]
        return lines

    def _deciders(self, name: str, kind: str) -> str:
        form = "check" if kind == "never" else self.rng.choice(["check", "ask", "both", "both"])
        entries = []
        if form != "ask":
            check = self.draw()
            self.checks.append(check)
            entries.append(f"check {source(check)}")
            self.whole = self.whole or name.startswith("dialogue.")
        if form != "check":
            self.asked.append(name)
            entries.append('ask "Is it so?"')
        return " ".join(entries)


def draw_spec(rng: random.Random, draw: Draw) -> Drawn:
    """A task with one to three turns, or with a simulated user."""
    spec = _Spec(rng, draw)
    lines = [HEAD + 'task t each row in "rows.jsonl" {']
    unreached = rng.choice(["zero", "mask"])
    if rng.random() < 0.15:
        lines += ['  user simulated "You ask."', *spec.items("dialogue", rng.randint(1, 4))]
    else:
        lines.append(f"  assign {{ unreached {unreached} }}")
        for turn in range(rng.randint(1, 3)):
            items = spec.items(f"u{turn}", rng.randint(1, 4))
            lines += [f'  turn u{turn} {{ user "go"', *items, "  }"]
        if rng.random() < 0.4:
            lines += spec.items("dialogue", rng.randint(1, 2))
    names, asked, checks = tuple(spec.names), tuple(spec.asked), tuple(spec.checks)
    return Drawn("\n".join([*lines, "}"]), names, asked, checks, spec.whole)


def draw_dialogue(rng: random.Random, drawn: Drawn, row: ir.Row) -> Trajectory:
    """A dialogue of one to four turns, in which what the checks look for is planted.

    Where a check of task scope is there, the user calls nothing: the slow interpreter knows the
    user's calls of one turn alone.
    """
    planted = [hints(check, row) for check in drawn.checks]
    wanted = Hints(
        tuple(place for each in planted for place in each.places),
        tuple(word for each in planted for word in each.words) or ("ROM",),
    )
    parts = [trajectory(rng, "", wanted) for _ in range(rng.choice([1, 2, 2, 3, 3, 4]))]
    turns = tuple(turn for part in parts for turn in part.turns)
    if drawn.whole:
        turns = tuple(replace(turn, acts=()) for turn in turns)
    return Trajectory("drawn", f"t/{row.key}", turns)


def draw_judged(rng: random.Random, drawn: Drawn) -> dict[str, str]:
    """A verdict on every item with an `ask`, or on some of them."""
    left_out = rng.choice([0, 0, 0, 0.3])
    return {name: rng.choice(VERDICTS) for name in drawn.asked if rng.random() >= left_out}


def write_test(
    folder: Path,
    drawn: Drawn,
    dialogue: Trajectory,
    judged: Mapping[str, str],
    expected: list[str],
) -> Path:
    """The spec with a test, in a file."""
    line = json.dumps(to_chat(dialogue), ensure_ascii=False)
    (folder / "dialogue.jsonl").write_text(line + "\n", encoding="utf-8")
    key = dialogue.task.partition("/")[2]
    said = [f"  judged {name} {verdict}" for name, verdict in judged.items()]
    lines = [f'test "drawn" for t row "{key}" {{', '  trajectory "dialogue.jsonl"', *said]
    lines += [*(f"  expect {each}" for each in expected), "}"]
    path = folder / "spec.cm2"
    path.write_text(drawn.text + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path
