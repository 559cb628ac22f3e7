"""Tasks that little decides, and what pays in them: how a dialogue must end, and what is reported.

Where no change and no words are wanted, an agent that did nothing is told from one that did right
only by what the dialogue shows: that it answered, looked something up, handed over. The reference
path says which of these there is to see; the note and the report, what still pays without a judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from cm2.formats.criteria import Action, Criteria
from cm2.importers.actions import (
    ANSWERS,
    FINAL,
    LOOKS_UP,
    NO_WRITES,
    Checklist,
    Toolbox,
    name_for,
    pattern,
    reads_of,
)
from cm2dsl.draft import syntax
from cm2dsl.draft.spec import Item, Use

HANDS_OVER = re.compile(r"transfer|escalat|hand_?(?:over|off)", re.IGNORECASE)
# A sentence about the agent, and not one of the agent's: `The agent confirmed the …`.
ABOUT = re.compile(r"(?:the )?(?:agent|assistant|user|customer)\s+\w+\s+\S", re.IGNORECASE)
HOW = re.compile(r"payment|method|reason", re.IGNORECASE)
SURE = 3
"""Letters and digits of a text that is not said by chance, as `4` is."""

WHY = "no write and no words decide"


def ending(
    actions: Mapping[str, Action],
    goal: Criteria,
    tools: Toolbox,
    made: Checklist,
    stricter: Sequence[Item] = (),
) -> str:
    """Adds how a dialogue must end, and where no action is required, what else it shows.

    `made` has all other items, `actions` are the required ones by the names of theirs, and what is
    `stricter` is offered at the end. Returns what is enough for full pay without a judge where
    that is close to nothing, else an empty text.
    """
    handing = {name: one for name, one in actions.items() if _hands_over(one, tools)}
    paid = [f"a call of `{one.tool}`" for one in handing.values()]
    decided = any(_weighs(item) and item.name not in handing for item in made.items)
    if not actions:
        bare = tools.bare("read")
        if any(action.tool not in bare for action in reads_of(goal, tools)):
            made.use(LOOKS_UP, _look_ups(goal, tools, made))
            paid.append("any look-up")
        called = dict.fromkeys(a.tool for a in goal.actions if _hands_over(a, tools))
        for tool in called if not decided else ():
            made.add(Item(made.free(tool), check=f"called {syntax.tool(tool)}"))
            paid.append(f"a call of `{tool}`")
    made.use(FINAL if paid or decided else ANSWERS, stricter)
    if decided:
        return ""
    changed = ", with nothing changed" if NO_WRITES in made.templates else ""
    return f"{', '.join(paid)} and any answer{changed}" if paid else f"any answer{changed}"


def _look_ups(goal: Criteria, tools: Toolbox, made: Checklist) -> list[Item]:
    """The look-ups of the reference path, which are not the only ones that do: items to offer."""
    known = {item.check.removeprefix("called ") for item in made.items if isinstance(item, Item)}
    bare = tools.bare("read")
    reads = [action for action in reads_of(goal, tools) if action.tool not in bare]
    found: dict[str, Item] = {}
    for action in reads:
        wanted = pattern(action, tools, exact=False)
        if wanted not in known and wanted not in found:
            name = name_for(action, reads, made)
            made.names.add(name)
            found[wanted] = Item(name, check=f"succeeded {wanted}")
    return list(found.values())


def note(paid: str) -> str:
    """The comment on a task that `paid` is enough for; none where it is empty."""
    if not paid:
        return ""
    return f"Close to vacuous: {WHY} this task. Without a judge, all it takes is {paid}."


def report(paid: str) -> str:
    """The sentence of the report on tasks that `paid` is enough for."""
    return f"close to vacuous, as {WHY} it; without a judge, all it takes is {paid}"


def of_tasks(sentences: Mapping[str, Sequence[str]], total: int) -> Iterator[str]:
    """The lines of a report: each sentence with the tasks, of `total`, that it is about."""
    for sentence, names in sentences.items():
        every = len(names) == total > 1
        yield f"{sentence}: {'every task' if every else ', '.join(f'`{name}`' for name in names)}"


def on_words(goal: Criteria, told: str) -> Iterator[str]:
    """A sentence on each text to be said that does not show what it should.

    `told` is what the user is told, which the user may say, and an agent repeat.
    """
    heard = told.lower().replace(",", "")
    for text in dict.fromkeys(text for text in goal.communicate if text.strip()):
        if ABOUT.match(text):
            yield (
                f"`{text}` must be said word by word, which no agent says of itself: it looks like "
                "an assertion on the dialogue (`nl_assertions`), and is not met"
            )
        if sum(map(str.isalnum, text)) < SURE:
            yield f"`{text}` must be said, which is so short that it is said by chance"
        elif text.lower().replace(",", "") in heard:
            yield f"`{text}` must be said, which the user knows: an agent that repeats it says it"
        if "," in text:
            yield (
                f"`{text}` must be said: the benchmark never finds a text with a comma, and here "
                "commas do not count"
            )


def alternatives(actions: Mapping[str, Action]) -> Iterator[str]:
    """A sentence on each two required actions of which the second may not be possible any more.

    They are of one tool and on one thing, and differ in how it is paid or why it is done.
    """
    for (one, first), (other, second) in combinations(actions.items(), 2):
        if first.tool != second.tool or first.by_user != second.by_user:
            continue
        a, b = first.arguments, second.arguments
        differ = [key for key in {**a, **b} if (key in a, a.get(key)) != (key in b, b.get(key))]
        if len(differ) == 1 and HOW.search(differ[0]) and len(a) > 1:
            yield (
                f"`{one}` and `{other}` are both required, and differ only in `{differ[0]}`: if "
                "one rules the other out, no dialogue earns everything"
            )


def _weighs(item: Item | Use) -> bool:
    """Whether an item is a check that decides a share of the reward."""
    return isinstance(item, Item) and bool(item.check) and not item.veto and item.weight != 0


def _hands_over(action: Action, tools: Toolbox) -> bool:
    return tools.effect(action) == "generic" and bool(HANDS_OVER.search(action.tool))
