from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class ShadowedTool(Rule):
    """A parameter of a template that has the name of a tool hides the tool there: `called search`
    means what the template is given, and a reader takes it for the tool. So does the name of a
    task's row: `search.to` looks like a part of a call.
    """

    code = "L112"
    name = "shadowed-tool"
    family = "structure"
    title = "a template parameter or a row with the name of a tool"
    bad = (
        Bad(
            """
template once(search) never veto { check called search at_least 2 times }

task trip { turn ask { user "Hello" item answers { check replied } use once(book) } }
"""
        ),
        Bad(
            """
task trip each search in "rows.csv" {
  turn ask {
    user "To {search.to} on {search.day}"
    item goes { check called search(to == search.to) }
  }
}
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
        for node in subject.tasks:
            if node.each is not None and node.each.row.text in tools:
                message = f"the row `{node.each.row.text}` has the name of a tool"
                yield Finding(node.each.row.span, message, "rename the row: `row`, say")
