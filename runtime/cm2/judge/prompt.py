"""Prompts out of a bundle's templates.

In the order of DESIGN §8: fixed instructions, what the agent was told, tools, the dialogue with its
earlier turns first, and the item last, so that all items of a turn share everything but the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cm2.judge.engine import Prompt
from cm2.judge.hygiene import neutralised
from cm2.judge.view import Question, View
from cm2dsl import ir, prompts


class Templates:
    """The two templates of a bundle, compiled once.

    The environment is sandboxed and strict: a template sees nothing but the values given to it, and
    one that asks for something else raises jinja2.UndefinedError. Nothing is escaped, for the
    prompt is no HTML; what keeps data apart from instructions is the fence.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        """Raises KeyError where a template is missing, jinja2.TemplateSyntaxError where wrong."""
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
        )
        self._system = environment.from_string(files[prompts.SYSTEM])
        self._user = environment.from_string(files[prompts.USER])

    def render(self, question: Question, view: View, control_tokens: Sequence[str]) -> Prompt:
        """The prompt for a question and what is shown for it, to be decoded greedily.

        Raises ValueError for an item that asks nothing.
        """
        user = self._user.render(
            system=view.system,
            tools=view.tools,
            segments=[{"name": each.name, "text": each.text} for each in view.segments],
            fence=view.fence,
            item=_item(question, view, control_tokens),
        )
        return Prompt(self._system.render().strip(), user.strip())


def _item(question: Question, view: View, control_tokens: Sequence[str]) -> dict[str, object]:
    """The item as the template gets it, its texts filled from the row."""
    item = question.item
    if item.ask is None:
        raise ValueError(f"the item `{item.name}` has no `ask`: there is nothing to judge")

    def said(text: ir.Text) -> str:
        return neutralised(ir.fill(text, question.row), control_tokens).strip()

    return {
        "ask": said(item.ask),
        "passes": [said(text) for text in item.passes],
        "fails": [said(text) for text in item.fails],
        "kind": item.kind,
        "focus": item.focus,
        "turn": question.turn,
        "names": view.in_focus(item.focus),
    }
