"""What a call of a Python backend costs in its process, against calling its function here.

    python tests/bench/python_backend.py

Plays every row of the shipped airline spec's booking tasks, in rounds of 64 rollouts at once: each
looks its booking up, fails to look another one up, and changes it. The rival loads the same file
and calls the same functions with the same arguments, each with a state of its own, and writes the
results as JSON. What the world does with a call (schema, log) is not in either. Best of five.
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from cm2.bundle import open_spec
from cm2.simulate.backend import Asked
from cm2.simulate.python_backend import Module, PythonBackend
from cm2dsl.reward.instance import instances

SPEC = Path(__file__).parents[2] / "specs" / "airline.cm2"
BACKEND = "airline_backend.py"
ROLLOUTS = 64


def main() -> None:
    bundle = open_spec(SPEC)
    rows = [dict(one.row.values) for one in instances(bundle.spec) if one.row is not None]
    rows = ([row for row in rows if "booking" in row] * ROLLOUTS)[:ROLLOUTS]
    began = time.perf_counter()
    module = Module(bundle.files / BACKEND, bundle.spec.tools, allow=True)
    print(f"starting the process: {1000 * (time.perf_counter() - began):.0f} ms")
    code = ModuleType("airline")
    exec((bundle.files / BACKEND).read_text("utf-8"), code.__dict__)
    here = min(in_process(code, rows) for _ in range(5))
    apart = min(asyncio.run(in_its_process(module, rows)) for _ in range(5))
    calls = len(rows) * 3
    print(f"{calls} calls of {len(rows)} rollouts, calls per second:")
    print(f"  functions called here   {calls / here:10,.0f}")
    print(f"  in a process of its own {calls / apart:10,.0f}   x{here / apart:.3f}")
    print(f"  the difference for 500 calls: {500 * (apart - here) / calls:.3f} s")


def made(row: dict[str, Any]) -> list[tuple[str, dict[str, Any], Any]]:
    booking, date = row["booking"], row["date"]
    return [
        ("lookup", {"booking": booking}, "read"),
        ("lookup", {"booking": "XXXXXX"}, "read"),
        ("change", {"booking": booking, "date": date}, "write"),
    ]


def in_process(code: ModuleType, rows: list[dict[str, Any]]) -> float:
    began = time.perf_counter()
    for row in rows:
        state = copy.deepcopy(code.initial(row))
        for tool, arguments, _ in made(row):
            try:
                json.dumps(getattr(code, tool)(state, **arguments))
            except ValueError as error:
                json.dumps({"error": str(error)})
    return time.perf_counter() - began


async def in_its_process(module: Module, rows: list[dict[str, Any]]) -> float:
    async def rollout(row: dict[str, Any]) -> None:
        backend = PythonBackend(module, row)
        for tool, arguments, effect in made(row):
            assert await backend.answer(Asked(tool, arguments, "", effect)) is not None
        await backend.close()

    began = time.perf_counter()
    await asyncio.gather(*(rollout(row) for row in rows))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
