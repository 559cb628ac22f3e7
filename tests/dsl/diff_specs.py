"""Small random specs, and pairs of them: one edited into the other, or unrelated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from random import Random

DIALOGUE = "dialogue"
TOOLS = [
    {"name": "act", "parameters": {"type": "object", "properties": {"key": {"type": "string"}}}}
]
Ref = tuple[int, str]
"""Scope and name; the scope after the last turn is the dialogue."""


@dataclass(frozen=True)
class Criterion:
    """`key` is what its check looks for: equal kinds and keys are equal verdicts."""

    name: str
    key: int
    kind: str = "item"
    weight: int = 1
    after: tuple[Ref, ...] = ()
    strict: bool = False
    veto: bool = False
    penalty: Fraction = Fraction(0)


@dataclass(frozen=True)
class Small:
    """`scopes` are the turns, and last the dialogue, perhaps empty. No turns: a simulated user."""

    scopes: tuple[tuple[Criterion, ...], ...]
    at: tuple[int, ...] | None = None
    unreached: str = "zero"
    level: str = "trajectory"
    comment: str = ""

    @property
    def turns(self) -> int:
        return len(self.scopes) - 1

    @property
    def counted(self) -> tuple[int, ...]:
        """The scopes that carry reward."""
        named = [*range(self.turns), *([self.turns] if self.scopes[-1] else [])]
        return tuple(named) if self.at is None else self.at

    def scope_name(self, scope: int) -> str:
        return DIALOGUE if scope == self.turns else f"t{scope}"

    def source(self) -> str:
        lines = ["cm2 1", "domain d", 'tools "tools.json"', f"# {self.comment}", "task t {"]
        at = "all" if self.at is None else ", ".join(self.scope_name(t) for t in self.at)
        lines.append(f"  assign {{ level {self.level} at {at} unreached {self.unreached} }}")
        if not self.turns:
            lines.append('  user simulated "you are somebody"')
        for scope, items in enumerate(self.scopes):
            if scope < self.turns:
                lines.append(f'  turn t{scope} {{ user "go on {scope}"')
            lines += [f"    {self.item(scope, item)}" for item in items]
            if scope < self.turns:
                lines.append("  }")
        return "\n".join([*lines, "}"]) + "\n"

    def item(self, scope: int, item: Criterion) -> str:
        parts = [item.kind, item.name, f"weight {item.weight}"]
        if item.after:
            refs = [n if t == scope else f"{self.scope_name(t)}.{n}" for t, n in item.after]
            parts.append(f"after {', '.join(refs)}")
        parts += ["strict"] * item.strict + ["veto"] * item.veto
        parts += [f"penalty {float(item.penalty)}"] if item.penalty else []
        return " ".join(parts) + f' {{ check called act(key == "k{item.key}") }}'

    def write(self, folder: Path, name: str) -> Path:
        (folder / "tools.json").write_text(json.dumps(TOOLS), encoding="utf-8")
        path = folder / name
        path.write_text(self.source(), encoding="utf-8")
        return path


# --- one spec -----------------------------------------------------------------------------------


def small(rng: Random) -> Small:
    """One to three turns or none, four to five items at most."""
    turns = rng.choice([0, 1, 1, 1, 2, 2, 2, 3])
    scopes: list[tuple[Criterion, ...]] = []
    left = 4 if turns != 1 else 5
    for scope in range(turns):
        most = min(left - (turns - scope - 1), 4 if turns == 1 else 2)
        count = rng.randint(1, most)
        left -= count
        scopes.append(_items(rng, scope, count, scopes, strict=scope < turns - 1))
    whole = min(left, 3 if not turns else 1) if not turns or rng.random() < 0.3 else 0
    scopes.append(_items(rng, turns, whole, scopes, strict=False))
    found = Small(tuple(scopes), level=rng.choice(["trajectory", "turn", "step"]))
    if rng.random() < 0.15:
        found = replace(found, unreached="mask")
    if rng.random() < 0.15:
        found = some_at(rng, found)
    return found


def large(rng: Random) -> Small:
    """One to three turns of 8 to 14 items each, and a few of task scope."""
    turns = rng.choice([1, 2, 3])
    scopes: list[tuple[Criterion, ...]] = []
    for scope in range(turns + 1):
        count = rng.randint(8, 14) if scope < turns else rng.randint(0, 3)
        items = _items(rng, scope, count, scopes, strict=scope < turns - 1)
        scopes.append(tuple(replace(one, key=one.key + 100 * scope) for one in items))
    return Small(tuple(scopes))


def _items(
    rng: Random, scope: int, count: int, earlier: list[tuple[Criterion, ...]], strict: bool
) -> tuple[Criterion, ...]:
    items: list[Criterion] = []
    for number in range(count):
        items.append(
            Criterion(
                name=f"i{number}",
                key=scope * 10 + number,
                kind=rng.choice(["item"] * 6 + ["at_end", "never"]),
                weight=rng.choice([1, 1, 1, 2, 3]) if number == 0 else rng.choice([0, 1, 1, 2, 3]),
                after=_after(rng, scope, items, earlier),
                strict=strict and rng.random() < 0.3,
                veto=rng.random() < 0.15,
            )
        )
        if not items[-1].veto and rng.random() < 0.12:
            items[-1] = replace(items[-1], penalty=Fraction(rng.randint(1, 4), 4))
    return tuple(items)


def _after(
    rng: Random, scope: int, own: list[Criterion], earlier: list[tuple[Criterion, ...]]
) -> tuple[Ref, ...]:
    names = [(scope, item.name) for item in own]
    names += [(t, item.name) for t, items in enumerate(earlier) for item in items]
    if not names or rng.random() < 0.4:
        return ()
    return tuple(rng.sample(names, min(len(names), rng.choice([1, 1, 2]))))


# --- edits --------------------------------------------------------------------------------------

Edit = Callable[[Random, Small], Small]


def _places(spec: Small) -> list[tuple[int, int]]:
    return [(t, i) for t, items in enumerate(spec.scopes) for i in range(len(items))]


def _put(spec: Small, scope: int, items: list[Criterion]) -> Small:
    scopes = [tuple(items) if t == scope else one for t, one in enumerate(spec.scopes)]
    return replace(spec, scopes=tuple(scopes))


def _changed(spec: Small, scope: int, number: int, **fields: object) -> Small:
    items = list(spec.scopes[scope])
    items[number] = replace(items[number], **fields)  # type: ignore[arg-type]
    return _put(spec, scope, items)


def _one(rng: Random, spec: Small) -> tuple[int, int, Criterion]:
    scope, number = rng.choice(_places(spec))
    return scope, number, spec.scopes[scope][number]


def some_at(rng: Random, spec: Small) -> Small:
    named = [*range(spec.turns), *([spec.turns] if spec.scopes[-1] else [])]
    return replace(spec, at=tuple(sorted(rng.sample(named, rng.randint(1, len(named))))))


def weight(rng: Random, spec: Small) -> Small:
    scope, number, item = _one(rng, spec)
    return _changed(spec, scope, number, weight=item.weight + 1)


def rescale(rng: Random, spec: Small) -> Small:
    scope, _, _ = _one(rng, spec)
    factor = rng.choice([2, 3, 7])
    return _put(spec, scope, [replace(i, weight=i.weight * factor) for i in spec.scopes[scope]])


def reorder(rng: Random, spec: Small) -> Small:
    scope, _, _ = _one(rng, spec)
    return _put(spec, scope, rng.sample(list(spec.scopes[scope]), len(spec.scopes[scope])))


def rename(rng: Random, spec: Small) -> Small:
    scope, number, item = _one(rng, spec)
    fresh = f"{item.name}x"

    def renamed(refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
        return tuple((t, fresh) if (t, n) == (scope, item.name) else (t, n) for t, n in refs)

    scopes = tuple(
        tuple(replace(one, after=renamed(one.after)) for one in items) for items in spec.scopes
    )
    return _changed(replace(spec, scopes=scopes), scope, number, name=fresh)


def _ancestors(spec: Small, ref: Ref) -> set[Ref]:
    scope, name = ref
    item = next(one for one in spec.scopes[scope] if one.name == name)
    return {ref} | {far for near in item.after for far in _ancestors(spec, near)}


def redundant_after(rng: Random, spec: Small) -> Small:
    """Wait for what is waited for already, through another."""
    scope, number, item = _one(rng, spec)
    far = {one for ref in item.after for one in _ancestors(spec, ref)} - set(item.after)
    if not far:
        return spec
    return _changed(spec, scope, number, after=(*item.after, rng.choice(sorted(far))))


def less_after(rng: Random, spec: Small) -> Small:
    scope, number, item = _one(rng, spec)
    if not item.after:
        return spec
    kept = list(item.after)
    kept.remove(rng.choice(kept))
    return _changed(spec, scope, number, after=tuple(kept))


def more_after(rng: Random, spec: Small) -> Small:
    scope, number, item = _one(rng, spec)
    names = [
        (t, one.name)
        for t, items in enumerate(spec.scopes[: scope + 1])
        for one in items
        if (scope, item.name) not in _ancestors(spec, (t, one.name))
    ]
    left = [ref for ref in names if ref not in item.after]
    return _changed(spec, scope, number, after=(*item.after, rng.choice(left))) if left else spec


def strict(rng: Random, spec: Small) -> Small:
    scope, number, item = _one(rng, spec)
    return spec if scope == spec.turns else _changed(spec, scope, number, strict=not item.strict)


def strict_at_the_end(rng: Random, spec: Small) -> Small:
    if not spec.turns:
        return spec
    number = rng.randrange(len(spec.scopes[spec.turns - 1]))
    item = spec.scopes[spec.turns - 1][number]
    return _changed(spec, spec.turns - 1, number, strict=not item.strict)


def veto(rng: Random, spec: Small) -> Small:
    scope, number, item = _one(rng, spec)
    return _changed(spec, scope, number, veto=not item.veto, penalty=Fraction(0))


def penalty(rng: Random, spec: Small) -> Small:
    scope, number, _ = _one(rng, spec)
    fresh = Fraction(rng.randint(0, 4), 4)
    return _changed(spec, scope, number, veto=False, penalty=fresh)


def split(rng: Random, spec: Small) -> Small:
    """One item as two with the same check, which share its weight."""
    scope, number, item = _one(rng, spec)
    doubled = [replace(one, weight=one.weight * 2) for one in spec.scopes[scope]]
    half = replace(item, weight=item.weight, name=f"{item.name}b", veto=False, penalty=Fraction(0))
    doubled[number] = replace(item, weight=item.weight)
    return _put(spec, scope, [*doubled, replace(half, strict=False)])


def split_apart(rng: Random, spec: Small) -> Small:
    """One item as two with checks of their own."""
    scope, number, item = _one(rng, spec)
    doubled = [replace(one, weight=one.weight * 2) for one in spec.scopes[scope]]
    half = replace(item, weight=item.weight, name=f"{item.name}b", key=item.key + 5)
    doubled[number] = replace(item, weight=item.weight)
    return _put(spec, scope, [*doubled, half])


def weightless(rng: Random, spec: Small) -> Small:
    """One more item that nothing depends on."""
    scope, _, _ = _one(rng, spec)
    fresh = Criterion("idle", scope * 10 + 7, weight=0)
    return _put(spec, scope, [*spec.scopes[scope], fresh])


def veto_shift(rng: Random, spec: Small) -> Small:
    """Move weight between vetoes: a turn pays only where both hold."""
    for scope, items in enumerate(spec.scopes):
        vetoes = [i for i, one in enumerate(items) if one.veto and not one.after]
        if len(vetoes) >= 2:
            one, two = vetoes[:2]
            moved = _changed(spec, scope, one, weight=items[one].weight + items[two].weight)
            return _changed(moved, scope, two, weight=0)
    return spec


def at(rng: Random, spec: Small) -> Small:
    return replace(spec, at=None) if spec.at is not None else some_at(rng, spec)


def unreached(rng: Random, spec: Small) -> Small:
    return replace(spec, unreached="mask" if spec.unreached == "zero" else "zero")


def kind(rng: Random, spec: Small) -> Small:
    scope, number, _ = _one(rng, spec)
    return _changed(spec, scope, number, kind=rng.choice(["item", "at_end", "never", "always"]))


def key(rng: Random, spec: Small) -> Small:
    scope, number, item = _one(rng, spec)
    return _changed(spec, scope, number, key=item.key + 4)


def remove(rng: Random, spec: Small) -> Small:
    scope, _, item = _one(rng, spec)
    gone = (scope, item.name)
    if any(gone in one.after for items in spec.scopes for one in items):
        return spec
    return _put(spec, scope, [one for one in spec.scopes[scope] if one != item])


def comment(rng: Random, spec: Small) -> Small:
    return replace(spec, comment="another")


QUIET: list[Edit] = [
    *(rescale, reorder, rename, redundant_after, redundant_after, strict_at_the_end),
    *(split, weightless, veto_shift, comment),
]
LOUD: list[Edit] = [
    *(weight, less_after, more_after, strict, veto, penalty, split_apart, at, unreached),
    *(kind, key, remove),
]


def valid(spec: Small) -> bool:
    items = [one for scope in spec.scopes for one in scope]
    whole = spec.scopes[-1]
    return (
        bool(items)
        and all(not scope or any(one.weight for one in scope) for scope in spec.scopes)
        and not any(one.strict for one in whole)
        and (spec.at is None or all(t < spec.turns or whole for t in spec.at))
        and len(items) <= 6
        and all(len({one.name for one in scope}) == len(scope) for scope in spec.scopes)
    )


def pair(rng: Random) -> tuple[Small, Small, str]:
    """Two specs and how they were made: `quiet` edits, one or two `loud` ones, or `unrelated`."""
    while True:
        before = small(rng)
        how = rng.choice(["quiet", "quiet", "loud", "loud", "loud", "both", "unrelated"])
        if how == "unrelated":
            after = small(rng)
            if after.turns != before.turns:
                continue
        else:
            edits = rng.sample(QUIET, 2) if how != "loud" else []
            edits += [rng.choice(LOUD)] if how != "quiet" else []
            after = last = before
            for edit in edits:
                changed = edit(rng, after)
                after, last = (changed if valid(changed) else after), after
            if after == before or (how != "quiet" and after == last):
                continue
        if valid(before) and valid(after):
            return before, after, how
