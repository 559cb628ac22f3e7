"""The syntax tree: what was written, with the place of every part. Nothing is resolved here."""

from __future__ import annotations

from msgspec import Struct

from cm2dsl.source import Source, Span


class Token(Struct, frozen=True, gc=False):
    """A token that the syntax tree is made from; `kind` is its terminal.

    `stop` is where it ends in the source: what is put in for a missing token has no length there.
    """

    kind: str
    text: str
    start: int
    stop: int


class Name(Struct, frozen=True, gc=False):
    text: str
    span: Span


class Reference(Struct, frozen=True, gc=False):
    """`row.origin`, or a template's parameter: a name and steps into it."""

    path: tuple[str | int, ...]
    span: Span


class String(Struct, frozen=True, gc=False):
    """Literal pieces and `{references}`, in order."""

    parts: tuple[str | Reference, ...]
    span: Span


class Literal(Struct, frozen=True, gc=False):
    value: int | float | bool | None
    span: Span


class ListValue(Struct, frozen=True, gc=False):
    values: tuple[Value, ...]
    span: Span


Value = String | Literal | Reference | ListValue


class JsonPath(Struct, frozen=True, gc=False):
    """Keys, indices, and None for `[*]`."""

    steps: tuple[str | int | None, ...]
    span: Span


class Regex(Struct, frozen=True, gc=False):
    pattern: str
    span: Span


class Constraint(Struct, frozen=True, gc=False):
    negated: bool
    path: JsonPath
    op: str
    value: Value | Regex | None
    tolerance: float | None
    span: Span


class AnyEffect(Struct, frozen=True, gc=False):
    """`any write`: every tool that has this effect."""

    effect: Name
    span: Span


class Pattern(Struct, frozen=True, gc=False):
    """`TOOL(constraints, nothing else) except PATTERN, …`.

    The tool is None for `*`, and a string where it stands in quotes. `exact` is `nothing else`.
    """

    tool: Name | String | AnyEffect | None
    where: tuple[Constraint, ...]
    exact: bool
    but: tuple[Pattern, ...]
    span: Span


class Count(Struct, frozen=True, gc=False):
    op: str
    times: Literal


class Called(Struct, frozen=True, gc=False):
    """`word` is `called`, `succeeded` or `failed`."""

    by_user: bool
    word: str
    pattern: Pattern
    count: Count | None
    span: Span


class Before(Struct, frozen=True, gc=False):
    by_user: bool
    first: Pattern
    second: Pattern
    span: Span


class ResultHas(Struct, frozen=True, gc=False):
    by_user: bool
    pattern: Pattern
    has: Constraint
    span: Span


class Replied(Struct, frozen=True, gc=False):
    span: Span


class ReplyContains(Struct, frozen=True, gc=False):
    """`ignoring` holds the characters that are left out before comparing."""

    value: Value
    ignoring: String | None
    span: Span


class ReplyMatches(Struct, frozen=True, gc=False):
    regex: Regex
    span: Span


class ReplyMentions(Struct, frozen=True, gc=False):
    path: JsonPath
    pattern: Pattern
    span: Span


class AnyOf(Struct, frozen=True, gc=False):
    of: tuple[Expr, ...]
    span: Span


class AllOf(Struct, frozen=True, gc=False):
    of: tuple[Expr, ...]
    span: Span


class Negate(Struct, frozen=True, gc=False):
    of: Expr
    span: Span


Expr = (
    Called
    | Before
    | ResultHas
    | Replied
    | ReplyContains
    | ReplyMatches
    | ReplyMentions
    | AnyOf
    | AllOf
    | Negate
)


class ItemRef(Struct, frozen=True, gc=False):
    turn: Name | None
    item: Name
    span: Span

    @property
    def text(self) -> str:
        return f"{self.turn.text}.{self.item.text}" if self.turn else self.item.text


class Modifier(Struct, frozen=True, gc=False):
    """`weight 2`, `after a, b`, `strict`, `veto`, `penalty 0.2`."""

    word: str
    number: Literal | None
    refs: tuple[ItemRef, ...]
    span: Span


class Focus(Struct, frozen=True, gc=False):
    channel: Name
    span: Span


class Check(Struct, frozen=True, gc=False):
    expr: Expr
    span: Span


