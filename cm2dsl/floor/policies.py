"""The policies that have learnt nothing, and the dialogues that they hold.

A policy sees what any agent sees, the user's words and the tools, and acts the same way whatever
they say. The inactive ones call nothing; the blind ones call tools without a thought, or say what
the checklist asks for without doing it. A policy may hold several dialogues; it earns what the best
of them earns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from cm2dsl.floor.answers import Answers
from cm2dsl.trajectory import Step, Turn

STEPS = 8
"""Steps of a turn: as many as a rollout has by default."""

REPEATED = 6
"""Tools with which the repeating policy is tried, at most."""

CHINESE = re.compile(r"[\u4e00-\u9fff]")

Words = tuple[str, str]
"""A text in English and in Chinese."""

REFUSAL: Words = ("I'm sorry, I cannot help with that.", "抱歉，这个我帮不了您。")
APOLOGY: Words = ("I apologise for the inconvenience.", "非常抱歉，给您带来不便。")
GREETING: Words = ("Hello! How can I help you today?", "您好！请问有什么可以帮您？")
CLOSING: Words = ("OK.", "好的。")


class Scene(Struct, frozen=True):
    """What a policy acts in.

    `users` are the user's words, `words` all that the checklist wants to be said, turn by turn.
    `needed` and `every` have for each tool, in the spec's order, arguments that its schema allows:
    the required ones, and all; where checks cannot tell them apart, they are one object. `reads`
    are the tools that change nothing as far as is known, and `named` those that the task's checks
    want to be called. There is at least one world.
    """

    users: Sequence[str]
    words: Sequence[str]
    needed: Mapping[str, Mapping[str, Any]]
    every: Mapping[str, Mapping[str, Any]]
    reads: Sequence[str]
    named: Sequence[str]
    worlds: Sequence[Answers]


Dialogue = tuple[Turn, ...]
Play = Callable[[Scene], Iterator[Dialogue]]


class Policy(Struct, frozen=True):
    """`name` heads its column in tables; `does` says it of an agent: `an agent that …`."""

    name: str
    does: str
    inactive: bool
    play: Play


def in_language_of(user: str, words: Words) -> str:
    """The text in the user's language: Chinese where they write it, else English."""
    return words[CHINESE.search(user) is not None]


def _says(answer: Callable[[str], str]) -> Play:
    """One reply a turn, made from the user's words."""

    def play(scene: Scene) -> Iterator[Dialogue]:
        yield tuple(Turn(user, (Step(reply=answer(user)),)) for user in scene.users)

    return play


def _always(words: Words) -> Play:
    return _says(lambda user: in_language_of(user, words))


def _calls(scene: Scene, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Dialogue]:
    """In every turn these calls, a step each, and a word to close; in every world."""
    for world in scene.worlds:
        steps = tuple(world.call(tool, given, n) for n, (tool, given) in enumerate(calls))
        yield tuple(
            Turn(user, (*steps, Step(reply=in_language_of(user, CLOSING)))) for user in scene.users
        )


def _calls_each(scene: Scene) -> Iterator[Dialogue]:
    yield from _calls(scene, list(scene.needed.items()))
    if scene.every is not scene.needed:
        yield from _calls(scene, list(scene.every.items()))


def _looks(scene: Scene) -> Iterator[Dialogue]:
    yield from _calls(scene, [(tool, scene.needed[tool]) for tool in scene.reads])
    if scene.every is not scene.needed:
        yield from _calls(scene, [(tool, scene.every[tool]) for tool in scene.reads])


def _repeats(scene: Scene) -> Iterator[Dialogue]:
    tools = scene.named[:REPEATED] or list(scene.needed)[:1]
    for calls in [[(tool, scene.needed[tool])] * (STEPS - 1) for tool in tools] or [[]]:
        yield from _calls(scene, calls)


def _recites(scene: Scene) -> Iterator[Dialogue]:
    pairs = zip(scene.users, scene.words, strict=True)
    yield tuple(Turn(user, (Step(reply=words),)) for user, words in pairs)


POLICIES = (
    Policy("nothing", "does nothing", True, _says(lambda user: "")),
    Policy("echo", "repeats the user", True, _says(lambda user: user)),
    Policy("refuse", "refuses", True, _always(REFUSAL)),
    Policy("apologise", "apologises", True, _always(APOLOGY)),
    Policy("greet", "only greets", True, _always(GREETING)),
    Policy("look", "calls every tool that only reads", False, _looks),
    Policy("call", "calls every tool", False, _calls_each),
    Policy("repeat", "repeats one call", False, _repeats),
    Policy("recite", "recites the checklist", False, _recites),
)
INACTIVE = tuple(one for one in POLICIES if one.inactive)
BLIND = tuple(one for one in POLICIES if not one.inactive)
