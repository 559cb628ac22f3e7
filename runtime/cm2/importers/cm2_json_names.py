"""A name for a question: `Does the final reply ask the user for …` is `asks_user_…`."""

from __future__ import annotations

import re
from collections.abc import Collection

from cm2.importers.tooltalk_apis import third_person
from cm2dsl.names import name_of

WORDS = 4
"""Words of a question that its name takes."""

LONGEST = 56

AUXILIARY = re.compile(r"(did|do|does|is|are|was|were|has|have|had|will|would|can|could)\s+", re.I)
SUBJECT = re.compile(
    r"(?:(?:the|any|an|a|every|each|all)\s+)?(?:(?:final|last|first|tool|user-visible|agent's|"
    r"assistant's|model's)\s+)*(?:agent|assistant|model|reply|response|answer|message|tool|call|"
    r"result|output|it)s?\s+",
    re.IGNORECASE,
)
ASKED_OF_A_VERB = frozenset({"did", "do", "does", "will", "would", "can", "could"})
SMALL_WORDS = """
    a about all an and any are as at be been being by for from has have in into is it its of on or
    so such than that the their them then there these they this those to was were which who with
"""
SMALL = frozenset(SMALL_WORDS.split())


def item_name(question: str, taken: Collection[str]) -> str:
    """A name that says what the question asks for, and is not in `taken`."""
    rest = question.strip()
    auxiliary = AUXILIARY.match(rest)
    rest = rest[auxiliary.end() :] if auxiliary else rest
    subject = SUBJECT.match(rest)
    rest = rest[subject.end() :] if subject else rest
    words: list[str] = re.findall(r"\w+", rest.replace("'", "").replace("’", ""))
    telling = [word for word in words if word.lower() not in SMALL and not _is_manner(word)]
    if not telling:
        return name_of(question[:LONGEST], taken)
    if auxiliary and auxiliary[1].lower() in ASKED_OF_A_VERB and subject and telling[0].isascii():
        telling[0] = third_person(telling[0].lower())
    name = telling[0]
    for word in telling[1:WORDS]:
        if len(name) + 1 + len(word) <= LONGEST:
            name += f"_{word}"
    return name_of(name[:LONGEST], taken)


def _is_manner(word: str) -> bool:
    """`clearly`, `explicitly`: how a thing is done, and not which."""
    return word.endswith("ly") and len(word) > 5
