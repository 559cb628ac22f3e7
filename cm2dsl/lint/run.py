"""A file and the rules: what is found in it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.lint import suppress
from cm2dsl.lint.rule import Finding, Rule, Severity
from cm2dsl.lint.subject import Subject


class Found(Struct, frozen=True):
    """A finding and the rule's code, name and severity."""

    code: str
    name: str
    severity: Severity
    finding: Finding

    @property
    def order(self) -> tuple[str, int, str]:
        span = self.finding.span
        return span.source.name, span.start, self.code

    @property
    def diagnostic(self) -> Diagnostic:
        """What is shown of it."""
        one = self.finding
        return Diagnostic(
            self.code,
            one.message,
            one.span,
            one.help,
            one.related,
            self.severity,
            self.name,
            one.fix,
        )


def lint(subject: Subject, rules: Sequence[Rule]) -> list[Found]:
    """What the rules find in a file and no comment allows, in the order of the text."""
    known = suppress.allowances(subject.source)
    found = [
        Found(rule.code, rule.name, rule.severity, finding)
        for rule in rules
        for finding in rule.check(subject)
        if not suppress.allowed(rule.code, finding, known)
    ]
    ran = frozenset(rule.code for rule in rules)
    found += [
        Found(suppress.CODE, "allowance", "warning", finding)
        for finding in suppress.complaints(known, ran)
    ]
    return sorted(found, key=lambda one: one.order)
