"""Specs linted with the rules and settings of one run: looked at, mended, or allowed."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path

import click

from cm2dsl.compiler import Analysed, analyse
from cm2dsl.diagnostic import Diagnostic
from cm2dsl.lint.budget import Budget
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.rule import Rule
from cm2dsl.lint.run import Found, lint
from cm2dsl.lint.subject import Subject
from cm2dsl.nearest import nearest
from cm2dsl.write import as_written, write_beside

ROUNDS = 10
"""Times that a file is mended and read again, at most."""


class UnknownRule(click.UsageError):
    """A code that no rule has, nor a family, nor is it the name of one."""

    def __init__(self, code: str) -> None:
        from cm2dsl.codes import code_of  # all of them with their pages

        self.code = code
        if code_of(code) is not None:
            super().__init__(f"`{code}` is no rule to choose: it is reported in any case")
            return
        near = nearest(code, [name for rule in all_rules() for name in (rule.code, rule.name)])
        help = f"did you mean `{near}`?" if near else "`cm2c explain` lists them"
        super().__init__(f"there is no rule `{code}`: {help}")


class Linter:
    """Raises UnknownRule for a code that no rule has, and its methods CompileError."""

    def __init__(self, select: Sequence[str], ignore: Sequence[str], budget: Budget) -> None:
        self._rules = _chosen(select, ignore)
        self._budget = budget

    def look(self, path: Path) -> tuple[Analysed, list[Diagnostic]]:
        """What is found in a file, and what it was read as."""
        analysed = analyse(path)
        return analysed, _said(lint(Subject.of(analysed, self._budget), self._rules))

    def mend(self, path: Path, unsafe: bool, known: Set[str] = frozenset()) -> list[Diagnostic]:
        """Mend a file until nothing more can be; what is found then.

        What a baseline knows, by fingerprint, is left alone.
        """
        from cm2dsl.lint.fix import Spared, apply

        spared = Spared(known)
        for _ in range(ROUNDS):
            analysed = analyse(path)
            subject = Subject.of(analysed, self._budget)
            found = _said(lint(subject, self._rules))
            fixes = [one.fix for one in spared.others(found) if one.fix is not None]
            text, count = apply(subject.source.text, [fix for fix in fixes if fix.safe or unsafe])
            if not count:
                break
            write_beside(path, as_written(analysed.read[path.name], text))
            click.echo(f"mended {path}: {count}", err=True)
        return found

    def allow(self, path: Path, reason: str) -> list[Diagnostic]:
        """Allow what is found in a file with comments; what is found then."""
        from cm2dsl.lint.allow import with_allowances

        analysed = analyse(path)
        subject = Subject.of(analysed, self._budget)
        found = lint(subject, self._rules)
        ran = frozenset(rule.code for rule in self._rules)
        text, count = with_allowances(subject.source, found, ran, reason)
        if not count:
            return _said(found)
        write_beside(path, as_written(analysed.read[path.name], text))
        click.echo(f"allowed in {path}: {count}", err=True)
        return _said(lint(Subject.read(path, budget=self._budget), self._rules))


def _said(found: Sequence[Found]) -> list[Diagnostic]:
    return [one.diagnostic for one in found]


def _chosen(select: Sequence[str], ignore: Sequence[str]) -> list[Rule]:
    """The rules that run. Raises UnknownRule for a code that no rule has, and click.UsageError
    where no rule is left.
    """

    def named(lists: Sequence[str]) -> list[str]:
        codes = [code.strip() for one in lists for code in one.split(",") if code.strip()]
        for code in codes:
            if not any(_is(rule, code) for rule in all_rules()):
                raise UnknownRule(code)
        return codes

    wanted, unwanted = named(select), named(ignore)
    chosen = [
        rule
        for rule in all_rules()
        if (not wanted or any(_is(rule, code) for code in wanted))
        and not any(_is(rule, code) for code in unwanted)
    ]
    if not chosen:
        raise click.UsageError("no rule is left: what is selected is ignored too")
    return chosen


def _is(rule: Rule, code: str) -> bool:
    return rule.code.casefold().startswith(code.casefold()) or rule.name == code
