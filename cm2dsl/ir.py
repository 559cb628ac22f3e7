"""The typed intermediate representation: what a compiled spec means, with nothing left to resolve.

Every name is resolved, every weight normalised, every file read. The runtime reads this and never
the source. As JSON it has the keys of these records, and `kind` where several may stand in one
place; `schema()` is published (docs/ir.schema.json).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from cm2dsl.checks import show

Channel = Literal["user", "reasoning", "tool_call", "tool_result", "reply"]
Kind = Literal["item", "always", "never", "at_end"]
Split = Literal["train", "heldout"]
Level = Literal["trajectory", "turn", "step"]
Scale = Literal["none", "std"]
Unreached = Literal["zero", "mask"]
View = Literal["turn", "dialogue"]
Malformed = Literal["go_on", "end"]
Outcome = Literal["any", "succeeded", "failed"]
Expected = Literal["pass", "fail", "insufficient", "error"]
DIALOGUE = "dialogue"
"""The turn that task-scope items count as; its steps are those of the whole dialogue."""

Scalar = str | bool | int | float | None


class Node(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A frozen record; unknown keys are errors, so that a bundle of another shape is noticed."""


class OneOf(Node, frozen=True, tag_field="kind", tag=str.lower):
    """A record that is told from the others in its place by `kind`."""


class Place(Node, frozen=True):
    """Where something was written: file relative to the spec's folder; line and column from 1."""

    file: str
    line: int
    column: int


# --- values -----------------------------------------------------------------------------------


class RowRef(OneOf, frozen=True, tag="row"):
    """A value out of the task's row: `row.origin` is `("origin",)`.

    `as_text`: take the cell as written (CSV), because it is compared with text.
    """

    path: tuple[str | int, ...]
    as_text: bool = False


Text = tuple[str | RowRef, ...]
"""Text with row values in it: literal pieces and references, in order."""


class Constant(OneOf, frozen=True):
    """A value as it is written."""

    value: Scalar


class Filled(OneOf, frozen=True):
    """A string with row values in it."""

    text: Text


class Many(OneOf, frozen=True):
    """A list of values: what `in` chooses from, or a whole list to be equal to."""

    values: tuple[Value, ...]


Value = Constant | RowRef | Filled | Many

Path = tuple[str | int | None, ...]
"""Steps into JSON: a key, an index, or None for every element (`[*]`)."""

Order = Literal["==", "!=", "<", "<=", ">", ">="]
Operator = Literal[Order, "in", "contains", "~", "exists"]


class Constraint(Node, frozen=True):
    """One condition on a JSON value: some value at `path` stands in `op` to `value`.

    `~` searches for the regular expression in `value`; `exists` has no value.
    """

    path: Path
    op: Operator
    value: Value | None = None
    tolerance: float | None = None
    negated: bool = False


# --- checks -----------------------------------------------------------------------------------


Bound = Literal["at_least", "at_most", "exactly"]


class Count(Node, frozen=True):
    """How many calls there must be."""

    op: Bound
    times: int


Effect = Literal["read", "write", "generic"]


class Called(OneOf, frozen=True):
    """Calls of `tool` (of any tool where it is None) whose arguments meet every constraint.

    `tools` names several tools in place of one: those with the effect that the spec named. `exact`:
    the call has no argument, at any depth, that no constraint names. `but`: none of these patterns
    meets the call. `by` is who called. `outcome`: whether a result answered the call that is no
    error (`succeeded`) or is one (`failed`).
    """

    tool: str | None
    tools: tuple[str, ...] | None = None
    where: tuple[Constraint, ...] = ()
    exact: bool = False
    but: tuple[Called, ...] = ()
    by: Literal["agent", "user"] = "agent"
    outcome: Outcome = "any"
    count: Count | None = None


class Before(OneOf, frozen=True):
    """Some call that matches `first` comes before every call that matches `second`."""

    first: Called
    second: Called


class Result(OneOf, frozen=True):
    """Some result of a matching call meets `has`; a result that is not JSON meets nothing."""

    call: Called
    has: Constraint


class Replied(OneOf, frozen=True):
    """The step says something and calls no tool."""


class ReplyContains(OneOf, frozen=True, tag="reply_contains"):
    """Some reply says the value; `ignoring` are characters that are left out on both sides."""

    value: Value
    ignoring: str = ""


class ReplyMatches(OneOf, frozen=True, tag="reply_matches"):
    """The regular expression is found in some reply."""

    pattern: str


class ReplyMentions(OneOf, frozen=True, tag="reply_mentions"):
    """Some reply mentions a value found at `path` in a result of a matching call."""

    call: Called
    path: Path


class And(OneOf, frozen=True):
    """Every part is true."""

    of: tuple[Check, ...]


class Or(OneOf, frozen=True):
    """Some part is true."""

    of: tuple[Check, ...]


class Not(OneOf, frozen=True):
    """The part is not true."""

    of: Check


Check = (
    Called
    | Before
    | Result
    | Replied
    | ReplyContains
    | ReplyMatches
    | ReplyMentions
    | And
    | Or
    | Not
)

# --- items, turns, tasks ----------------------------------------------------------------------


class Anchor(Node, frozen=True):
    """A verbatim piece of the reference dialogue; `segment` is where it was found first."""

    channel: Channel
    text: Text
    recording: str
    segment: str


