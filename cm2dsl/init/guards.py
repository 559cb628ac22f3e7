"""What must not happen in a turn, and the templates that the turns of a spec share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cm2dsl.draft.spec import Item, Template, Use
from cm2dsl.draft.syntax import tool as tool_text
from cm2dsl.init.patterns import Pattern
from cm2dsl.init.tools import Tool
from cm2dsl.init.words import Language, words_for
from cm2dsl.names import name_of
from cm2dsl.trajectory import Call

WRITES = 8
"""Different writes of a turn above which they are too many to be named one by one."""
ONCE = 2
"""Tools of a turn that are guarded against a second call."""


@dataclass(slots=True)
class Kit:
    """The tools of a spec, and the templates that its tasks have used so far.

    `language` is that of the templates; `budget` are the questions that a task may still ask.
    """

    tools: Mapping[str, Tool]
    language: Language = "en"
    budget: int = 0
    used: dict[str, Template] = field(default_factory=dict)

    @property
    def has_writes(self) -> bool:
        return any(tool.effect == "write" for tool in self.tools.values())

    def template(self, name: str) -> str:
        """The name of a template, which the spec has from now on."""
        self.used.setdefault(name, _templates(self)[name])
        return name


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made and answered, and its pattern."""

    step: int
    call: Call
    pattern: Pattern
    write: bool


def guards(made: Sequence[Made], kit: Kit) -> tuple[list[Item | Use], tuple[str, str] | None]:
    """Vetoes for writes that the recording does not have, and for a second one.

    With a tool that is guarded against a second call, and the name of its veto.
    """
    if not kit.has_writes:
        return [], None
    done = [one for one in made if one.write and one.call.result is not None]
    if not done:
        return [Use(kit.template("changes_nothing"))], None
    found: list[Item | Use] = []
    patterns = list(dict.fromkeys(one.pattern.text for one in done))
    if len(patterns) <= WRITES:
        check = f"succeeded any write except {', '.join(patterns)}"
        found.append(Item("no_other_writes", kind="never", veto=True, check=check))
    tools = [one.call.tool for one in done]
    single = [tool for tool in dict.fromkeys(tools) if tools.count(tool) == 1][-ONCE:]
    for number, tool in enumerate(reversed(single), start=1):
        name = "once" if number == 1 else f"once_{number}"
        found.append(Use(kit.template("once"), (tool_text(tool),), name))
    return found, (single[-1], "once") if single else None


def _templates(kit: Kit) -> dict[str, Template]:
    grounded = words_for(kit.language).grounded
    param = name_of("tool", kit.tools)
    return {
        "grounded": Template(
            "grounded",
            (),
            Item(
                "",
                focus="reply",
                ask=grounded.ask,
                passes=(grounded.passes,),
                fails=(grounded.fails,),
                note="What the reply states comes from the tools, and not from a model's memory.",
            ),
        ),
        "changes_nothing": Template(
            "changes_nothing",
            (),
            Item(
                "",
                kind="never",
                veto=True,
                check="succeeded any write",
                note="For turns in which nothing was asked to be changed: any change is worth 0.",
            ),
        ),
        "once": Template(
            "once",
            (param,),
            Item(
                "",
                kind="never",
                veto=True,
                check=f"succeeded {param} at_least 2 times",
                note="What changes something is done once.",
            ),
        ),
    }
