"""A thousand specs to measure with: service desks as people write them, made from a seed.

    from desks import write_desks
    write_desks(folder, 1000)        # about 60,000 lines of .cm2

The specs lie in folders of a hundred, which share a library of templates. Each has its tools, its
system prompt, recordings and tests, every third one rows as well, every fourth one a second task;
one in four is in Chinese. The same seed gives the same bytes. They compile, and lint finds in them
what it finds in specs of people.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

A_FOLDER = 100
ROWS = 12


class Words(NamedTuple):
    """A language's words for one desk. `{0}` is the thing that the desk is about."""

    things: tuple[str, ...]
    places: tuple[str, ...]
    ask_for: str
    accept: str
    complain: str
    found: str
    done: str
    denied: str
    offers: tuple[str, str, str]
    confirms: tuple[str, str, str]
    explains: tuple[str, str, str]
    polite: tuple[str, str, str]


ENGLISH = Words(
    things=("flight", "table", "room", "repair", "parcel", "lesson", "ticket", "appointment"),
    places=("Rome", "Lisbon", "Oslo", "Vienna", "Dublin", "Prague"),
    ask_for="I need a {0} in {1} for {2} people, please",
    accept="The first one is fine, book it",
    complain="Cancel my {0} {1} and give me the money back",
    found="There is {0} at {1} euros.",
    done="It is booked under {0}.",
    denied="I am sorry, {0} has the basic rate and cannot be refunded.",
    offers=(
        "Does the reply offer at least one {0} from the search result, with its price?",
        "Names a {0} of the result and what it costs",
        "Names a {0} that no tool returned",
    ),
    confirms=(
        "Does the reply state the number of the booking that the tool returned?",
        "Gives the number as the tool returned it",
        "Gives no number, or another one",
    ),
    explains=(
        "Does the reply say that the basic rate is the reason?",
        "Says that the rate is basic, and that it is not refunded",
        "Gives no reason, or another one",
    ),
    polite=(
        "Does the agent answer every question that the user asks?",
        "Answers each question, or says that it cannot",
        "Leaves a question of the user open",
    ),
)

CHINESE = Words(
    things=("航班", "餐位", "房间", "维修", "包裹", "课程", "门票", "挂号"),
    places=("北京", "上海", "成都", "西安", "广州", "杭州"),
    ask_for="我要在{1}订一个{0}，{2}个人",
    accept="就订第一个吧",
    complain="请取消{0} {1} 并退款",
    found="有 {0}，价格 {1} 元。",
    done="已预订，编号 {0}。",
    denied="抱歉，{0} 是基础价，不能退款。",
    offers=(
        "回复是否给出了查询结果里的至少一个{0}及其价格？",
        "给出结果里的一个{0}和它的价格",
        "给出工具没有返回的{0}",
    ),
    confirms=("回复是否写明了工具返回的预订编号？", "写明工具返回的编号", "没有编号，或编号不对"),
    explains=(
        "回复是否说明了不退款是因为基础价？",
        "说明是基础价，所以不退",
        "没有原因，或原因不对",
    ),
    polite=("客服是否回答了用户的每个问题？", "每个问题都有回答", "有问题没有回答"),
)


class Desk(NamedTuple):
    """What is drawn for one spec."""

    name: str
    words: Words
    thing: str
    place: str
    people: int
    option: str
    price: int
    number: str
    old: str
    with_rows: bool
    refuses: bool


def write_desks(folder: Path, count: int, seed: int = 0) -> int:
    """Write `count` specs with all their files; how many lines of .cm2 they have."""
    lines = 0
    for index in range(count):
        rng = random.Random(f"{seed}/{index}")
        home = folder / f"team{index // A_FOLDER:02}"
        if index % A_FOLDER == 0:
            home.mkdir(parents=True)
            (home / "shared.cm2").write_text(SHARED, encoding="utf-8")
            lines += SHARED.count("\n")
        desk = _drawn(rng, f"desk{index:04}")
        text = _spec(desk)
        lines += text.count("\n")
        (home / f"{desk.name}.cm2").write_text(text, encoding="utf-8")
        beside = home / desk.name
        beside.mkdir()
        for name, content in _beside(desk, rng).items():
            (beside / name).write_text(content, encoding="utf-8")
    return lines


