from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class AnyWrite(Rule):
    """A call that changes the world is right or wrong by its arguments: to book some flight is not
    to book this one. If no item of the turn looks at them, a wrong call earns as much.
    """

    code = "L407"
    name = "any-write"
    family = "reward"
    title = "a write is rewarded, and nothing looks at its arguments"
    bad = (Bad("item books { check called book }"),)
    good = (
        'item books { check called book(flight == "KF12") }',
        """item books { check called book }
never other veto { check called book(not flight == "KF12") }""",
        """item answers { check replied }
never books veto { check called book }""",
        "item searches { check called search }",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        tools = subject.spec.tools if subject.spec is not None else ()
        writes = {
            tool.name
            for tool in tools
            if tool.effect == "write" and tool.parameters.get("properties")
        }
        for placed in subject.placed():
            task, item = placed.task, placed.item
            if item.kind == "never" or not item.weight or not isinstance(item.expr, ir.Called):
                continue
            call = item.expr
            if call.by == "user" or call.tool not in writes or call.exact or call.where:
                continue
            if call.count is not None and (call.count.op == "at_most" or not call.count.times):
                continue
            turn = next((one for one in task.turns if one.name == placed.scope), None)
            around = (*(turn.items if turn else ()), *task.items)
            if any(one.ask is not None and one.focus == "tool_call" for one in around):
                continue
            if not any(_looks(one.expr, call.tool) for one in around):
                message = f"`{item.name}` rewards any call of `{call.tool}`"
                help = f"say which call is right: `called {call.tool}(… == …)`"
                yield Finding(placed.node.span, message, help)


def _looks(part: object, tool: str) -> bool:
    """Whether a part of a check looks at the arguments or the result of a tool's calls."""
    if isinstance(part, ir.Called) and tool in (part.tool, *(part.tools or ())):
        return bool(part.where) or part.exact or bool(part.but)
    if isinstance(part, ir.Result | ir.ReplyMentions) and part.call.tool == tool:
        return True
    if isinstance(part, tuple):
        return any(_looks(one, tool) for one in part)
    if isinstance(part, ir.Node):
        return any(_looks(getattr(part, name), tool) for name in part.__struct_fields__)
    return False
