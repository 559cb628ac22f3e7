"""Whether a text says yes or no to a question in its own words. No rule: rules share it."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_][\w{}.\-'\u2019]*")
AUXILIARY = ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had")
NOT = re.compile(rf"not|no|never|without|(?:{'|'.join(AUXILIARY)}|can)n['\u2019]t")
SMALL = ("a", "an", "the", "any", *AUXILIARY)
ASKED = re.compile(r"(?P<who>[^，,]*?)(?:有没有|是否|是不是)(?P<what>[^，,？?]+)[？?]?")
DENIED = re.compile(r"(?P<who>[^，,]*?)(?:没有|没|未|不)(?P<what>[^，,。]+)。?")
SAID = re.compile(r"(?P<who>(?:回复|回答|客服|助手)[里中]?)?(?P<what>[^，,。]+)。?")
ENDING = re.compile(r"(?<=\w\w)(?:es|s|ed|e)$")


def denies(text: str, ask: str) -> bool:
    """Whether the text is the question with a `not`."""
    asked, denied = ASKED.fullmatch(ask), DENIED.fullmatch(text)
    if asked is not None and denied is not None:
        return asked["what"] == denied["what"] and denied["who"] in ("", asked["who"])
    words = WORD.findall(text.casefold())
    rest, wanted = _content(words), _content(WORD.findall(ask.casefold()))
    if not rest or rest not in (wanted, wanted[1:]):
        return False
    return 0 <= _before_not(words) <= (2 if rest == wanted else 1)


def affirms(text: str, ask: str) -> bool:
    """Whether the text is the question as a statement."""
    asked, said = ASKED.fullmatch(ask), SAID.fullmatch(text)
    if asked is not None and said is not None:
        return _bare(asked["what"]) == _bare(said["what"]) and (
            said["who"] is None or said["who"] == asked["who"]
        )
    words, asking = WORD.findall(text.casefold()), WORD.findall(ask.casefold())
    if any(NOT.fullmatch(word) for word in (*words, *asking)):
        return False
    rest, wanted = _content(words), _content(asking)
    return len(rest) > 1 and rest in (wanted, wanted[1:])


def _bare(text: str) -> str:
    """A Chinese verb phrase without the mark of what is done."""
    return text.replace("了", "").strip()


def _content(words: list[str]) -> list[str]:
    """The words that say something, without endings."""
    return [_stem(word) for word in words if not NOT.fullmatch(word) and word not in SMALL]


def _before_not(words: list[str]) -> int:
    """How many words with content come before the first `not`; -1 where there is none.

    Before one that denies the whole there is a subject and a verb at most.
    """
    place = next((at for at, word in enumerate(words) if NOT.fullmatch(word)), None)
    return -1 if place is None else sum(word not in SMALL for word in words[:place])


def _stem(word: str) -> str:
    """The word without the endings of verbs and plurals."""
    return ENDING.sub("", word.rstrip(".'\u2019"))
