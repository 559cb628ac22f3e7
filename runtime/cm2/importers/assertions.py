"""Assertions in words, as τ²-bench has them: which of them a check already decides, and the rest.

An assertion is decided by the items that the actions gave, where both say the same: every word of
it is a word of a required write, or that write is all that it says (deeds.py), it denies a write,
which the veto on all other writes covers, or its figures must be said. A claim too many hides a
criterion, and a question too many only costs a call of the judge: the others become questions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from cm2.formats.criteria import Action
from cm2.importers.actions import NO_OTHER_WRITES, NO_WRITES, Checklist, Toolbox, pattern
from cm2.importers.deeds import deciding, keys_of, stem, values_of, words_of
from cm2.importers.questions import PLAIN, question, sentences, short, statement
from cm2.importers.vacuous import SURE
from cm2dsl.draft.spec import Item

DENIES = re.compile(r"\b(?:not|never|refuses?|denies|deny|without|cannot)\b|n't\b", re.IGNORECASE)
SAYS = re.compile(
    r"\b(?:communicat|tell|told|inform|mention|say|said|state|confirm|explain|acknowledg|respon|"
    r"repl|answer|ask|offer|detect|identif|compliment|realiz|recogni|notice|understand|know|clear|"
    r"determin|verif|provid)",
    re.IGNORECASE,
)
# What is denied: `should not cancel`, `is not modified`. To refuse or to approve is to say so.
DENIED = re.compile(r"(?:\bnot|\bnever|n't)\s+(?:the |any )?(\w+)", re.IGNORECASE)
CHANGES = re.compile(r"make|chang|modif|updat", re.IGNORECASE)
# What is seen in calls: to do something, not to say it.
DOES = re.compile(
    r"\b(?:add|assign|book|cancel|charg|check|clos|creat|downgrad|enabl|look|mak|open|plac|process|"
    r"put|refund|remov|renew|search|send|set|updat|upgrad|us)(?:e[ds]?|s|ed|ing)?\b",
    re.IGNORECASE,
)
OTHER = re.compile(r"\b(?:any|no) other\b", re.IGNORECASE)
CODE = re.compile(r"\b(?=\w*[A-Z])(?=\w*\d)\w+\b|\b[A-Z]{3,}\b")
LETTERED = re.compile(r"\b[A-Za-z_]+\d\w*")
FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")
WHY = re.compile(r"\((?:as|since|because)\b[^)]*\)")
FILLER = PLAIN | {"should", "must", "between"}


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
        if not assertion.strip():
            continue
        items = _covering(assertion, writes, tools, checklist)
        items = items or _reading(assertion, reads, tools, checklist, counted)
        if items:
            names = " and ".join(f"`{name}`" for name in items)
            notes.append(f"{names} decide{'s'[len(items) - 1 :]}: {statement(assertion)}")
            continue
        name = checklist.free(short(assertion), "assertion")
        passes = (statement(assertion),) if sentences(assertion) > 1 else ()
        focus = _focus(assertion, tools)
        checklist.add(Item(name, ask=question(assertion), passes=passes, focus=focus))
    return notes


def _covering(
    assertion: str, writes: Mapping[str, Action], tools: Toolbox, checklist: Checklist
) -> list[str]:
    """The names of the items that say the same."""
    if DENIES.search(assertion):
        return _vetoing(assertion, writes, tools, checklist)
    if SAYS.search(assertion):
        return _saying(assertion, checklist)
    fitting = [name for name, action in writes.items() if _is_said_of(action, assertion)]
    # Of two writes to one object, the one whose tool's words the assertion has more of.
    best = max(fitting, key=lambda name: _shared(assertion, writes[name].tool), default=None)
    return [best] if best is not None else deciding(assertion, writes, tools)


def _saying(assertion: str, checklist: Checklist) -> list[str]:
    """The items that want the assertion's figures said, if they want all of them."""
    wanted = [_figure(text) for text in FIGURE.findall(LETTERED.sub("", assertion))]
    said = {
        _figure(text): name
        for name, words in checklist.said.items()
        if sum(map(str.isalnum, words)) >= SURE
        for text in FIGURE.findall(LETTERED.sub("", words))
    }
    if not all(figure in said for figure in wanted):
        return []
    return list(dict.fromkeys(said[figure] for figure in wanted))


def _figure(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _is_said_of(action: Action, assertion: str) -> bool:
    """Whether an assertion names an object of the action, and nothing that is not in it."""
    codes = set(CODE.findall(assertion))
    if not codes or not codes <= values_of(action):
        return False
    known = {word for text in values_of(action) for word in words_of(text)}
    keys = {word for text in (action.tool, *keys_of(action.arguments)) for word in text.split("_")}
    return all(
        word in known or stem(word) in {stem(key.lower()) for key in keys}
        for word in words_of(WHY.sub("", statement(assertion)))
        if word not in FILLER
    )


def _shared(assertion: str, tool: str) -> int:
    """How many words of a tool's name an assertion has, in any number."""
    words = assertion.lower()
    return sum(word.rstrip("s") in words for word in tool.lower().split("_"))


def _vetoing(
    assertion: str, writes: Mapping[str, Action], tools: Toolbox, checklist: Checklist
) -> list[str]:
    """The veto that covers an assertion which denies a change, and nothing more.

    An offer or a refusal is said, not called; and what is required of another object may not be
    what is denied of this one, so the veto must not let it pass.
    """
    veto = next((name for name in (NO_OTHER_WRITES, NO_WRITES) if name in checklist.names), None)
    if veto is None or SAYS.search(assertion):
        return []
    if OTHER.search(assertion):
        return [veto]
    codes = set(CODE.findall(assertion))
    for denied in DENIED.findall(assertion):
        named = _named(denied, tools.names("write"))
        required = [action for action in writes.values() if action.tool in named]
        if any(not codes or codes & values_of(action) for action in required):
            return []
        if named or CHANGES.match(denied):
            return [veto]
    return []


def _reading(
    assertion: str, reads: Sequence[Action], tools: Toolbox, checklist: Checklist, counted: bool
) -> list[str]:
    """Adds a check on a read that an assertion wants, with the values that it names."""
    if DENIES.search(assertion) or SAYS.search(assertion):
        return []
    for action in reads:
        if _is_said_of(action, assertion):
            name = checklist.free(action.tool)
            check = f"called {pattern(action, tools, False)}"
            return [checklist.add(Item(name, check=check, weight=None if counted else 0))]
    return []


def _named(text: str, tools: Sequence[str]) -> set[str]:
    """The tools whose first word the text has, in any form of it."""
    low = text.lower()
    return {
        name for name in tools if re.search(rf"\b{re.escape(name.split('_')[0].rstrip('e'))}", low)
    }


def _focus(assertion: str, tools: Toolbox) -> str:
    """What the judge decides on: calls where an assertion is of what is done, else the reply.

    What is denied leaves no call to be seen.
    """
    if SAYS.search(assertion) or DENIES.search(assertion):
        return ""
    done = DOES.search(assertion) or _named(assertion, tools.names("write"))
    return "tool_call" if done else ""
