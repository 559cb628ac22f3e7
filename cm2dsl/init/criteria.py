"""A recorded turn as items: the calls that were made, the reply, and what must not happen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cm2dsl.draft.spec import Item, Use
from cm2dsl.draft.titles import start
from cm2dsl.init.guards import WRITES, Kit, Made, guards
from cm2dsl.init.patterns import pattern_of, quotable
from cm2dsl.init.tools import Tool
from cm2dsl.init.words import Criterion, Language, shown, words_for
from cm2dsl.names import name_of
from cm2dsl.trajectory import Turn, call_text, has_failed

READS = 3
"""Reads of a turn that become items: the last ones, which the rest builds on."""
TOLD = 2
"""Writes of a turn whose free text a judge reads."""
QUOTED = 60
"""Characters of an anchor."""

WRITE_WEIGHT = 3
REPLY_WEIGHT = 2

SENTENCE = re.compile(r"[^\n.!?。！？]+(?:\.(?=\S)[^\n.!?。！？]*)*")
LETTERS = 6
"""Letters of an anchor, at least; a Chinese one counts as two."""
HAN = re.compile(r"[\u3400-\u9fff]")

EDIT_REPLY = "EDIT: ask for what this reply must hold. The words here would fit many replies."
EDIT_TEXT = "EDIT: say what the text must hold, or look for words of it: `check called … ~ /…/`."


@dataclass(frozen=True, slots=True)
class Criteria:
    """The items of a turn. `judged` are those that a judge decides, `checked` the others, by name.

    `target` is the call that matters most, with the name of its item: without it the turn is worth
    less. None where the turn calls nothing. `once` is a tool with the veto that guards it against a
    second call, if there is one.
    """

    items: tuple[Item | Use, ...] = ()
    judged: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    target: tuple[str, str] | None = None
    once: tuple[str, str] | None = None
    note: str = ""


def criteria(turn: Turn, kit: Kit, language: Language) -> Criteria:
    """The items that a recorded turn fulfils; none where it shows nothing that could be asked."""
    made = list(_made(turn, kit.tools))
    replied = bool(turn.steps) and not turn.steps[-1].calls and bool(turn.steps[-1].reply.strip())
    wanted = _named(_wanted(made, replied))
    last = _last(wanted)
    items: list[Item | Use] = [
        _call_item(one, name, wanted, last, replied) for name, one in wanted.items()
    ]
    judged: list[str] = []
    writes = {one.call.tool: one for one in reversed(wanted.values()) if one.write}
    for one in [*reversed(writes.values())][:TOLD]:
        told = _told_item(one, [*wanted, *judged], kit, language)
        if told is not None:
            items.append(told)
            judged.append(told.name)
    reply = _reply_item(turn, list(wanted.values()), last, kit, language) if replied else None
    if reply is not None:
        items.append(reply)
    if reply is not None and reply.ask:
        judged.append(reply.name)
        if wanted and kit.budget > 0:
            kit.budget -= 1
            items.append(Use(kit.template("grounded"), after=last))
            judged.append("grounded")
    if not items:
        return Criteria()
    guarding, guarded = guards(made, kit)
    items += guarding
    called = [name for name, one in wanted.items() if one.write] or list(wanted)
    target = (called[-1], wanted[called[-1]].call.tool) if called else None
    checked = [name for item in items if (name := _name(item)) not in judged]
    note = _left_out(made, list(wanted.values()), turn, kit)
    return Criteria(tuple(items), tuple(judged), tuple(checked), target, guarded, note)


def _name(item: Item | Use) -> str:
    return item.name or item.template if isinstance(item, Use) else item.name


# --- calls ------------------------------------------------------------------------------------


def _made(turn: Turn, tools: Mapping[str, Tool]) -> Iterator[Made]:
    """The calls of known tools that were not answered with an error."""
    for number, step in enumerate(turn.steps):
        for call in step.calls:
            tool = tools.get(call.tool)
            failed = call.result is not None and has_failed(call.result, call.failed)
            if tool is not None and not failed:
                pattern = pattern_of(tool, call.arguments)
                yield Made(number, call, pattern, tool.effect == "write")


def _wanted(made: Sequence[Made], replied: bool) -> list[Made]:
    """The calls that become items: every different write and the last reads, in their order.

    What another one includes is left out. So is a call that any would do for, unless the reply is
    about it.
    """
    first: dict[str, Made] = {}
    for one in made:
        if one.call.arguments is not None:
            first.setdefault(one.pattern.text, one)
    own = [one for one in first.values() if not any(_includes(other, one) for other in made)]
    end = max((one.step for one in own), default=0)
    if replied:
        own = [one for one in own if not one.pattern.loose or one.step == end]
    else:
        own = [one for one in own if one.pattern.constraints or not one.write]
    writes = [one for one in own if one.write][:WRITES]
    reads = [one for one in own if not one.write][-READS:]
    return [one for one in own if one in writes or one in reads]


def _includes(one: Made, other: Made) -> bool:
    """Whether a call says all that another says, and more."""
    return one.call.tool == other.call.tool and set(one.pattern.constraints) > set(
        other.pattern.constraints
    )


def _named(wanted: Sequence[Made]) -> dict[str, Made]:
    """The names of their items."""
    named: dict[str, Made] = {}
    for one in wanted:
        named[name_of(f"calls {one.call.tool}", named)] = one
    return named


def _last(wanted: Mapping[str, Made]) -> tuple[str, ...]:
    """What a reply comes after: the calls of the last step that has some, and the last writes."""
    writes = {name: one for name, one in wanted.items() if one.write}
    ends = [max(one.step for one in some.values()) for some in (wanted, writes) if some]
    return tuple(
        name
        for name, one in wanted.items()
        if one.step == ends[0] or (one.write and one.step == ends[-1])
    )


def _before(made: Made, wanted: Mapping[str, Made]) -> tuple[str, ...]:
    """What a write comes after: the writes before it, else the look-up before it, just one.

    What an agent looks up on its way is its own business.
    """
    if not made.write:
        return ()
    earlier = {name: one for name, one in wanted.items() if one.step < made.step}
    writes = {name: one for name, one in earlier.items() if one.write}
    some = writes or earlier
    names = [name for name, one in some.items() if one.step == max(o.step for o in some.values())]
    return tuple(names if writes else names[-1:])


def _call_item(
    made: Made, name: str, wanted: Mapping[str, Made], last: Sequence[str], replied: bool
) -> Item:
    free = made.pattern.free
    loose = replied and made.pattern.loose and name in last
    notes = [f"Free text is not compared: {', '.join(free)}."] * (bool(free) and not made.write)
    notes += ["Any call does, so it earns nothing by itself."] * loose
    return Item(
        name,
        check=f"called {made.pattern.text}",
        weight=0 if loose else WRITE_WEIGHT if made.write else None,
        after=_before(made, wanted),
        note=" ".join(notes),
    )


def _told_item(made: Made, names: Sequence[str], kit: Kit, language: Language) -> Item | None:
    """A question about the free text of a write, if it has some that can be quoted."""
    arguments = made.call.arguments or {}
    for key in made.pattern.free:
        value = arguments.get(key)
        words = quotable(value) if isinstance(value, str) else ""
        long = len(words) + len(HAN.findall(words)) >= LETTERS
        if kit.budget > 0 and long and words in call_text(made.call):
            kit.budget -= 1
            asked = words_for(language).said
            keys = ", ".join(
                f"`{one}`" for one in made.pattern.free if re.fullmatch(r"[\w-]+", one)
            )
            filled = _filled(asked, made.call.tool, language, keys or "its text")
            return Item(
                name_of(f"says {made.call.tool}", names),
                ask=filled.ask,
                passes=(filled.passes,),
                fails=(filled.fails,),
                focus="tool_call",
                anchors=(("tool_call", words),),
                note=EDIT_TEXT,
            )
    return None


# --- the reply --------------------------------------------------------------------------------


def _reply_item(
    turn: Turn, wanted: Sequence[Made], after: tuple[str, ...], kit: Kit, language: Language
) -> Item | None:
    """A question about the reply that ends the turn, or a check that there is one after a call."""
    words = anchor_in(turn.steps[-1].reply, turn.user)
    if kit.budget <= 0 or not words:
        return Item("replies", kind="at_end", check="replied", after=after) if after else None
    kit.budget -= 1
    texts = words_for(language)
    tools = [one.call.tool for one in wanted if one.write] or [one.call.tool for one in wanted]
    effect = kit.tools[tools[-1]].effect if tools else None
    asked = (texts.found if effect == "read" else texts.done) if tools else texts.answered
    filled = _filled(asked, tools[-1] if tools else "", language)
    return Item(
        "tells" if wanted else "answers",
        ask=filled.ask,
        passes=(filled.passes,),
        fails=(filled.fails,),
        weight=REPLY_WEIGHT,
        after=after,
        anchors=(("reply", words),),
        note=EDIT_REPLY,
    )


def _filled(texts: Criterion, tool: str, language: Language, arguments: str = "") -> Criterion:
    names = {"{tool}": shown(tool, language), "{arguments}": arguments}

    def fill(text: str) -> str:
        for mark, name in names.items():
            text = text.replace(mark, name)
        return text

    return Criterion(fill(texts.ask), fill(texts.passes), fill(texts.fails))


def anchor_in(reply: str, user: str) -> str:
    """Words of a reply that only the agent said: the start of its first such sentence, or none."""
    for sentence in SENTENCE.findall(reply):
        words = start(sentence.strip(), QUOTED).strip(" \t,;:，；：*#-")
        if len(words) + len(HAN.findall(words)) >= LETTERS and words in reply and words not in user:
            return words
    return ""


# --- what is left out -------------------------------------------------------------------------


def _left_out(made: Sequence[Made], wanted: Sequence[Made], turn: Turn, kit: Kit) -> str:
    """What the recording has and the items do not ask for."""
    kept = {one.pattern.text for one in wanted}
    lines: list[str] = []
    more = dict.fromkeys(one.call.tool for one in made if one.pattern.text not in kept)
    if more:
        lines.append(f"Called as well, and not asked for: {_listed(list(more))}.")
    calls = [call for step in turn.steps for call in step.calls]
    unknown = dict.fromkeys(call.tool for call in calls if call.tool not in kit.tools)
    if unknown:
        lines.append(f"Called, and in no tools file: {_listed(list(unknown))}.")
    failed = dict.fromkeys(
        call.tool
        for call in calls
        if call.result is not None and has_failed(call.result, call.failed)
    )
    if failed:
        lines.append(f"Answered with an error: {_listed(list(failed))}.")
    return "\n".join(lines)


def _listed(tools: Sequence[str], most: int = 6) -> str:
    names = [" ".join(tool.split()) for tool in tools[:most]]
    more = f" and {len(tools) - most} more" if len(tools) > most else ""
    return ", ".join(names) + more
