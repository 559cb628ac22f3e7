from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.lint.words import is_longer
from cm2dsl.lower.anchors import Recordings
from cm2dsl.nodes import Item, Said

WORDS = 7
"""Words from which on a piece of a recording is its own way to say something."""
LETTERS = 14
"""The same, in letters, for text without spaces between words."""


class CopiedReference(Rule):
    """A `pass` taken word for word from the recording makes the judge look for those words. Another
    reply that does the same in its own words seems to miss something. Say what has to be there, and
    quote the recording in an `anchor`, which the judge is not shown.
    """

    code = "L210"
    name = "copied-reference"
    family = "wording"
    title = "a `pass` that stands word for word in a recording"
    bad = (
        Bad(
            """item priced {
  ask  "Does the reply name a price?"
  pass "KF12 leaves at 08:00 and costs 120."
}"""
        ),
    )
    good = (
        """item priced {
  ask  "Does the reply name a price?"
  pass "Names a flight with its price"
  fail "KF12 leaves at 08:00 and costs 120."
}""",
        'item priced { ask "Does the reply name a price?" pass "costs 120" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        known: dict[tuple[str, str], str] = {}
        for placed in subject.placed():
            task, node = placed.task, placed.node
            if task.reference is None or not isinstance(node, Item):
                continue
            for entry in node.entries:
                if not isinstance(entry, Said) or entry.word != "pass":
                    continue
                text = _plain(words_of(entry.text))
                if not is_longer(text, WORDS, LETTERS):
                    continue
                key = (task.reference, task.name)
                if key not in known:
                    known[key] = _recorded(subject.recordings[task.reference], task.name)
                if text in known[key]:
                    message = "this `pass` is a sentence of the recording, word for word"
                    help = 'say what has to be there, and quote the recording by `anchor reply "…"`'
                    yield Finding(entry.text.span, message, help)


def _recorded(recordings: Recordings, task: str) -> str:
    """What the agent says in the recordings of a task, a line a reply."""
    return "\n".join(
        _plain(segment.text)
        for place in recordings.of_task(task)
        for segment in recordings.segments[place]
        if segment.channel == "reply"
    )


def _plain(text: str) -> str:
    """Without case, white space at line ends and a last full stop."""
    return " ".join(text.split()).casefold().rstrip(".\u3002")
