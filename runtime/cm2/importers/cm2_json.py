"""The CM2 paper's annotated dialogues as specs, without loss (annotated.py has the format).

A variant of a dialogue's checklists becomes a task, with the dialogue as its recording:

    question               ask            required_for_next_turn   strict
    pass_condition         pass           dependence               after
    failure_examples       fail           weight                   weight, as written
    focus_on               focus          evidence                 anchor, where it is verbatim

Nothing is turned into a check, however much a question asks for one. What the language has no word
for stays in the recording, from which `cm2 export cm2-json` brings it back. A spec has one set of
tools and one system prompt, so dialogues that share both share a spec.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cm2 import annotated
from cm2.formats.source import Found, SourceFault, read_json, read_lines
from cm2.importers.cm2_json_items import never_ready, read_item, refuse_circles, unsaid
from cm2.importers.cm2_json_names import item_name
from cm2.importers.options import Options
from cm2.trajectory import Trajectory
from cm2dsl.chat import ChatError, from_chat
from cm2dsl.draft.spec import Item, Spec, Task, Turn
from cm2dsl.names import name_of

HELP = "the CM2 paper's annotated dialogues: a JSON file (or JSON Lines), without loss"

READ = ("uuid", "messages", "tools", "checklists", "checklist")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A dialogue and its checklists; `single` where there is one, without a list of them."""

    top: Found
    trajectory: Trajectory
    tools: list[dict[str, Any]]
    variants: list[list[list[Found]]]
    single: bool


def read(path: Path, options: Options) -> list[Spec]:
    """The specs of a file. Raises SourceFault, OSError."""
    name = options.name or name_of(path.name.split(".")[0], otherwise="checklists")
    tops = list(read_lines(path)) if ".jsonl" in path.suffixes else _entries(read_json(path))
    if not tops:
        raise SourceFault(str(path), None, "", "there are no dialogues", "fetch the file again")
    groups: list[list[_Entry]] = []
    for number, top in enumerate(tops):
        entry = _entry(top, number)
        for group in groups:
            if _together(group[0], entry):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return [
        _spec(name if len(groups) == 1 else f"{name}_{number}", group)
        for number, group in enumerate(groups, start=1)
    ]


def _entries(top: Found) -> list[Found]:
    return [top] if isinstance(top.value, dict) else list(top.items())


def _together(one: _Entry, other: _Entry) -> bool:
    same_tools = annotated.same(one.tools, other.tools)
    return same_tools and one.trajectory.system == other.trajectory.system


# --- dialogues ------------------------------------------------------------------------------------


def _entry(top: Found, number: int) -> _Entry:
    uuid = top.get("uuid")
    trajectory = _dialogue(top, uuid.text() if uuid is not None else f"dialogue {number + 1}")
    single = top.get("checklists") is None and top.get("checklist") is not None
    variants = [top["checklist"]] if single else list(top["checklists"].items())
    if not variants:
        raise top["checklists"].fault("is empty", "a dialogue without a checklist is no task")
    return _Entry(
        top,
        trajectory,
        _tools(top),
        [_variant(found, len(trajectory.turns)) for found in variants],
        single,
    )


def _dialogue(top: Found, id: str) -> Trajectory:
    messages = top["messages"]
    list(messages.items())  # raises where it is no list
    try:
        trajectory = from_chat({"id": id, "messages": messages.value}, file="", line=0)
    except ChatError as error:
        at = "" if error.index is None else f"[{error.index}]"
        raise replace(messages, path=messages.path + at).fault(
            error.message.removeprefix(f"messages{at}: "), error.help
        ) from None
    if not trajectory.turns:
        raise messages.fault("holds no user message", "a user message opens a turn")
    return trajectory