def _drawn(rng: random.Random, name: str) -> Desk:
    words = CHINESE if rng.random() < 0.25 else ENGLISH
    return Desk(
        name=name,
        words=words,
        thing=rng.choice(words.things),
        place=rng.choice(words.places),
        people=rng.randint(1, 6),
        option=f"{rng.choice('KMQRX')}{rng.randint(100, 999)}",
        price=rng.randint(20, 900),
        number=f"B{rng.randint(10_000, 99_999)}",
        old=f"B{rng.randint(10_000, 99_999)}",
        with_rows=int(name[-4:]) % 3 == 0,
        refuses=int(name[-4:]) % 4 == 0,
    )


SHARED = """\
cm2 1

# What every desk of the team asks of its replies.

template grounded(tool) weight 1 {
  focus reply
  ask  "Is every price and every number in the reply found in a result of {tool}?"
  pass "Every price and number stands in a result"
  fail "States a price or a number that no result contains"
}

template looked_first(reads, writes) weight 1 {
  check called reads before writes
}

template untouched(tool) never veto {
  check called tool
}

template told(what) at_end weight 2 {
  check replied and reply contains what
}

template once(tool) at_end weight 1 {
  check succeeded tool exactly 1 time
}
"""


def _spec(desk: Desk) -> str:
    words = desk.words
    offers, confirms, polite = (
        [_quoted(text.format(desk.thing)) for text in texts]
        for texts in (words.offers, words.confirms, words.polite)
    )
    each, opening, place, people = "", words.ask_for, f'"{desk.place}"', str(desk.people)
    opening = _quoted(opening.format(desk.thing, desk.place, desk.people))
    if desk.with_rows:
        each = f'\n    each row in "{desk.name}/rows.csv" where people <= 8 split by split'
        opening, place, people = '"{row.opening}"', "row.place", "row.people"
    at = desk.name
    row = ' row "r1"' if desk.with_rows else ""
    return f"""\
cm2 1

domain {at} "{desk.thing}: the desk of {desk.place}"
tools  "{at}/tools.json"
system "{at}/system.md"
import "shared.cm2"

judge    {{ votes 1 view turn }}
simulate {{ replay then llm examples 2 }}
assign   {{ level turn at all }}

# Two turns: what there is, and the booking of one of them.
task book "Book what was found"{each} {{
  reference "{at}/recordings.jsonl"

  turn ask {{
    user {opening}

    item searches weight 2 strict {{ check called search(place == {place}, people == {people}) }}
    item offers weight 2 after searches {{
      check reply mentions options[*].price of search
      ask   {offers[0]}
      pass  {offers[1]}
      fail  {offers[2]}
      anchor reply "{desk.option}"
    }}
    use grounded(search) after searches
    use untouched(book) as waits
  }}
  turn take {{
    user {_quoted(words.accept)}

    item books weight 3 after ask.searches {{
      check called book(option == "{desk.option}", people == {people})
    }}
    use looked_first(search, book) as order
    item confirms after books {{
      check reply mentions number of book
      ask   {confirms[0]}
      pass  {confirms[1]}
      fail  {confirms[2]}
    }}
    use once(book) as one_booking
    never cancels veto {{ check called cancel }}
  }}

  item complete weight 1 {{
    ask  {polite[0]}
    pass {polite[1]}
    fail {polite[2]}
  }}
}}

test "books what was found" for book{row} {{
  trajectory "{at}/booked.jsonl"
  judged ask.grounded pass
  expect ask.searches pass
  expect take.books pass
}}
{_refusal(desk) if desk.refuses else ""}"""


