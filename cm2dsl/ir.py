"""The typed intermediate representation: what a compiled spec means, with nothing left to resolve.

Every name is resolved, every weight normalised, every file read. The runtime reads this and never
the source. `Spec.model_json_schema()` is the published schema (docs/ir.schema.json).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cm2dsl.checks import show

Channel = Literal["user", "reasoning", "tool_call", "tool_result", "reply"]
Kind = Literal["item", "always", "never", "at_end"]
Split = Literal["train", "heldout"]
Scalar = str | bool | int | float | None


class Node(BaseModel):
    """A frozen record; unknown keys are errors, so that a bundle of another shape is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(Node):
    """Where something was written: file relative to the spec's folder; line and column from 1."""

    file: str
    line: int
    column: int


# --- values -----------------------------------------------------------------------------------


class RowRef(Node):
    """A value out of the task's row: `row.origin` is `("origin",)`."""

    kind: Literal["row"] = "row"
    path: tuple[str | int, ...]
    as_text: bool = False
    """Take the cell as written (CSV), because it is compared with text."""


Text = tuple[str | RowRef, ...]
"""Text with row values in it: literal pieces and references, in order."""


class Constant(Node):
    kind: Literal["constant"] = "constant"
    value: Scalar


class Filled(Node):
    """A string with row values in it."""

    kind: Literal["filled"] = "filled"
    text: Text


class Many(Node):
    """A list of values: what `in` chooses from, or a whole list to be equal to."""

    kind: Literal["many"] = "many"
    values: tuple[Value, ...]


Value = Annotated[Constant | RowRef | Filled | Many, Field(discriminator="kind")]

Path = tuple[str | int | None, ...]
"""Steps into JSON: a key, an index, or None for every element (`[*]`)."""

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "contains", "~", "exists"]


class Constraint(Node):
    """One condition on a JSON value: some value at `path` stands in `op` to `value`.

    `~` searches for the regular expression in `value`; `exists` has no value.
    """

    path: Path
    op: Operator
    value: Value | None = None
    tolerance: float | None = None
    negated: bool = False


# --- checks -----------------------------------------------------------------------------------


class Count(Node):
    op: Literal["at_least", "at_most", "exactly"]
    times: int


Effect = Literal["read", "write", "generic"]


class Called(Node):
    """Calls of `tool` (of any tool where it is None) whose arguments meet every constraint.

    `tools` names several tools in place of one: those with the effect that the spec named. `exact`:
    the call has no argument, at any depth, that no constraint names. `but`: none of these patterns
    meets the call. `by` is who called. `outcome`: whether a result answered the call that is no
    error (`succeeded`) or is one (`failed`).
    """

    kind: Literal["called"] = "called"
    tool: str | None
    tools: tuple[str, ...] | None = None
    where: tuple[Constraint, ...] = ()
    exact: bool = False
    but: tuple[Called, ...] = ()
    by: Literal["agent", "user"] = "agent"
    outcome: Literal["any", "succeeded", "failed"] = "any"
    count: Count | None = None


class Before(Node):
    """Some call that matches `first` comes before every call that matches `second`."""

    kind: Literal["before"] = "before"
    first: Called
    second: Called


class Result(Node):
    """Some result of a matching call meets `has`; a result that is not JSON meets nothing."""

    kind: Literal["result"] = "result"
    call: Called
    has: Constraint


class Replied(Node):
    """The step says something and calls no tool."""

    kind: Literal["replied"] = "replied"


class ReplyContains(Node):
    """Some reply says the value; `ignoring` are characters that are left out on both sides."""

    kind: Literal["reply_contains"] = "reply_contains"
    value: Value
    ignoring: str = ""


class ReplyMatches(Node):
    kind: Literal["reply_matches"] = "reply_matches"
    pattern: str


class ReplyMentions(Node):
    """Some reply mentions a value found at `path` in a result of a matching call."""

    kind: Literal["reply_mentions"] = "reply_mentions"
    call: Called
    path: Path


class And(Node):
    kind: Literal["and"] = "and"
    of: tuple[Check, ...]


class Or(Node):
    kind: Literal["or"] = "or"
    of: tuple[Check, ...]


class Not(Node):
    kind: Literal["not"] = "not"
    of: Check


Check = Annotated[
    Called
    | Before
    | Result
    | Replied
    | ReplyContains
    | ReplyMatches
    | ReplyMentions
    | And
    | Or
    | Not,
    Field(discriminator="kind"),
]

# --- items, turns, tasks ----------------------------------------------------------------------


