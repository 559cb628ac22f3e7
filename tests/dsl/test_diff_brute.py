"""`cm2c diff` decides as playing every dialogue does, and `cm2 credit` confirms what it shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from diff_brute import Found, exhaust
from diff_specs import LOUD, QUIET, Small, large, pair

from cm2.commands.credit import command as credit
from cm2dsl.compiler import compile_file
from cm2dsl.diff.output.sh import show as script
from cm2dsl.diff.report import Impact, Proof, SpecDiff
from cm2dsl.diff.specs import compare, compare_specs
from cm2dsl.diff.witness import Witness

LEVELS = ("trajectory", "turn", "step")
DIFFERENT = ("differs", "may differ")


def compared(before: Small, after: Small, folder: Path) -> SpecDiff:
    old = compile_file(before.write(folder, "a.cm2"))
    new = compile_file(after.write(folder, "b.cm2"))
    assert old is not None
    assert new is not None
    return compare_specs("", old, new)


def chain(spec: Small) -> int:
    """The items of the longest chain of `after`."""

    def depth(scope: int, name: str) -> int:
        item = next(one for one in spec.scopes[scope] if one.name == name)
        return 1 + max((depth(*ref) for ref in item.after), default=0)

    return max(depth(t, one.name) for t, items in enumerate(spec.scopes) for one in items)


def steps_played(before: Small, after: Small) -> int:
    """How long turns are in the exhaustive evaluation: all that matters, where that can be paid."""
    items = max(sum(map(len, spec.scopes)) for spec in (before, after))
    needed = max(chain(before), chain(after))
    return needed if before.turns < 2 and items <= 4 else min(needed, 3)


def credited(witness: Witness) -> dict[str, Any]:
    """What `cm2 credit` makes of the first rollout."""
    line = json.dumps(witness.line, ensure_ascii=False)
    result = CliRunner().invoke(credit, ["-", *witness.options], input=line)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)["rollouts"][0]
    return found


def value(level: str, spec: Small, found: dict[str, Any], both: set[int]) -> list[float | None]:
    """By what a level's credit is compared. A scope that carries reward in one version alone is
    worth 0 in the other, and a step that is not played is credited 0."""
    if level == "trajectory":
        return [found["reward"]]
    if level == "turn":
        worth = [*found["turn_rewards"], *([] if spec.scopes[-1] else [0.0])]
        return [
            each if t in both else (each or 0.0) if t in spec.counted else 0.0
            for t, each in enumerate(worth)
        ]
    flat = [each for turn in found["advantages"] for each in turn]
    return flat + [0.0] * (99 - len(flat))


def confirm(before: Small, after: Small, proof: Proof) -> None:
    assert proof.witness is not None
    both = set(before.counted) & set(after.counted)
    one, two = (
        value(proof.level, spec, credited(witness), both)
        for spec, witness in zip((before, after), proof.witness, strict=True)
    )
    apart = [
        (x, y)
        for x, y in zip(one, two, strict=True)
        if (x is None) != (y is None) or (x is not None and y is not None and abs(x - y) > 1e-9)
    ]
    assert apart, (proof, one, two)


def decided(seeds: range, folder: Path) -> Counter[str]:
    """Compare a pair a seed with the exhaustive evaluation; how often what came out."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        before, after, how = pair(Random(seed))
        diff = compared(before, after, folder)
        proofs = {proof.level: proof for task in diff.tasks for proof in task.proofs}
        played = steps_played(before, after)
        found = exhaust(before, after, played)
        for level in LEVELS:
            check(seed, level, proofs.get(level), found, played)
            proof = proofs.get(level)
            if proof is not None and proof.verdict in DIFFERENT:
                confirm(before, after, proof)
                counts["confirmed"] += 1
            counts[f"{level} {'same' if proof is None else proof.verdict}"] += 1
        credits_alike = all(proof.verdict == "same" for proof in proofs.values())
        assert (diff.impact == Impact.REWARD) == (not credits_alike or before.level != after.level)
        counts["equivalent"] += credits_alike
        counts["pairs"] += 1
        counts[how] += 1
    return counts


def check(seed: int, level: str, proof: Proof | None, found: Found, played: int) -> None:
    verdict = "same" if proof is None else proof.verdict
    if proof is not None and verdict == "unknown":
        assert proof.finding.ends, (seed, level)  # and not because it would take too long
    if verdict == "same":
        assert level not in found.all, (seed, level, proof)
    elif proof is not None and all(max(one.lengths) <= played for one in proof.finding.group):
        assert level in found.held, (seed, level, proof)


def test_two_versions_are_told_apart_as_playing_every_dialogue_does(tmp_path: Path) -> None:
    counts = decided(range(100_000, 100_080), tmp_path)
    assert 0.3 <= counts["equivalent"] / counts["pairs"] <= 0.6
    assert counts["confirmed"] > 50


@pytest.mark.long
def test_two_thousand_pairs_are_told_apart_as_playing_every_dialogue_does(tmp_path: Path) -> None:
    counts = decided(range(2_000), tmp_path)
    print(dict(counts))
    assert counts["pairs"] == 2_000
    assert 0.3 <= counts["equivalent"] / counts["pairs"] <= 0.6
    assert counts["confirmed"] > 1_500


def test_the_first_dialogue_shown_is_a_smallest_one(tmp_path: Path) -> None:
    """None in which fewer items pass, or are broken, earns something else."""
    tried = 0
    for seed in range(200_000, 200_060):
        before, after, _ = pair(Random(seed))
        proofs = [p for t in compared(before, after, tmp_path).tasks for p in t.proofs]
        shown = [p for p in proofs if p.level == "trajectory" and p.verdict in DIFFERENT]
        if not shown or chain(before) > 3 or chain(after) > 3:
            continue
        (dialogue,) = shown[0].finding.group
        smaller = exhaust(before, after, 3, events=dialogue.events - 1)
        assert "trajectory" not in smaller.held, seed
        tried += 1
    assert tried > 10


def test_tasks_of_many_items_are_decided_too(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for seed in range(25):
        rng = Random(seed)
        before = large(rng)
        after = rng.choice(QUIET + LOUD)(rng, before)
        if any(scope and not any(one.weight for one in scope) for scope in after.scopes):
            continue
        for proof in (p for t in compared(before, after, tmp_path).tasks for p in t.proofs):
            counts[proof.verdict] += 1
            if proof.verdict in DIFFERENT:
                confirm(before, after, proof)
            elif proof.verdict == "unknown":
                assert proof.finding.ends
    assert counts["differs"] + counts["may differ"] > 15
    assert counts["same"] > 15


def test_the_script_confirms_in_processes_of_its_own(tmp_path: Path) -> None:
    before, after = next(
        (one, two)
        for one, two, how in (pair(Random(seed)) for seed in range(50))
        if how == "loud" and compared(one, two, tmp_path).impact == Impact.REWARD
    )
    old = compile_file(before.write(tmp_path, "a.cm2"))
    new = compile_file(after.write(tmp_path, "b.cm2"))
    assert old is not None
    assert new is not None
    text = script(compare({"": old}, {"": new}, ("a.cm2", "b.cm2")))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["sh"], input=text, capture_output=True, text=True, env={"PATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == text.count("cm2 credit") >= 2
    assert any(one != two for one, two in zip(lines[::2], lines[1::2], strict=True))
