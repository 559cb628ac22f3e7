"""ToolTalk's conversations as specs: one for each folder of them (easy, tooltalk).

IN is a folder that holds conversations, at any depth, or one conversation file:

    {"name", "metadata": {"location", "timestamp", "username", "session_token"}, "user": {…},
     "conversation": [{"role", "text", "apis": [{"request": {"api_name", "parameters"},
                                                 "response", "exception"}]}]}

A user message opens a turn, and a golden call in it becomes an item (tooltalk_calls.py). A turn
with more actions than the golden one is worth 0. One more item stands for ToolTalk's own measure,
success: every golden call was made, and no action but these. It waits for all other items, so
that it cannot be had by doing nothing. Turns without golden calls carry no reward.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cm2.formats.source import SourceFault, read_json, read_text
from cm2.importers import tooltalk_apis as apis
from cm2.importers.options import Options
from cm2.importers.schemas import loosened, read_tools
from cm2.importers.tooltalk_calls import OWN, SAYS, Golden, items_of
from cm2.importers.tooltalk_conversations import (
    Conversation,
    context_of,
    read_conversation,
    recording_of,
)
from cm2dsl.draft.spec import Item, Spec, Task, Turn, Use
from cm2dsl.names import file_name, name_of

HELP = "ToolTalk's conversations: its data folder, one of its folders, or one file"

DATABASES = "databases"

SYSTEM = """\
You are a helpful assistant with tools for the accounts, alarms, calendars, emails, messages and
reminders of users, and for the weather.

Each dialogue begins with a line in square brackets: where and when it takes place and, where a user
is logged in, who it is and the session token to call tools with. Where nobody is logged in, a login
or a registration gives the token.
"""

NOTE = """\
A turn asks for the golden calls of its conversation. `succeeds` is ToolTalk's own measure: it \
waits for all of them, and holds if no action was taken beside them."""

UNSAID = (
    "ToolTalk compares texts by embeddings; checks look for key words, and a judge is asked about"
    " the whole of a message",
    "ToolTalk counts a search by what it finds; checks look at its arguments: one word of a query,"
    " the day of a time",
    "ToolTalk compares the due date of a reminder by its day; checks want the time too, unless it"
    " is the first or last second of a day",
    "ToolTalk compares results; checks look at what was called, because the same call has the same"
    " result",
    "ToolTalk does not measure what the assistant says: its replies are in the recordings only",
    "session tokens and ids are compared as recorded, also where an earlier result gave them: a"
    " backend must give the same",
    f"the databases of ToolTalk's own backend (`{DATABASES}`) are not imported: tools are replayed",
)
DERIVED = (
    "ToolTalk's data holds no tool schemas: tools, arguments and types are those of the calls in"
    " these files, an argument is required where no call lacks it, and nothing is described"
    " (`--tools` takes other schemas)"
)


def read(path: Path, options: Options) -> list[Spec]:
    """The specs of a folder or a file, by name. Raises SourceFault, OSError."""
    folders: dict[Path, list[Conversation]] = {}
    for file in _files(path):
        folders.setdefault(file.parent, []).append(read_conversation(read_json(file), file))
    every = [one for group in folders.values() for one in group]
    calls = [call for one in every for exchange in one.exchanges for call in exchange.calls]
    if options.tools is not None:
        tools = _given_tools(options.tools)
        known = {_function(tool)["name"] for tool in tools}
        _check_known(calls, tools, options.tools)
        given = [(call.api, call.parameters) for call in calls]
        tools, opened = loosened(tools, given, unknown=True)
    else:
        tools = apis.schemas((call.api, call.parameters) for call in calls)
        known, opened = set(), []
    specs = []
    for folder, group in folders.items():
        spec = Spec(_domain(folder, path, options, alone=len(folders) == 1))
        spec.title = "ToolTalk's conversations" + (
            "" if path.is_file() else f" in {file_name(folder)}"
        )
        spec.note = NOTE
        spec.tools = tools
        spec.system = read_text(options.system) if options.system is not None else SYSTEM
        spec.unsaid = [*UNSAID, *([DERIVED] if options.tools is None else []), *opened]
        spec.unsaid += _guessed(calls, known)
        writes = any(_function(tool).get("x-effect") == "write" for tool in tools)
        for one in sorted(group, key=lambda each: each.name):
            _add_task(spec, one, writes)
        if any(
            isinstance(item, Use) for task in spec.tasks for t in task.turns for item in t.items
        ):
            spec.templates = [SAYS]
        specs.append(spec)
    return sorted(specs, key=lambda spec: spec.domain)


