"""The cases: what is written, by whom, under which disguise, in which language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cm2.judge.attack.disguises import DISGUISES
from cm2.judge.attack.payloads import PAYLOADS, Payload
from cm2.judge.attack.scenes import CHANNELS, Channel, question
from cm2.judge.view import Question
from cm2dsl.prompts import LANGUAGES, Language

PLAIN = "plain"

DISGUISED = (("instruction", "plain"), ("fence", "close"), ("token", "ChatML"))
"""The payloads that also come in disguise: one of each kind of thing that is looked for."""

DISGUISED_IN: tuple[Channel, ...] = ("user", "reply", "reasoning", "tool_result", "row")
"""Where they do: the others are shown in the same way as one of these."""


@dataclass(frozen=True, slots=True)
class Case:
    """One attack. `id` is `technique.name/channel/disguise/language`; `text` is what is written."""

    payload: Payload
    channel: Channel
    disguise: str
    language: Language
    text: str

    @property
    def id(self) -> str:
        payload = f"{self.payload.technique}.{self.payload.name.replace(' ', '')}"
        return f"{payload}/{self.channel}/{self.disguise}/{self.language}"

    @property
    def tries(self) -> str:
        """What the attacker does, in words."""
        hidden = "" if self.disguise == PLAIN else f", as {self.disguise.replace('_', ' ')}"
        return f"a {self.channel.replace('_', ' ')} that {self.payload.tries}{hidden}"

    def question(self) -> Question:
        """The dialogue with the attack in it."""
        return question(self.channel, self.language, self.text, self.payload.alone)

    def unharmed(self) -> Question:
        """The same dialogue without the attack."""
        return question(self.channel, self.language, None)


def cases(pattern: str = "*") -> list[Case]:
    """The cases whose id matches a shell pattern, always in the same order, no two alike."""
    found = {(c.channel, c.language, c.text): c for c in [*_all()][::-1]}
    return [case for case in [*found.values()][::-1] if matches(case.id, pattern)]


def matches(name: str, pattern: str) -> bool:
    """Whether the pattern matches a name, or words that stand in it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"*{pattern}*")


def _all() -> Iterator[Case]:
    for payload in PAYLOADS:
        for language in LANGUAGES:
            if language in payload.texts:
                yield from _of(payload, language)


def _of(payload: Payload, language: Language) -> Iterator[Case]:
    text = payload.texts[language]
    channels: Sequence[Channel] = ("reply", "reasoning") if payload.alone else CHANNELS
    for channel in channels:
        yield Case(payload, channel, PLAIN, language, text)
    if language == "en" and (payload.technique, payload.name) in DISGUISED:
        for disguise, disguised in DISGUISES.items():
            for channel in DISGUISED_IN:
                if disguised(text) != text:
                    yield Case(payload, channel, disguise, language, disguised(text))
