"""The report as one page of HTML, with every disagreement so that a person can see who is right.

All that is on it comes from specs, dialogues, labels and a model: templates escape it, and the page
forbids itself scripts, forms and whatever would have to be fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cm2.calibrate.cases import Case
from cm2.calibrate.figures import LEAST
from cm2.calibrate.report import Report
from cm2.calibrate.shown import HEAD, number, row, visible
from cm2.calibrate.text import VERDICTS, cost_text
from cm2.judge.bounds import bounded
from cm2.judge.view import in_scope
from cm2.trajectory import Segment, segments
from cm2dsl import ir
from cm2dsl.report.words import counted

LONGEST = 4000
"""Letters of a segment that are shown; the middle of longer ones is left out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of a segment; `quoted` are those that the judge quotes."""

    text: str
    quoted: bool = False


def page(found: Report) -> str:
    """The page. Needs nothing but itself."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(Path(__file__).parent),
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    template = environment.get_template("page.html.jinja")
    return template.render(
        found=found,
        head=HEAD,
        row=row,
        number=number,
        counted=counted,
        cost=cost_text(found.cost),
        least=LEAST,
        verdicts=VERDICTS,
        listed=[
            ("Disagreements", [_shown(case) for case in found.disagreements]),
            ("Errors of the judge", [_shown(case) for case in found.failures]),
        ],
    )


def _shown(case: Case) -> dict[str, Any]:
    """What is shown of a case."""
    asked, said = case.question, case.runs[0]
    item, values = asked.item, asked.row

    def filled(texts: Sequence[ir.Text]) -> list[str]:
        return [ir.fill(text, values) for text in texts]

    return {
        "dialogue": case.dialogue.id,
        "task": case.dialogue.task,
        "name": case.name,
        "item": item,
        "ask": ir.fill(item.ask or (), values),
        "passes": filled(item.passes),
        "fails": filled(item.fails),
        "said": said,
        "others": [one.verdict.value for one in case.runs[1:]],
        "label": {True: "pass", False: "fail", None: "tie"}[case.label],
        "labels": case.labels,
        "segments": [(segment.name, list(_pieces(case, segment))) for segment in _around(case)],
    }


def _around(case: Case) -> Iterator[Segment]:
    """The segments of the item's scope, and those that the judge quotes."""
    quoted = {one.segment for one in case.runs[0].evidence}
    for segment in segments(case.question.trajectory):
        hidden = segment.channel == "reasoning" and case.question.item.focus != "reasoning"
        if segment.name in quoted or (in_scope(segment, case.question.turn) and not hidden):
            yield segment


def _pieces(case: Case, segment: Segment) -> Iterator[Piece]:
    """The segment's text, with what the judge quotes of it set apart where it stands there."""
    quotes = [
        one.quote for one in case.runs[0].evidence if one.segment == segment.name and one.quote
    ]
    shown = bounded(segment.text, LONGEST)
    text, quote = shown.head, next((quote for quote in quotes if quote in shown.head), None)
    if quote is None:
        yield Piece(text)
    else:
        before, _, after = text.partition(quote)
        yield from (Piece(before), Piece(quote, quoted=True), Piece(after))
    if shown.left_out:
        yield Piece(f"\n… {counted(shown.left_out, 'letter')} left out …\n{shown.tail}")
