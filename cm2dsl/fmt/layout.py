"""Blocks, alignment and blank lines."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.fmt.lines import broken, fits, flat
from cm2dsl.fmt.tokens import Tok, tokens_of
from cm2dsl.source import Source

STEP = 2
ALIGNED = (
    frozenset({"domain", "tools", "system", "import_file"}),
    frozenset({"judge", "simulate", "assign"}),
    frozenset({"focus", "check", "said", "anchor"}),
)
"""Parts that, on lines one after the other, begin at the same column after their first word."""

PAD = 3
"""Columns that alignment may add to a check: it is broken if it would not fit with them."""


def formatted(source: Source) -> str:
    """The text in the one layout. Raises Unexpected or TooDeep where it is not in the language."""
    tokens = tokens_of(source)
    writer = _Writer()
    writer.members(tokens[:-1], 0)
    writer.comments(tokens[-1], 0)
    return writer.text()


class _Writer:
    """The lines as they are written: (code, comment behind it)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str | None]] = []

    def text(self) -> str:
        """All lines, comments behind code in one column where the lines are neighbours."""
        found: list[str] = []
        run: list[int] = []
        for place, (code, comment) in enumerate([*self.lines, ("", None)]):
            if comment is not None and code:
                run.append(place)
                continue
            column = max((len(_last(self.lines[one][0])) for one in run), default=0) + 2
            for one in run:
                code_of, said = self.lines[one]
                pad = " " * (column - len(_last(code_of)))
                found.append(f"{code_of}{pad}{said}")
            run = []
            found.append(code if comment is None else comment)
        return "\n".join(found[:-1]).strip("\n") + "\n"

    def add(self, code: str, comment: str | None = None) -> None:
        self.lines.append((code, comment))

    def blank(self) -> None:
        if self.lines and self.lines[-1] != ("", None):
            self.add("")

    def comments(self, tok: Tok, indent: int, first: bool = False) -> None:
        """The comments above a token, each on its line."""
        for place, comment in enumerate(tok.above):
            if comment.blank and not (first and place == 0):
                self.blank()
            self.add(" " * indent + comment.text)

    # --- parts ------------------------------------------------------------------------------

    def members(self, tokens: Sequence[Tok], indent: int) -> None:
        """The parts of a block, each from a line of its own on."""
        parts = _parts(tokens)
        for part in parts:
            _set_strings_in(part, indent)
        words = _aligned(parts, indent)
        for place, part in enumerate(parts):
            head = part[0]
            self.comments(head, indent, first=place == 0)
            if head.blank and (place or head.above):
                self.blank()
            self.member(part, indent, words[place])

    def member(self, part: Sequence[Tok], indent: int, width: int) -> None:
        brace = next((place for place, tok in enumerate(part) if tok.kind == "LBRACE"), None)
        if brace is None or _stays_on_a_line(part, brace, indent):
            self.simple(part, indent, width)
            return
        body = part[brace + 1 : -1]
        lines = broken(part[: brace + 1], indent)
        self.write(lines)
        self.members(body, indent + STEP)
        closing = part[-1]
        for comment in closing.above:
            if comment.blank and body:
                self.blank()
            self.add(" " * (indent + STEP) + comment.text)
        self.add(" " * indent + closing.text, closing.behind)

    def simple(self, part: Sequence[Tok], indent: int, width: int) -> None:
        """A part without a block, or with one on its line."""
        if width:
            text = part[0].text.ljust(width) + " " + flat(part[1:])
            self.add(" " * indent + text, part[-1].behind)
        elif any(tok.kind == "LBRACE" for tok in part):
            self.write([(indent, list(part))])
        else:
            self.write(broken(part, indent))

    def write(self, lines: Sequence[tuple[int, Sequence[Tok]]]) -> None:
        for place, (indent, tokens) in enumerate(lines):
            if place:
                for comment in tokens[0].above:
                    self.add(" " * indent + comment.text)
            self.add(" " * indent + flat(tokens), tokens[-1].behind)


def _last(code: str) -> str:
    return code.rsplit("\n", 1)[-1]


def _parts(tokens: Sequence[Tok]) -> list[list[Tok]]:
    """The tokens of a block by the part that they belong to."""
    parts: list[list[Tok]] = []
    depth = 0
    for tok in tokens:
        begins = tok.begins is not None or tok.kind == "THEN"
        after_then = bool(parts) and parts[-1][-1].kind == "THEN"
        if not depth and (not parts or (begins and not after_then)):
            parts.append([])
        depth += (tok.kind == "LBRACE") - (tok.kind == "RBRACE")
        parts[-1].append(tok)
    return parts


def _stays_on_a_line(part: Sequence[Tok], brace: int, indent: int) -> bool:
    """Whether a block is on one line: it was, no comment is in it, and it fits."""
    inside = part[brace + 1 :]
    if any(tok.wrapped or tok.above for tok in part[1:]):
        return False
    if any(tok.behind is not None or "\n" in tok.text for tok in part[:-1]):
        return False
    return bool(inside) and fits(flat(part), indent)


def _aligned(parts: Sequence[Sequence[Tok]], indent: int) -> list[int]:
    """For each part the width of its first word, 0 where it is not aligned with others."""
    widths = [0] * len(parts)
    run: list[int] = []
    group: frozenset[str] | None = None
    for place, part in enumerate([*parts, []]):
        mine = _group(part, indent)
        breaks = not part or part[0].blank or bool(part[0].above) or mine is not group
        if breaks and run:
            if len(run) > 1:
                longest = max(len(parts[one][0].text) for one in run)
                for one in run:
                    widths[one] = longest
            run = []
        group = mine
        if mine is not None:
            run.append(place)
    return widths


def _group(part: Sequence[Tok], indent: int) -> frozenset[str] | None:
    """The kind of parts that this one is aligned with; None where it stands for itself."""
    if len(part) < 2:
        return None
    group = next((one for one in ALIGNED if part[0].begins in one), None)
    if group is None or any(tok.above for tok in part[1:]):
        return None
    if any(tok.behind is not None for tok in part[:-1]):
        return None
    brace = next((place for place, tok in enumerate(part) if tok.kind == "LBRACE"), None)
    if brace is not None and not _stays_on_a_line(part, brace, indent + PAD):
        return None
    if part[0].kind == "CHECK" and not fits(flat(part), indent + PAD):
        return None
    return group


def _set_strings_in(part: Sequence[Tok], indent: int) -> None:
    """Set long strings outside the part's block in: their lines stand a step deeper than it."""
    for tok in part:
        if tok.kind == "LBRACE":
            return
        if tok.kind == "LONG_STRING" and "\n" in tok.text and "\t" not in tok.text:
            tok.text = _set_in(tok.text, indent)


def _set_in(text: str, indent: int) -> str:
    first, *lines = text.split("\n")
    ends_alone = lines[-1].strip() == '"""'
    said = lines[:-1] if ends_alone else lines
    margin = min((len(one) - len(one.lstrip()) for one in said if one.strip()), default=0)
    inner = " " * (indent + STEP)
    moved = [inner + one[margin:] if one.strip() else "" for one in said]
    return "\n".join([first.rstrip(), *moved, *([" " * indent + '"""'] if ends_alone else [])])
