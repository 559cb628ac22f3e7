"""Tasks: rows, turns, weights, anchors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import Log
from cm2dsl.files import Files
from cm2dsl.ir import DIALOGUE
from cm2dsl.lower.anchors import Recordings, read_recordings, resolve_anchor
from cm2dsl.lower.env import Env, Rows, Tools, read_text
from cm2dsl.lower.items import DraftItem, read_items
from cm2dsl.lower.order import report_cycles, resolve_after
from cm2dsl.lower.rows import lower_rows
from cm2dsl.lower.settings import read_assign
from cm2dsl.source import Span


class Context(Struct, frozen=True):
    """What every task of a spec shares."""

    files: Files
    log: Log
    tools: Tools
    templates: Mapping[str, nodes.Template]
    assign: nodes.Assign | None
    recorded: dict[str, Recordings] = field(default_factory=dict)
    checks: set[str] = field(default_factory=set)


def place(span: Span, files: Files) -> ir.Place:
    """A span in the IR; its file is named relative to the spec's folder."""
    line, column = span.source.position(span.start)
    return ir.Place(file=files.name_of(span.source), line=line, column=column)


def lower_task(task: nodes.Task, context: Context) -> ir.Task | None:
    """The task in the IR, or None where a fault leaves nothing to build on."""
    log = context.log
    rows: tuple[ir.Row, ...] | None = None
    env = Env(log, context.tools)
    if task.each is not None:
        read = lower_rows(task.each, context.files, log)
        if read is None:
            return None
        file, rows = read
        env = replace(env, rows=Rows(task.each.row.text, file))
    recordings = _recordings(task, context)
    turns = _turns(task, context, env)
    drafts = {name: items for name, (_, _, items) in turns.items()}
    drafts[DIALOGUE] = read_items(task.parts, context.templates, env)
    _check_structure(task, turns, drafts, log)
    after = {
        f"{turn}.{item.name.text}": resolve_after(turn, item, drafts, log)
        for turn, items in drafts.items()
        for item in items
    }
    by_name = {f"{turn}.{item.name.text}": item for turn, items in drafts.items() for item in items}
    report_cycles(after, by_name, log)
    referenced = any(isinstance(part, nodes.RecordingFile) for part in task.parts)
    builder = _Items(task.name.text, context, after, recordings, referenced, rows)
    lowered = tuple(
        ir.Turn(
            name=name,
            user=user,
            items=builder.build(name, items),
            place=place(span, context.files),
        )
        for name, (span, user, items) in turns.items()
    )
    assigns = [part for part in task.parts if isinstance(part, nodes.Assign)]
    for extra in assigns[1:]:
        log.error("E303", "a second `assign`", extra.span, "a task has one: join the two")
    names = [*turns, *([DIALOGUE] if drafts[DIALOGUE] else [])]
    return ir.Task(
        name=task.name.text,
        title=_title(task.title, env),
        rows=rows,
        reference=recordings.file if recordings else None,
        turns=lowered,
        simulated=_simulated(task, env),
        items=builder.build(DIALOGUE, drafts[DIALOGUE]),
        assign=read_assign(
            context.assign, assigns[0] if assigns else None, task.name.text, names, log
        ),
        place=place(task.name.span, context.files),
    )


def _title(title: nodes.String | None, env: Env) -> str:
    if title is None:
        return ""
    text = read_text(title, env)
    if any(not isinstance(part, str) for part in text):
        help = "one title stands for all rows"
        env.error("E203", "a title cannot hold row values", title.span, help)
    return "".join(part for part in text if isinstance(part, str))


def _simulated(task: nodes.Task, env: Env) -> ir.Text | None:
    """What a simulated user is told, where the task has one in place of scripted turns."""
    told = [part for part in task.parts if isinstance(part, nodes.Simulated)]
    turns = [part for part in task.parts if isinstance(part, nodes.Turn)]
    for extra in told[1:]:
        help = "one user talks to the agent: join the two"
        env.log.error("E303", "a second `user simulated`", extra.span, help)
    if not told:
        return None
    for turn in turns:
        help = "script the turns, or let the user be simulated: keep one of the two"
        related = ((told[0].span, "the user is simulated"),)
        message = f"turn `{turn.name.text}` is scripted"
        env.log.error("E303", message, turn.name.span, help, related)
    text = read_text(told[0].instructions, env)
    if not any(text):
        help = "say who the user is and what they want"
        env.log.error("E303", "the simulated user is told nothing", told[0].span, help)
    return text


def _recordings(task: nodes.Task, context: Context) -> Recordings | None:
    files = [part for part in task.parts if isinstance(part, nodes.RecordingFile)]
    for extra in files[1:]:
        help = "put all recordings of a task in one file"
        context.log.error("E303", "a second `reference`", extra.span, help)
    if not files:
        return None
    return read_recordings(files[0].file, context.files, context.recorded, context.log)


