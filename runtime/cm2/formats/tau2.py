"""τ²-bench run files: `{info, tasks, simulations}` as one JSON value, gzip by name.

The tasks that a run was made with are embedded in it; the official verdicts are `reward_info`. A
file `NAME.true_task_id.json` beside `NAME.json` (or `NAME.json.gz`) maps simulations to tasks where
the run recorded wrong ones: `{simulation id: task id}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cm2.formats.criteria import Criteria
from cm2.formats.origin import Accept, Origin, tools_of
from cm2.formats.record import Official, Record, Reject
from cm2.formats.source import Found, SourceFault, read_json
from cm2.formats.tau2_tasks import action, criteria, task_id, task_ids, task_names
from cm2.trajectory import Call, Step, Trajectory, Turn

HELP = "τ²-bench run files"


def read(path: Path, accept: Accept | None = None) -> Iterator[Record | Reject]:
    """The dialogues of a run file, with their official verdicts, if `accept` takes its origin.

    Raises SourceFault where the file as a whole is no run file, and OSError.
    """
    run = read_json(path)
    ids = task_ids(run["tasks"])
    names = task_names(ids)
    tasks = run["tasks"].items()
    wanted = {one: criteria(task) for one, task in zip(ids, tasks, strict=True)}
    corrected = true_task_ids(path)
    if accept is not None:
        accept(_origin(run, wanted.values()))
    for simulation in run["simulations"].items():
        try:
            yield _record(simulation, names, wanted, corrected)
        except SourceFault as fault:
            yield Reject(fault.file, fault.line, fault.path, fault.message, fault.help)


def _origin(run: Found, wanted: Iterable[Criteria]) -> Origin:
    found: Found | None = run
    for key in ("info", "environment_info", "domain_name"):
        found = found.get(key) if found is not None else None
    domain = found.text() if found is not None else ""
    messages = (one.object().get("messages") for one in run["simulations"].items())
    return Origin(run.file, domain, tools_of(wanted, messages))


def true_task_ids(path: Path) -> dict[str, str]:
    """The tasks of simulations by id, out of the file beside a run; empty where there is none."""
    beside = path.with_name(
        path.name.removesuffix(".gz").removesuffix(".json") + ".true_task_id.json"
    )
    if not beside.is_file():
        return {}
    return {key: task_id(value) for key, value in read_json(beside).members()}


def _record(
    simulation: Found,
    names: Mapping[str, str],
    wanted: Mapping[str, Criteria],
    corrected: Mapping[str, str],
) -> Record:
    identity = simulation["id"].filled()
    said = simulation["task_id"]
    task = corrected[identity] if identity in corrected else task_id(said)
    if task not in names:
        raise said.fault(f"there is no task `{task}` in the file", "name one of its `tasks`")
    trajectory = read_messages(simulation["messages"], identity, names[task])
    info = simulation.get("reward_info")
    if info is None or info.get("reward") is None:
        return Record(trajectory)
    goal = wanted[task]
    reward = float(info["reward"].number())
    return Record(trajectory, Official(reward, _verdicts(info, goal), goal, _of_task(info, goal)))


def _of_task(info: Found, goal: Criteria) -> bool:
    """Whether the actions that the run checked, if it did, are the task's, in any order."""
    checked = info.get("action_checks")
    if checked is None:
        return True
    left = list(goal.actions)
    for check in checked.items():
        one = action(check["action"])
        if one not in left:
            return False
        left.remove(one)
    return not left or not checked.value


def _verdicts(info: Found, goal: Criteria) -> dict[str, bool]:
    """The verdicts on single criteria, by the names of the importer's diagnostic items.

    A verdict on something else than the task's criterion of that number (the run was made with
    another edition of the task) is none on it.
    """
    found: dict[str, bool] = {}
    actions = info.get("action_checks")
    for index, check in enumerate(actions.items() if actions is not None else ()):
        if list(goal.actions[index : index + 1]) == [action(check["action"])]:
            found[f"action_{index}"] = check["action_match"].flag()
    words = info.get("communicate_checks")
    for index, check in enumerate(words.items() if words is not None else ()):
        if list(goal.communicate[index : index + 1]) == [check["info"].text()]:
            found[f"communicate_{index}"] = check["met"].flag()
    return found


# --- dialogues --------------------------------------------------------------------------------


def read_messages(messages: Found, identity: str, task: str) -> Trajectory:
    """A dialogue out of τ² messages. Raises SourceFault."""
    opening: list[Step] = []
    turns: list[Turn] = []
    acting = False
    for message in messages.items():
        role = message["role"].text()
        if role == "user":
            calls = _calls(message)
            text = _text(message)
            if not (acting and turns and not turns[-1].steps):
                turns.append(Turn(""))
            last = turns[-1]
            said = "\n".join(part for part in (last.user, text) if part)
            turns[-1] = replace(last, user=said, acts=(*last.acts, *calls))
            acting = bool(calls)
        elif role == "assistant":
            step = Step(reply=_text(message), calls=_calls(message))
            if turns:
                turns[-1] = replace(turns[-1], steps=(*turns[-1].steps, step))
            else:
                opening.append(step)
        elif role == "tool":
            _answer(message, opening, turns)
        elif role != "system":
            raise message["role"].wrong("user, assistant, tool or system")
    return Trajectory(identity, task, tuple(turns), opening=tuple(opening))


def _text(message: Found) -> str:
    content = message.get("content")
    return content.text() if content is not None else ""


def _calls(message: Found) -> tuple[Call, ...]:
    found = message.get("tool_calls")
    calls = []
    for call in found.items() if found is not None else ():
        identity = call.get("id")
        arguments = call["arguments"]
        calls.append(
            Call(
                id=identity.text() if identity is not None else "",
                tool=call["name"].filled(),
                arguments=arguments.object(),
                raw=json.dumps(arguments.object(), ensure_ascii=False),
            )
        )
    return tuple(calls)


def _answer(message: Found, opening: list[Step], turns: list[Turn]) -> None:
    """Give a result to the call that waits for it: by id, the first that has none."""
    identity = message.get("id")
    wanted = identity.text() if identity is not None else ""
    flag = message.get("error")
    failed = flag.flag() if flag is not None else None

    def answered(calls: Sequence[Call]) -> tuple[Call, ...]:
        for index, call in enumerate(calls):
            if call.result is None and wanted in ("", call.id):
                return (
                    *calls[:index],
                    replace(call, result=_text(message), failed=failed),
                    *calls[index + 1 :],
                )
        raise message.fault(f"no call waits for this result for `{wanted}`", "results follow calls")

    if turns and not turns[-1].steps:
        turns[-1] = replace(turns[-1], acts=answered(turns[-1].acts))
        return
    steps = list(turns[-1].steps) if turns else opening
    if not steps:
        raise message.fault("a result before any call", "results follow calls")
    steps[-1] = replace(steps[-1], calls=answered(steps[-1].calls))
    if turns:
        turns[-1] = replace(turns[-1], steps=tuple(steps))
