"""Two sets of compiled specs compared: files, then what each says of all of its tasks, then
tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from cm2dsl import ir
from cm2dsl.compiler import Compiled
from cm2dsl.diff.compare import compare_tasks
from cm2dsl.diff.items import described
from cm2dsl.diff.match import match
from cm2dsl.diff.notes import few
from cm2dsl.diff.report import Diff, Impact, Note, SpecDiff, TaskDiff
from cm2dsl.diff.shown import Changed, Version, tell_apart
from cm2dsl.diff.tables import scopes_of

Compiles = Mapping[str, Compiled]


def compare(before: Compiles, after: Compiles, named: tuple[str, str]) -> Diff:
    """What changed between A and B, whose names are `named`. Files that did not change are left
    out.

    Two files are compared with each other whatever they are called.
    """
    if len(before) == len(after) == 1 and "" in (*before, *after):
        (old,), (new,) = before.values(), after.values()
        specs = [compare_specs(next(iter(after)), old, new)]
        return Diff(*named, tuple(specs))
    files = match(
        list(before.items()),
        list(after.items()),
        lambda each: each[0],
        (lambda each: each[1].spec.domain,),
        lambda each: each[0],
    )
    specs = [_alone(name, one, "removed") for name, one in files.gone]
    specs += [_alone(name, one, "added") for name, one in files.come]
    for pair in files.pairs:
        (old_name, old), (name, new) = pair.before, pair.after
        found = compare_specs(name, old, new)
        if old_name != name:
            moved = Note("text", "", f"file renamed from `{old_name}`", Impact.TEXT)
            found = SpecDiff(
                name,
                max(found.impact, Impact.TEXT),
                (moved, *found.notes),
                found.tasks,
                found.same,
            )
        specs.append(found)
    return Diff(*named, tuple(sorted(specs, key=lambda spec: (-spec.impact, spec.file))))


def _alone(name: str, compiled: Compiled, word: str) -> SpecDiff:
    tasks = len(compiled.spec.tasks)
    said = f"spec {word}, with {tasks} task{'s' if tasks != 1 else ''}"
    return SpecDiff(name, Impact.REWARD, (Note("reward", "", said, Impact.REWARD),))


class _Pair:
    """Two versions of a spec, whose checks are made functions once they are needed."""

    def __init__(self, before: Compiled, after: Compiled) -> None:
        self.compiled = (before, after)

    @cached_property
    def versions(self) -> tuple[Version, Version]:
        return Version(self.compiled[0]), Version(self.compiled[1])

    def shown(
        self, before: ir.Task, after: ir.Task, changed: Sequence[Changed]
    ) -> tuple[dict[int, str], int]:
        return tell_apart(self.versions, (before, after), changed)


def compare_specs(file: str, before: Compiled, after: Compiled) -> SpecDiff:
    """What changed between two versions of a spec."""
    old, new = before.spec, after.spec
    tasks = match(
        old.tasks,
        new.tasks,
        lambda task: task.name,
        (lambda task: task.reference if task.reference is not None else task.name, _saying),
        _saying,
    )
    both = _Pair(before, after)
    found = [_task_alone(task, "removed") for task in tasks.gone]
    found += [_task_alone(task, "added") for task in tasks.come]
    for pair in tasks.pairs:
        one, two = pair.before, pair.after
        found.append(
            compare_tasks(one, two, lambda changed, o=one, n=two: both.shown(o, n, changed))  # type: ignore[misc]
        )
    notes = [*_notes(old, new), *_file_notes(before, after)]
    changed = [task for task in found if task.impact > Impact.NONE]
    texts = sorted(
        name
        for name in {*before.read, *after.read}
        if before.read.get(name) != after.read.get(name)
    )
    if texts and not notes and not changed:
        said = f"nothing but the text of {', '.join(f'`{name}`' for name in texts)}"
        notes.append(Note("text", "", said, Impact.TEXT))
    impact = max([Impact.NONE, *(one.impact for one in notes), *(one.impact for one in found)])
    return SpecDiff(
        file,
        impact,
        tuple(notes),
        tuple(sorted(changed, key=lambda task: -task.impact)),
        len(found) - len(changed),
    )


def _saying(task: ir.Task) -> str:
    return " ".join(described(item) for _, items in scopes_of(task) for item in items)


def _task_alone(task: ir.Task, word: str) -> TaskDiff:
    note = Note("reward", "", f"task {word}", Impact.REWARD)
    before, after = (task.name, None) if word == "removed" else (None, task.name)
    return TaskDiff(before, after, Impact.REWARD, (note,))


def _notes(old: ir.Spec, new: ir.Spec) -> Iterator[Note]:
    asks = any(
        item.ask is not None
        for spec in (old, new)
        for task in spec.tasks
        for _, items in scopes_of(task)
        for item in items
    )
    for what, shown, one, other in (
        ("the system prompt", "another system prompt", old.system, new.system),
        ("the tools", "other tools", old.tools, new.tools),
    ):
        if one != other:
            # The judge is told both; a recorded system message stands in for the spec's.
            yield Note("dialogues", "", f"{what} changed{_names(one, other)}", Impact.TEXT)
            if asks:
                yield Note("judge", "", f"the judge is shown {shown}", Impact.JUDGE)
    if old.user_tools != new.user_tools:
        said = f"the user's tools changed{_names(old.user_tools, new.user_tools)}"
        yield Note("dialogues", "", said, Impact.TEXT)
    if old.simulate != new.simulate:
        yield Note("dialogues", "", "tool calls are answered otherwise (`simulate`)", Impact.TEXT)
    if old.malformed != new.malformed:
        said = f"after a call that cannot be read, a rollout is to {_then(new.malformed)}"
        yield Note("dialogues", "", said, Impact.TEXT)
    for word in ("votes", "view"):
        one, other = getattr(old.judge, word), getattr(new.judge, word)
        if one != other:
            impact = Impact.JUDGE if asks else Impact.TEXT
            yield Note("judge", "", f"judge {word} {one} → {other}", impact)
    if (old.domain, old.title) != (new.domain, new.title):
        yield Note("text", "", "the domain's name or title changed", Impact.TEXT)
    if [_unplaced(one) for one in old.tests] != [_unplaced(one) for one in new.tests]:
        yield Note("text", "", "tests changed", Impact.TEXT)


def _then(malformed: ir.Malformed) -> str:
    return "go on" if malformed == "go_on" else "end"


def _names(one: object, other: object) -> str:
    """Which tools came, went and changed."""
    if not isinstance(one, tuple) or not isinstance(other, tuple):
        return ""
    old, new = ({tool.name: tool for tool in tools} for tools in (one, other))
    shown = [f"+{name}" for name in new if name not in old]
    shown += [f"−{name}" for name in old if name not in new]
    shown += [name for name in old if name in new and old[name] != new[name]]
    return f": {', '.join(shown)}" if shown else ""


def _unplaced(test: ir.Test) -> tuple[object, ...]:
    return (test.name, test.task, test.row, test.trajectory, test.judged, test.expect)


def _file_notes(before: Compiled, after: Compiled) -> Iterator[Note]:
    """Files whose bytes changed, where nothing above says so."""
    old, new = before.read, after.read
    changed = {name for name in (*old, *new) if old.get(name) != new.get(name)}
    specs = (before.spec, after.spec)
    recorded = {task.reference for spec in specs for task in spec.tasks}
    backends = {
        one.file for spec in specs for one in spec.simulate if isinstance(one, ir.PythonBackend)
    }
    fixtures = {test.trajectory for spec in specs for test in spec.tests}
    for names, word, heading in (
        (recorded, "recordings", "dialogues"),
        (backends, "backend", "dialogues"),
        (fixtures - recorded, "fixtures", "text"),
    ):
        found = sorted(changed & {one for one in names if one is not None})
        if found:
            said = f"{word} changed: {few([f'`{name}`' for name in found])}"
            yield Note(heading, "", said, Impact.TEXT)  # type: ignore[arg-type]
