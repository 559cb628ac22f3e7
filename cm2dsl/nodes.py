"""The syntax tree: what was written, with the place of every part. Nothing is resolved here."""

from __future__ import annotations

from dataclasses import dataclass

from cm2dsl.source import Source, Span


@dataclass(frozen=True, slots=True)
class Name:
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """`row.origin`, or a template's parameter: a name and steps into it."""

    path: tuple[str | int, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class String:
    """Literal pieces and `{references}`, in order."""

    parts: tuple[str | Reference, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    value: int | float | bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class ListValue:
    values: tuple[Value, ...]
    span: Span


Value = String | Literal | Reference | ListValue


@dataclass(frozen=True, slots=True)
class JsonPath:
    """Keys, indices, and None for `[*]`."""

    steps: tuple[str | int | None, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Regex:
    pattern: str
    span: Span


@dataclass(frozen=True, slots=True)
class Constraint:
    negated: bool
    path: JsonPath
    op: str
    value: Value | Regex | None
    tolerance: float | None
    span: Span


@dataclass(frozen=True, slots=True)
class AnyEffect:
    """`any write`: every tool that has this effect."""

    effect: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Pattern:
    """`TOOL(constraints, nothing else) except PATTERN, …`.

    The tool is None for `*`, and a string where it stands in quotes. `exact` is `nothing else`.
    """

    tool: Name | String | AnyEffect | None
    where: tuple[Constraint, ...]
    exact: bool
    but: tuple[Pattern, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Count:
    op: str
    times: Literal


@dataclass(frozen=True, slots=True)
class Called:
    """`word` is `called`, `succeeded` or `failed`."""

    by_user: bool
    word: str
    pattern: Pattern
    count: Count | None
    span: Span


@dataclass(frozen=True, slots=True)
class Before:
    by_user: bool
    first: Pattern
    second: Pattern
    span: Span


@dataclass(frozen=True, slots=True)
class ResultHas:
    by_user: bool
    pattern: Pattern
    has: Constraint
    span: Span


@dataclass(frozen=True, slots=True)
class Replied:
    span: Span


@dataclass(frozen=True, slots=True)
class ReplyContains:
    """`ignoring` holds the characters that are left out before comparing."""

    value: Value
    ignoring: String | None
    span: Span


@dataclass(frozen=True, slots=True)
class ReplyMatches:
    regex: Regex
    span: Span


@dataclass(frozen=True, slots=True)
class ReplyMentions:
    path: JsonPath
    pattern: Pattern
    span: Span


@dataclass(frozen=True, slots=True)
class AnyOf:
    of: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class AllOf:
    of: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Negate:
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


@dataclass(frozen=True, slots=True)
class ItemRef:
    turn: Name | None
    item: Name
    span: Span

    @property
    def text(self) -> str:
        return f"{self.turn.text}.{self.item.text}" if self.turn else self.item.text


@dataclass(frozen=True, slots=True)
class Modifier:
    """`weight 2`, `after a, b`, `strict`, `veto`, `penalty 0.2`."""

    word: str
    number: Literal | None
    refs: tuple[ItemRef, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Focus:
    channel: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Check:
    expr: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Said:
    """`ask`, `pass` or `fail` and its text."""

    word: str
    text: String
    span: Span


@dataclass(frozen=True, slots=True)
class Anchor:
    channel: Name
    text: String
    span: Span


Entry = Focus | Check | Said | Anchor


@dataclass(frozen=True, slots=True)
class Item:
    kind: str
    name: Name
    modifiers: tuple[Modifier, ...]
    entries: tuple[Entry, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    template: Name
    arguments: tuple[Value, ...]
    alias: Name | None
    modifiers: tuple[Modifier, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Template:
    name: Name
    params: tuple[Name, ...]
    kind: str
    modifiers: tuple[Modifier, ...]
    entries: tuple[Entry, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class User:
    text: String
    span: Span


@dataclass(frozen=True, slots=True)
class Turn:
    name: Name
    parts: tuple[User | Item | Use, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Each:
    """`each row in "file.csv" where ... split by column`."""

    row: Name
    file: String
    where: tuple[Constraint, ...]
    split: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Simulated:
    """`user simulated "instructions"`."""

    instructions: String
    span: Span


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """`reference "recordings.jsonl"`."""

    file: String
    span: Span


@dataclass(frozen=True, slots=True)
class Option:
    """One word and its value in a `judge` or `assign` block."""

    word: Name
    value: Name | Literal | tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Assign:
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Task:
    name: Name
    title: String | None
    each: Each | None
    parts: tuple[RecordingFile | Simulated | Turn | Item | Use | Assign, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Domain:
    name: Name
    title: String | None
    span: Span


@dataclass(frozen=True, slots=True)
class FileStatement:
    """`tools`, `user tools`, `system` or `import` and its file."""

    word: str
    file: String
    span: Span


@dataclass(frozen=True, slots=True)
class Judge:
    options: tuple[Option, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Backend:
    word: str
    file: String | None
    examples: Literal | None
    span: Span


@dataclass(frozen=True, slots=True)
class Simulate:
    backends: tuple[Backend, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class TestTrajectory:
    file: String
    span: Span


@dataclass(frozen=True, slots=True)
class Judged:
    item: ItemRef
    verdict: Name
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectItem:
    item: ItemRef
    verdict: Name
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectReward:
    op: str
    value: Literal
    span: Span


@dataclass(frozen=True, slots=True)
class Test:
    name: String
    task: Name
    row: String | None
    parts: tuple[TestTrajectory | Judged | ExpectItem | ExpectReward, ...]
    span: Span


Statement = Domain | FileStatement | Judge | Simulate | Assign | Template | Task | Test


@dataclass(frozen=True, slots=True)
class File:
    source: Source
    edition: Literal
    statements: tuple[Statement, ...]
