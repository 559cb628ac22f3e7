"""Make the study's data beside this file: rows, and recordings of a desk of mixed quality.

    python examples/granularity/make.py [FOLDER]

The same bytes come out on every machine. Each of the desk's decisions goes wrong on its own, with
the shares in `WRONG`: a policy that copies the recordings does everything well sometimes, and all
of it seldom.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
SEED = 11
TRAIN, HELDOUT = 60, 20
DIALOGUES = 6
WRONG = {
    "looks": 0.15,
    "place": 0.4,
    "fee": 0.4,
    "unpaid": 0.2,
    "misread": 0.15,
    "opens": 0.35,
    "receipt": 0.4,
    "code": 0.4,
    "unsent": 0.3,
    "mistaken": 0.15,
    "number": 0.4,
}
LETTERS, DIGITS = "ABCDEFGHJKLMNPQRSTUVWXYZ", "123456789"

Row = dict[str, Any]


def main(folder: Path) -> None:
    rng = random.Random(SEED)
    rows = make_rows(rng)
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    backend = load(HERE / "lockers_backend.py")
    lines = [
        Desk(backend, row, rng).dialogue(f"{row['id']}-{number}")
        for row in rows
        if row["split"] == "train"
        for number in range(DIALOGUES)
    ]
    text = "".join(
        json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines
    )
    (folder / "recordings.jsonl").write_text(text, encoding="utf-8", newline="\n")


def make_rows(rng: random.Random) -> list[Row]:
    """Rows whose codes occur once in all of them."""
    taken: set[str] = set()

    def code() -> str:
        while True:
            found = rng.choice(LETTERS) + "".join(rng.sample(DIGITS, 2))
            if found not in taken:
                taken.add(found)
                return found

    rows = []
    for number in range(TRAIN + HELDOUT):
        split = "train" if number < TRAIN else "heldout"
        codes = {name: code() for name in ("parcel", "locker", "receipt", "code", "mail")}
        fee = int("".join(rng.sample(DIGITS, 2)))
        rows.append({"id": f"r{number:02}", "split": split, **codes, "fee": fee})
    return rows


class Desk:
    """One dialogue of the desk with the station's own systems."""

    def __init__(self, backend: ModuleType, row: Row, rng: random.Random) -> None:
        self._backend = backend
        self._state = backend.initial(row)
        self._row = row
        self._rng = rng
        self._messages: list[dict[str, Any]] = []

    def dialogue(self, name: str) -> dict[str, Any]:
        """The dialogue as a recorded line."""
        row = self._row
        self._user(f"Where is {row['parcel']}?")
        self._find()
        self._user("Pay and open.")
        paid = self._open()
        self._user("Mail the receipt.")
        self._send(paid)
        return {"id": name, "task": f"collect/{row['id']}", "messages": self._messages}

    def _find(self) -> None:
        row = self._row
        told: list[str] = []
        if not self._wrong("looks"):
            self._call("find", parcel=row["parcel"])
            told += [] if self._wrong("place") else [f"locker {row['locker']}"]
            told += [] if self._wrong("fee") else [f"fee {row['fee']}"]
        self._say(told, "here")

    def _open(self) -> bool:
        """Whether the fee was paid."""
        row = self._row
        told: list[str] = []
        paid = False
        if not self._wrong("unpaid"):
            misread = self._wrong("misread")
            amount = int(str(row["fee"])[::-1]) if misread else row["fee"]
            paid = "receipt" in self._call("pay", amount=amount)
        opened = False
        if not self._wrong("opens"):
            opened = "code" in self._call("unlock", locker=row["locker"])
        if paid and not self._wrong("receipt"):
            told.append(f"receipt {row['receipt']}")
        if opened and not self._wrong("code"):
            told.append(f"code {row['code']}")
        self._say(told, "done")
        return paid

    def _send(self, paid: bool) -> None:
        row = self._row
        told: list[str] = []
        if paid and not self._wrong("unsent"):
            receipt = row["code"] if self._wrong("mistaken") else row["receipt"]
            sent = "mail" in self._call("mail", receipt=receipt)
            if sent and not self._wrong("number"):
                told.append(f"mail {row['mail']}")
        self._say(told, "sent")

    def _wrong(self, what: str) -> bool:
        return self._rng.random() < WRONG[what]

    def _user(self, text: str) -> None:
        self._messages.append({"role": "user", "content": text})

    def _say(self, told: list[str], otherwise: str) -> None:
        text = ", ".join(told) or otherwise
        self._messages.append({"role": "assistant", "content": text})

    def _call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        call = f"c{len(self._messages)}"
        function = {"name": tool, "arguments": json.dumps(arguments)}
        asked = {"id": call, "type": "function", "function": function}
        try:
            answer = getattr(self._backend, tool)(self._state, **arguments)
        except ValueError as error:
            answer = {"error": str(error)}
        text = json.dumps(answer, separators=(",", ":"))
        self._messages.append({"role": "assistant", "content": None, "tool_calls": [asked]})
        self._messages.append({"role": "tool", "tool_call_id": call, "content": text})
        return dict(answer)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
