"""Every rule there is: each module in rules/ has one."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from cm2dsl.lint import rules
from cm2dsl.lint.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """One of each rule, in the order of their codes."""
    found: list[Rule] = []
    for name in sorted(path.stem for path in Path(rules.__path__[0]).glob("[!_]*.py")):
        loaded = import_module(f"{rules.__name__}.{name}")
        for value in vars(loaded).values():
            if isinstance(value, type) and issubclass(value, Rule) and value is not Rule:
                found.append(value())
    return tuple(sorted(found, key=lambda rule: rule.code))


def rule_of(code: str) -> Rule | None:
    """The rule with a code or a name."""
    wanted = code.strip().casefold()
    return next((one for one in all_rules() if wanted in (one.code.casefold(), one.name)), None)
