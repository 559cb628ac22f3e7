"""What to require of text that an agent words itself: the words that it can hardly do without.

ToolTalk compares such text by the similarity of embeddings. A check cannot, and the same letters
are too much to ask. So a check looks for key words, whatever their case and ending. What the text
means as a whole is left to a judge.

The functions return groups of words: of each group, one must be there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Groups = list[list[str]]

# Words that say nothing about what a text is about.
SMALL_WORDS = """
    a about after all also am an and any anyone are as at be because been but by can can't could
    did do does don't done for from get going good got had has have he her here him his how i i'd
    i'll i'm i've if in is it it's its just know let like make may me meet more most my need no not
    of off on one or our out please re she should so some still than that the their them then there
    these they they're this those to too up us use want was we we'll we're we've were what what's
    when where which who will with won't would yes you you'll you're you've your
    hello hey hi regards sincerely cheers thanks thank sorry
"""
SMALL = frozenset(SMALL_WORDS.split())
# Times are written in many ways: 9/28, 28 September, next Thursday.
TIME_WORDS = """
    january february march april may june july august september october november december monday
    tuesday wednesday thursday friday saturday sunday today tomorrow yesterday am pm
"""
TIMES = frozenset(TIME_WORDS.split())

WORD = re.compile(r"[^\s,;!?\"()\[\]“”…]+")
SALUTATION = re.compile(r"\s*(dear|hello|hey|hi)\s+[\w'’-]+\s*,", re.IGNORECASE)
SIGNATURE = re.compile(r"(thanks|regards|best|sincerely|cheers)[\s,!.]+([\w'’]+\s*){0,3}\Z", re.I)
SENTENCE_END = re.compile(r"(\A|[.!?:\n-])\s*\Z")
LONG_NUMBER = 7
"""Digits from which on a number is one, and no date or time."""

ENDING = re.compile(r"(?<=\w{4})(ing|ed|s)\Z")
OWNER = re.compile(r"['’]s\Z")
STEM_FROM = 6
"""Letters from which on a word may be inflected, so that its ending does not count."""


def title_words(text: str) -> Groups:
    """Each of the three weightiest words of a short text that the user has more or less given."""
    words = _content(text)
    chosen = sorted(words, key=lambda word: (word.rank, -len(word.text)))[:3]
    return [[word.text] for word in words if word in chosen]


def topic_words(text: str) -> Groups:
    """One of the words of a short text that the agent makes up: a subject, a query."""
    words = [word.text for word in _content(text)]
    return [words[:4]] if words else []


def prose_words(text: str) -> Groups:
    """The names and links of a text (two at most); where it has none, one of its longest words."""
    words = _content(text)
    names = [word for word in words if word.rank < 2][:2]
    if names:
        return [[word.text] for word in names]
    longest = sorted(words, key=lambda word: (word.rank, -len(word.text)))[:3]
    return [[word.text for word in words if word in longest]] if words else []


def found_in(groups: Groups, text: str) -> bool:
    """Whether the text has a word of each group, as the patterns see it."""
    return all(re.search(_expression(group), text) for group in groups)


def pattern(group: list[str]) -> str:
    """A regular expression, as the language writes it, that finds one of the words."""
    return "/" + _expression(group).replace("/", "\\/") + "/"


def _expression(group: list[str]) -> str:
    stems = [re.escape(_stem(word)) for word in group]
    start = "\\b" if all(word[0].isalnum() for word in group) else ""
    return f"(?i){start}" + (stems[0] if len(stems) == 1 else f"({'|'.join(stems)})")


def _stem(word: str) -> str:
    word = OWNER.sub("", word)
    inflected = len(word) >= STEM_FROM and word.isalpha() and word.islower()
    return ENDING.sub("", word) if inflected else word


@dataclass(frozen=True, slots=True)
class _Word:
    """`rank`: 0 a link or long number, 1 a name, 2 another word, 3 what is often reworded."""

    text: str
    rank: int


def _content(text: str) -> list[_Word]:
    """The words that say what a text is about, without its salutation and signature, each once.

    Of a text of small words only, the longest of them.
    """
    opening = SALUTATION.match(text)
    end = SIGNATURE.search(text)
    start, stop = opening.end() if opening else 0, end.start() if end else len(text)
    found = _words(text, start, stop) or _words(text, 0, len(text))
    content = [word for word in found if not _is_small(word.text)]
    return content or sorted(found, key=lambda word: -len(word.text))[:1]


def _words(text: str, start: int, stop: int) -> list[_Word]:
    words: dict[str, _Word] = {}
    for match in WORD.finditer(text, start, stop):
        word = match[0].strip(".:'’*-–")
        if word:
            begins = bool(SENTENCE_END.search(text[: match.start()])) or match.start() == start
            words.setdefault(word.lower(), _Word(word, _rank(word, begins)))
    return list(words.values())


def _is_small(word: str) -> bool:
    return word.lower().replace("’", "'") in SMALL


def _rank(word: str, begins: bool) -> int:
    if re.search(r"\w[./@]\w*[^\W\d]", word) or len(re.findall(r"\d", word)) >= LONG_NUMBER:
        return 0
    if any(char.isdigit() for char in word) or OWNER.sub("", word.lower()) in TIMES:
        return 3
    return 1 if word[0].isupper() and len(word) > 1 and not begins else 2
