"""Random chat lines: ordinary ones mostly, and what a fast reader may get wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from json_texts import HALF_PAIRS, NOT_JSON, NOT_NUMBERS, STRICT, Obj, Raw, object_texts, written

TEXTS = st.sampled_from(
    ["go", "It is 120", "", "a: b", "é 你", "\u2028", "Error: no", '{"error": true}', '{"a": [1]}']
)
THOUGHTS = st.sampled_from(
    [
        "<think>x</think> y",
        "<think>x",
        "x</think>y",
        "think>",
        "<think >x",
        "</think>",
        " <think></think>",
    ]
)
PARTS = st.lists(
    st.one_of(
        TEXTS.map(lambda text: {"type": "text", "text": text}),
        st.sampled_from([{"type": "image"}, {"type": "text", "text": 1}, "go"]),
    ),
    max_size=2,
)
WRONG: st.SearchStrategy[Any] = st.sampled_from([0, 1.5, True, [], {}, [1], {"a": 1}, "x", None])
LITERALS = st.one_of(HALF_PAIRS.map(Raw), NOT_NUMBERS, NOT_JSON)
NESTED = '{"a": {"b": [{"c": "d:e"}]}}'
ARGUMENTS = st.one_of(st.sampled_from(["{}", '{"day": "Monday"}', NESTED]), object_texts())
TOOLS = st.sampled_from(["search", "book"])
IDS = ["c1", "c2", "c3"]


class _Line:
    """One line while it is drawn. `odd` things in it, at most, are out of the ordinary."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.odd = draw(st.sampled_from([0, 0, 1, 1, 2]))
        self.messages: list[dict[str, Any]] = []

    def rare(self) -> bool:
        odd = self.odd > 0 and self.draw(st.integers(0, 9)) == 9
        self.odd -= odd
        return odd

    def either(self, usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> Any:
        return self.draw(rare if self.rare() else usual)

    def text(self) -> Any:
        rare = st.one_of(THOUGHTS, THOUGHTS, PARTS, st.none(), WRONG, LITERALS)
        return self.either(TEXTS, rare)

    def system(self) -> None:
        role = self.either(st.just("system"), st.sampled_from(["developer", "tool", "critic", 1]))
        self.messages.append({"role": role, "content": self.text()})

    def user(self) -> None:
        message: dict[str, Any] = {"role": "user", "content": self.text()}
        if self.rare():
            calls = self.calls(1)
            message["tool_calls"] = calls
            self.messages.append(message)
            self.results([call["id"] for call in calls if "id" in call])
            return
        self.messages.append(message)

    def assistant(self) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": self.text()}
        calls = self.calls(self.draw(st.sampled_from([0, 0, 1, 1, 2, 3])))
        if calls or self.draw(st.booleans()):
            message["tool_calls"] = calls
        if self.rare():
            message["function_call"] = self.either(st.just(self.function()), WRONG)
        if self.rare():
            key = self.draw(st.sampled_from(["reasoning_content", "reasoning"]))
            message[key] = self.draw(st.one_of(TEXTS, WRONG))
        if self.rare():
            key = self.draw(st.sampled_from(["malformed", "verbatim"]))
            message[key] = self.draw(st.one_of(st.booleans(), TEXTS, WRONG))
        self.messages.append(message)
        self.results([call["id"] for call in calls if "id" in call])

    def function(self) -> dict[str, Any]:
        rare = st.one_of(st.just(Obj([("a", 1), ("a", 2)])), st.just({"a": {"b": 1}}), WRONG)
        name = self.either(TOOLS, st.one_of(st.just(""), WRONG))
        return {"name": name, "arguments": self.either(ARGUMENTS, rare)}

    def calls(self, count: int) -> list[dict[str, Any]]:
        made = []
        for number in range(count):
            call: dict[str, Any] = {"id": IDS[number], "type": "function"}
            if self.rare():
                call["id"] = self.draw(st.one_of(st.sampled_from(["", *IDS]), WRONG))
            if self.rare():
                del call["id"]
            call["function"] = self.either(st.just(self.function()), WRONG)
            if self.rare():
                call["malformed"] = self.draw(st.one_of(st.booleans(), WRONG))
            if self.rare():
                call["raw"] = self.draw(st.one_of(ARGUMENTS, WRONG))
            made.append(call)
        return made

    def results(self, ids: list[Any]) -> None:
        for identity in self.draw(st.permutations(ids)):
            if self.draw(st.integers(0, 5)) == 0:
                continue  # never answered
            if self.rare():
                self.draw(st.sampled_from([self.system, self.user, self.assistant]))()
            role = self.either(st.just("tool"), st.just("function"))
            message: dict[str, Any] = {"role": role, "tool_call_id": identity}
            if self.rare():
                message["tool_call_id"] = self.draw(st.one_of(st.sampled_from(["", "c9"]), WRONG))
            if self.rare():
                del message["tool_call_id"]
            if self.draw(st.booleans()):
                message["name"] = self.either(TOOLS, WRONG)
            message["content"] = self.text()
            if self.draw(st.integers(0, 3)) == 0:
                message["error"] = self.either(st.booleans(), st.one_of(TEXTS, WRONG))
            self.messages.append(message)

    def write(self) -> bytes:
        if self.draw(st.booleans()):
            self.system()
        for _ in range(self.draw(st.sampled_from([0, 0, 0, 1]))):
            self.assistant()
        for _ in range(self.draw(st.integers(0, 3))):
            self.user()
            for _ in range(self.draw(st.integers(0, 2))):
                self.assistant()
                if self.rare():
                    self.system()
        messages: list[Any] = list(self.messages)
        if self.messages and self.draw(st.integers(0, 2)) == 2:  # one value, perhaps unread, is odd
            message = self.draw(st.sampled_from(self.messages))
            key = self.draw(st.sampled_from([*message, "name", "annotations"]))
            if self.draw(st.integers(0, 4)) == 4:
                message.pop(key, None)
            else:
                message[key] = self.draw(st.one_of(WRONG, LITERALS))
        if self.rare():
            messages.insert(0, self.draw(WRONG))
        line: dict[str, Any] = {"messages": messages}
        if self.draw(st.booleans()):
            line["id"] = self.either(st.sampled_from(["d1", "", "é"]), WRONG)
        if self.draw(st.booleans()):
            line["task"] = self.either(st.sampled_from(["t", "t/1", ""]), WRONG)
        if self.draw(st.booleans()):
            line["official"] = self.draw(st.one_of(STRICT, STRICT, LITERALS))
        if self.rare():
            line["messages"] = self.draw(WRONG)
        pairs = self.draw(st.permutations(list(line.items())))
        text = written(Obj(pairs), ascii=self.draw(st.booleans()))
        raw = text.encode("utf-8", "surrogatepass")
        if self.rare():
            place = self.draw(st.integers(0, len(raw)))
            raw = (
                raw[:place] + self.draw(st.sampled_from([b"\xff", b",", b"}", b"\t"])) + raw[place:]
            )
        return raw


@st.composite
def chat_lines(draw: st.DrawFn) -> bytes:
    """A line of a chat file; most have nothing odd in them, or one thing."""
    return _Line(draw).write()
