"""Writes cm2dsl/tables.py: Lark's LALR(1) tables of cm2.lark, as data that Python loads at once.

    python grammar/make_tables.py

A test makes them again and compares, so the grammar stays the one source. Only this needs lark.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lark import Lark
from lark.grammar import Rule
from lark.lexer import PatternStr, TerminalDef
from lark.parsers.lalr_analysis import Shift

HERE = Path(__file__).parent
GRAMMAR = HERE / "cm2.lark"
OUT = HERE.parent / "cm2dsl" / "tables.py"

PHRASES = ("NOTHING_ELSE",)
"""Terminals of several words: they come before names, and are names where they cannot stand."""

KINDS = (*PHRASES, "NAME", "LONG_STRING", "STRING", "NUMBER", "SIGN", "REGEX")
"""The order in which a token is looked for."""

TYPES = {
    "RULES": ": tuple[tuple[str, int, str | None, tuple[int, ...]], ...]",
    "SPREAD": ": dict[int, tuple[int, ...]]",
    "ACTIONS": ": tuple[str, ...]",
    "GOTOS": ": tuple[str, ...]",
}

HEAD = '''"""The LALR(1) tables of grammar/cm2.lark. Written by grammar/make_tables.py: do not edit.

IGNORED   white space and comments
TOKEN     one token and what is ignored before it; its groups are KINDS
KEYWORDS  words that are terminals of their own where the grammar expects them; SIGNS likewise
ACTIONS   by state and terminal: the state to go to, or -1 - r to reduce by rule r
GOTOS     by state and the name of a rule: the state to go to once it is read; these two are lines
          of words and numbers in turn, which load at once and are read when a state is entered
RULES     (name, length, method, plan): a method of the builder, or None to hand the one child on;
          `plan` says what the method gets: places from the top of the stack, 0 for what is absent
SPREAD    rules in which what stands at these places of the plan is a list to take apart
"""
'''


def lark() -> Lark:
    return Lark(GRAMMAR.read_text(encoding="utf-8"), parser="lalr", maybe_placeholders=True)


def tables_text() -> str:
    """The whole module."""
    parser = lark()
    rules: list[Rule] = list(parser.rules)
    number = {rule: index for index, rule in enumerate(rules)}
    # Lark has no public name for its tables; a release that renames this fails here, and no user.
    table = parser.parser.parser._parse_table  # type: ignore[union-attr]
    terminals = {terminal.name: terminal for terminal in parser.terminals}
    order = _order(table)
    actions: list[str] = []
    gotos: list[str] = []
    for state in order:
        acts: dict[str, int] = {}
        gos: dict[str, int] = {}
        for symbol, (action, argument) in sorted(table.states[state].items()):
            if action is not Shift:
                acts[symbol] = -1 - number[argument]
            elif symbol in terminals or symbol == "$END":
                acts[symbol] = order[argument]
            else:
                gos[symbol] = order[argument]
        actions.append(_line(acts))
        gotos.append(_line(gos))
    words = {t.pattern.value: t.name for t in parser.terminals if isinstance(t.pattern, PatternStr)}
    keywords = {text: name for text, name in words.items() if text.isidentifier()}
    signs = {text: name for text, name in words.items() if text not in keywords}
    read = [_rule(rule) for rule in rules]
    parts: list[tuple[str, Any]] = [
        ("KINDS", KINDS),
        ("TOKEN", _ignored(terminals, parser) + _token(terminals, signs)),
        ("IGNORED", _ignored(terminals, parser)),
        ("KEYWORDS", dict(sorted(keywords.items()))),
        ("SIGNS", dict(sorted(signs.items()))),
        ("START", order[table.start_states["start"]]),
        ("END", order[table.end_states["start"]]),
        ("RULES", [rule for rule, _ in read]),
        ("SPREAD", {index: spread for index, (_, spread) in enumerate(read) if spread}),
        ("ACTIONS", actions),
        ("GOTOS", gotos),
    ]
    return HEAD + "".join(
        f"\n{name}{TYPES.get(name, '')} = {_shown(value)}\n" for name, value in parts
    )


def _order(table: Any) -> dict[int, int]:
    """A number for every state: as they are reached from the start, symbols in order of name."""
    first = table.start_states["start"]
    found = {first: 0}
    waiting = [first]
    for state in waiting:
        for _, (action, argument) in sorted(table.states[state].items()):
            if action is Shift and argument not in found:
                found[argument] = len(found)
                waiting.append(argument)
    return found


def _ignored(terminals: dict[str, TerminalDef], parser: Lark) -> str:
    patterns = [terminals[name].pattern.to_regexp() for name in sorted(parser.ignore_tokens)]
    return f"(?:{'|'.join(patterns)})*+"


def _token(terminals: dict[str, TerminalDef], signs: Iterable[str]) -> str:
    """One regular expression with a group for each of KINDS."""
    patterns = {name: terminals[name].pattern.to_regexp() for name in KINDS if name != "SIGN"}
    longest_first = sorted(signs, key=lambda sign: (-len(sign), sign))
    patterns["SIGN"] = "|".join(_escaped(sign) for sign in longest_first)
    return "(?:" + "|".join(f"({patterns[name]})" for name in KINDS) + ")"


def _escaped(sign: str) -> str:
    return "".join(f"\\{char}" if char.isascii() else char for char in sign)


def _rule(rule: Rule) -> tuple[tuple[str, int, str | None, tuple[int, ...]], tuple[int, ...]]:
    length = len(rule.expansion)
    blanks = _blanks(rule, length)
    plan: list[int] = []
    spread: list[int] = []
    for index, symbol in enumerate(rule.expansion):
        plan += [0] * blanks[index]
        if symbol.is_term and symbol.filter_out:
            continue
        if not symbol.is_term and symbol.name.startswith("_"):
            spread.append(len(plan))
        plan.append(index - length)
    plan += [0] * blanks[length]
    name = str(rule.origin.name)
    if rule.options.expand1 and not rule.alias and len(plan) == 1:
        return (name, length, None, tuple(plan)), ()
    return (name, length, str(rule.alias or name), tuple(plan)), tuple(spread)


def _blanks(rule: Rule, length: int) -> list[int]:
    """How many absent optional parts stand before each symbol, and at the end."""
    empty = rule.options.empty_indices
    if not empty:
        return [0] * (length + 1)
    return [len(run) for run in "".join("1" if one else "0" for one in empty).split("0")]


def _line(row: dict[str, int]) -> str:
    return " ".join(f"{name} {number}" for name, number in row.items())


def _shown(value: Any) -> str:
    if isinstance(value, dict) and len(value) > 1:
        inner = "".join(f"    {key!r}: {one!r},\n" for key, one in value.items())
        return "{\n" + inner + "}"
    if isinstance(value, list):
        return "(\n" + "".join(f"    {one!r},\n" for one in value) + ")"
    return repr(value)


if __name__ == "__main__":
    OUT.write_text(tables_text(), encoding="utf-8")
