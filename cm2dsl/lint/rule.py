"""What a rule is: one class in one file, which finds, explains itself and holds its examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from cm2dsl.lint.subject import Subject
from cm2dsl.source import Span

Family = Literal["structure", "wording", "evidence", "reward", "cost"]
Severity = Literal["warning", "error"]
PAGE = "docs/rules/{code}.md"
"""The page of a rule, in the project's documentation."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `stop` of the file are replaced by `text`."""

    start: int
    stop: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What mends a finding. A safe fix changes no reward and no question to a judge."""

    says: str
    edits: tuple[Edit, ...]
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not hold; `help` says what to do."""

    span: Span
    message: str
    help: str
    fix: Fix | None = None
    related: tuple[tuple[Span, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Bad:
    """A snippet in which the rule finds one thing, and the text after its fix, if it has one.

    A snippet is a whole spec (it begins with `cm2`), statements, or the items of a turn: what is
    missing around it is put there (`examples.py`).
    """

    text: str
    fixed: str | None = None


class Rule(ABC):
    """A rule. The docstring of a subclass says why, for its page; `title` says what, in a line."""

    code: ClassVar[str]
    name: ClassVar[str]
    family: ClassVar[Family]
    title: ClassVar[str]
    severity: ClassVar[Severity] = "warning"
    bad: ClassVar[tuple[Bad, ...]]
    good: ClassVar[tuple[str, ...]]

    @abstractmethod
    def check(self, subject: Subject) -> Iterator[Finding]:
        """Where the rule does not hold."""
