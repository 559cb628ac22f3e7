"""τ²-bench: the tasks of a domain folder, or those that a run file embeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from cm2.formats.criteria import Action, Criteria
from cm2.formats.record import Record
from cm2.formats.tau2 import read as read_dialogues
from cm2.formats.tau2_tasks import criteria, task_ids, task_names
from cm2.importers import syntax
from cm2.importers.actions import (
    TEMPLATES,
    VACUOUS,
    Checklist,
    Toolbox,
    ending,
    goal_items,
    reads_of,
    repeat_official,
    vacuous_report,
)
from cm2.importers.assertions import asked
from cm2.importers.draft import Spec, Task
from cm2.importers.options import Options
from cm2.importers.schemas import derived, merged, read_tools
from cm2.importers.source import Found, SourceFault, read_json, read_text
from cm2.trajectory import Trajectory

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


def read(path: Path, options: Options) -> list[Spec]:
    """The draft of one domain. Raises SourceFault and OSError."""
    source = _open(path)
    tools_file = options.tools or _beside(source.folder, "tools.json")
    if tools_file is None:
        help = "name the domain's tool schemas, with an `x-effect` each: `--tools tools.json`"
        raise SourceFault(str(path), None, "", "no tools.json lies beside it", help)
    tools = read_tools(tools_file)
    policy = source.policy
    if options.system is not None:
        policy = read_text(options.system)
    ids = task_ids(source.tasks)
    wanted = [criteria(task) for task in source.tasks.items()]
    spec = Spec(options.name or source.domain, f"τ²-bench: {source.domain}", system=policy)
    spec.tools, added = merged(tools, _derived(wanted, source.played, by_user=False))
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
    vacuous: list[str] = []
    for one, task, goal in zip(ids, source.tasks.items(), wanted, strict=True):
        made = _Task(names[one], task, goal, toolbox, options.diagnostics)
        spec.tasks.append(made.draft(source.dialogues.get(names[one], ())))
        spec.unsaid += made.unsaid
        used += made.checklist.templates
        vacuous += [f"`{made.name}`"] * made.vacuous
    if vacuous:
        spec.unsaid.append(vacuous_report(vacuous))
    spec.templates = [TEMPLATES[name] for name in TEMPLATES if name in used]
    return [spec]


def _open(path: Path) -> Source:
    if path.is_dir():
        policy = _beside(path, "policy.md") or _beside(path, "main_policy.md")
        text = read_text(policy) if policy is not None else ""
        return Source(read_json(path / "tasks.json"), path.resolve().name, path, text, {}, ())
    whole = read_json(path)
    if isinstance(whole.value, list):
        policy = _beside(path.parent, "policy.md")
        text = read_text(policy) if policy is not None else ""
        return Source(whole, path.resolve().parent.name, path.parent, text, {}, ())
    environment = whole["info"]["environment_info"]
    policy_text = environment.get("policy")
    dialogues: dict[str, list[Trajectory]] = {}
    played: list[Trajectory] = []
    for record in read_dialogues(path):
        if isinstance(record, Record):
            played.append(record.trajectory)
            if record.official is not None and record.official.reward == 1:
                dialogues.setdefault(record.trajectory.task, []).append(record.trajectory)
    return Source(
        whole["tasks"],
        syntax.name_of(environment["domain_name"].filled(), (), "domain"),
        path.parent,
        policy_text.text() if policy_text is not None else "",
        dialogues,
        played,
    )


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
        self, name: str, task: Found, goal: Criteria, tools: Toolbox, diagnostics: bool
    ) -> None:
        self.name = name
        self.task = task
        self.goal = goal
        self.tools = tools
        self.diagnostics = diagnostics
        self.checklist = Checklist()
        self.unsaid: list[str] = []
        self.vacuous = False

    def draft(self, recordings: Sequence[Trajectory]) -> Task:
        notes = self._items()
        self._report_state()
        if self.diagnostics:
            repeat_official(self.goal, self.tools, self.checklist)
        return Task(
            self.name,
            title=_title(self.task),
            simulated=_instructions(self.task),
            items=tuple(self.checklist.items),
            recordings=tuple(recordings),
            note="\n".join(notes),
        )

    def _items(self) -> list[str]:
        found = self.task.get("evaluation_criteria")
        basis_of = found.get("reward_basis") if found is not None else None
        basis = basis_of.texts() if basis_of is not None else list(BASIS)
        changes = found is not None and found.get("actions") is not None
        wanted = self._wanted(basis)
        forbid = changes and "DB" in basis
        actions = goal_items(wanted, self.goal, forbid, self.tools, self.checklist)
        writes = {n: a for n, a in actions.items() if self.tools.effects.get(a.tool) == "write"}
        self.vacuous = not actions and not self.goal.communicate
        said = found.get("nl_assertions") if found is not None else None
        notes = asked(
            said.texts() if said is not None else [],
            writes,
            reads_of(self.goal, self.tools),
            self.tools,
            self.checklist,
            counted="NL_ASSERTION" in basis,
        )
        ending(self.vacuous, self.goal, self.tools, self.checklist)
        self._report_basis(basis, found)
        return [VACUOUS, *notes] if self.vacuous else notes

    def _wanted(self, basis: Sequence[str]) -> list[Action]:
        """The actions that the task's reward stands or falls with."""
        if "ACTION" in basis:
            return list(self.goal.actions)
        return [
            action
            for action in self.goal.actions
            if action.by_user or self.tools.effects.get(action.tool) == "write"
        ]

    def _report_basis(self, basis: Sequence[str], found: Found | None) -> None:
        env = found.get("env_assertions") if found is not None else None
        for assertion in env.items() if env is not None else ():
            what = assertion["func_name"].text()
            self.unsaid.append(
                f"`{self.name}`: the state of the world is asserted by `{what}`, which no dialogue "
                "shows; the reference actions stand for it"
            )
        for word in basis:
            if word not in ("DB", "COMMUNICATE", "ACTION", "NL_ASSERTION", "ENV_ASSERTION"):
                self.unsaid.append(f"`{self.name}`: the reward basis `{word}` is not known")

    def _report_state(self) -> None:
        state = self.task.get("initial_state")
        for key, value in state.members() if state is not None else ():
            if value.value:
                self.unsaid.append(f"`{self.name}`: it starts from a state of its own (`{key}`)")


def _title(task: Found) -> str:
    description = task.get("description")
    purpose = None
    if description is not None and isinstance(description.value, dict):
        purpose = description.get("purpose")
    text = purpose.text() if purpose is not None else ""
    if not text.strip():
        scenario = task.get("user_scenario")
        told = scenario.get("instructions") if scenario is not None else None
        if told is not None and isinstance(told.value, dict):
            reason = told.get("reason_for_call")
            text = reason.text() if reason is not None else ""
    line = " ".join(text.split())
    return line if len(line) <= 90 else line[:89].rsplit(" ", 1)[0] + " …"


def _instructions(task: Found) -> str:
    """What the simulated user is told, in paragraphs."""
    scenario = task["user_scenario"]
    told = scenario["instructions"]
    persona = scenario.get("persona")
    parts = [persona.text()] if persona is not None else []
    if isinstance(told.value, str):
        parts.append(told.text())
    else:
        for key in ("reason_for_call", "known_info", "unknown_info", "task_instructions"):
            part = told.get(key)
            if part is not None and part.text().strip(" ."):
                parts.append(part.text())
    lines = "\n\n".join(part.strip() for part in parts).split("\n")
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(fill(line, 92) for line in lines))
    if not text:
        raise told.fault("the user is told nothing", "write what the user wants")
    return text
