"""Random sentences of grammar/cm2.lark: right in form, and mostly wrong in meaning."""

from __future__ import annotations

import random
from functools import cache

from lark import Lark
from lark.grammar import NonTerminal, Rule, Symbol
from make_tables import lark

# Names, numbers and texts that a spec beside tests/dsl/everything/ can mean something by.
NAMES = ["a", "fly", "find", "tool", "row", "reply", "user", "all", "pass", "turn", "flight_search"]
NAMES += [
    "today",
    "origin",
    "adults",
    "price",
    "split",
    "dialogue",
    "查",
    "ｗ",
    "²",
    "strict",
    "in",
]
STRINGS = ['"x"', '""', '"{row.origin}"', '"{tool}"', '"{a[0].b}"', '"rows.csv"', '"rows.jsonl"']
STRINGS += ['"tools.json"', '"common.cm2"', '"recordings.jsonl"', '"\\q"', '"\\ud800"', '"../x"']
STRINGS += ['"backend.py"', '"system.md"', '"."', '"a\\u0000"', '"flight_search"', '"r1"', '"\n"']
TERMINALS = {
    "NAME": NAMES,
    "NUMBER": ["1", "0", "1", "2", "-1", "2.5", "1e999", "-0.0", "3", "1e-400", "9" * 400, "0.5"],
    "STRING": STRINGS,
    "LONG_STRING": ['"""x"""', '"""\n  a {row.id}\n    b\n"""'],
    "REGEX": ["/a+/", "/(/", "/[[a]/", "/a{99999999999}/", "/\\//", "/(?i:x)/"],
}
BLOCKS = ["task", "task", "template", "template", "test", "assign", "judge", "simulate"]
BLOCKS += ["import_file", "system", "tools", "domain"]
HEADS = {True: ["domain", "d", "tools", '"tools.json"'], False: []}


@cache
def _parser() -> Lark:
    return lark()


@cache
def _rules() -> dict[Symbol, list[Rule]]:
    found: dict[Symbol, list[Rule]] = {}
    for rule in _parser().rules:
        found.setdefault(rule.origin, []).append(rule)
    return found


@cache
def _depths() -> dict[Symbol, int]:
    """How deep the flattest derivation of each symbol is."""
    depths: dict[Symbol, int] = {}
    while True:
        grown = {
            origin: min(
                (
                    1 + max([depths.get(s, 0) for s in rule.expansion if not s.is_term], default=0)
                    for rule in rules
                    if all(s.is_term or s in depths for s in rule.expansion)
                ),
                default=0,
            )
            for origin, rules in _rules().items()
        }
        grown = {symbol: depth for symbol, depth in grown.items() if depth}
        if grown == depths:
            return depths
        depths = grown


def sentence(rng: random.Random) -> str:
    """A text that the parser accepts, or would but for its names and numbers."""
    blocks = ["task", *rng.choices(BLOCKS, k=rng.randint(0, 3))]
    tokens = ["cm2", rng.choice(["1"] * 20 + ["2"]), *HEADS[rng.random() < 0.9]]
    for block in blocks:
        _derive(NonTerminal(block), rng, 18, tokens)
    return " ".join(tokens)


def _derive(symbol: Symbol, rng: random.Random, depth: int, tokens: list[str]) -> None:
    if symbol.is_term:
        pattern = _parser().get_terminal(symbol.name).pattern.value
        tokens.append(rng.choice(TERMINALS.get(symbol.name, [pattern])))
        return
    fitting = [rule for rule in _rules()[symbol] if _depth(rule) < depth]
    if not fitting:
        fitting = [min(_rules()[symbol], key=_depth)]
    tried = [rng.choice(fitting), rng.choice(fitting)]  # the longer of two
    for part in max(tried, key=lambda rule: len(rule.expansion)).expansion:
        _derive(part, rng, depth - 1, tokens)


def _depth(rule: Rule) -> int:
    return max([_depths()[part] for part in rule.expansion if not part.is_term], default=0)
