from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class UnusedParameter(Rule):
    """Whoever uses a template gives every parameter a value, and expects it to matter. One that
    the template does not use changes nothing; often a string lacks its braces.
    """

    code = "L106"
    name = "unused-parameter"
    family = "structure"
    title = "a parameter that its template does not use"
    bad = (
        Bad(
            """
template grounded(tool) { ask "Is every fact found in a tool result?" fail "Invents a price" }

task trip { turn ask { user "Hello" use grounded(search) } }
"""
        ),
    )
    good = (
        """
template grounded(tool) { ask "Is every fact found in a {tool} result?" fail "Invents a price" }

task trip { turn ask { user "Hello" use grounded(search) } }
""",
        """
template calls(tool, first, where) after first { check called tool(to == where) }

task trip {
  turn ask {
    user "Hello"
    item books { check called book }
    use calls(search, books, "Rome")
  }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for template in subject.templates:
            used = set(_named((template.modifiers, template.entries)))
            for param in template.params:
                if param.text not in used:
                    message = f"`{template.name.text}` does not use `{param.text}`"
                    help = f"use it (in a string: `{{{param.text}}}`), or take it out"
                    yield Finding(param.span, message, help)


def _named(node: object) -> Iterator[str]:
    """What may be a parameter's name in a part of a template, however deep."""
    if isinstance(node, nodes.Reference):
        yield str(node.path[0])
    elif isinstance(node, nodes.ItemRef):
        yield (node.turn or node.item).text
    elif isinstance(node, tuple):
        for one in node:
            yield from _named(one)
    else:
        if isinstance(node, nodes.Pattern) and isinstance(node.tool, nodes.Name):
            yield node.tool.text
        if not isinstance(node, nodes.Name):
            for name in getattr(node, "__struct_fields__", ()):
                if name != "span":
                    yield from _named(getattr(node, name))