def _refusal(desk: Desk) -> str:
    explains = [_quoted(text) for text in desk.words.explains]
    complaint = _quoted(desk.words.complain.format(desk.thing, desk.old))
    at = desk.name
    return f"""
task refused "No refund at the basic rate" {{
  reference "{at}/recordings.jsonl"

  turn ask {{
    user {complaint}

    item looks_up {{ check result lookup(number == "{desk.old}") has rate == "basic" }}
    use told("{desk.old}") as declines after looks_up
    item why after looks_up {{
      check reply matches /basic|基础价/
      ask   {explains[0]}
      pass  {explains[1]}
      fail  {explains[2]}
    }}
    never refunds penalty 0.5 {{ check succeeded any write except lookup }}
  }}
}}

test "declines" for refused {{
  trajectory "{at}/refused.jsonl"
  expect ask.declines pass
  expect reward >= 0.5
}}
"""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _beside(desk: Desk, rng: random.Random) -> dict[str, str]:
    """The files that a spec names, by their names in its own folder."""
    booked = _booked(desk, desk.place, desk.people)
    refused = _refused(desk)
    task = "book/r1" if desk.with_rows else "book"
    files = {
        "tools.json": json.dumps(_tools(desk), ensure_ascii=False, indent=1) + "\n",
        "system.md": f"You serve the desk for a {desk.thing}. Refunds: never at the basic rate.\n",
        "recordings.jsonl": _line("r1", task, booked),
        "booked.jsonl": _line("b1", task, booked),
    }
    if desk.refuses:
        files["recordings.jsonl"] += _line("r2", "refused", refused)
        files["refused.jsonl"] = _line("b2", "refused", refused)
    if desk.with_rows:
        files["rows.csv"] = _rows(desk, rng)
    return files


def _rows(desk: Desk, rng: random.Random) -> str:
    lines = ["id,place,people,opening,split"]
    for number in range(1, ROWS + 1):
        place = desk.place if number == 1 else rng.choice(desk.words.places)
        people = desk.people if number == 1 else rng.randint(1, 8)
        opening = desk.words.ask_for.format(desk.thing, place, people)
        split = "heldout" if number % 4 == 0 else "train"
        lines.append(f'r{number},{place},{people},"{opening}",{split}')
    return "\n".join(lines) + "\n"


def _tools(desk: Desk) -> list[dict[str, Any]]:
    text, whole = {"type": "string"}, {"type": "integer", "minimum": 1}
    kind = {"type": "string", "enum": ["basic", "standard", "flexible"]}
    number = {"number": {**text, "description": "The number of the booking"}}
    return [
        _tool("search", "read", {"place": text, "people": whole, "kind": kind}, 2, desk.thing),
        _tool("book", "write", {"option": text, "people": whole, "note": text}, 2, desk.thing),
        _tool("lookup", "read", number, 1, desk.thing),
        _tool("cancel", "write", {**number, "reason": text}, 1, desk.thing),
        _tool("change", "write", {**number, "people": whole, "kind": kind}, 1, desk.thing),
    ]


def _tool(
    name: str, effect: str, properties: dict[str, Any], required: int, thing: str
) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name.capitalize()} a {thing}",
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(properties)[:required],
                "additionalProperties": False,
            },
            "x-effect": effect,
        },
    }


def _line(id_: str, task: str, messages: list[dict[str, Any]]) -> str:
    whole = {"id": id_, "task": task, "messages": messages}
    return json.dumps(whole, ensure_ascii=False) + "\n"


def _booked(desk: Desk, place: str, people: int) -> list[dict[str, Any]]:
    words = desk.words
    options = [{"option": desk.option, "price": desk.price}, {"option": "Z1", "price": 999}]
    return [
        {"role": "user", "content": words.ask_for.format(desk.thing, place, people)},
        *_call("search", {"place": place, "people": people}, {"options": options}),
        {"role": "assistant", "content": words.found.format(desk.option, desk.price)},
        {"role": "user", "content": words.accept},
        *_call("book", {"option": desk.option, "people": people}, {"number": desk.number}),
        {"role": "assistant", "content": words.done.format(desk.number)},
    ]


def _refused(desk: Desk) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": desk.words.complain.format(desk.thing, desk.old)},
        *_call("lookup", {"number": desk.old}, {"number": desk.old, "rate": "basic"}),
        {"role": "assistant", "content": desk.words.denied.format(desk.old)},
    ]


def _call(tool: str, arguments: dict[str, Any], result: dict[str, Any]) -> list[dict[str, Any]]:
    function = {"name": tool, "arguments": json.dumps(arguments, ensure_ascii=False)}
    call = {"id": f"c_{tool}", "type": "function", "function": function}
    content = json.dumps(result, ensure_ascii=False)
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": content},
    ]
