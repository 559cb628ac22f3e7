"""What a shell offers where a code is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem


def rules(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Rules by code or name, and families, after the last comma of a list."""
    from cm2dsl.lint.registry import all_rules

    before, comma, begun = incomplete.rpartition(",")
    known: dict[str, str] = {rule.code[:2]: rule.family for rule in all_rules()}
    known |= {name: rule.title for rule in all_rules() for name in (rule.code, rule.name)}
    return _beginning(begun, known, before + comma)


def codes(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Codes of errors and rules, and the rules' names."""
    from cm2dsl.codes import CODES
    from cm2dsl.lint.registry import all_rules

    known = {one.code: one.title for one in CODES}
    known |= {name: rule.title for rule in all_rules() for name in (rule.code, rule.name)}
    return _beginning(incomplete, known, "")


def _beginning(begun: str, known: dict[str, str], before: str) -> list[CompletionItem]:
    """Those that begin so, in whatever case; names only where one was begun."""
    from click.shell_completion import CompletionItem

    folded = begun.casefold()
    return [
        CompletionItem(before + name, help=title)
        for name, title in sorted(known.items())
        if name.casefold().startswith(folded) and (begun or name.isupper())
    ]
