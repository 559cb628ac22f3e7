"""Assertions in words, as τ²-bench has them: which of them a check already decides, and the rest.

An assertion is covered by an item that the actions gave, where both say the same: it names a value
that a required write has and the write's verb; it denies a write, which the veto on all other
writes covers; or it says a figure that must be communicated. The others become questions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cm2.formats.criteria import Action
from cm2.importers import syntax
from cm2.importers.actions import NO_WRITES, Checklist, Toolbox, pattern
from cm2.importers.draft import Item

DENIES = re.compile(r"\b(?:not|never|refuses?|denies|deny|without|cannot)\b|n't\b", re.IGNORECASE)
SAYS = re.compile(
    r"\b(?:communicat|tell|told|inform|mention|say|said|state|confirm|explain|acknowledg|respon|"
    r"repl|answer|ask|offer|detect|identif|compliment|realiz|recogni|notice|understand|know|clear|"
    r"determin|verif)",
    re.IGNORECASE,
)
# What is denied: `should not cancel`, `refuses to proceed with the cancellation`, `not modified`.
DENIED = re.compile(
    r"(?:\bnot|\bnever|n't|\brefuses? to)\s+(?:proceed with |approve )?(?:the |any )?(\w+)",
    re.IGNORECASE,
)
CHANGES = re.compile(r"make|chang|modif|updat", re.IGNORECASE)
CODE = re.compile(r"\b(?=\w*[A-Z])(?=\w*\d)\w+\b|\b[A-Z]{3,}\b")
FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")
PLAIN = frozenset(
    (
        *("a", "an", "the", "that", "to", "of", "for", "in", "on", "at", "by", "with", "and", "or"),
        *("as", "is", "are", "be", "been", "was", "has", "have", "it", "its", "this", "any"),
        *("user", "users", "she", "he", "they", "her", "his", "their", "agent", "correctly"),
    )
)


def asked(
    assertions: Sequence[str],
    writes: Mapping[str, Action],
    reads: Sequence[Action],
    tools: Toolbox,
    checklist: Checklist,
    counted: bool,
) -> list[str]:
    """Adds an item for each assertion that none decides yet; returns notes on the others.

    `writes` are the required writes by the name of their item, `reads` what the reference path
    reads: one that an assertion wants becomes a check. It weighs nothing unless assertions are
    `counted` by the official reward, to which reads are no requirement.
    """
    notes: list[str] = []
    for assertion in assertions:
        item = _covering(assertion, writes, tools, checklist)
        item = item or _reading(assertion, reads, tools, checklist, counted)
        if item is not None:
            notes.append(f"`{item}` decides: {assertion}")
            continue
        name = syntax.name_of(_short(assertion), checklist.names, "assertion")
        ask = f"Is this so: {assertion.strip()}"
        ask = ask if ask.endswith("?") else ask.rstrip(".") + "?"
        checklist.add(Item(name, ask=ask, focus=_focus(assertion, tools)))
    return notes


def _covering(
    assertion: str, writes: Mapping[str, Action], tools: Toolbox, checklist: Checklist
) -> str | None:
    """The name of the item that says the same, or None."""
    if DENIES.search(assertion):
        return _vetoing(assertion, writes, tools, checklist)
    if SAYS.search(assertion):
        figures = {text.replace(",", "").replace(".", "_") for text in FIGURE.findall(assertion)}
        said = sorted(name for name in checklist.names if name.startswith("says_"))
        return next((name for name in said if name.removeprefix("says_") in figures), None)
    named = _named(assertion, tools.names("write"))
    codes = set(CODE.findall(assertion))
    fitting = [
        name
        for name, action in writes.items()
        if action.tool in named and codes and codes <= _values(action)
    ]
    # Of two writes to one object, the one whose tool's words the assertion has more of.
    return max(fitting, key=lambda name: _shared(assertion, writes[name].tool), default=None)


def _shared(assertion: str, tool: str) -> int:
    """How many words of a tool's name an assertion has, in any number."""
    words = assertion.lower()
    return sum(word.rstrip("s") in words for word in tool.lower().split("_"))


def _vetoing(
    assertion: str, writes: Mapping[str, Action], tools: Toolbox, checklist: Checklist
) -> str | None:
    """The veto that covers an assertion which denies a change, and nothing more.

    An offer or a refusal is said, not called; and what is required of another object may not be
    what is denied of this one, so the veto must not let it pass.
    """
    veto = next((name for name in ("no_other_writes", NO_WRITES) if name in checklist.names), None)
    if veto is None or SAYS.search(assertion):
        return None
    codes = set(CODE.findall(assertion))
    for denied in DENIED.findall(assertion):
        named = _named(denied, tools.names("write"))
        required = [action for action in writes.values() if action.tool in named]
        if any(not codes or codes & _values(action) for action in required):
            return None
        if named or CHANGES.match(denied):
            return veto
    return None


def _reading(
    assertion: str, reads: Sequence[Action], tools: Toolbox, checklist: Checklist, counted: bool
) -> str | None:
    """Adds a check on a read that an assertion wants, with the values that it names."""
    codes = set(CODE.findall(assertion))
    if DENIES.search(assertion) or SAYS.search(assertion):
        return None
    for action in reads:
        if action.tool in _named(assertion, [action.tool]) and codes and codes <= _values(action):
            name = syntax.name_of(action.tool, checklist.names)
            check = f"called {pattern(action, tools, False)}"
            return checklist.add(Item(name, check=check, weight=None if counted else 0))
    return None


def _named(text: str, tools: Sequence[str]) -> set[str]:
    """The tools whose first word the text has, in any form of it."""
    low = text.lower()
    return {
        name for name in tools if re.search(rf"\b{re.escape(name.split('_')[0].rstrip('e'))}", low)
    }


def _values(action: Action) -> set[str]:
    return {str(value) for value in _scalars(action.arguments)}


def _scalars(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [each for inner in value.values() for each in _scalars(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in _scalars(inner)]
    return [value]


def _focus(assertion: str, tools: Toolbox) -> str:
    """What the judge decides on: calls where an assertion is of what is done, else the reply."""
    named = _named(assertion, tools.names("write"))
    return "tool_call" if named and not SAYS.search(assertion) else ""


def _short(assertion: str) -> str:
    """The words that a name is made of: without the subject, and not too many."""
    text = re.sub(r"^\s*(?:check that )?(?:the )?agent (?:should )?", "", assertion, flags=re.I)
    words = [word for word in re.findall(r"[^\W_]+", text) if word.lower() not in PLAIN]
    return " ".join(words[:5])
