"""What a test covers: what it would notice.

An outcome counts if the test passes, and would fail if that one outcome were another. So a number
says what the tests hold in place, and not what they happen to run over: an item that no
expectation depends on is not covered, whatever the dialogue does to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.reward.card import Outcome
from cm2dsl.reward.instance import Instance
from cm2dsl.reward.plan import Plan, plan_for
from cm2dsl.reward.satisfaction import NEVER
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.testing.decisive import decisive
from cm2dsl.testing.expect import holds, verdict_of
from cm2dsl.testing.play import Played, play
from cm2dsl.testing.points import ATOM, Key, Kind
from cm2dsl.testing.run import Ran, Runner
from cm2dsl.testing.standing import windows

OTHERWISE = "otherwise"
"""Who decided what is only supposed."""

TOO_LATE = Decision(Verdict.PASS, OTHERWISE, step=NEVER)
"""An item that holds, and is never satisfied."""


class Cover:
    """Collects what the tests of a spec cover; `open` are the points that none has covered yet."""

    def __init__(self, runner: Runner, points: Set[Key]) -> None:
        self.open = set(points)
        self._runner = runner
        self._without: dict[tuple[Kind, str, str, int], Plan] = {}

    def add(self, ran: Ran) -> None:
        """Count what a test covers; one that does not pass shows nothing."""
        if ran.status == "passed" and self.open:
            test = _Test(ran, self._runner, self._without)
            self.open.difference_update(test.covered(self.open))


class _Test:
    """A test that passed, and what else might have been."""

    def __init__(
        self, ran: Ran, runner: Runner, without: dict[tuple[Kind, str, str, int], Plan]
    ) -> None:
        assert ran.played is not None
        self.ran = ran
        self.played: Played = ran.played
        self.name = ran.task.task.name
        self.plan = ran.played.card.plan
        self._parts = runner.parts.of(ran.task)
        self._checks = runner.subject.checks
        self._without = without
        self._known: dict[str, bool] = {}
        self._judged = {one.item: Verdict(one.verdict) for one in ran.test.block.judged}
        self._named = {
            one.item for one in ran.test.block.expect if isinstance(one, ir.ItemExpectation)
        }
        self._rewards = any(isinstance(one, ir.RewardExpectation) for one in ran.test.block.expect)

    def covered(self, open_: Set[Key]) -> Iterator[Key]:
        """The points that this test covers."""
        wanted = [key for key in open_ if key[1] == self.name]
        times = windows(self.played) if any(key[0] == "edge" for key in wanted) else {}
        for key in wanted:
            kind, _, name, index, outcome = key
            match kind:
                case "item":
                    found = outcome == self._came(name) and self._held(name)
                case "check":
                    found = outcome == self._atom(name, index) and self._held(name)
                case "edge":
                    found = self._edge(name, index, outcome, times)
                case "gate":
                    found = self._gate(name, outcome)
            if found:
                yield key

    # --- items and their checks -------------------------------------------------------------------

    def _came(self, name: str) -> str | None:
        """What came of an item, if somebody decided it in a turn that was reached."""
        outcome = self.played.scored.outcomes[name]
        if isinstance(outcome, Decision) and outcome.by == "gate":
            return None
        verdict = verdict_of(outcome)
        if verdict is Verdict.ERROR:
            return None
        return "pass" if verdict is Verdict.PASS else "fail"

    def _held(self, name: str) -> bool:
        """Whether the test would fail if the item had come out otherwise."""
        if name not in self._known:
            self._known[name] = self._would_fail(name)
        return self._known[name]

    def _would_fail(self, name: str) -> bool:
        came = self._came(name)
        if came is None or name in self._named:
            return came is not None
        if not (self._rewards or self.ran.task.items[name].item.strict):
            return False  # it changes the reward, and with `strict` what comes after
        steps = self._scope_steps(name)
        other = Decision(Verdict.FAIL, OTHERWISE)
        if came == "fail":
            other = Decision(Verdict.PASS, OTHERWISE, step=steps - 1 if steps else None)
        return self._fails(self._again(self.plan, forced={name: other}))

    def _scope_steps(self, name: str) -> int:
        return self.played.scope(self._turn(name)).steps

    def _turn(self, name: str) -> int | None:
        """The number of an item's turn; None for the task scope."""
        scope = name.partition(".")[0]
        names = [turn.name for turn in self.ran.task.task.turns]
        return names.index(scope) if scope in names else None

    def _atom(self, name: str, index: int) -> str | None:
        """What an atom was at the step that decided."""
        if self._came(name) is None:
            return None
        check = self._parts[name]
        scope = self.played.scope(self._turn(name))
        step = decisive(self.played.scored.outcomes[name], check, scope, self.ran.row)
        if step is None:
            return None
        atom = list(check.atoms())[index]
        return ATOM[atom.after(scope, self.ran.row, step)]

    # --- dependencies and gates -------------------------------------------------------------------

    def _edge(
        self, name: str, index: int, outcome: str, times: Mapping[str, tuple[int, int]]
    ) -> bool:
        """`satisfied`: the item is, and the test would fail if it waited for ever. `waits`: it
        holds and has to wait, and the test would fail if it came after nothing there.
        """
        step = self.played.scored.decisions[name].step
        if not self._rewards or step is None:
            return False
        turn = self._turn(name)
        start = sum(self.played.facts.lengths[:turn]) if turn is not None else 0
        flip = times[name][1]
        if outcome == "satisfied":
            return flip < NEVER and self._fails(self._again(self.plan, forced={name: TOO_LATE}))
        if flip == start + step:
            return False
        return self._fails(self._again(self._changed("edge", name, index)))

    def _gate(self, turn: str, outcome: str) -> bool:
        """`open`: the next turn comes, and the test would fail if it did not. `closed`: the
        dialogue goes on and does not count any more, and the test would fail if it did.
        """
        number = [one.name for one in self.ran.task.task.turns].index(turn)
        if outcome == "open":
            reached = self.played.card.reached > number + 1
            return reached and self._fails(self._again(self.plan, ends=number + 1))
        if self.played.closed != number:
            return False
        return self._fails(self._again(self._changed("gate", turn, 0)))

    def _changed(self, kind: Kind, name: str, index: int) -> Plan:
        """How the dialogue is scored without a dependency, or without a gate."""
        key = (kind, self.name, name, index)
        if key not in self._without:
            task = self.ran.task.task
            scope, _, item = name.partition(".")
            task = (
                _without_gate(task, name)
                if kind == "gate"
                else _without_edge(task, scope, item, index)
            )
            self._without[key] = plan_for(Instance(self.name, task), self._checks, judged=True)
        plan = self._without[key]
        return replace(plan, instance=replace(plan.instance, row=self.ran.row))

    # --- what else might have been ----------------------------------------------------------------

    def _again(
        self, plan: Plan, forced: Mapping[str, Outcome] | None = None, ends: int | None = None
    ) -> Played:
        """The dialogue under another supposition; what no verdict is given on does not pass."""
        return play(
            plan,
            self.played.facts,
            self._judged,
            forced=forced,
            ends=ends,
            missing=Verdict.FAIL,
        )

    def _fails(self, otherwise: Played) -> bool:
        """Whether the test fails under another supposition."""
        return not all(holds(one, otherwise.scored) for one in self.ran.test.block.expect)


def _without_edge(task: ir.Task, scope: str, item: str, index: int) -> ir.Task:
    def mended(items: tuple[ir.Item, ...]) -> tuple[ir.Item, ...]:
        return tuple(
            replace(one, after=one.after[:index] + one.after[index + 1 :])
            if one.name == item
            else one
            for one in items
        )

    turns = tuple(
        replace(turn, items=mended(turn.items)) if turn.name == scope else turn
        for turn in task.turns
    )
    if scope in [turn.name for turn in task.turns]:
        return replace(task, turns=turns)
    return replace(task, items=mended(task.items))


def _without_gate(task: ir.Task, name: str) -> ir.Task:
    turns = tuple(
        replace(turn, items=tuple(replace(one, strict=False) for one in turn.items))
        if turn.name == name
        else turn
        for turn in task.turns
    )
    return replace(task, turns=turns)
