"""An exact judge: another spec's checks decide what this one asks.

For studies that need to know the truth: what a judge with known noise does to a training, or how
far a model is from right. The other spec has the same tasks, turns and items, each with a `check`
where this one has an `ask`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cm2.judge import config
from cm2.judge.engine import EngineError, JudgeLoadError
from cm2.judge.judge import BY, Judge
from cm2.judge.view import Question
from cm2dsl import ir
from cm2dsl.compiler import compile_file
from cm2dsl.diagnostic import CompileError
from cm2dsl.emit.reward import emit_reward
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.decide import settle
from cm2dsl.reward.instance import load_checks
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.scope import Scope, facts_of


class Settings(config.Settings, frozen=True, kw_only=True):
    """`spec` is the .cm2 file whose checks decide."""

    spec: config.Name

    def named(self) -> Sequence[str]:
        return [self.spec]


def open_judge(settings: Settings, context: config.Context) -> Judge:
    """Raises JudgeLoadError."""
    path = context.folder / settings.spec
    try:
        compiled = compile_file(path)
    except CompileError as error:
        raise JudgeLoadError(
            f"{context.where}: `{path}` does not compile\n\n{error}\n\n"
            "name a spec whose checks decide the items"
        ) from None
    if compiled is None:
        raise JudgeLoadError(
            f"{context.where}: `{path}` is a library of templates; name a spec with a `domain`"
        )
    return ChecksJudge(compiled.spec, settings.spec)


class ChecksJudge(Judge):
    """Decides an item by the check of the item with its name in another spec, on the same row."""

    def __init__(self, spec: ir.Spec, name: str) -> None:
        super().__init__()
        self._spec = name
        self._checks = load_checks(emit_reward(spec), name)
        self._items = {
            f"{task.name}.{scope}.{item.name}": item
            for task in spec.tasks
            for scope, items in (
                *((turn.name, turn.items) for turn in task.turns),
                (DIALOGUE, task.items),
            )
            for item in items
        }
        self._rows: Mapping[tuple[str, str], ir.Row] = {
            (task.name, row.key): row for task in spec.tasks for row in task.rows or ()
        }

    async def decide(self, question: Question) -> Decision:
        """A pass from the step at which the check came true, or a fail, with what matched.

        What the check leaves open, having an `ask` beside it, is an error. Raises EngineError where
        the other spec does not have the item, its check, or the row.
        """
        item, row = self._item(question), self._row(question)
        facts = facts_of(question.trajectory)
        if question.turn is None:
            scope = Scope(facts, turns=len(question.trajectory.turns))
        else:
            scope = Scope(facts, turn=question.turn)
        assert item.check is not None
        settled = settle(item.kind, self._checks[item.check], scope, row)
        if settled is None:
            reason = f"the check of `{question.name}` in `{self._spec}` leaves it open"
            return Decision(Verdict.ERROR, BY, reason=reason)
        found = settled.decision
        reason = f"decided by the check in `{self._spec}`"
        return Decision(found.verdict, BY, found.evidence, found.step, reason)

    def _item(self, question: Question) -> ir.Item:
        item = self._items.get(question.name)
        if item is None:
            raise EngineError(
                f"`{self._spec}` has no item `{question.name}` to decide by",
                "name a spec with the same tasks, turns and items",
            )
        if item.check is None:
            raise EngineError(
                f"the item `{question.name}` of `{self._spec}` has no check",
                "write one, for nothing else decides it",
            )
        return item

    def _row(self, question: Question) -> ir.Row | None:
        if question.row is None:
            return None
        row = self._rows.get((question.task.name, question.row.key))
        if row is None:
            raise EngineError(
                f"the task `{question.task.name}` of `{self._spec}` has no row "
                f"`{question.row.key}`",
                "let both specs read the same rows",
            )
        return row

    async def release(self) -> None:
        """There is nothing to let go of."""