class Said(Struct, frozen=True, gc=False):
    """`ask`, `pass` or `fail` and its text."""

    word: str
    text: String
    span: Span


class Anchor(Struct, frozen=True, gc=False):
    channel: Name
    text: String
    span: Span


Entry = Focus | Check | Said | Anchor


class Item(Struct, frozen=True, gc=False):
    kind: str
    name: Name
    modifiers: tuple[Modifier, ...]
    entries: tuple[Entry, ...]
    span: Span


class Use(Struct, frozen=True, gc=False):
    template: Name
    arguments: tuple[Value, ...]
    alias: Name | None
    modifiers: tuple[Modifier, ...]
    span: Span


class Template(Struct, frozen=True, gc=False):
    name: Name
    params: tuple[Name, ...]
    kind: str
    modifiers: tuple[Modifier, ...]
    entries: tuple[Entry, ...]
    span: Span


class User(Struct, frozen=True, gc=False):
    text: String
    span: Span


class Turn(Struct, frozen=True, gc=False):
    name: Name
    parts: tuple[User | Item | Use, ...]
    span: Span


class Each(Struct, frozen=True, gc=False):
    """`each row in "file.csv" where ... split by column`."""

    row: Name
    file: String
    where: tuple[Constraint, ...]
    split: Name | None
    span: Span


class Simulated(Struct, frozen=True, gc=False):
    """`user simulated "instructions"`."""

    instructions: String
    span: Span


class RecordingFile(Struct, frozen=True, gc=False):
    """`reference "recordings.jsonl"`."""

    file: String
    span: Span


class Votes(Struct, frozen=True, gc=False):
    """`3`, or `1..5 until 0.9`."""

    few: Literal
    most: Literal | None
    until: Literal | None
    span: Span


class Option(Struct, frozen=True, gc=False):
    """One word and its value in a `judge` or `assign` block."""

    word: Name
    value: Name | Votes | tuple[Name, ...]
    span: Span


class Assign(Struct, frozen=True, gc=False):
    options: tuple[Option, ...]
    span: Span


class Task(Struct, frozen=True, gc=False):
    name: Name
    title: String | None
    each: Each | None
    parts: tuple[RecordingFile | Simulated | Turn | Item | Use | Assign, ...]
    span: Span


class Domain(Struct, frozen=True, gc=False):
    name: Name
    title: String | None
    span: Span


class FileStatement(Struct, frozen=True, gc=False):
    """`tools`, `user tools`, `system` or `import` and its file."""

    word: str
    file: String
    span: Span


class Judge(Struct, frozen=True, gc=False):
    options: tuple[Option, ...]
    span: Span


class Backend(Struct, frozen=True, gc=False):
    """`file` is that of `python`, `server` the name of that of `mcp`."""

    word: str
    file: String | None
    server: String | None
    examples: Literal | None
    span: Span


class Simulate(Struct, frozen=True, gc=False):
    backends: tuple[Backend, ...]
    options: tuple[Option, ...]
    span: Span


class TestTrajectory(Struct, frozen=True, gc=False):
    file: String
    span: Span


class Judged(Struct, frozen=True, gc=False):
    item: ItemRef
    verdict: Name
    span: Span


class ExpectItem(Struct, frozen=True, gc=False):
    item: ItemRef
    verdict: Name
    span: Span


class ExpectReward(Struct, frozen=True, gc=False):
    op: str
    value: Literal
    span: Span


class Test(Struct, frozen=True, gc=False):
    name: String
    task: Name
    row: String | None
    parts: tuple[TestTrajectory | Judged | ExpectItem | ExpectReward, ...]
    span: Span


Statement = Domain | FileStatement | Judge | Simulate | Assign | Template | Task | Test


class Doubt(Struct, frozen=True, gc=False):
    """A part of the text that could not be read as it stands.

    With `shape`, what follows may stand in other blocks than was meant; with `name`, a name was
    there that cannot be read, or is missing.
    """

    start: int
    stop: int
    shape: bool = False
    name: bool = False


class File(Struct, frozen=True):
    source: Source
    edition: Literal
    statements: tuple[Statement, ...]
    doubtful: tuple[Doubt, ...] = ()
