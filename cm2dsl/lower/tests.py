"""`test` blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.files import Files
from cm2dsl.ir import DIALOGUE
from cm2dsl.lower.anchors import read_dialogues
from cm2dsl.lower.env import Env, Tools, constant_text, read_text
from cm2dsl.lower.tasks import place

VERDICTS: tuple[str, ...] = get_args(ir.Expected)


def lower_test(
    test: nodes.Test, tasks: Mapping[str, ir.Task], files: Files, log: Log
) -> ir.Test | None:
    """The test in the IR, or None where the log says what is wrong."""
    name = constant_text(read_text(test.name, Env(log, Tools()))) or ""
    task = tasks.get(test.task.text)
    if task is None:
        near = suggest(test.task.text, tasks)
        log.error("E110", f"there is no task `{test.task.text}`", test.task.span, near)
        return None
    row = _row(test, task, log)
    trajectory = _trajectory(test, files, log)
    judged: list[ir.ItemExpectation] = []
    expect: list[ir.ItemExpectation | ir.RewardExpectation] = []
    for part in test.parts:
        match part:
            case nodes.Judged():
                found = _expectation(part, task, log)
                if found is not None and _find(found.item, task).ask is None:  # type: ignore[union-attr]
                    help = "take the line out, or expect the verdict"
                    message = f"`{found.item}` has no `ask`: no judge decides it"
                    log.error("E311", message, part.item.span, help)
                elif found is not None:
                    judged.append(found)
            case nodes.ExpectItem():
                wanted = _expectation(part, task, log)
                expect += [wanted] if wanted is not None else []
            case nodes.ExpectReward():
                value = part.value.value
                assert isinstance(value, int | float)
                op: ir.Order = part.op  # type: ignore[assignment]
                expect.append(ir.RewardExpectation(op=op, value=float(value)))
            case nodes.TestTrajectory():
                pass
    if not any(isinstance(part, nodes.ExpectItem | nodes.ExpectReward) for part in test.parts):
        help = "add `expect turn.item pass` or `expect reward == 1.0`"
        log.error("E311", f"test `{name}` expects nothing", test.name.span, help)
    if trajectory is None:
        return None
    return ir.Test(
        name=name,
        task=task.name,
        row=row,
        trajectory=trajectory,
        judged=tuple(judged),
        expect=tuple(expect),
        place=place(test.name.span, files),
    )


def _row(test: nodes.Test, task: ir.Task, log: Log) -> str | None:
    key = constant_text(read_text(test.row, Env(log, Tools()))) if test.row is not None else None
    if task.rows is None:
        if test.row is not None:
            help = f"write `for {task.name}`"
            log.error("E311", f"task `{task.name}` has no rows", test.row.span, help)
        return None
    keys = [row.key for row in task.rows]
    if test.row is None:
        help = f'name one: `for {task.name} row "{keys[0]}"`'
        log.error("E311", f"task `{task.name}` has many rows", test.task.span, help)
    elif key not in keys:
        message = f"task `{task.name}` has no row `{key}`"
        log.error("E110", message, test.row.span, suggest(str(key), keys))
    return key


def _trajectory(test: nodes.Test, files: Files, log: Log) -> str | None:
    named = [part for part in test.parts if isinstance(part, nodes.TestTrajectory)]
    if len(named) != 1:
        span = named[1].span if named else test.name.span
        help = 'name one: `trajectory "file.jsonl"`'
        log.error("E311", f"a test has one trajectory, this has {len(named)}", span, help)
        return None
    opened = files.open(named[0].file)
    if opened is None:
        return None
    dialogues = read_dialogues(opened[1], files.read_bytes[opened[0]], log)
    if dialogues is None:
        return None
    if len(dialogues) != 1:
        message = f"`{opened[0]}` holds {len(dialogues)} dialogues"
        help = "a test scores one: give it a file of its own"
        log.error("E311", message, named[0].file.span, help)
    return opened[0]


def _expectation(
    part: nodes.Judged | nodes.ExpectItem, task: ir.Task, log: Log
) -> ir.ItemExpectation | None:
    ref = part.item
    if ref.turn is None:
        scopes = [*(turn.name for turn in task.turns), DIALOGUE]
        homes = [scope for scope in scopes if _find(f"{scope}.{ref.text}", task) is not None]
        help = f"write `{(homes or scopes)[0]}.{ref.text}`"
        log.error("E109", f"`{ref.text}` does not name its turn", ref.span, help)
        return None
    if _find(ref.text, task) is None:
        names = [f"{t.name}.{i.name}" for t in task.turns for i in t.items]
        names += [f"{DIALOGUE}.{item.name}" for item in task.items]
        message = f"task `{task.name}` has no item `{ref.text}`"
        log.error("E109", message, ref.span, suggest(ref.text, names))
        return None
    if part.verdict.text not in VERDICTS:
        near = suggest(part.verdict.text, VERDICTS)
        log.error("E108", f"`{part.verdict.text}` is not a verdict", part.verdict.span, near)
        return None
    verdict: ir.Expected = part.verdict.text  # type: ignore[assignment]
    return ir.ItemExpectation(item=ref.text, verdict=verdict)


def _find(name: str, task: ir.Task) -> ir.Item | None:
    turn, _, item = name.partition(".")
    scopes = {each.name: each.items for each in task.turns} | {DIALOGUE: task.items}
    return next((each for each in scopes.get(turn, ()) if each.name == item), None)
