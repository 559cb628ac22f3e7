"""What a finding says, in the words that all formats share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cm2dsl.diff.report import Note, Proof, TaskDiff
from cm2dsl.diff.witness import Witness
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.credit import Verdicts
from cm2dsl.reward.satisfaction import Held

VERDICTS = {
    "same": "the same, proven",
    "differs": "differs",
    "may differ": "may differ: where the verdicts of changed checks do",
    "unknown": "unknown",
}

HEADINGS = {
    "reward": "what is rewarded",
    "judge": "what the judge is asked",
    "dialogues": "what dialogues are like (not what one earns)",
    "text": "text alone",
}


def said(note: Note) -> str:
    return f"{note.place}: {note.text}" if note.place else note.text


def verdict(proof: Proof, task: TaskDiff) -> str:
    """The verdict, how it was come by, and for which rows."""
    text = VERDICTS[proof.verdict]
    finding = proof.finding
    if proof.verdict == "unknown":
        if finding.ends:
            text += ": A and B end the dialogue at different turns, and judge it by its end"
        else:
            of = f"of at most {finding.of:,} " if finding.of else ""
            tried = f"{finding.tried:,} {of}dialogues"
            text += f": {tried} tried, none differs"
    elif proof.verdict == "same" and finding.tried:
        text += f" by trying all of {finding.tried:,} dialogues"
    if proof.verdict != "same" and proof.rows and len(proof.rows) < task.rows:
        text += f" ({rows(proof.rows)})"
    return text


def rows(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"row{'s' if len(keys) > 1 else ''} {', '.join(keys[:3])}{more}"


def example(proof: Proof, above: Proof | None = None) -> list[str]:
    """The counterexample: what passes in each rollout, and what it is credited in A and in B.

    Its dialogues are not told again where they are those of the proof `above`.
    """
    if proof.witness is None:
        return []
    if above is not None and above.witness and above.finding.group == proof.finding.group:
        return [credited(proof)]
    before, after = proof.witness
    lines = []
    for number, (old, new) in enumerate(zip(before.rollouts, after.rollouts, strict=True)):
        one, other = passing(before, old), passing(after, new)
        who = f"rollout {number}: " if len(before.rollouts) > 1 else ""
        if one == other:
            lines.append(f"{who}{one}")
        else:
            lines += [f"{who}A: {one}", f"{' ' * len(who)}B: {other}"]
    return [*lines, credited(proof)]


def passing(witness: Witness, rollout: Verdicts) -> str:
    """`3 steps: find.searches passes at step 0, find.presents at step 1`.

    Steps count from 0 in their turn; those of the task scope, over the whole dialogue.
    """
    task = witness.task
    scopes = [(t.name, t.items, held) for t, held in zip(task.turns, rollout.turns, strict=False)]
    scopes += [(DIALOGUE, task.items, rollout.dialogue)] if task.items else []
    found: list[str] = []
    kept: dict[str, bool] = {}
    for name, items, held in scopes:
        assert not isinstance(held, Held)
        for item in items:
            first = next((s for s, step in enumerate(held) if step[item.name]), None)
            if item.kind in ("never", "always"):
                kept[f"{name}.{item.name}"] = first is not None
            elif first is not None:
                found.append(f"{name}.{item.name} at step {first}")
    lengths = [len(steps) for steps in rollout.turns]
    played = f"{' + '.join(map(str, lengths))} step{'s' if sum(lengths) != 1 else ''}"
    if any(kept.values()):
        broken = [name for name, held in kept.items() if not held]
        most = f"every never and always but {', '.join(broken)}" if broken else ""
        found.append(most or "every never and always")
    return f"{played}, passing {', '.join(found)}" if found else f"{played}, passing nothing"


def credited(proof: Proof) -> str:
    """What differs: R, R_t, or A_s of the first rollout."""
    assert proof.witness is not None
    before, after = proof.witness
    old, new = before.credit[0], after.credit[0]
    if proof.level == "trajectory":
        return f"R = {number(old.reward)} → {number(new.reward)}"
    if proof.level == "turn":
        names = [turn.name for turn in before.task.turns]
        new_names = [turn.name for turn in after.task.turns]
        return _listed("R", worth(before), worth(after), [*(new_names or names), DIALOGUE])
    flat = [[x for turn in each.advantages for x in turn] for each in (old, new)]
    longest = max(map(len, flat))
    one, other = ([*each, *[0.0] * (longest - len(each))] for each in flat)
    return _listed("A", one, other, [f"step {s}" for s in range(longest)])


def worth(witness: Witness) -> list[float | None]:
    """R_t of each turn and of the dialogue; 0 where a scope carries no reward."""
    task, found = witness.task, witness.credit[0].turn_rewards
    names = [*(turn.name for turn in task.turns), *([DIALOGUE] if task.items else [])]
    at = names if task.assign.at is None else task.assign.at
    shown = [value if name in at else 0.0 for name, value in zip(names, found, strict=True)]
    return shown if task.items else [*shown, 0.0]


def _listed(
    sign: str, old: Sequence[float | None], new: Sequence[float | None], names: Sequence[str]
) -> str:
    apart = [
        f"{sign}({name}) = {number(one)} → {number(other)}"
        for name, one, other in zip(names, old, new, strict=True)
        if differs(one, other)
    ]
    return ", ".join(apart)


def differs(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) > 1e-9


def number(value: float | None) -> str:
    """A reward to four digits, `null` where there is none."""
    return "null" if value is None else f"{value:.4g}"


def alike(proofs: Sequence[Proof]) -> bool:
    """Whether every level is proven the same, so that one line says it."""
    return all(proof.verdict == "same" for proof in proofs)


def unchanged(task: TaskDiff) -> str:
    """What is said where it is."""
    judged = any(note.heading == "judge" for note in task.notes)
    return f"the same at every level{' for the same verdicts' if judged else ''}, proven"


def together(
    tasks: Sequence[TaskDiff], body: Callable[[TaskDiff], Iterable[str]]
) -> list[tuple[list[str], str, tuple[str, ...]]]:
    """(names, level, lines) of tasks of which the same is to be said."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for task in tasks:
        found.setdefault((task.impact.name, tuple(body(task))), []).append(task.name)
    return [(names, impact, lines) for (impact, lines), names in found.items()]
