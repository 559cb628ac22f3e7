"""What the checks of a task look at: what they cannot tell apart need not be played twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from cm2dsl import ir

ERROR = "error"


class Sight(Struct, frozen=True, dict=True):
    """The parts of a task's checks, and those of them that are wanted: that stand in no `not`."""

    checks: tuple[ir.Check, ...]
    wanted: tuple[ir.Check, ...]

    @classmethod
    def of(cls, task: ir.Task) -> Sight:
        items = (*task.items, *(item for turn in task.turns for item in turn.items))
        atoms = [
            atom
            for item in items
            if item.expr is not None
            for atom in _atoms(item.expr, item.kind != "never")
        ]
        return cls(tuple(one for one, _ in atoms), tuple(one for one, wanted in atoms if wanted))

    @cached_property
    def calls(self) -> tuple[ir.Called, ...]:
        """The patterns of the agent's calls."""
        return tuple(_patterns(self.checks))

    @property
    def results(self) -> bool:
        """Whether one result is told from another."""
        return any(isinstance(one, ir.Result | ir.ReplyMentions) for one in self.checks) or (
            self.success
        )

    @property
    def success(self) -> bool:
        """Whether an error is told from an empty object."""
        return any(call.outcome != "any" for call in self.calls) or any(
            isinstance(one, ir.Result) and one.has.path[:1] == (ERROR,) for one in self.checks
        )

    def more_than(self, needed: Sequence[str], every: Sequence[str]) -> bool:
        """Whether a call with every argument is told from one with the needed ones."""
        more = set(every) - set(needed)
        return bool(more) and any(
            call.exact or any(part.path[0] in more for part in call.where)
            for outer in self.calls
            for call in (outer, *outer.but)
        )

    def named(self, tools: Sequence[ir.Tool]) -> list[str]:
        """The tools that the checks want to be called, by name or as any, in the spec's order."""
        known = [tool.name for tool in tools]
        names: set[str] = set()
        for call in _patterns(self.wanted):
            names |= {call.tool} if call.tool is not None else set(call.tools or known)
        return [name for name in known if name in names]


def _atoms(check: ir.Check, wanted: bool) -> Iterator[tuple[ir.Check, bool]]:
    """The parts that are no `and`, `or` or `not`, each with whether it is wanted."""
    if isinstance(check, ir.And | ir.Or):
        for part in check.of:
            yield from _atoms(part, wanted)
    elif isinstance(check, ir.Not):
        yield from _atoms(check.of, not wanted)
    else:
        yield check, wanted


def _patterns(atoms: Iterable[ir.Check]) -> Iterator[ir.Called]:
    """The patterns of the agent's calls in these parts."""
    for atom in atoms:
        calls: tuple[ir.Called, ...] = ()
        if isinstance(atom, ir.Called):
            calls = (atom,)
        elif isinstance(atom, ir.Before):
            calls = (atom.first, atom.second)
        elif isinstance(atom, ir.Result | ir.ReplyMentions):
            calls = (atom.call,)
        yield from (call for call in calls if call.by == "agent")
