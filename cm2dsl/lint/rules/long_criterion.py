from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

MOST = 1500
LONG = "Names a flight that no result of the search contains, or one that it contains with another "
LONG += "price, day or time of departure than the result gives. "


class LongCriterion(Rule):
    """What is said to the judge of one item is read again for every dialogue, and comes last, where
    no cache helps. So much text also holds more than one criterion, and a judge loses its thread.
    """

    code = "L502"
    name = "long-criterion"
    family = "cost"
    title = f"more than {MOST} letters said to the judge of one item"
    bad = (
        Bad(
            f"""item names {{
  ask  "Does the reply name a flight that was found?"
  fail "{(LONG * 11).strip()}"
}}"""
        ),
    )
    good = (
        f"""item names {{
  ask  "Does the reply name a flight that was found?"
  fail "{LONG.strip()}"
}}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion in subject.criteria():
            said = [entry.text for entry in criterion.entries if isinstance(entry, nodes.Said)]
            count = sum(len(words_of(text)) for text in said)
            if count > MOST:
                message = f"`{criterion.name.text}` says {count} letters to the judge"
                help = f"make several items of it, or say it in {MOST}"
                yield Finding(criterion.name.span, message, help)