def _tools(top: Found) -> list[dict[str, Any]]:
    found = top.get("tools")
    names: set[str] = set()
    tools = []
    for each in found.items() if found is not None else ():
        function = each.get("function") or each
        name = function["name"].filled()
        if name in names:
            raise function["name"].fault(f"`{name}` stands twice", "keep one of the two")
        parameters = function.get("parameters")
        if parameters is not None:
            parameters.bounded().object()
        names.add(name)
        tools.append(each.object())
    return tools


def _variant(found: Found, turns: int) -> list[list[Found]]:
    checklist = [list(turn.items()) for turn in found.items()]
    if len(checklist) > turns:
        help = "a turn of the checklist belongs to a user message"
        raise found.fault(f"has {len(checklist)} turns, and the dialogue {turns}", help)
    if not any(checklist):
        raise found.fault("holds no item", "take this variant out")
    return checklist


# --- specs ----------------------------------------------------------------------------------------


def _spec(name: str, group: Sequence[_Entry]) -> Spec:
    spec = Spec(name, "Annotated dialogues of the CM2 paper")
    spec.tools = group[0].tools
    spec.system = group[0].trajectory.system
    for number, entry in enumerate(group, start=1):
        for variant, checklist in enumerate(entry.variants):
            many = f"_variant_{variant + 1}" if len(entry.variants) > 1 else ""
            spec.tasks.append(_task(f"dialogue_{number}{many}", entry, variant, checklist, spec))
    return spec


def _task(name: str, entry: _Entry, variant: int, checklist: list[list[Found]], spec: Spec) -> Task:
    trajectory = entry.trajectory
    names: list[list[str]] = []
    ids = [_ids(items) for items in checklist]
    for items in checklist:
        taken: list[str] = []
        for found in items:
            taken.append(item_name(found["question"].filled(), taken))
        names.append(taken)
    turns: list[Turn] = []
    kept: dict[str, Any] = {}
    for number, recorded in enumerate(trajectory.turns):
        turn = f"turn_{number + 1}"
        items = checklist[number] if number < len(checklist) else []
        drafts: list[Item] = []
        for index, found in enumerate(items):
            item, residue = read_item(found, number, index, ids, names, trajectory)
            drafts.append(item)
            spec.unsaid += unsaid(found, item, residue)
            if residue:
                kept[f"{turn}.{item.name}"] = residue
        if items:
            refuse_circles(items, drafts, ids[number])
            if not any(item.weight != 0 for item in drafts):
                help = "give an item of the turn a weight"
                raise items[0]["weight"].fault("all weights of the turn are 0", help)
        spec.unsaid += never_ready(drafts, trajectory, number)
        turns.append(Turn(turn, recorded.user, tuple(drafts)))
    with_items = tuple(turn.name for turn in turns if turn.items)
    residue = _entry_residue(entry, variant) | {"turns": len(checklist), "items": kept}
    return Task(
        name,
        trajectory.id,
        tuple(turns),
        recordings=(replace(trajectory, extra={annotated.RESIDUE: residue}),),
        at=with_items if len(with_items) < len(turns) else (),
    )


def _entry_residue(entry: _Entry, variant: int) -> dict[str, Any]:
    """What belongs to the dialogue as a whole: the variant, and what has no other place."""
    source = entry.top.object()
    messages = annotated.messages_residue(
        annotated.messages_of(entry.trajectory), source["messages"]
    )
    kept: dict[str, Any] = {"variant": variant}
    if entry.single:
        kept["single"] = True
    if messages:
        kept["messages"] = messages
    more = {key: source[key] for key in source if key not in READ}
    if more:
        kept["more"] = more
    absent = [key for key in ("uuid", "tools") if key not in source]
    if absent:
        kept["absent"] = absent
    return kept


def _ids(items: Sequence[Found]) -> list[str]:
    ids: list[str] = []
    for index, found in enumerate(items):
        given = found.get("id")
        id = given.filled() if given is not None else annotated.item_id(index)
        if id in ids:
            raise (given or found).fault(f"`{id}` stands twice in its turn", "rename one")
        ids.append(id)
    return ids