class Item(Node, frozen=True):
    """One criterion.

    `name` is unique within its turn; `after` holds full names (`turn.item`; task scope is
    `dialogue.item`). `weight` is normalised within the turn. `check` is the name of the function
    in reward.py; `expr` is what it computes. An item with both `check` and `ask` is decided by
    the check where that can (see docs/language.md) and by the judge where it cannot.
    """

    name: str
    kind: Kind
    weight: float
    focus: Channel
    place: Place
    after: tuple[str, ...] = ()
    strict: bool = False
    veto: bool = False
    penalty: float = 0.0
    check: str | None = None
    expr: Check | None = None
    ask: Text | None = None
    passes: tuple[Text, ...] = ()
    fails: tuple[Text, ...] = ()
    anchors: tuple[Anchor, ...] = ()


class Turn(Node, frozen=True):
    """A user message and what is asked of the agent until it calls no more tools."""

    name: str
    user: Text
    place: Place
    items: tuple[Item, ...] = ()


class Row(Node, frozen=True):
    """One row; `values` as typed, `text` as written (CSV only)."""

    key: str
    split: Split
    values: dict[str, Any]
    text: dict[str, str] | None = None


class Assign(Node, frozen=True):
    """How verdicts become advantages. `at` None means every turn; `dialogue` is the task scope."""

    level: Level = "trajectory"
    at: tuple[str, ...] | None = None
    scale: Scale = "none"
    unreached: Unreached = "zero"


class Task(Node, frozen=True):
    """A task; with `rows`, one instance per row, named `task/key`. `items` are task scope.

    Either `turns` are scripted, or `simulated` is what a simulated user is told; the dialogue then
    has as many turns as it takes, and all items are task scope.
    """

    name: str
    assign: Assign
    place: Place
    title: str = ""
    rows: tuple[Row, ...] | None = None
    reference: str | None = None
    simulated: Text | None = None
    turns: tuple[Turn, ...] = ()
    items: tuple[Item, ...] = ()


# --- the spec ---------------------------------------------------------------------------------


class Tool(Node, frozen=True):
    """An OpenAI function schema; `effect` is its `x-effect` where it names one.

    `returns` is the JSON Schema of its result, MCP's `outputSchema`; None where it has none.
    """

    name: str
    parameters: dict[str, Any]
    description: str = ""
    effect: Effect | None = None
    returns: dict[str, Any] | None = None


class JudgeProtocol(Node, frozen=True):
    """What the judge sees of the dialogue (`turn`: up to and with the item's turn), and votes.

    With `first` and `until`, so many votes come first, and only where the judge is less sure of
    them than `until` all the others.
    """

    votes: int = 1
    view: View = "turn"
    first: int | None = None
    until: float | None = None


class Replay(OneOf, frozen=True):
    """Calls are answered as they were recorded."""


class PythonBackend(OneOf, frozen=True, tag="python"):
    """Calls are answered by functions of a Python file."""

    file: str


class LLMBackend(OneOf, frozen=True, tag="llm"):
    """Calls are answered by a model that sees so many recorded examples."""

    examples: int = 4


class MCPBackend(OneOf, frozen=True, tag="mcp"):
    """Calls are answered by the real tools of an MCP server, which the run's settings describe."""

    server: str


Backend = Replay | PythonBackend | LLMBackend | MCPBackend


class ItemExpectation(OneOf, frozen=True, tag="item"):
    """An item and a verdict on it."""

    item: str
    verdict: Expected


class RewardExpectation(OneOf, frozen=True, tag="reward"):
    """The reward stands in `op` to `value`."""

    op: Order
    value: float


class Test(Node, frozen=True):
    """A `test` block: a recorded trajectory, the judge's verdicts as given, and what must hold."""

    name: str
    task: str
    trajectory: str
    place: Place
    row: str | None = None
    judged: tuple[ItemExpectation, ...] = ()
    expect: tuple[ItemExpectation | RewardExpectation, ...] = ()


class Source(Node, frozen=True):
    """A file that was read, relative to the folder of the spec."""

    file: str
    sha256: str


class Compiler(Node, frozen=True):
    """What compiled the spec: `sha256` is that of its own source."""

    version: str
    sha256: str


class Spec(Node, frozen=True):
    """A whole compiled spec. Files it names lie in the bundle under `files/`.

    `malformed` says whether a rollout goes on after a call that cannot be read, or ends.
    """

    edition: Literal[1]
    domain: str
    tasks: tuple[Task, ...]
    sources: tuple[Source, ...]
    compiler: Compiler
    title: str = ""
    system: str = ""
    tools: tuple[Tool, ...] = ()
    user_tools: tuple[Tool, ...] = ()
    judge: JudgeProtocol = JudgeProtocol()
    simulate: tuple[Backend, ...] = (Replay(),)
    malformed: Malformed = "go_on"
    tests: tuple[Test, ...] = ()


def schema() -> dict[str, Any]:
    """The JSON Schema of a spec as JSON."""
    from inspect import cleandoc

    whole = msgspec.json.schema(Spec)
    for definition in whole["$defs"].values():
        # Python keeps the indentation of a docstring until 3.13.
        definition["description"] = cleandoc(definition["description"])
    return whole


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
