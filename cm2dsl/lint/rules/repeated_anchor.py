from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Edit, Finding, Fix, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.source import Span


class RepeatedAnchor(Rule):
    """The same piece of the same channel, quoted twice in one item, says no more than once. Mostly
    the second was to be another.
    """

    code = "L305"
    name = "repeated-anchor"
    family = "evidence"
    title = "an anchor that its item has already"
    bad = (
        Bad(
            """item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
  anchor reply "KF12"
}""",
            fixed="""item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
}""",
        ),
    )
    good = (
        """item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
  anchor tool_result "KF12"
}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion in subject.criteria():
            first: dict[tuple[str, str], Span] = {}
            for entry in criterion.entries:
                if not isinstance(entry, nodes.Anchor):
                    continue
                text = words_of(entry.text)
                key = (entry.channel.text, text)
                if key not in first:
                    first[key] = entry.span
                    continue
                message, help = f"`{text}` is quoted twice", "quote another piece, or take it out"
                related = ((first[key], "the first time"),)
                fix = Fix("take it out", (_out(subject.source.text, entry.span),))
                yield Finding(entry.span, message, help, fix, related)


def _out(text: str, span: Span) -> Edit:
    """An entry taken out: with its line where it stands alone there, else with the space before."""
    start, stop = span.start, span.stop
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    end = text.find("\n", stop)
    alone = (start == 0 or text[start - 1] == "\n") and end >= 0 and not text[stop:end].strip()
    return Edit(start, end + 1 if alone else stop, "")