def _turns(
    task: nodes.Task, context: Context, env: Env
) -> dict[str, tuple[Span, ir.Text, list[DraftItem]]]:
    log = context.log
    turns: dict[str, tuple[Span, ir.Text, list[DraftItem]]] = {}
    for turn in (part for part in task.parts if isinstance(part, nodes.Turn)):
        name = turn.name.text
        if name == DIALOGUE:
            help = "the task scope has that name: choose another"
            log.error("E106", f"no turn can be named `{DIALOGUE}`", turn.name.span, help)
            continue
        if name in turns:
            help = "give every turn of a task a name of its own"
            log.error("E106", f"turn `{name}` stands twice", turn.name.span, help)
        users = [part for part in turn.parts if isinstance(part, nodes.User)]
        if not users:
            help = 'begin it with what the user says: `user "…"`'
            log.error("E307", f"turn `{name}` has no user message", turn.name.span, help)
            continue
        for extra in users[1:]:
            help = "a user message opens a turn: make two turns of them"
            log.error("E303", f"turn `{name}` has two user messages", extra.span, help)
        items = read_items(turn.parts, context.templates, env)
        turns[name] = (turn.name.span, read_text(users[0].text, env), items)
    return turns


def _check_structure(
    task: nodes.Task,
    turns: Mapping[str, object],
    drafts: Mapping[str, Sequence[DraftItem]],
    log: Log,
) -> None:
    if not any(isinstance(part, nodes.Turn | nodes.Simulated) for part in task.parts):
        help = "give it a `turn` with a `user` message, or a `user simulated`"
        log.error("E307", f"task `{task.name.text}` has no turns", task.name.span, help)
    elif not any(isinstance(part, nodes.Item | nodes.Use) for part in _all_parts(task)):
        simulated = any(isinstance(part, nodes.Simulated) for part in task.parts)
        help = "give it an `item`" if simulated else "give a turn an `item`"
        log.error("E307", f"task `{task.name.text}` has no items", task.name.span, help)
    for name, items in drafts.items():
        if items and sum(item.weight for item in items) <= 0:
            what = "the task scope" if name == DIALOGUE else f"turn `{name}`"
            help = _earned_how(name, items)
            log.error("E301", f"all weights of {what} are zero", items[0].weight_span, help)
    for item in drafts[DIALOGUE]:
        if item.strict:
            help = "`strict` decides whether the next turn comes; task scope has no next turn"
            log.error("E302", "a task-scope item cannot be strict", item.name.span, help)


def _earned_how(scope: str, items: Sequence[DraftItem]) -> str:
    """What to do where a scope has nothing to earn; guards alone are not helped by a weight."""
    if not all(item.veto or item.penalty for item in items):
        return "give an item a weight; `veto` and `penalty` items have none unless it is written"
    guard = "veto" if items[0].veto else "penalty"
    if scope == DIALOGUE:
        return (
            f"a `{guard}` takes from its own scope: put it in each turn, with a template, or add "
            "an item to the task scope that says what is to be done"
        )
    return f"a `{guard}` only takes: add an item that says what is to be done in the turn"


def _all_parts(task: nodes.Task) -> list[object]:
    turns = [part.parts for part in task.parts if isinstance(part, nodes.Turn)]
    return [*task.parts, *(part for parts in turns for part in parts)]


class _Items(Struct, frozen=True):
    """Builds the IR items of a task."""

    task: str
    context: Context
    after: Mapping[str, tuple[str, ...]]
    recordings: Recordings | None
    referenced: bool
    rows: tuple[ir.Row, ...] | None

    def build(self, turn: str, items: Sequence[DraftItem]) -> tuple[ir.Item, ...]:
        total = math.fsum(item.weight for item in items) or 1.0
        return tuple(self._item(turn, item, item.weight / total) for item in items)

    def _item(self, turn: str, item: DraftItem, weight: float) -> ir.Item:
        name = item.name.text
        anchors = [
            resolve_anchor(each, self.task, self.recordings, self.rows, self.context.log)
            for each in item.anchors
            if self.recordings is not None or not self.referenced  # else that fault is reported
        ]
        return ir.Item(
            name=name,
            kind=item.kind,
            weight=weight,
            after=self.after[f"{turn}.{name}"],
            strict=item.strict,
            veto=item.veto,
            penalty=item.penalty,
            focus=item.focus,
            check=self._check_name(turn, name) if item.expr is not None else None,
            expr=item.expr,
            ask=item.ask,
            passes=item.passes,
            fails=item.fails,
            anchors=tuple(anchor for anchor in anchors if anchor is not None),
            place=place(item.name.span, self.context.files),
        )

    def _check_name(self, turn: str, item: str) -> str:
        """A name of its own for a function: `a.b__c` and `a__b.c` would have the same."""
        name = f"{self.task}__{turn}__{item}"
        while name in self.context.checks:
            name += "_"
        self.context.checks.add(name)
        return name
