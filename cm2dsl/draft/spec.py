"""A spec that is being made from somebody's tasks, before it is written as .cm2.

Who drafts reads a source into `Spec` records and knows nothing of layout or files; `text.py` and
`write.py` know nothing of sources. Checks are text in the language's own syntax: build them with
the functions of `syntax.py`, which quote what must be quoted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cm2dsl.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Item:
    """One criterion. Empty and None mean that it is not written.

    `anchors` are (channel, words). `note` is a comment above the item.
    """

    name: str
    check: str = ""
    ask: str = ""
    passes: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    focus: str = ""
    kind: str = "item"
    weight: float | None = None
    after: tuple[str, ...] = ()
    strict: bool = False
    veto: bool = False
    penalty: float | None = None
    anchors: tuple[tuple[str, str], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A reusable item. Its texts and check may name `params`; the item's own name is not used."""

    name: str
    params: tuple[str, ...]
    item: Item


@dataclass(frozen=True, slots=True)
class Use:
    """`use template(arguments) as name …`; arguments are in the language's syntax.

    `stricter` are items that a person may want besides or instead: they are written below it, as
    comments. `note` is a comment above the line.
    """

    template: str
    arguments: tuple[str, ...] = ()
    name: str = ""
    weight: float | None = None
    after: tuple[str, ...] = ()
    stricter: tuple[Item, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    name: str
    user: str
    items: tuple[Item | Use, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A task: scripted `turns`, or `simulated`, what a simulated user is told.

    `items` are task scope. `recordings` are dialogues of the task; their `task` is filled in.
    `reference` names the file of its recordings, where that is not the one of all tasks.
    `at` names the turns that carry reward, where not all of them do.
    """

    name: str
    title: str = ""
    turns: tuple[Turn, ...] = ()
    simulated: str | None = None
    items: tuple[Item | Use, ...] = ()
    recordings: tuple[Trajectory, ...] = ()
    reference: str = ""
    at: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Test:
    """What the items must say of a dialogue. `judged` and `expect` are (turn.item, verdict).

    `trajectory` names the dialogue's file; `reward` is an operator and a number.
    """

    name: str
    task: str
    trajectory: str
    judged: tuple[tuple[str, str], ...] = ()
    expect: tuple[tuple[str, str], ...] = ()
    reward: str = ""
    note: str = ""


@dataclass(slots=True)
class Spec:
    """One `.cm2` file and the files beside it.

    `tools_file` and `system_file` name those of the tools and the system prompt, where they are not
    named after the domain. `settings` are lines in the language's syntax below them. `tools` and
    `user_tools` are OpenAI function schemas. `unsaid` lists what the source says and the spec does
    not, one sentence each: it becomes the report.
    """

    domain: str
    title: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    user_tools: list[dict[str, Any]] = field(default_factory=list)
    system: str = ""
    tools_file: str = ""
    system_file: str = ""
    settings: list[str] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    note: str = ""
    unsaid: list[str] = field(default_factory=list)
