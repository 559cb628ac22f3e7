from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cm2dsl.chat import ChatError, read
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.nodes import Item, Said
from cm2dsl.trajectory import segments

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
        known: dict[tuple[str, str], list[str]] = {}
        for placed in subject.placed():
            task, node = placed.task, placed.node
            if task.reference is None or not isinstance(node, Item):
                continue
            for entry in node.entries:
                if not isinstance(entry, Said) or entry.word != "pass":
                    continue
                text = _plain(words_of(entry.text))
                if not _is_long(text):
                    continue
                key = (task.reference, task.name)
                if key not in known:
                    path = subject.source.path.parent / task.reference
                    known[key] = _recorded(path, task.name)
                if any(text in said for said in known[key]):
                    message = "this `pass` is a sentence of the recording, word for word"
                    help = 'say what has to be there, and quote the recording by `anchor reply "…"`'
                    yield Finding(entry.text.span, message, help)


def _is_long(text: str) -> bool:
    spaceless = sum("\u3400" <= letter <= "\u9fff" for letter in text)
    return len(text.split()) >= WORDS or spaceless >= LETTERS


def _recorded(path: Path, task: str) -> list[str]:
    """What the agent says in the recordings of a task."""
    try:
        dialogues = list(read(path))
    except (ChatError, OSError):
        return []
    return [
        _plain(segment.text)
        for dialogue in dialogues
        if dialogue.task.partition("/")[0] in ("", task)
        for segment in segments(dialogue)
        if segment.channel == "reply"
    ]


def _plain(text: str) -> str:
    """Without case, white space at line ends and a last full stop."""
    return " ".join(text.split()).casefold().rstrip(".\u3002")
