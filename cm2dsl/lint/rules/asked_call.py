from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

NAME = r"\{?[^\W\d][\w.-]*\w\}?"
AGENT = r"(?:the )?(?:agent|assistant|model|tutor|bot|system)"
CALLS = r"(?:call|use|invoke|query|run|execute)(?:s|d|ed)?"
WHAT = r"(?:the |a |an )?(?:tool |function |api )?"
ENGLISH = rf"(?:does|did|has|have) {AGENT} (?:\w+ )?{CALLS} {WHAT}[`'\"]?(?P<en>{NAME})"
PASSIVE = rf"(?:was|is|were|has) {WHAT}[`'\"]?(?P<by>{NAME})[`'\"]? (?:tool |function )?(?:been )?"
PASSIVE += r"(?:called|used|invoked|queried|run|executed)"
CHINESE = rf"(?:有没有|是否|是不是)(?:调用|使用|用)[了过]?\s*(?:工具|函数)?\s*[`“「]?(?P<zh>{NAME})"
ASKED = re.compile(rf"{ENGLISH}|{PASSIVE}|[^，,？?]*?{CHINESE}", re.IGNORECASE)


class AskedCall(Rule):
    """Whether a tool was called, and with which arguments, stands in the dialogue as data: a check
    decides it at once, at no cost, and never errs. A judge may be asked for what the check leaves
    open, such as what a free text says.
    """

    code = "L411"
    name = "asked-call"
    family = "reward"
    title = "a judge that is asked whether a tool was called"
    bad = (
        Bad(
            """item books {
  focus tool_call
  ask   "Did the assistant call book with the flight that the user chose?"
  fail  "Books another flight"
}"""
        ),
        Bad('item books { focus tool_call ask "Was `book` called?" fail "Calls search" }'),
        Bad('item 订票 { focus tool_call ask "客服有没有调用 book？" fail "只查了航班" }'),
        Bad(
            """
template calls(tool) { focus tool_call ask "Did the agent use {tool}?" fail "Uses another" }

task trip { turn ask { user "Hello" use calls(search) } }
"""
        ),
    )
    good = (
        "item books { check called book }",
        """item books {
  check called book
  ask   "Did the assistant call book with a note that asks for a window seat?"
  fail  "The note asks for something else"
}""",
        'item tells { ask "Does the reply say how to use search?" fail "Says that it is there" }',
        'item books { ask "Did the assistant book a flight by phone?" fail "It booked online" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        tools = subject.spec.tools if subject.spec is not None else ()
        names = {tool.name for tool in tools}
        for criterion, entry in subject.said("ask"):
            if any(isinstance(one, nodes.Check) for one in criterion.entries):
                continue
            match = ASKED.match(words_of(entry.text).strip())
            if match is None:
                continue
            params = criterion.params if isinstance(criterion, nodes.Template) else ()
            tool = match["en"] or match["by"] or match["zh"]
            if tool in names or tool.strip("{}") in {param.text for param in params}:
                message = f"whether `{tool}` was called is asked of a judge"
                help = f"let code look: `check called {tool.strip('{}')}(…)`"
                yield Finding(entry.text.span, message, help)