class Anchor(Node):
    """A verbatim piece of the reference dialogue; `segment` is where it was found first."""

    channel: Channel
    text: Text
    recording: str
    segment: str


class Item(Node):
    """One criterion.

    `name` is unique within its turn; `after` holds full names (`turn.item`; task scope is
    `dialogue.item`). `weight` is normalised within the turn. `check` is the name of the function
    in reward.py; `expr` is what it computes. An item with both `check` and `ask` is decided by
    the check where that can (see docs/language.md) and by the judge where it cannot.
    """

    name: str
    kind: Kind
    weight: float
    after: tuple[str, ...] = ()
    strict: bool = False
    veto: bool = False
    penalty: float = 0.0
    focus: Channel
    check: str | None = None
    expr: Check | None = None
    ask: Text | None = None
    passes: tuple[Text, ...] = ()
    fails: tuple[Text, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    place: Place


class Turn(Node):
    name: str
    user: Text
    items: tuple[Item, ...] = ()
    place: Place


class Row(Node):
    """One row; `values` as typed, `text` as written (CSV only)."""

    key: str
    split: Split
    values: dict[str, Any]
    text: dict[str, str] | None = None


class Assign(Node):
    """How verdicts become advantages. `at` None means every turn; `dialogue` is the task scope."""

    level: Literal["trajectory", "turn", "step"] = "trajectory"
    at: tuple[str, ...] | None = None
    scale: Literal["none", "std"] = "none"
    unreached: Literal["zero", "mask"] = "zero"


class Task(Node):
    """A task; with `rows`, one instance per row, named `task/key`. `items` are task scope.

    Either `turns` are scripted, or `simulated` is what a simulated user is told; the dialogue then
    has as many turns as it takes, and all items are task scope.
    """

    name: str
    title: str = ""
    rows: tuple[Row, ...] | None = None
    reference: str | None = None
    simulated: Text | None = None
    turns: tuple[Turn, ...] = ()
    items: tuple[Item, ...] = ()
    assign: Assign
    place: Place


# --- the spec ---------------------------------------------------------------------------------


class Tool(Node):
    """An OpenAI function schema; `effect` is its `x-effect` where it names one."""

    name: str
    description: str = ""
    parameters: dict[str, Any]
    effect: Effect | None = None


class JudgeProtocol(Node):
    """What the judge sees of the dialogue (`turn`: up to and with the item's turn), and votes."""

    votes: int = 1
    view: Literal["turn", "dialogue"] = "turn"


class Replay(Node):
    kind: Literal["replay"] = "replay"


class PythonBackend(Node):
    kind: Literal["python"] = "python"
    file: str


class LLMBackend(Node):
    kind: Literal["llm"] = "llm"
    examples: int = 4


Backend = Annotated[Replay | PythonBackend | LLMBackend, Field(discriminator="kind")]


class ItemExpectation(Node):
    item: str
    verdict: Literal["pass", "fail", "insufficient", "error"]


class RewardExpectation(Node):
    op: Literal["==", "!=", "<", "<=", ">", ">="]
    value: float


class Test(Node):
    """A `test` block: a recorded trajectory, the judge's verdicts as given, and what must hold."""

    name: str
    task: str
    row: str | None = None
    trajectory: str
    judged: tuple[ItemExpectation, ...] = ()
    expect: tuple[ItemExpectation | RewardExpectation, ...] = ()
    place: Place


class Source(Node):
    file: str
    sha256: str


class Compiler(Node):
    version: str
    sha256: str


class Spec(Node):
    """A whole compiled spec. Files it names lie in the bundle under `files/`."""

    edition: Literal[1]
    domain: str
    title: str = ""
    system: str = ""
    tools: tuple[Tool, ...] = ()
    user_tools: tuple[Tool, ...] = ()
    judge: JudgeProtocol = JudgeProtocol()
    simulate: tuple[Backend, ...] = (Replay(),)
    tasks: tuple[Task, ...]
    tests: tuple[Test, ...] = ()
    sources: tuple[Source, ...]
    compiler: Compiler


def fill(text: Text, row: Row | None) -> str:
    """The text with the row's values in it.

    Raises LookupError where a reference has no row or no such value; the compiler has checked
    that this cannot happen for the rows of a bundle.
    """
    return "".join(part if isinstance(part, str) else show(look_up(part, row)) for part in text)


def look_up(ref: RowRef, row: Row | None) -> Any:
    """The row's value at `ref`."""
    if row is None:
        raise LookupError("a row value is used, but the task has no row")
    if row.text is not None and ref.as_text:
        return row.text[str(ref.path[0])]
    value: Any = row.values
    for step in ref.path:
        value = value[step]
    return value
