"""What the tests of calibration share: a spec with questions, dialogues, labels and a judge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from cm2.cli import main

SPEC = """\
cm2 1
domain desk "A service desk"
tools "tools.json"
template kind(what) {
  focus reply
  ask  "Is the {what} reply kind?"
  pass "Greets & thanks"
  fail "Is <b>rude</b>"
}
task serve "Serve" {
  turn find {
    user "Find it."
    use kind(first) as kind
    item looks { check called lookup  ask "Did it look?" }
    item polite { focus reply  ask "回复是否礼貌？" }
  }
  turn act {
    user "Do it."
    use kind(second) as kind
  }
  item calm { focus tool_call  ask "Is the agent calm throughout?" }
}
"""
TOOLS = [{"name": "lookup", "parameters": {"type": "object", "properties": {}}}]
ITEMS = ("find.kind", "find.polite", "act.kind", "dialogue.calm")


def write(folder: Path, dialogues: int = 12, reply: str = "Hello, thank you") -> Path:
    """The spec and its dialogues, `d0`, `d1` and so on, in `dialogues.jsonl`; the spec's path."""
    (folder / "tools.json").write_text(json.dumps(TOOLS), "utf-8")
    (folder / "desk.cm2").write_text(SPEC, "utf-8")
    says = [
        {"role": "user", "content": "Find it."},
        {"role": "assistant", "content": reply},
        {"role": "user", "content": "Do it."},
        {"role": "assistant", "content": "Done, thank you"},
    ]
    lines(folder / "dialogues.jsonl", ({"id": f"d{i}", "messages": says} for i in range(dialogues)))
    return folder / "desk.cm2"


def lines(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    return path


def says(id: str, item: str, verdict: str, **more: Any) -> dict[str, Any]:
    """A verdict, as labels and the engine `replay` have it."""
    return {"id": id, "item": item, "verdict": verdict, **more}


def replaying(folder: Path, verdicts: Iterable[Mapping[str, Any]], name: str = "judge") -> Path:
    """The settings of a judge that says these."""
    lines(folder / f"{name}.verdicts.jsonl", verdicts)
    settings = folder / f"{name}.toml"
    settings.write_text(f'engine = "replay"\nverdicts = "{name}.verdicts.jsonl"\n', "utf-8")
    return settings


def cm2(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["judge", *map(str, arguments)], catch_exceptions=False)
