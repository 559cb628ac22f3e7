"""A benchmark's words as titles, as a judge's questions, and as the names of items."""

from __future__ import annotations

import re
from collections.abc import Sequence

LEAD = re.compile(r"^\s*(?:check|verify|ensure|make sure) (?:that|if|whether) ", re.IGNORECASE)
SUBJECT = re.compile(r"^(?:the )?(agent|user|customer)\s+(?=\S)", re.IGNORECASE)
OUGHT = re.compile(r"^(?:should|must)\s+(not\s+)?", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=\w\w)[.!]\s+(?=[A-Z])")
# A verb that is inflected, or an auxiliary: it can follow `that the agent`.
FINITE = re.compile(
    r"(?:\w+ly\s+)?(?:\w*(?:s|ed)|\w+n't|can|will|may|could|would|told|said)\b", re.I
)

PLAIN = frozenset(
    (
        *("a", "an", "the", "that", "to", "of", "for", "in", "on", "at", "by", "with", "and", "or"),
        *("is", "are", "be", "been", "was", "has", "have", "it", "its", "this", "any", "there"),
        *("user", "users", "she", "he", "they", "her", "his", "their", "agent", "correctly"),
    )
)
CLAUSE = frozenset(("as", "because", "before", "but", "even", "if", "since", "so", "when", "while"))
TRAILING = frozenset(("not", "does", "do", "only", "than", "then", "same", "due", "from"))
WORDS = 5
"""Words of an item's name: enough to tell it from its neighbours."""

TITLE = 80
"""Letters of a title, at most: with the name of a task they fit on a line."""


def title(text: str) -> str:
    """The sentences that a title has room for, or the words of the first."""
    line = " ".join(text.split()).lstrip(" .")
    if len(line) <= TITLE:
        return line
    end = max((found.end() for found in re.finditer(r"[.?!](?= )", line[: TITLE + 1])), default=0)
    return line[:end] if end > TITLE // 3 else line[: TITLE - 1].rsplit(" ", 1)[0] + " …"


def titles(texts: Sequence[str]) -> list[str]:
    """A title for each text; of texts that begin alike, from the first wish of their own.

    Where none has one, their titles stay the same: a condition on what to say is no title.
    """
    made = [title(text) for text in texts]
    parts = [re.split(r"(?<=[.?!])\s+", " ".join(text.split())) for text in texts]
    for number, one in enumerate(made):
        alike = [i for i, other in enumerate(made) if other == one and texts[i] != texts[number]]
        wishes = (part for part in parts[number] if part.startswith("You "))
        own = (wish for wish in wishes if not any(wish in parts[i] for i in alike))
        yours = next(own, "") if alike else ""
        if yours and title(yours) not in made:
            made[number] = title(yours)
    return made


def statement(assertion: str) -> str:
    """The assertion without `Check that`."""
    return LEAD.sub("", " ".join(assertion.split()))


def question(assertion: str) -> str:
    """What a judge is asked: the first sentence of the assertion, as a question."""
    text = SENTENCE.split(statement(assertion), maxsplit=1)[0].strip()
    if text.endswith("?"):
        return text
    text = text.rstrip(".!")
    subject = SUBJECT.match(text)
    if subject is None:
        the = re.match(r"The (?=[a-z])", text)
        return f"Is it true that the {text[4:]}?" if the else f"Is this so: {text}?"
    who, said = f"the {subject[1].lower()}", text[subject.end() :]
    ought = OUGHT.match(said)
    if ought is not None:
        said = said[ought.end() :]
        return f"Is it true that {who} does not {said}?" if ought[1] else f"Does {who} {said}?"
    return f"Is it true that {who} {said}?" if FINITE.match(said) else f"Does {who} {said}?"


def sentences(assertion: str) -> int:
    return len(SENTENCE.split(statement(assertion)))


def short(assertion: str) -> str:
    """The words that a name is made of: without the subject, and of the first clause alone."""
    text = SUBJECT.sub("", SENTENCE.split(statement(assertion), maxsplit=1)[0])
    text = OUGHT.sub(lambda ought: "does not " if ought[1] else "", text).replace("n't", " not")
    text = re.sub(r"(?<=\d)[.,](?=\d)", "", text)
    words: list[str] = []
    for word in re.findall(r"[^\W_]+", text):
        if word.lower() in CLAUSE and len(words) > 1:
            break
        if word.lower() not in PLAIN | CLAUSE:
            words.append(word)
    words = words[:WORDS]
    while len(words) > 1 and words[-1].lower() in TRAILING:
        words.pop()
    return " ".join(words)
