"""τ²-bench: the tasks of a domain folder, or those that a run file embeds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2.formats.criteria import Action, Criteria
from cm2.formats.record import Reject
from cm2.formats.source import Found, SourceFault, read_json, read_text
from cm2.formats.tau2 import read as read_dialogues
from cm2.formats.tau2 import read_messages
from cm2.formats.tau2_tasks import criteria, task_ids, task_names
from cm2.importers.actions import (
    Checklist,
    Toolbox,
    goal_items,
    reads_of,
    repeat_official,
    templates,
    veto_on_others,
)
from cm2.importers.assertions import asked
from cm2.importers.chatlog import said_of
from cm2.importers.options import Options
from cm2.importers.questions import titles
from cm2.importers.schemas import derived, loosened, merged, read_tools
from cm2.importers.tau2_words import (
    FREE,
    HISTORY,
    about,
    instructions,
    on_assertions,
    on_basis,
    on_state,
    topic,
    unused,
)
from cm2.importers.vacuous import alternatives, ending, note, of_tasks, on_words, report
from cm2.trajectory import Trajectory
from cm2dsl.draft.spec import Spec, Task
from cm2dsl.names import name_of

HELP = "τ²-bench: a domain folder (tasks.json, tools.json, policy.md) or a run file"

BASIS = ("DB", "COMMUNICATE")
"""What a task's reward is made of where it does not say so."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an import reads: the tasks, and where their tools, policy and dialogues are."""

    tasks: Found
    domain: str
    folder: Path
    policy: str
    dialogues: Mapping[str, Sequence[Trajectory]]
    played: Sequence[Trajectory]
    unread: Sequence[str] = ()


def read(path: Path, options: Options) -> list[Spec]:
    """The draft of one domain. Raises SourceFault and OSError."""
    source = _open(path)
    _refuse_others(source.tasks)
    ids = task_ids(source.tasks)
    wanted = [criteria(task) for task in source.tasks.items()]
    tools_file = options.tools or _beside(source.folder, "tools.json")
    if tools_file is None:
        help = "name the domain's tool schemas, with an `x-effect` each: `--tools tools.json`"
        raise SourceFault(str(path), None, "", "no tools.json lies beside it", help)
    tools = read_tools(tools_file)
    policy = source.policy
    if options.system is not None:
        policy = read_text(options.system)
    spec = Spec(options.name or source.domain, f"τ²-bench: {source.domain}", system=policy)
    spec.tools, added = merged(tools, _derived(wanted, source.played, by_user=False))
    calls = [(a.tool, a.arguments) for goal in wanted for a in goal.actions if not a.by_user]
    spec.tools, opened = loosened(spec.tools, calls)
    spec.unsaid += [*source.unread, *opened]
    spec.user_tools = _derived(wanted, source.played, by_user=True)
    spec.unsaid += [
        f"`{name}` is in no tools file; its schema is made from its calls" for name in added
    ]
    if spec.user_tools:
        spec.unsaid.append("the user's tools have no schemas; they are made from their calls")
    toolbox = Toolbox.of(spec.tools)
    if not toolbox.names("write"):
        help = 'mark every tool with `"x-effect"`: "read", "write" or "generic"'
        raise SourceFault(str(tools_file), None, "", "no tool is marked as one that writes", help)
    names = task_names(ids)
    used: list[str] = []
    unsaid: dict[str, list[str]] = {}
    headings = titles([topic(task) for task in source.tasks.items()])
    for one, heading, task, goal in zip(ids, headings, source.tasks.items(), wanted, strict=True):
        made = _Task(names[one], heading, task, goal, toolbox, options.diagnostics)
        spec.tasks.append(made.draft(source.dialogues.get(names[one], ())))
        for sentence in dict.fromkeys(made.unsaid):
            unsaid.setdefault(sentence, []).append(made.name)
        used += made.checklist.templates
    spec.unsaid += of_tasks(unsaid, len(ids))
    spec.templates = templates(used, toolbox)
    return [spec]


def _open(path: Path) -> Source:
    if path.is_dir():
        policy = _beside(path, "policy.md") or _beside(path, "main_policy.md")
        text = read_text(policy) if policy is not None else ""
        domain = name_of(path.resolve().name, (), "domain")
        return Source(read_json(_tasks_in(path)), domain, path, text, {}, ())
    whole = read_json(path)
    if isinstance(whole.value, list):
        policy = _beside(path.parent, "policy.md")
        text = read_text(policy) if policy is not None else ""
        domain = name_of(path.resolve().parent.name, (), "domain")
        return Source(whole, domain, path.parent, text, {}, ())
    environment = whole["info"]["environment_info"]
    policy_text = environment.get("policy")
    dialogues: dict[str, list[Trajectory]] = {}
    played: list[Trajectory] = []
    rejects: list[Reject] = []
    elsewhere: dict[str, None] = {}
    for record in read_dialogues(path):
        if isinstance(record, Reject):
            rejects.append(record)
            continue
        played.append(record.trajectory)
        task, official = record.trajectory.task, record.official
        if official is not None and not official.of_task:
            elsewhere[task] = None
        elif official is not None and official.reward == 1:
            dialogues.setdefault(task, []).append(record.trajectory)
    return Source(
        whole["tasks"],
        name_of(environment["domain_name"].filled(), (), "domain"),
        path.parent,
        policy_text.text() if policy_text is not None else "",
        dialogues,
        played,
        [*said_of(rejects), *_elsewhere(elsewhere)],
    )


