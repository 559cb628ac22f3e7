"""Labelled items as cases: what people say of each, and what a judge says, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cm2.bundle import Bundle
from cm2.calibrate.labels import Label
from cm2.judge.judge import Judge
from cm2.judge.view import Question
from cm2.judging import question
from cm2.score import find_instance
from cm2.tasks import task_group
from cm2.trajectory import Trajectory
from cm2dsl.diagnostic import suggest
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.decide import settle
from cm2dsl.reward.plan import Plan, PlannedItem
from cm2dsl.reward.verdict import Decision
from cm2dsl.scope import Scope, facts_of


@dataclass(slots=True)
class Case:
    """One item of one dialogue that people have labelled.

    `labels` are theirs, `runs` the judge's decisions, one a run. Where a check decides the item
    nothing is asked: `settled` is what the check says.
    """

    dialogue: Trajectory
    question: Question
    labels: list[Label]
    settled: bool | None = None
    runs: list[Decision] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The item's full name with its task's."""
        return self.question.name

    @property
    def label(self) -> bool | None:
        """What most labellers say; None where as many say the one as the other."""
        passed = sum(label.passed for label in self.labels)
        return None if 2 * passed == len(self.labels) else 2 * passed > len(self.labels)


def cases(
    bundle: Bundle, dialogues: Sequence[Trajectory], labels: Sequence[Label], whole: bool
) -> list[Case]:
    """The cases that labels are about, in the order of the labels.

    An item is put to the judge whatever it comes after, and whatever gates are before its turn: who
    labelled it has seen it. `whole` says whether items of a turn are shown the turns after it, too
    (`cm2.judging.shows_whole`). Raises LabelError where a label is about nothing that is there.
    """
    known = _Known(bundle, dialogues, whole)
    found: dict[tuple[str, str, str], Case] = {}
    for label in labels:
        dialogue = known.dialogue(label)
        key = (dialogue.task, dialogue.id, label.item)
        if key not in found:
            found[key] = known.case(dialogue, label)
        found[key].labels.append(label)
    return list(found.values())


async def ask(judge: Judge, asked: Sequence[Case], runs: int) -> None:
    """Put what no check decides to the judge, so many times, one run after the other.

    Raises EngineError.
    """
    waiting = [case for case in asked if case.settled is None]
    for _ in range(runs):
        async with task_group() as group:
            tasks = [group.create_task(judge.decide(case.question)) for case in waiting]
        for case, task in zip(waiting, tasks, strict=True):
            case.runs.append(task.result())


class _Known:
    """Dialogues by id, and the items of their tasks."""

    def __init__(self, bundle: Bundle, dialogues: Sequence[Trajectory], whole: bool) -> None:
        self._bundle = bundle
        self._whole = whole
        self._by_id: dict[str, list[Trajectory]] = {}
        for one in dialogues:
            self._by_id.setdefault(one.id, []).append(one)
        self._items: dict[str, Mapping[str, tuple[int | None, PlannedItem]]] = {}

    def dialogue(self, label: Label) -> Trajectory:
        found = [
            one
            for one in self._by_id.get(label.id, ())
            if label.task in ("", one.task, one.task.partition("/")[0])
        ]
        if len(found) == 1:
            return found[0]
        of = f" of task `{label.task}`" if label.task else ""
        if found:
            help = "say which by `task`, or give them ids of their own"
            raise label.error(f"{len(found)} dialogues{of} have the id `{label.id}`", help)
        raise label.error(f"there is no dialogue `{label.id}`{of}", suggest(label.id, self._by_id))

    def case(self, dialogue: Trajectory, label: Label) -> Case:
        bundle = self._bundle
        plan = bundle.plan(find_instance(bundle, dialogue.task), True)
        items = self._items_of(plan)
        if label.item not in items:
            task = plan.instance.task.name
            message = f"there is no item `{label.item}` in task `{task}`"
            raise label.error(message, suggest(label.item, items))
        turn, one = items[label.item]
        count = len(dialogue.turns)
        if turn is not None and turn >= count:
            turns = "1 turn" if count == 1 else f"{count} turns"
            message = f"dialogue `{label.id}` has {turns}, and does not reach `{label.item}`"
            raise label.error(message, "label what is there to be seen")
        asked = question(bundle, plan, dialogue, turn, one, count, self._whole)
        return Case(dialogue, asked, [], _settled(plan, dialogue, turn, one, label))

    def _items_of(self, plan: Plan) -> Mapping[str, tuple[int | None, PlannedItem]]:
        task = plan.instance.task.name
        if task not in self._items:
            scopes: list[tuple[int | None, Sequence[PlannedItem]]] = [*enumerate(plan.turns)]
            scopes.append((None, plan.dialogue))
            self._items[task] = {one.name: (turn, one) for turn, items in scopes for one in items}
        return self._items[task]


def _settled(
    plan: Plan, dialogue: Trajectory, turn: int | None, one: PlannedItem, label: Label
) -> bool | None:
    """What a check decides of the item; None where it is left to the judge."""
    if one.check is None:
        return None
    facts = facts_of(dialogue)
    scope = Scope(facts, turns=len(dialogue.turns)) if turn is None else Scope(facts, turn=turn)
    settled = settle(one.item.kind, one.check, scope, plan.instance.row)
    return None if settled is None else settled.holds


def scope_of(name: str) -> str:
    """`turn.item` of a full name with its task's; the item alone in task scope."""
    _, _, rest = name.partition(".")
    return rest.removeprefix(f"{DIALOGUE}.")
