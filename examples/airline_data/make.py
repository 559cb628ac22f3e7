"""Make specs/airline/: rows, recordings of scripted agents of mixed quality, test fixtures.

    python examples/airline_data/make.py [FOLDER]

writes to specs/airline/, or to FOLDER. The same bytes come out on every machine.
specs/airline/README.md says what the qualities are.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import random
import sys
from pathlib import Path
from types import ModuleType

from agents import Dialogue, talk
from fixtures import FIXTURES
from rows import BRANCHES, Row, Sampler, make_rows

SPECS = Path(__file__).parents[2] / "specs"
FILES = {"search": "searches", "book": "bookings", "change": "changes", "cancel": "cancellations"}
SEED = 7
DIALOGUES = 2

# Of the 120 dialogues of a branch, two for each training row, of whatever quality: so no row tells
# how it was handled. Where the fare policy matters, more than a third break it, so that copying the
# log teaches the language but not the policy. Seats that are free are rarely refused, though: a
# policy that starts out refusing them would seldom book, and never find out that it pays.
QUALITIES = {
    "search": {"good": 88, "broken": 18, "wrong": 6, "vague": 8},
    "book_open": {"good": 94, "broken": 18, "wrong": 4, "vague": 4},
    "book_full": {"good": 70, "broken": 42, "wrong": 4, "vague": 4},
    "change": {"good": 70, "broken": 42, "wrong": 4, "vague": 4},
    "cancel": {"good": 70, "broken": 42, "wrong": 4, "vague": 4},
}


def main(folder: Path) -> None:
    backend = load(SPECS / "airline_backend.py")
    sampler = Sampler(SEED)
    for part in ("recordings", "fixtures"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    by_key: dict[str, Row] = {}
    for family, name in FILES.items():
        rows = make_rows(family, sampler)
        write(folder / f"{name}.csv", as_csv(rows))
        by_key |= {row["id"]: row for row in rows}
        for branch in BRANCHES[family]:
            chosen = [row for row in rows if row["kind"] == branch and row["split"] == "train"]
            lines = record(family, branch, chosen, backend)
            write(folder / "recordings" / f"{family}_{branch}.jsonl", "".join(lines))
    for name, (task, key, script) in FIXTURES.items():
        dialogue = Dialogue(backend, by_key[key], random.Random(name))
        script(dialogue)
        write(folder / "fixtures" / f"{name}.jsonl", as_line(name, f"{task}/{key}", dialogue))


def record(family: str, branch: str, rows: list[Row], backend: ModuleType) -> list[str]:
    """One dialogue a row, as JSON lines."""
    rng = random.Random(f"{SEED} {family} {branch}")
    mix = QUALITIES.get(f"{family}_{branch}") or QUALITIES[family]
    qualities = [name for name, times in mix.items() for _ in range(times)]
    rng.shuffle(qualities)
    lines = []
    for number, quality in enumerate(qualities):
        row = rows[number // DIALOGUES]
        dialogue = Dialogue(backend, row, rng)
        talk(family, quality, dialogue)
        name = f"{row['id']}-{number % DIALOGUES + 1}"
        lines.append(as_line(name, f"{family}_{branch}/{row['id']}", dialogue))
    return lines


def as_line(name: str, task: str, dialogue: Dialogue) -> str:
    line = {"id": name, "task": task, "messages": dialogue.messages}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def as_csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SPECS / "airline")
