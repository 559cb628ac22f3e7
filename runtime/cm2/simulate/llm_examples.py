"""Recorded calls that a model is shown: the same tool's first, with the nearest arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm2.simulate.backend import Asked, Requestor
from cm2.simulate.identity import leaves, plain
from cm2.simulate.recorded import recorded_calls
from cm2.simulate.tools import Tools
from cm2.trajectory import Trajectory, has_failed

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Example:
    """A recorded call with its result. `key` is the canonical form of its arguments."""

    requestor: Requestor
    tool: str
    key: str
    result: str
    failed: bool
    given: frozenset[tuple[str, str]]
    words: frozenset[str]

    def nearness(
        self, asked: Asked, given: frozenset[tuple[str, str]], words: frozenset[str]
    ) -> Any:
        """What the best example has most of: the tool, equal arguments, words of arguments."""
        same = (self.requestor, self.tool) == (asked.requestor, asked.tool)
        return same, len(self.given & given), len(self.words & words)


class Examples:
    """The distinct calls of recordings. Calls that no backend answered are left out."""

    def __init__(self, recordings: Iterable[Trajectory], tools: Tools) -> None:
        found: dict[tuple[str, ...], Example] = {}
        for trajectory in recordings:
            for recorded in recorded_calls(trajectory):
                call = recorded.call
                if call.arguments is None or call.result is None or recorded.by_world:
                    continue
                key = tools.key(recorded.requestor, call.tool, call.arguments)
                if key is None:
                    continue
                given, words = _features(call.arguments)
                failed = has_failed(call.result, call.failed)
                who = recorded.requestor
                example = Example(who, call.tool, key, call.result, failed, given, words)
                found.setdefault((who, call.tool, key, call.result), example)
        self._all = [found[name] for name in sorted(found)]

    def nearest(self, asked: Asked, count: int) -> list[Example]:
        """Up to `count` examples, the nearest last: that is the next to the call in a prompt.

        The same for the same call, in whatever order recordings were read. Calls of other tools
        are shown where they have an argument in common.
        """
        given, words = _features(asked.arguments)
        ranked = [(one.nearness(asked, given, words), one) for one in self._all]
        useful = [(near, one) for near, one in ranked if near[0] or near[1]]
        useful.sort(
            key=lambda pair: pair[0], reverse=True
        )  # stable: the rest is in canonical order
        return [one for _, one in reversed(useful[:count])]

    def results(self, requestor: Requestor, tool: str) -> Sequence[str]:
        """All results of a tool that are no errors."""
        return [
            one.result
            for one in self._all
            if (one.requestor, one.tool) == (requestor, tool) and not one.failed
        ]


def _features(
    arguments: Mapping[str, Any],
) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    given = frozenset((name, plain(value)) for name, value in leaves(arguments))
    return given, frozenset(word for _, value in given for word in _WORD.findall(value))
