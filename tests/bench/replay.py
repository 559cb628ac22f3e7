"""What `replay` finds in recordings, and how much of it is wrong, on the τ²-bench runs in CM2_DATA.

    CM2_DATA=… python tests/bench/replay.py [DOMAIN …]

Every call of every dialogue is looked up with what really went before it in that dialogue, true
results included, in the recordings of

- `others`: the dialogues of the same task in all other run files of the domain,
- `itself`: the dialogue alone,
- `elsewhere`: all other dialogues of the run file, which are of other tasks (only where the domain
  has one run file: there, no task has a second dialogue).

Four keys are compared: `stateful` (the writes before, and the repetition since), `occurrence` (what
is left where tools have no x-effect: the n-th such call), and `first` and `last`, the plain (tool,
arguments), of which the first or the last recorded result is given. A hit is wrong where the
recorded result of the dialogue is another one; two that are JSON are compared as JSON.

Tools are those of the spec that `cm2 import tau2` makes of the run file. It has no effects of the
user's tools, whose schemas are made from their calls; here, those named `check_…`, `can_…` and
`run_…` read, and the others write.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cm2.bundle import open_spec
from cm2.formats.record import Record
from cm2.formats.tau2 import read
from cm2.importers.options import Options
from cm2.importers.tau2 import read as read_tasks
from cm2.importers.write import write_specs
from cm2.jsonl import JsonError, parse
from cm2.simulate.arguments import canonical
from cm2.simulate.backend import Answer, Asked, Event
from cm2.simulate.recorded import recorded_calls
from cm2.simulate.replay import Recordings
from cm2.simulate.tools import Tools
from cm2.trajectory import Trajectory, has_failed
from cm2dsl import ir

KEYS = ("stateful", "occurrence", "first", "last")
READS = ("check_", "can_", "run_")


@dataclass(frozen=True, slots=True)
class Run:
    """A run file: its dialogues, and its tools with effects and without."""

    name: str
    dialogues: Sequence[Trajectory]
    tools: Tools
    bare: Tools


Asking = tuple[Asked, str]
"""A call with what went before it, and its true result."""


def main(domains: Iterable[str]) -> None:
    root = Path(os.environ["CM2_DATA"]) / "tau2"
    for domain in domains or ("airline", "retail", "telecom"):
        runs = [opened(path) for path in sorted((root / domain / "runs").glob("*.json.gz"))]
        print(f"## {domain}: {sum(len(run.dialogues) for run in runs)} dialogues\n")
        print(repeats(runs) + "\n")
        print("| recordings | run file | who | calls | refused |", end="")
        print("".join(f" {key}: hits | wrong |" for key in KEYS))
        print("|---|---|---|---|---|" + "---|---|" * len(KEYS))
        for kind in ("others", "itself") if len(runs) > 1 else ("itself", "elsewhere"):
            table(kind, runs)
        print()


def table(kind: str, runs: Sequence[Run]) -> None:
    whole: dict[str, Counter[str]] = defaultdict(Counter)
    for run in runs:
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for dialogue in run.dialogues:
            measure(run, dialogue, list(chosen(kind, run, dialogue, runs)), found)
        for who, counts in sorted(found.items()):
            whole[who] += counts
            if kind == "others":
                print(row(kind, run.name, who, counts))
    for who, counts in sorted(whole.items()):
        print(row(kind, "**all**" if len(runs) > 1 else runs[0].name, who, counts))


def chosen(kind: str, run: Run, one: Trajectory, runs: Sequence[Run]) -> Iterator[Trajectory]:
    """The recordings in which the calls of a dialogue are looked up."""
    if kind == "itself":
        yield one
    elif kind == "elsewhere":
        yield from (other for other in run.dialogues if other is not one)
    else:
        for other in runs:
            if other is not run:
                yield from (each for each in other.dialogues if each.task == one.task)


def measure(
    run: Run, one: Trajectory, recordings: Sequence[Trajectory], found: Mapping[str, Counter[str]]
) -> None:
    recorded = {
        "stateful": Recordings(recordings, run.tools),
        "occurrence": Recordings(recordings, run.bare),
    }
    plain = by_arguments(run.tools, recordings)
    for asked, true in calls(run.tools, one, found):
        counts = found[asked.requestor]
        counts["calls"] += 1
        for key in KEYS:
            if key in recorded:
                answer = recorded[key].find(asked)
                text = answer.text if isinstance(answer, Answer) else None
            else:
                texts = plain.get((asked.requestor, asked.tool, asked.key), [])
                text = (texts[0] if key == "first" else texts[-1]) if texts else None
            counts[f"{key} hits"] += text is not None
            counts[f"{key} wrong"] += text is not None and not same(text, true)


def calls(tools: Tools, one: Trajectory, found: Mapping[str, Counter[str]]) -> Iterator[Asking]:
    """The calls of a dialogue; one that the schema refuses is counted, and not asked."""
    history: list[Event] = []
    for recorded in recorded_calls(one):
        call, who = recorded.call, recorded.requestor
        if call.arguments is None or call.result is None:
            continue
        schema = tools.schema(who, call.tool)
        effect = tools.effect(who, call.tool)
        if schema is None or schema.complaint(call.arguments) is not None:
            found[who]["calls"] += 1
            found[who]["refused"] += 1
            found[who]["refused, and failed"] += has_failed(call.result, call.failed)
            key = canonical(call.arguments)
        else:
            meant = schema.meant(call.arguments)
            key = canonical(meant)
            yield Asked(call.tool, meant, key, effect, tuple(history), who), call.result
        answer = Answer(call.result, "replay", failed=call.failed)
        history.append(Event(call.tool, call.arguments, key, effect, answer, who))


def by_arguments(
    tools: Tools, recordings: Sequence[Trajectory]
) -> Mapping[tuple[str, str, str | None], list[str]]:
    texts: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for trajectory in recordings:
        for recorded in recorded_calls(trajectory):
            call, who = recorded.call, recorded.requestor
            if call.arguments is not None and call.result is not None:
                key = tools.key(who, call.tool, call.arguments)
                texts[who, call.tool, key].append(call.result)
    return texts


def repeats(runs: Sequence[Run]) -> str:
    """How often a call that was made before in its dialogue, or its task, returns another thing."""
    said = []
    for scope in ("dialogue", "task", "domain"):
        last: dict[Any, str] = {}
        again: Counter[bool] = Counter()
        for number, run in enumerate(runs):
            for one in run.dialogues:
                where = {"dialogue": (number, one.id), "task": one.task, "domain": ""}[scope]
                for asked, true in calls(run.tools, one, defaultdict(Counter)):
                    called = (where, asked.requestor, asked.tool, asked.key)
                    if called in last:
                        again[not same(last[called], true)] += 1
                    last[called] = true
        said.append(f"{again[True]} of {again.total()} within a {scope}")
    return f"The same call returns something else than the last time: {', '.join(said)}."


def opened(path: Path) -> Run:
    dialogues = [one.trajectory for one in read(path) if isinstance(one, Record)]
    with tempfile.TemporaryDirectory() as folder:
        (made,) = write_specs(read_tasks(path, Options()), Path(folder))
        spec = open_spec(made).spec
    user = [with_effect(tool, reads=tool.name.startswith(READS)) for tool in spec.user_tools]
    agent = [tool if tool.effect else with_effect(tool, reads=True) for tool in spec.tools]
    bare = [[msgspec.structs.replace(tool, effect=None) for tool in ts] for ts in (agent, user)]
    return Run(path.name.removesuffix(".json.gz"), dialogues, Tools(agent, user), Tools(*bare))


def with_effect(tool: ir.Tool, reads: bool) -> ir.Tool:
    return msgspec.structs.replace(tool, effect="read" if reads else "write")


def same(one: str, other: str) -> bool:
    try:
        return bool(parse(one) == parse(other))
    except JsonError:
        return one == other


def row(kind: str, name: str, who: str, counts: Counter[str]) -> str:
    cells = [kind, name, who, f"{counts['calls']}", f"{counts['refused']}"]
    for key in KEYS:
        hits, wrong = counts[f"{key} hits"], counts[f"{key} wrong"]
        cells.append(f"{hits / counts['calls']:.1%}")
        cells.append(f"{wrong} of {hits}" + (f" ({wrong / hits:.1%})" if hits else ""))
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
