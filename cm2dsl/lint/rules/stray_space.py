from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Edit, Finding, Fix, Rule
from cm2dsl.lint.subject import Subject, words_of

LONG = '"""'
ESCAPE = re.compile(r"\\[ntu]")
DOUBLE = re.compile(r"(?<=\S)[^\S\n]{2,}(?=\S)")


class StraySpace(Rule):
    """White space around a text, or twice inside it, is a slip, mostly of an edit that left half a
    sentence. Two texts that look alike are then two texts to whatever compares or caches them.
    """

    code = "L213"
    name = "stray-space"
    family = "wording"
    title = "white space around a text for a judge, or twice inside it"
    bad = (
        Bad(
            'item priced { ask " Does the reply name a price? " fail "Names none" }',
            fixed='item priced { ask "Does the reply name a price?" fail "Names none" }',
        ),
        Bad(
            'item priced { ask "Does the reply name a price?" fail "Names  none" }',
            fixed='item priced { ask "Does the reply name a price?" fail "Names none" }',
        ),
        Bad(
            'item 报价 { ask "回复有没有说价格？" fail "没有说 " }',
            fixed='item 报价 { ask "回复有没有说价格？" fail "没有说" }',
        ),
        Bad('item priced { ask "Does the reply name a price?\\n" fail "Names none" }'),
    )
    good = (
        '''item priced {
  ask """
    Does the reply name a price?
      In any form.
    """
  fail "Names
        none"
}''',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said():
            text = words_of(entry.text)
            around = text != text.strip() and bool(text.strip())
            if around or DOUBLE.search(text):
                where = "around" if around else "twice inside"
                message = f"there is white space {where} this `{entry.word}`"
                yield Finding(entry.text.span, message, "take it out", _fix(entry.text))


def _fix(text: nodes.String) -> Fix | None:
    """The white space taken out; None where escapes, line breaks or quotes make it hard to see."""
    span = text.span
    written = span.source.text[span.start : span.stop]
    mark = LONG if written.startswith(LONG) else '"'
    inner = written[len(mark) : -len(mark)]
    bare = inner.strip()
    quoted = mark == LONG and (bare.startswith('"') or bare.endswith('"'))
    if quoted or ESCAPE.search(inner) or "\n" in inner:
        return None
    mended = mark + DOUBLE.sub(" ", bare) + mark
    # A judge is not shown the space around a text; what is inside it is a part of the prompt.
    safe = DOUBLE.search(bare) is None
    return Fix("take the white space out", (Edit(span.start, span.stop, mended),), safe)
