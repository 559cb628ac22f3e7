"""What a wrong text was probably meant to be: the edit after which the parser goes on furthest.

Where the parser cannot go on, small edits of the lexemes there are tried on copies of its states:
a terminal put in, one left out, a word taken for the keyword that it nearly is, a string ended with
its line, or what follows left out up to the next statement. The edit is taken after which the
parser reads most of the next AHEAD lexemes, and of those that are as good, the cheapest. Each edit
is one fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from cm2dsl.driver import ACTIONS, EOF, KEYWORDS, NAME, PHRASE, SIGN, SIGNS, Stack, walk
from cm2dsl.lexemes import (
    LONG_STRING,
    NUMBER,
    REGEX,
    STRING,
    Lexeme,
    kind_of,
    lexemes,
    split_phrase,
)
from cm2dsl.nearest import edits as edits_between
from cm2dsl.source import Source

AHEAD = 16
SKIPPED = 80
"""Lexemes that are left out at once, at most."""

TEXTS = {name: text for text, name in (KEYWORDS | SIGNS).items()}
BLANKS = {
    "NAME": (NAME, "_"),
    "STRING": (STRING, '""'),
    "NUMBER": (NUMBER, "1"),
    "REGEX": (REGEX, "/./"),
    "LONG_STRING": (LONG_STRING, '""""""'),
    "NOTHING_ELSE": (PHRASE, "nothing else"),
}
"""What stands in for a token that is missing."""

STARTS = frozenset(
    {
        *("assign", "domain", "import", "judge", "simulate", "system", "task", "template", "test"),
        *("tools", "user", "turn", "reference", "item", "always", "never", "at_end", "use"),
        *("focus", "check", "ask", "pass", "fail", "anchor", "trajectory", "judged", "expect"),
    }
)
"""Words that begin a statement, an item or an entry: there the parser can go on."""

CLOSING = frozenset({"RBRACE", "RPAR", "RSQB", "LBRACE", "LPAR", "COMMA"})


class Edit(Struct, frozen=True):
    """From the lexeme at `at`, `removed` are left out, and `put` stands there instead.

    `popped` values are taken from the stack first: what they were is lost. With `rest`, what `put`
    has after its first is the text that follows, read again. A brace that was `moved` stands where
    the indentation wants it, and not where the parser is stuck.
    """

    at: int
    removed: int
    put: tuple[Lexeme, ...]
    cost: float
    popped: int = 0
    rest: bool = False
    moved: bool = False


def run(states: list[int], found: Sequence[Lexeme], ends: bool) -> int:
    """How many lexemes the parser reads before it cannot go on.

    Where they end with the file, and it may end there, that is as good as any number.
    """
    done = 0
    waiting = list(reversed(found))
    while waiting:
        one = waiting.pop()
        kind = kind_of(one, ACTIONS[states[-1]])
        if kind == "NOTHING_ELSE" and kind not in ACTIONS[states[-1]]:
            waiting += reversed(split_phrase(one))
            continue
        if kind is None or not walk(states, kind):
            return done
        done += 1
    return max(done, AHEAD + len(found)) if ends and walk(states, EOF) else done


def best_edit(
    source: Source,
    stack: Stack,
    found: list[Lexeme],
    at: int,
    before: Callable[[int], list[int]],
    too_deep: bool,
) -> Edit:
    """The edit to go on with. `found` is read up to the lexeme `at`, which may not come next.

    `before` gives the parser's states before one of the last lexemes. Where it is stuck for being
    `too_deep` in brackets, all of them are left out.
    """
    scored: list[tuple[float, float, int, Edit]] = []
    edits = _skips(stack, found, at, len(found)) if too_deep else _edits(source, stack, found, at)
    for edit in edits:
        states = before(edit.at) if edit.at < at else stack.states.copy()
        del states[len(states) - edit.popped :]
        after = edit.at + edit.removed
        own = 1 if edit.rest else len(edit.put)
        rest = [*edit.put, *found[after : after + AHEAD + 1]]
        ends = len(rest) <= own + AHEAD
        reached = min(run(states, rest[: own + AHEAD], ends) - own, AHEAD)
        scored.append((edit.cost - reached, edit.cost, len(scored), edit))
    return min(scored)[-1]


def _edits(source: Source, stack: Stack, found: list[Lexeme], at: int) -> Iterator[Edit]:
    accepted = stack.accepts() - {EOF}
    place = found[at].start if at < len(found) else len(source.text)
    yield from _strings(source.text, found, at)
    for kind in accepted:
        yield Edit(at, 0, (blank(kind, place),), 1.0 if kind in CLOSING else 1.6)
    if at < len(found):
        wrong = found[at]
        yield Edit(at, 1, (), 1.4)
        yield Edit(at, 2, (), 2.4)
        for kind in accepted:
            cost = _likeness(wrong, kind)
            yield Edit(at, 1, (blank(kind, place, wrong),), cost)
    yield from _skips(stack, found, at, SKIPPED)


def _likeness(wrong: Lexeme, kind: str) -> float:
    """The cost of taking a lexeme for a terminal."""
    text = TEXTS.get(kind, "")
    if wrong.group == NAME and text.isidentifier():
        apart = edits_between(wrong.text, text, 2)
        return 0.3 + 0.3 * apart if apart <= 2 and len(text) > 2 else 2.2
    return 1.5


def blank(kind: str, place: int, instead: Lexeme | None = None) -> Lexeme:
    """A lexeme of a kind, without text of its own in the source unless it stands for another."""
    text = TEXTS.get(kind, "")
    group, text = BLANKS.get(kind) or (NAME if text.isidentifier() else SIGN, text)
    return Lexeme(group, text, place, place if instead is None else instead.stop)


def _strings(text: str, found: list[Lexeme], at: int) -> Iterator[Edit]:
    """Strings that end where they should not: they began a line earlier, or never end.

    Such a string is ended with its line, or before the braces that end it; a long one before the
    next line that stands no deeper than its own.
    """
    for place in range(max(at - 2, 0), min(at + 1, len(found))):
        one = found[place]
        runs_on = one.group == STRING and "\n" in one.text
        if not (runs_on or (one.group == 0 and one.text[0] == '"')):
            continue
        end_of = _end_of_block if one.text == '"""' else _end_of_line
        stop = end_of(text, one.start)
        body = text[one.start : stop].rstrip()
        bare = body.rstrip("} \t")
        for end in dict.fromkeys((body, bare)):
            if len(end) >= len(one.text) or runs_on:
                yield _ended(text, found, place, end)


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if end >= 0 else len(text)