# --- files ------------------------------------------------------------------------------------


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [
        file
        for file in sorted(path.rglob("*.json"))
        if not any(
            part == DATABASES or part.startswith(".") for part in file.relative_to(path).parts
        )
    ]
    if not files:
        help = "name ToolTalk's `data` folder, or a conversation file"
        raise SourceFault(str(path), None, "", "there are no conversations", help)
    return files


def _domain(folder: Path, path: Path, options: Options, alone: bool) -> str:
    """`tooltalk`, `tooltalk_easy`, and for a single file its own name."""
    if options.name and alone:
        return options.name
    stem = name_of(path.stem if path.is_file() else folder.name, otherwise="conversations")
    start = options.name or "tooltalk"
    return stem if stem.startswith(start) else f"{start}_{stem}"


def _given_tools(path: Path) -> list[dict[str, Any]]:
    """The schemas of `--tools`, with the effects that ToolTalk's APIs are known to have."""
    tools = read_tools(path)
    for tool in tools:
        tool["function"].setdefault("x-effect", apis.api_of(tool["function"]["name"]).effect)
    return tools


def _check_known(calls: Sequence[Golden], tools: Sequence[dict[str, Any]], path: Path) -> None:
    """Raises SourceFault where the schemas of `--tools` do not know a golden call's parts."""
    schemas = {function["name"]: function for function in map(_function, tools)}
    for call in calls:
        if call.api not in schemas:
            help = "a golden call uses it: add its schema"
            raise SourceFault(str(path), None, "", f"`{call.api}` is missing", help)
        parameters = schemas[call.api].get("parameters") or {}
        properties = parameters.get("properties")
        more = parameters.get("additionalProperties", False)
        if more or not isinstance(properties, dict):
            continue
        for key in call.parameters:
            if key not in properties:
                message = f"`{call.api}` has no parameter `{key}`"
                raise SourceFault(str(path), None, "", message, "a golden call passes it: add it")


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    inner = tool.get("function", tool)
    return inner if isinstance(inner, dict) else {}


def _guessed(calls: Sequence[Golden], known: set[str]) -> Iterator[str]:
    for api in sorted({call.api for call in calls} - set(apis.APIS) - known):
        effect = apis.api_of(api).effect
        yield f"`{api}` is none of ToolTalk's own APIs: from its name it was taken for a {effect}"


# --- tasks ------------------------------------------------------------------------------------


def _add_task(spec: Spec, one: Conversation, writes: bool) -> None:
    taken = [task.name for task in spec.tasks]
    turns: list[Turn] = []
    needed: list[str] = []
    acts = 0
    last = len(one.exchanges) - 1
    context = context_of(one.top)
    for number, exchange in enumerate(one.exchanges):
        calls = exchange.calls
        closes = number == last and not exchange.replies
        name = _turn_name(number, closes, calls, ["dialogue", *(turn.name for turn in turns)])
        items, checked = items_of(calls)
        needed += [f"{name}.{item}" for item in checked]
        acting = sum(call.acts for call in calls)
        acts += acting
        if calls and writes:
            more = f" at_least {acting + 1} times" if acting else ""
            items.append(
                Item(
                    OWN[bool(acting)],
                    kind="never",
                    veto=True,
                    check=f"succeeded any write{more}",
                )
            )
        user = exchange.user if number or not context else f"{context}\n\n{exchange.user}"
        turns.append(Turn(name, user, tuple(items)))
    if not (needed or writes):
        spec.unsaid.append(f"`{one.name}` has no golden calls, and is left out")
        return
    check = f"succeeded any write exactly {acts} time" + ("" if acts == 1 else "s")
    success = Item("succeeds", kind="at_end", after=tuple(needed), check=check)
    whole = (success,) if writes else ()
    carrying = [turn.name for turn in turns if turn.items]
    if one.joined:
        spec.unsaid.append(f"`{one.name}`: user messages in a row were joined to one")
    spec.tasks.append(
        Task(
            name_of(one.name, taken, "conversation"),
            one.name,
            tuple(turns),
            items=whole,
            recordings=(recording_of(one, spec.system),),
            at=(*carrying, *["dialogue"] * len(whole)) if len(carrying) < len(turns) else (),
        )
    )


def _turn_name(number: int, closes: bool, calls: Sequence[Golden], taken: Sequence[str]) -> str:
    """After the first action, else the first look-up; `closing` gets no answer any more."""
    if calls:
        leading = next((call for call in calls if call.acts), calls[0])
        return name_of(apis.api_of(leading.api).about, taken, "turn")
    if closes and number:
        return name_of("closing", taken)
    return name_of("opening" if number == 0 else f"turn_{number + 1}", taken)
