"""A dialogue that nobody recorded, on the most telling tool: a user asks, the agent looks and acts.

It is there to be replaced. Its arguments meet the schemas, so that what is made of it can be tested
at once; its results say no more than what was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cm2dsl.init.effects import is_verb
from cm2dsl.init.patterns import pattern_of
from cm2dsl.init.tools import Tool
from cm2dsl.init.values import arguments_for
from cm2dsl.init.words import HAN, Language, language_of, words_for
from cm2dsl.trajectory import Call, Step, Trajectory, Turn

SENTENCE = re.compile(r"(?:[^\n.:。：!！?？]|\.(?=\w))+")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
ENDINGS = ("es", "s")
LONGEST = 90
"""Characters of a tool's description that a request repeats."""

ENTRIES = ("authenticate", "login", "logout")
"""Verbs of tools that only open or close the door to the others."""

SAME = 4
"""Required arguments from which on more of them tell no more."""


def example(tools: Sequence[Tool]) -> tuple[Trajectory, str]:
    """A made-up dialogue with one of the tools, and what it is about, in a few words.

    Before a write stands a look-up, where one of the tools looks up the same.
    """
    language = language_of([f"{tool.name} {tool.description}" for tool in tools])
    known = {tool.name: arguments_for(tool.parameters, tool.required) for tool in tools}
    act = max(tools, key=lambda tool: _telling(tool, known[tool.name]))
    arguments = known[act.name]
    said = dict(arguments or {})
    steps: list[Step] = []
    look = _look_up(act, tools, known)
    if look is not None:
        own = {key: said.get(key, value) for key, value in (known[look.name] or {}).items()}
        steps.append(_step("call_1", look, own))
        said = {**own, **said}
    steps.append(_step(f"call_{len(steps) + 1}", act, arguments or {}))
    words, details = words_for(language), _details(said, language)
    report = words.report if act.effect == "write" else words.result
    steps.append(Step(reply=report[bool(details)].replace("{details}", details)))
    what = _what(act)
    user = words.request[bool(details)].replace("{what}", what).replace("{details}", details)
    return Trajectory("example", "", (Turn(user, tuple(steps)),)), what


def _telling(tool: Tool, arguments: Mapping[str, Any] | None) -> tuple[int, ...]:
    """How much a dialogue with a tool tells: more is better, the first of equals is taken."""
    if arguments is None:
        return (0, 0, 0, 0)
    pattern = pattern_of(tool, arguments)
    exact = len(pattern.constraints) - len(pattern.free)
    entry = any(word.lower() in ENTRIES for word in WORD.findall(tool.name))
    effect = 2 if tool.effect == "write" else 1 if tool.effect == "read" else 0
    return (1, bool(arguments) and not entry, effect, min(exact, SAME))


def _look_up(
    act: Tool, tools: Sequence[Tool], known: Mapping[str, Mapping[str, Any] | None]
) -> Tool | None:
    """The read that comes before a write: one that is about the same, by its arguments or name."""
    if act.effect != "write":
        return None
    best: tuple[int, Tool | None] = (0, None)
    for tool in tools:
        arguments = known[tool.name]
        if tool.effect == "read" and arguments:
            shared = [key for key in arguments if key in act.required and _same(tool, act, key)]
            strange = [key for key in arguments if key not in act.required]
            score = 3 * len(shared) + len(_nouns(tool) & _nouns(act)) - len(strange)
            if score > best[0]:
                best = (score, tool)
    return best[1]


def _same(one: Tool, other: Tool, key: str) -> bool:
    """Whether two tools mean the same by an argument, as far as their schemas show."""
    about = ("type", "enum", "pattern", "format", "minimum", "maximum", "minLength", "maxLength")
    first, second = one.properties.get(key), other.properties.get(key)
    if not isinstance(first, dict) or not isinstance(second, dict):
        return False
    return all(first.get(word) == second.get(word) for word in about)


def _nouns(tool: Tool) -> set[str]:
    return {word.lower().removesuffix("s") for word in WORD.findall(tool.name)[1:]}


def _step(id: str, tool: Tool, arguments: Mapping[str, Any]) -> Step:
    raw = json.dumps(dict(arguments), ensure_ascii=False)
    result = (
        {"status": "done", **arguments} if tool.effect == "write" else {"found": True, **arguments}
    )
    answer = json.dumps(result, ensure_ascii=False)
    return Step(calls=(Call(id, tool.name, dict(arguments), raw, answer),))


def _what(tool: Tool) -> str:
    """What a tool does: a sentence of its description that begins with a verb, else its name."""
    for sentence in SENTENCE.findall(tool.description):
        text = " ".join(sentence.split())
        first = text.partition(" ")[0].lower()
        verb = is_verb(first) or any(_is(first, end) for end in ENDINGS)
        if len(text) <= LONGEST and (verb or HAN.search(text)):
            return _asked(text)
    words = WORD.findall(tool.name)
    text = " ".join(word if word.isupper() else word.lower() for word in words)
    return text[:1].upper() + text[1:] or tool.name


def _asked(text: str) -> str:
    """A sentence as a request: `Books and charges a seat` is to book and charge one."""
    words = text.split(" ")
    for place, word in enumerate(words):
        if place == 0 or words[place - 1] in ("and", "or"):
            plain = next((word[: -len(end)] for end in ENDINGS if _is(word, end)), word)
            words[place] = plain
    return " ".join(words)


def _is(word: str, end: str) -> bool:
    return word.endswith(end) and is_verb(word[: -len(end)].lower())


def _details(arguments: Mapping[str, Any], language: Language) -> str:
    """Arguments in a sentence."""
    between = "，" if language == "zh" else ", "
    return between.join(
        f"{' '.join(part for part in re.split(r'[_.]+', key) if part)} {_shown(value)}"
        for key, value in arguments.items()
    )


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "; ".join(_shown(each) for each in value)
    return json.dumps(value)
