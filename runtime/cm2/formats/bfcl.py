"""BFCL's multi-turn result files: what a model did, and what BFCL's own checker says of it.

A result file has an entry a line, `{"id": …, "result": [turn][step]}`. A step is what the model
answered once:

- a list of `{function: arguments}`, from models that call functions; the arguments are JSON, as
  text or as an object. An empty list is an answer without a call whose words were not kept;
- text: a reply, or from models that write their calls as text, calls (bfcl_text.py).

The user's words, the tools' results and the model's thoughts stand in `inference_log`, where the
file has it. Without it, words and thoughts are empty, and the calls have no results.

The score file has a header, `{"accuracy", "correct_count", "total_count"}`, and then the entries
that failed, with `"valid": false`. It is looked for beside the result file, and in the folder
`score` that BFCL writes next to `result`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cm2.formats.bfcl_calls import task_name
from cm2.formats.bfcl_text import read_step
from cm2.formats.record import Official, Record, Reject
from cm2.formats.source import Found, SourceFault, read_bytes, read_lines
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl.chat import arguments
from cm2dsl.jsonl import JsonError, lines, parse


def read(path: Path, score: Path | None = None) -> Iterator[Record | Reject]:
    """The dialogues of a result file; `score` is its score file, looked for where it is None.

    Raises SourceFault where the score file is none, or that of other results; and OSError.
    """
    score = score or _score_file(path)
    entries = list(lines(read_bytes(path).splitlines(keepends=True)))
    failed = None if score is None else _failed(score, len(entries))
    for number, line in entries:
        try:
            found = Found(parse(line), str(path), number)
            trajectory = _trajectory(found)
        except JsonError as error:
            yield Reject(str(path), number, "", error.message, error.help)
        except SourceFault as fault:
            yield Reject(fault.file, fault.line, fault.path, fault.message, fault.help)
        else:
            official = None if failed is None else Official(float(trajectory.id not in failed))
            yield Record(trajectory, official, number)


# --- scores -----------------------------------------------------------------------------------


def _score_file(path: Path) -> Path | None:
    """Where BFCL writes the score of a result file, if there is one."""
    name = path.name.replace("_result", "_score")
    if name == path.name:
        return None
    places = [path.with_name(name)]
    parts = path.absolute().parent.parts
    for index in reversed(range(len(parts))):
        if parts[index].startswith("result"):
            swapped = "score" + parts[index].removeprefix("result")
            places.append(Path(*parts[:index], swapped, *parts[index + 1 :], name))
    return next((place for place in places if place.is_file()), None)


def _failed(path: Path, entries: int) -> set[str]:
    """The ids of the entries that failed, of as many as the result file has."""
    found = read_lines(path)
    header = next(found, None)
    if header is None:
        raise SourceFault(
            str(path), None, "", "the score file is empty", "run BFCL's checker again"
        )
    total, correct = header["total_count"].whole(), header["correct_count"].whole()
    if total != entries:
        message = f"this is the score of {total} entries, and the results have {entries}"
        raise header["total_count"].fault(message, "name the score file of these results")
    failed = {entry["id"].filled() for entry in found if not entry["valid"].flag()}
    if len(failed) != total - correct:
        message = f"{total - correct} entries failed, and {len(failed)} are listed"
        raise header["correct_count"].fault(message, "run BFCL's checker again")
    return failed


# --- dialogues --------------------------------------------------------------------------------


def _trajectory(found: Found) -> Trajectory:
    id = found["id"].filled()
    result = found["result"]
    if isinstance(result.value, str):
        help = "BFCL writes a string where the run failed: run the entry again"
        raise result.fault(f"the model was not asked to the end: {result.value[:100]}", help)
    logs = _logs(found.value.get("inference_log"))
    turns = [
        _turn(each, number, logs[number] if number < len(logs) else {})
        for number, each in enumerate(result.items())
    ]
    return Trajectory(id, task_name(id), tuple(turns))


def _logs(log: Any) -> list[Mapping[str, Any]]:
    """What is logged of each turn; the log has the backend's states in between."""
    return [each for each in log if isinstance(each, dict)] if isinstance(log, list) else []


def _turn(found: Found, number: int, log: Mapping[str, Any]) -> Turn:
    query = log.get("begin_of_turn_query")
    said = [
        message["content"]
        for message in (query if isinstance(query, list) else ())
        if isinstance(message, dict)
        and message.get("role") == "user"
        and isinstance(message.get("content"), str)
    ]
    steps = [
        _step(each, f"t{number}s{index}", log.get(f"step_{index}"))
        for index, each in enumerate(found.items())
    ]
    return Turn("\n\n".join(said), tuple(steps))


def _step(found: Found, stem: str, log: Any) -> Step:
    step = read_step(found.value, stem) if isinstance(found.value, str) else _called(found, stem)
    entries = [each for each in log if isinstance(each, dict)] if isinstance(log, list) else []
    thoughts = [each.get("reasoning_content") for each in entries]
    results = [each.get("content") for each in entries if each.get("role") == "tool"]
    calls = step.calls
    if len(results) == len(calls) and all(isinstance(each, str) for each in results):
        pairs = zip(calls, results, strict=True)
        calls = tuple(replace(call, result=result) for call, result in pairs)
    reasoning = "\n".join(each for each in thoughts if isinstance(each, str) and each)
    return replace(step, calls=calls, reasoning=reasoning)


def _called(found: Found, stem: str) -> Step:
    """The step of a model that calls functions."""
    calls: list[Call] = []
    for each in found.items():
        for name, given in each.members():
            id = f"{stem}c{len(calls)}"
            if isinstance(given.value, dict):
                raw = json.dumps(given.value, ensure_ascii=False)
                calls.append(Call(id, name, given.value, raw))
            else:
                calls.append(Call(id, name, arguments(given.text()), given.text()))
    return Step(calls=tuple(calls))
