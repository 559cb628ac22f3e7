from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.lint.words import HAN
from cm2dsl.lower.anchors import Recordings
from cm2dsl.nodes import Item, Said

WORDS = 7
"""Words from which on a piece of a recording is its own way to say something."""
PLAIN = 5
"""How many of them are no codes, names or numbers, which everybody writes alike."""
LETTERS = 14
"""The same, in letters, for text without spaces between words."""
WORD = re.compile(r"[\w{}][\w{}.:,/\-'\u2019]*[\w{}]|[\w{}]")
LETTER = re.compile(r"\w")


class CopiedReference(Rule):
    """A question or a `pass` that is taken word for word from the recording makes the judge look
    for those words. Another reply that does the same in its own words seems to miss something. Say
    what has to be there, and quote the recording in an `anchor`, which the judge is not shown.
    Seven words in a row are taken for a copy, and fourteen Chinese letters; codes and numbers
    do not make it one.
    """

    code = "L210"
    name = "copied-reference"
    family = "wording"
    title = "an `ask` or a `pass` with words that stand so in a recording"
    bad = (
        Bad(
            """item priced {
  ask  "Does the reply name a price?"
  pass "KF12 leaves at 08:00 in the morning and costs 120."
}"""
        ),
        Bad(
            """item priced {
  ask  "Does the reply say that it leaves at 08:00 in the morning and costs 120?"
  fail "Says that it is cheap"
}"""
        ),
    )
    good = (
        """item priced {
  ask  "Does the reply name a price?"
  pass "Names a flight with its price"
  fail "KF12 leaves at 08:00 in the morning and costs 120."
}""",
        'item priced { ask "Does the reply name a price?" pass "costs 120" }',
        'item late { ask "Does it say that KF12 leaves at 08:00 and costs 120?" fail "Names 90" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        known: dict[tuple[str, str], frozenset[str]] = {}
        for placed in subject.placed():
            task, node = placed.task, placed.node
            if task.reference is None or not isinstance(node, Item):
                continue
            for entry in node.entries:
                if not isinstance(entry, Said) or entry.word == "fail":
                    continue
                runs = _runs(words_of(entry.text))
                if not runs:
                    continue
                key = (task.reference, task.name)
                if key not in known:
                    known[key] = _recorded(subject.recordings[task.reference], task.name)
                copied = next((run for run in runs if run in known[key]), None)
                if copied is not None:
                    message = f"this `{entry.word}` says `{copied}` as the recording does"
                    help = 'say what has to be there, and quote the recording by `anchor reply "…"`'
                    yield Finding(entry.text.span, message, help)


def _recorded(recordings: Recordings, task: str) -> frozenset[str]:
    """The runs of words of what the agent says in the recordings of a task."""
    return frozenset(
        run
        for place in recordings.of_task(task)
        for segment in recordings.segments[place]
        if segment.channel == "reply"
        for run in _runs(segment.text)
    )


def _runs(text: str) -> list[str]:
    """Every run of words in a row that is long enough to be a copy, without case and stops.

    In Chinese, which has no spaces, letters take the place of words.
    """
    if len(HAN.findall(text)) >= LETTERS:
        letters = LETTER.findall(text.casefold())
        return ["".join(letters[at : at + LETTERS]) for at in range(len(letters) - LETTERS + 1)]
    words = WORD.findall(text)
    return [
        " ".join(run).casefold()
        for at in range(len(words) - WORDS + 1)
        if sum(map(str.islower, run := words[at : at + WORDS])) >= PLAIN
    ]