def _end_of_block(text: str, start: int) -> int:
    """Where the lines end that stand deeper than the line of `start`."""
    first = text.rfind("\n", 0, start) + 1
    outer = len(text[first:]) - len(text[first:].lstrip())
    end = _end_of_line(text, start)
    while end < len(text):
        line = text[end + 1 : _end_of_line(text, end + 1)]
        if line.strip() and len(line) - len(line.lstrip()) <= outer:
            break
        end += 1 + len(line)
    return end


def _ended(text: str, found: list[Lexeme], place: int, body: str) -> Edit:
    start = found[place].start
    long = body.startswith('"""')
    whole = body + ('"""' if long else '"')
    first = Lexeme(LONG_STRING if long else STRING, whole, start, start + len(body))
    put = (first, *lexemes(text, first.stop))
    return Edit(place, len(found) - place, put, 0.8, rest=True)


def _skips(stack: Stack, found: list[Lexeme], at: int, most: int) -> Iterator[Edit]:
    """What follows left out up to where a statement begins or a block ends."""
    for to in range(at, min(at + most, len(found)) + 1):
        one = found[to] if to < len(found) else None
        closes = one is not None and one.text == "}"
        if not (one is None or closes or one.text in STARTS):
            continue
        for popped in range(len(stack.states)):
            states = stack.states[: len(stack.states) - popped]
            kind = EOF if one is None else kind_of(one, ACTIONS[states[-1]])
            if kind == "NAME" or kind is None or not walk(states, kind):
                continue
            yield Edit(at, to - at, (), 2.6 + 0.7 * (to - at) + 0.3 * popped, popped)
            break
