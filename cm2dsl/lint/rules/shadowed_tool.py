from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class ShadowedTool(Rule):
    """A parameter of a template that is named as a tool is hides it there: `called search` means
    what the template is given, and a reader takes it for the tool.
    """

    code = "L112"
    name = "shadowed-tool"
    family = "structure"
    title = "a template parameter with the name of a tool"
    bad = (
        Bad(
            """
template once(search) never veto { check called search at_least 2 times }

task trip { turn ask { user "Hello" item answers { check replied } use once(book) } }
"""
        ),
    )
    good = (
        """
template once(tool) never veto { check called tool at_least 2 times }

task trip { turn ask { user "Hello" item answers { check replied } use once(book) } }
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        tools = {tool.name for tool in (*subject.spec.tools, *subject.spec.user_tools)}
        for template in subject.templates:
            for param in template.params:
                if param.text in tools:
                    message = f"parameter `{param.text}` hides the tool of that name"
                    yield Finding(param.span, message, "rename the parameter: `tool`, say")
