"""A spec of talk alone, which a policy of a minute's training is rewarded by now and then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SPEC = """\
cm2 1

domain desk "A service desk"
tools "desk.tools.json"
system "desk.system.md"

task serve "Say it, then say more" each row in "rows.csv" split by split {
  reference "runs.jsonl"
  turn find {
    user "Look up {row.booking}."
    item finds { check reply contains "found" }
    item names { check reply contains row.booking }
    item kind { ask "Is the reply kind?" }
  }
  turn act {
    user "Cancel it."
    item again { check reply contains "gone" }
  }
}
"""
TOOLS = """\
[{"type": "function", "function": {"name": "lookup", "description": "A booking.", "parameters":
 {"type": "object", "properties": {"booking": {"type": "string"}}, "required": ["booking"]}}}]
"""

RUN = """\
preset = "tiny"
steps = 4
group = 4
groups = 2
micro_batch = 2
checkpoint_every = 1
samples = 2
learning_rate = 1e-2
limits = { step_tokens = 12, tokens = 256 }
rows = { draw = "difficulty", resample = 1 }
validation = { every = 2, samples = 2 }
tiny = { hidden = 16, vocabulary = 300, steps = 60, batch = 8, learning_rate = 2e-2 }
"""

PASSING = ("seconds", "memory", "judge", "phases", "per_second")
"""Parts of the names of figures that depend on the machine and the moment. `judge` is what judging
cost: an answer that is in a cache already costs nothing again."""


def talk(folder: Path, rows: int = 8) -> Path:
    """Write the spec; four of its rows are held out."""
    replies = ["found {}", "it is {}", "found it", "no {}"]
    runs = [
        {
            "id": f"r{i}-{k}",
            "task": f"serve/r{i}",
            "messages": [
                {"role": "user", "content": f"Look up AB{i}."},
                {"role": "assistant", "content": reply.format(f"AB{i}")},
                {"role": "user", "content": "Cancel it."},
                {"role": "assistant", "content": "gone" if k % 2 else "done"},
            ],
        }
        for i in range(rows)
        for k, reply in enumerate(replies)
    ]
    files = {
        "desk.cm2": SPEC,
        "desk.tools.json": TOOLS,
        "desk.system.md": "Be brief.\n",
        "rows.csv": "id,booking,split\n"
        + "".join(f"r{i},AB{i},{'heldout' if i < 4 else 'train'}\n" for i in range(rows)),
        "runs.jsonl": "".join(json.dumps(run) + "\n" for run in runs),
        "run.toml": RUN,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder / "desk.cm2"


def kept(value: Any) -> Any:
    """Figures without those that pass. An adapter's settings name the run folder that the model
    below it is in, and its targets in the order of a set."""
    if isinstance(value, Mapping):
        if "base_model_name_or_path" in value:
            base = Path(value["base_model_name_or_path"]).name
            targets = sorted(value["target_modules"])
            value = {**value, "base_model_name_or_path": base, "target_modules": targets}
        return {
            key: kept(one) for key, one in value.items() if not any(part in key for part in PASSING)
        }
    return [kept(one) for one in value] if isinstance(value, list) else value


def lines(path: Path) -> list[Any]:
    """The lines of a log."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def left(run: Path) -> dict[str, Any]:
    """All files of a run folder by name, checkpoints aside: rollouts and weights as bytes, figures
    without those that pass."""
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if not path.is_file() or name == ".lock" or name.startswith("checkpoints/"):
            continue
        if path.name == "README.md":  # peft's, which names the place of the model below
            continue
        if path.suffix == ".jsonl" and name != "rollouts.jsonl":
            found[name] = kept(lines(path))
        elif path.suffix == ".json":
            found[name] = kept(json.loads(path.read_text("utf-8")))
        else:
            found[name] = path.read_bytes()
    return found
