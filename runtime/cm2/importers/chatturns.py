"""The turns of recorded dialogues as drafts, with what the recordings show beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cm2.trajectory import Call
from cm2.trajectory import Turn as Recorded
from cm2dsl.draft import syntax
from cm2dsl.draft.spec import Item, Turn
from cm2dsl.draft.titles import start
from cm2dsl.names import name_of

LINE = 88
"""Characters of a recorded call or reply in a comment, so that it stays on one line."""

PATTERNS = 2
"""Different recorded calls of a tool that a comment shows."""

TASK_SCOPE = "dialogue"  # what the language calls the items beside the turns

REPLIES = Item("replies", kind="at_end", check="replied")


def turns(recordings: Sequence[Sequence[Recorded]], tools: Collection[str]) -> tuple[Turn, ...]:
    """The turns of a task. Its recordings have equally many, in which the user says the same."""
    drafts: list[Turn] = []
    for number, recorded in enumerate(zip(*recordings, strict=True), start=1):
        taken = {TASK_SCOPE, *(turn.name for turn in drafts)}
        drafts.append(_turn(number, recorded, tools, taken))
    return tuple(drafts)


def example(drafts: Sequence[Turn]) -> str:
    """How an item looks that asks a judge; it builds on the first call of the turns."""
    names = [item.name for turn in drafts for item in turn.items if isinstance(item, Item)]
    calls = next((name for name in names if name != REPLIES.name), "")
    after = f" after {calls}" if calls else ""
    return (
        f"  item answers weight 2{after} {{\n"
        '    ask    "Does the reply …?"\n'
        '    pass   "Names …"\n'
        '    fail   "Names … that no tool returned"\n'
        '    anchor reply "words of the recorded reply"\n'
        "  }"
    )


def _turn(
    number: int, recorded: Sequence[Recorded], tools: Collection[str], taken: Collection[str]
) -> Turn:
    """A turn that is named for the tool that every recording calls last, if there is one."""
    calls = [[call for step in turn.steps for call in step.calls] for turn in recorded]
    called = [list(dict.fromkeys(call.tool for call in each)) for each in calls]
    shared = [tool for tool in called[0] if all(tool in other for other in called)]
    wanted = [tool for tool in shared if tool in tools]
    others = [tool for each in called for tool in each if tool not in wanted]
    items: list[Item] = []
    for tool in wanted:
        name = name_of(f"calls {tool}", [item.name for item in items])
        same = [call for each in calls for call in each if call.tool == tool]
        items.append(Item(name, check=f"called {syntax.tool(tool)}", note=_patterns(same)))
    last = [tool for tool in reversed([call.tool for call in calls[0]]) if tool in wanted]
    return Turn(
        name=name_of(last[0] if last else f"turn {number}", taken, "turn"),
        user=recorded[0].user,
        items=tuple(items) or (REPLIES,),
        note="\n".join([*_sometimes(others, tools), *_reply(recorded[0])]),
    )


def _patterns(calls: Sequence[Call]) -> str:
    """The recorded calls of a tool, as patterns."""
    texts = list(dict.fromkeys(_pattern(call) for call in calls if call.arguments))
    lines = [f"recorded: {text}" for text in texts[:PATTERNS]]
    if len(texts) > PATTERNS:
        lines.append(f"recorded: {len(texts) - PATTERNS} more calls with other arguments")
    return "\n".join(lines)


def _pattern(call: Call) -> str:
    """A call as a pattern of one line: as many of its arguments as fit, then `…`."""
    arguments = dict(call.arguments or {})
    text = syntax.call(call.tool, arguments)
    while len(text) > LINE and arguments:
        arguments.popitem()
        text = syntax.call(call.tool, arguments)
        text = f"{text[:-1]}, …)" if arguments else f"{text}(…)"
    return text


def _sometimes(others: Sequence[str], tools: Collection[str]) -> list[str]:
    known = [tool for tool in dict.fromkeys(others) if tool in tools]
    return [f"Only in some recordings: {', '.join(known)}"] if known else []


def _reply(turn: Recorded) -> list[str]:
    """How the last reply of a turn begins: words to anchor an item in."""
    replies = [step.reply for step in turn.steps if step.reply.strip()]
    if not replies:
        return []
    words = start(replies[-1].strip().splitlines()[0].strip(), LINE - 24)
    return [f"The recorded reply begins {syntax.quoted(words)}"]
