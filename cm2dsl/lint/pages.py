"""The page of a rule, made from the rule itself: what, why, examples, fix."""

from __future__ import annotations

import inspect

from cm2dsl.lint.rule import Rule


def page(rule: Rule) -> str:
    """Markdown."""
    parts = [
        f"# {rule.code}: {rule.name}",
        f"Finds {rule.title}. ({rule.family}, {rule.severity})",
        inspect.cleandoc(rule.__doc__ or ""),
        "## Found",
    ]
    for bad in rule.bad:
        for name, value in bad.settings.items():
            parts.append(f"With `{name} = {value}`:")
        parts.append(snippet(bad.text))
        if bad.fixed is not None:
            parts += ["`--fix` makes of it:", snippet(bad.fixed)]
    parts += ["## Not found", *(snippet(good) for good in rule.good)]
    parts += [
        "## Allowed",
        f"Where the rule is wrong: `# lint: allow {rule.code}: why`, behind the line or above it.",
    ]
    return "\n\n".join(parts) + "\n"


def snippet(text: str) -> str:
    """A piece of a spec as a block of Markdown."""
    body = text.strip("\n")
    return f"```cm2\n{body}\n```"
