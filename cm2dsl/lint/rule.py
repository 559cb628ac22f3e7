"""What a rule is: one class in one file, which finds, explains itself and holds its examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from msgspec import Struct, field

from cm2dsl.diagnostic import Edit, Fix, Severity
from cm2dsl.lint.subject import Subject
from cm2dsl.source import Span

__all__ = ["Bad", "Edit", "Family", "Finding", "Fix", "Rule", "Severity"]

Family = Literal["structure", "wording", "evidence", "reward", "cost"]


class Finding(Struct, frozen=True):
    """One place where a rule does not hold; `help` says what to do."""

    span: Span
    message: str
    help: str
    fix: Fix | None = None
    related: tuple[tuple[Span, str], ...] = ()


class Bad(Struct, frozen=True):
    """A snippet in which the rule finds one thing, and the text after its fix, if it has one.

    A snippet is a whole spec (it begins with `cm2`), statements, or the items of a turn: what is
    missing around it is put there (`examples.py`). `settings` are the project's, where it is found
    with these alone.
    """

    text: str
    fixed: str | None = None
    settings: Mapping[str, float] = field(default_factory=dict)


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
