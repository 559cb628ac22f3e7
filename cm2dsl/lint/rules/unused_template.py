from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class UnusedTemplate(Rule):
    """A template that no task uses judges nothing. Whoever reads the spec thinks that it does.

    A library, a file without a domain, is there to be imported: its templates may all be unused.
    """

    code = "L101"
    name = "unused-template"
    family = "structure"
    title = "a template that is never used"
    bad = (
        Bad(
            """
template polite() { ask "Is the reply polite?" fail "Scolds the user" }

task trip {
  turn ask { user "Hello" item answers { check replied } }
}
"""
        ),
    )
    good = (
        """
template polite() { ask "Is the reply polite?" fail "Scolds the user" }

task trip {
  turn ask { user "Hello" use polite() }
}
""",
        """cm2 1

template polite() { ask "Is the reply polite?" fail "Scolds the user" }
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        used = {use.template.text for use in subject.uses}
        for template in subject.templates:
            if template.name.text not in used:
                message = f"template `{template.name.text}` is never used"
                yield Finding(template.name.span, message, "use it, or take it out")
