"""Results of τ-bench, the first edition (sierra-research/tau-bench): one JSON list a run.

    [{"task_id": 3, "trial": 0, "reward": 1.0, "traj": [OpenAI messages],
      "info": {"task": {…}, "reward_info": {"info": {"outputs": {"12 days": true}}}}}]

`reward` is the official result. τ-bench compares the database after the run with the one that the
reference actions leave, so there is no verdict on a single action; where a task has outputs, there
is one on each: `communicate_N`. A run that broke off with an error is no dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from cm2.formats.criteria import Action, Criteria
from cm2.formats.origin import Accept, Origin, tools_of
from cm2.formats.record import Official, Record, Reject
from cm2.formats.source import COMPARED, Found, SourceFault, read_json
from cm2.formats.streaming import dialogue
from cm2dsl.names import name_of

HELP = "τ-bench result files (the first edition)"

RESPOND = "respond"
"""The action that says something instead of calling a tool."""

TEXT_RESULT = "API output: "
"""How τ-bench's agents without tool calls (`act`, `react`) are told a tool's result, as a user."""


def read(path: Path, accept: Accept | None = None) -> Iterator[Record | Reject]:
    """The dialogues of a result file, if `accept` takes its origin.

    Raises SourceFault where it is no JSON list or an empty one, and OSError.
    """
    top = read_json(path)
    if not isinstance(top.value, list):
        raise top.wrong("a list of results; results of τ²-bench have the format `tau2`")
    if not top.value:
        raise top.fault("the list holds no result", "name the file of a finished run")
    if accept is not None:
        accept(_origin(top))
    for found in top.items():
        try:
            record = _record(found)
        except SourceFault as fault:
            yield Reject(fault.file, fault.line, fault.path, fault.message, fault.help)
        except RecursionError:
            yield Reject(found.file, None, found.path, "nested too deeply", "write it flatter")
        else:
            yield record


def _origin(top: Found) -> Origin:
    """A result file names no domain; its tasks may lack, and a fault in one is found later."""
    wanted: list[Criteria] = []
    for found in top.items():
        with suppress(SourceFault, RecursionError):
            wanted.append(criteria(found["info"]["task"]))
    messages = [one.value.get("traj") for one in top.items() if isinstance(one.value, dict)]
    return Origin(top.file, "", tools_of(wanted, messages))


def _record(found: Found) -> Record:
    task = found["task_id"].whole()
    trial = found.get("trial")
    info = found.get("info")
    error = info.get("error") if info else None
    if error is not None:
        raise error.fault(f"the run broke off: {_short(error)}", "run the task again")
    messages = found["traj"]
    if not list(messages.items()):
        raise messages.fault("there are no messages", "run the task again")
    _refuse_text_actions(messages)
    reward = found["reward"]
    if not 0 <= reward.number() <= 1:
        raise reward.wrong("a number from 0 to 1")
    id = f"{task}" if trial is None else f"{task}.{trial.whole()}"
    chat = {"id": id, "task": name_of(f"task {task}"), "messages": messages.value}
    places = [f"traj[{i}]" for i in range(len(messages.value))]
    wanted = criteria(info["task"]) if info and info.get("task") else None
    said = _verdicts(info) if info else {}
    listed = wanted.communicate if wanted else ()
    items = {f"communicate_{i}": said[text] for i, text in enumerate(listed) if text in said}
    official = Official(float(reward.number()), items, wanted)
    return Record(dialogue(found, 1, chat, places), official)


def _short(error: Found) -> str:
    lines = error.text().strip().splitlines()
    return f"`{lines[0][:80]}`" if lines else "no word says why"


def _refuse_text_actions(messages: Found) -> None:
    for message in messages.items():
        content = message.object().get("content")
        said_by_user = message.value.get("role") == "user"
        if said_by_user and isinstance(content, str) and content.startswith(TEXT_RESULT):
            help = "run the strategy `tool-calling`: `act` and `react` write calls as text"
            raise message.fault("a tool's result stands where the user speaks", help)


def criteria(task: Found) -> Criteria:
    """A task's reference actions and outputs. Raises SourceFault."""
    actions, outputs = task.get("actions"), task.get("outputs")
    return Criteria(
        actions=tuple(
            Action(False, action["name"].filled(), action["kwargs"].bounded(COMPARED).object())
            for action in (actions.items() if actions else ())
            if action["name"].value != RESPOND
        ),
        communicate=tuple(outputs.texts()) if outputs else (),
    )


def _verdicts(info: Found) -> Mapping[str, bool]:
    """Whether each output was said, by its text, where the file says it."""
    outer = info.get("reward_info")
    inner = outer.get("info") if outer else None
    outputs = inner.get("outputs") if inner else None
    return {text: found.flag() for text, found in outputs.members()} if outputs else {}
