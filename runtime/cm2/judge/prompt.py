"""Prompts out of a bundle's templates.

In the order of DESIGN §8: fixed instructions, what the agent was told, tools, the dialogue with its
earlier turns first, and the item last, so that all items of a turn share everything but the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files as resources

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cm2.judge.engine import Prompt, Shape
from cm2.judge.hygiene import hygiene_for
from cm2.judge.view import Question, View
from cm2dsl import ir, prompts


class Templates:
    """The templates of a bundle in one language, compiled once.

    The environment is sandboxed and strict: a template sees nothing but the values given to it, and
    one that asks for something else raises jinja2.UndefinedError. Nothing is escaped, for the
    prompt is no HTML; what keeps data apart from instructions is the fence.
    """

    def __init__(self, files: Mapping[str, str], language: prompts.Language = "en") -> None:
        """Raises KeyError where a template is missing, jinja2.TemplateSyntaxError where wrong."""
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
        )
        self._system, self._user, self._again = (
            environment.from_string(files[prompts.template(part, language)])
            for part in prompts.PARTS
        )

    def render(self, question: Question, view: View, control_tokens: Sequence[str]) -> Prompt:
        """The prompt for a question and what is shown for it, to be decoded greedily.

        Raises ValueError for an item that asks nothing.
        """
        user = self._user.render(
            system=view.system,
            tools=view.tools,
            segments=[
                {
                    "name": each.name,
                    "head": part.head,
                    "left_out": part.left_out,
                    "tail": part.tail,
                }
                for each, part in view.segments
            ],
            whole=[{"name": each.name, "text": each.text} for each in view.whole],
            fence=view.fence,
            item=_item(question, view, control_tokens),
        )
        system = self._system.render(dated=question.dated)
        shape = shape_for(question)
        return Prompt(system.strip(), user.strip(), shape=shape, lane=question.lane)

    def again(self, prompt: Prompt) -> Prompt:
        """The prompt once more, with a word on quotes that were not there behind it."""
        return replace(prompt, user=f"{prompt.user}\n\n{self._again.render().strip()}")


def shape_for(question: Question) -> Shape:
    """The shape of a question's answer."""
    return "dated" if question.dated else "verdict"


def schemas_in(files: Mapping[str, str]) -> dict[Shape, str]:
    """The JSON Schema, as text, of each shape of answer: a bundle's own, and that of a score."""
    score = (resources("cm2.judge") / "score.schema.json").read_text("utf-8")
    return {"verdict": files[prompts.SCHEMA], "dated": files[prompts.DATED_SCHEMA], "score": score}


def _item(question: Question, view: View, control_tokens: Sequence[str]) -> dict[str, object]:
    """The item as the template gets it, its texts filled from the row.

    The words are the spec's own; a row's values are somebody's data.
    """
    item, row = question.item, question.row
    if item.ask is None:
        raise ValueError(f"the item `{item.name}` has no `ask`: there is nothing to judge")

    clean = hygiene_for(control_tokens)

    def said(text: ir.Text) -> str:
        pieces = [
            clean.words(part) if isinstance(part, str) else clean.value(ir.fill((part,), row))
            for part in text
        ]
        return "".join(pieces).strip()

    return {
        "ask": said(item.ask),
        "passes": [said(text) for text in item.passes],
        "fails": [said(text) for text in item.fails],
        "kind": item.kind,
        "focus": item.focus,
        "turn": question.turn,
        "names": view.in_focus(item.focus),
    }
