from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.lint.implies import counts
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class AnyWrite(Rule):
    """A call that changes the world is right or wrong by its arguments: to book some flight is not
    to book this one. If no item of the turn looks at them, a wrong call earns as much.
    """

    code = "L407"
    name = "any-write"
    family = "reward"
    title = "a write that is rewarded whatever its arguments are"
    bad = (
        Bad("item books { check called book }"),
        Bad("at_end books { check succeeded book and replied }"),
    )
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
            item = placed.item
            if item.kind == "never" or not item.weight or item.expr is None:
                continue
            open_ = [call for call in _calls(item.expr) if call.tool in writes and _is_open(call)]
            if not open_:
                continue
            around = (*placed.items, *(placed.task.items if placed.scope != DIALOGUE else ()))
            if any(one.ask is not None and one.focus == "tool_call" for one in around):
                continue
            for tool in dict.fromkeys(call.tool or "" for call in open_):
                if not any(_looks(one.expr, tool) for one in around):
                    message = f"`{item.name}` rewards any call of `{tool}`"
                    help = f"say which call is right: `called {tool}(… == …)`"
                    yield Finding(placed.node.span, message, help)


def _calls(check: ir.Check) -> list[ir.Called]:
    """The calls that a check wants, itself or as a part of an `and`."""
    if isinstance(check, ir.And):
        return [call for part in check.of for call in _calls(part)]
    return [check] if isinstance(check, ir.Called) else []


def _is_open(call: ir.Called) -> bool:
    """Whether any arguments will do, of a call of the agent that has to be made."""
    return call.by != "user" and not (call.exact or call.where) and bool(counts(call)[0])


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