def _refuse_others(tasks: Found) -> None:
    """Raises SourceFault where the first of the tasks has nothing of one."""
    for task in tasks.items():
        if not {"user_scenario", "evaluation_criteria"} & task.object().keys():
            help = "a task has an `id`, a `user_scenario` and `evaluation_criteria`"
            raise task.fault("this is no task of τ²-bench", help)
        return


def _tasks_in(folder: Path) -> Path:
    """The tasks of a domain folder. Raises SourceFault."""
    if (folder / "tasks.json").is_file():
        return folder / "tasks.json"
    run = next(iter(sorted(folder.glob("**/*.json.gz"))), None)
    such = f", such as `{run}`" if run is not None else ""
    help = (
        "a domain folder holds tasks.json, tools.json and policy.md; a run file, which brings its "
        f"own tasks, can be named instead{such}"
    )
    raise SourceFault(str(folder), None, "", "no domain folder of τ²-bench: no tasks.json", help)


def _elsewhere(tasks: Collection[str]) -> list[str]:
    """What the report says of dialogues that were judged by another task than they name."""
    if not tasks:
        return []
    count = f"{len(tasks)} tasks have" if len(tasks) > 1 else "1 task has"
    names = ", ".join(f"`{name}`" for name in tasks)
    return [
        f"{count} a dialogue that the run judged by other reference actions than the task's: it is"
        f" of another task, or of another version of it, and no recording of this one: {names}"
    ]


def _beside(folder: Path, name: str) -> Path | None:
    """A file of the domain: in the folder, or in the one above (runs lie in `runs/`)."""
    found = (folder / name, folder.resolve().parent / name)
    return next((path for path in found if path.is_file()), None)


def _derived(
    wanted: Sequence[Criteria], played: Sequence[Trajectory], by_user: bool
) -> list[dict[str, Any]]:
    """Schemas made from the calls of the reference actions and of the dialogues."""
    calls = [
        (action.tool, action.arguments)
        for goal in wanted
        for action in goal.actions
        if action.by_user == by_user
    ]
    if by_user:
        acts = (act for one in played for turn in one.turns for act in turn.acts)
        calls += [(act.tool, act.arguments or {}) for act in acts]
    return derived(calls)


class _Task:
    """One task while its draft is made; `unsaid` is what its source says and the draft does not."""

    def __init__(
        self,
        name: str,
        title: str,
        task: Found,
        goal: Criteria,
        tools: Toolbox,
        diagnostics: bool,
    ) -> None:
        self.name = name
        self.title = title
        self.task = task
        self.told = instructions(task)
        self.goal = goal
        self.tools = tools
        self.diagnostics = diagnostics
        self.checklist = Checklist()
        self.unsaid: list[str] = []

    def draft(self, recordings: Sequence[Trajectory]) -> Task:
        notes = [*about(self.task), *self._items()]
        self.unsaid += [*on_state(self.task), *unused(self.task)]
        if self.diagnostics:
            repeat_official(self.goal, self.tools, self.checklist)
        return Task(
            self.name,
            title=self.title,
            simulated=self.told,
            items=tuple(self.checklist.items),
            recordings=tuple(recordings),
            note="\n".join(notes),
        )

    def _items(self) -> list[str]:
        found = self.task.get("evaluation_criteria")
        basis_of = found.get("reward_basis") if found is not None else None
        basis = basis_of.texts() if basis_of is not None else list(BASIS)
        changes = found is not None and found.get("actions") is not None and "DB" in basis
        done = [*self.goal.actions, *_before(self.task)]
        allowed = done if changes else None
        actions = goal_items(self._wanted(basis), self.goal, allowed, self.tools, self.checklist)
        writes = {n: a for n, a in actions.items() if self.tools.effect(a) == "write"}
        said = found.get("nl_assertions") if found is not None else None
        notes = asked(
            said.texts() if said is not None else [],
            writes,
            reads_of(self.goal, self.tools),
            self.tools,
            self.checklist,
            counted="NL_ASSERTION" in basis,
        )
        free = allowed is None and bool(self.tools.names("write"))
        stricter = [veto_on_others(done, self.tools)] if free else []
        paid = ending(actions, self.goal, self.tools, self.checklist, stricter)
        self.unsaid += [
            *on_basis(basis, self.goal),
            *on_assertions(found, actions.values()),
            *([report(paid)] if paid else []),
            *([FREE] if free else []),
            *alternatives(actions),
            *on_words(self.goal, self.told),
        ]
        return [*([note(paid)] if paid else []), *notes]

    def _wanted(self, basis: Sequence[str]) -> list[Action]:
        """The actions that the task's reward stands or falls with."""
        if "ACTION" in basis:
            return list(self.goal.actions)
        return [
            action
            for action in self.goal.actions
            if action.by_user or self.tools.effect(action) == "write"
        ]


def _before(task: Found) -> list[Action]:
    """The calls of the messages that a dialogue begins with: they are no doing of the agent."""
    state = task.get("initial_state")
    history = state.get(HISTORY) if state is not None else None
    if history is None:
        return []
    begun = read_messages(history, "", "")
    steps = [*begun.opening, *(step for turn in begun.turns for step in turn.steps)]
    return [Action(False, call.tool, call.arguments or {}) for step in steps for call in step.calls]
