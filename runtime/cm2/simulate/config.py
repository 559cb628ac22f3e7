"""Who plays what no recording and no program plays: the settings of a world, in a file of its own.

Never in a spec, for the same spec is played by other models elsewhere; and never with a key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec import json

from cm2.judge.asking import Asker, open_asker
from cm2.judge.config import Context, prompting
from cm2.judge.engine import JudgeLoadError
from cm2.simulate.backend import SimulationError
from cm2.simulate.mcp_session import Connector
from cm2.simulate.servers import servers
from cm2dsl import ir, prompts
from cm2dsl.diagnostic import suggest

Part = Literal["llm", "user"]
"""What a model plays: the tools of the backend `llm`, or simulated users."""

PARTS: Mapping[Part, str] = {
    "llm": "the backend `llm`",
    "user": "a simulated user",
}

_EXAMPLE = """{part} is a model, which needs settings: write them into a file, such as

    [{name}]
    engine = "openai"
    model  = "Qwen3-8B"
    urls   = ["http://localhost:8000/v1"]

and name it with --world FILE"""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """The tables of a file of settings; `folder` is what names in them are relative to.

    `tables` are by part. A part without a table has no model. `servers` are the MCP servers, by
    the names that specs have for them.
    """

    tables: Mapping[Part, Mapping[str, Any]]
    folder: Path = Path()
    where: str = "the world's settings"
    servers: Mapping[str, Connector] = field(default_factory=dict)

    def has(self, part: Part) -> bool:
        """Whether there is a model for this part."""
        return part in self.tables

    def open(self, part: Part) -> Asker:
        """The model of a part; close it on the loop that it was asked on.

        Raises SimulationError where it cannot be opened.
        """
        try:
            return open_asker(self.tables[part], self._context(part))
        except JudgeLoadError as error:
            raise SimulationError(str(error)) from error

    def opened(self, part: Part) -> Asker | None:
        """The same; None for a part that has no model."""
        return self.open(part) if self.has(part) else None

    def to_json(self) -> dict[str, Any]:
        """The tables as they stand in the file: there is no key in them."""
        told: dict[str, Any] = {part: dict(table) for part, table in self.tables.items()}
        if self.servers:
            described = {name: one.server for name, one in self.servers.items()}
            told["mcp"] = json.decode(json.encode(described))
        return told

    def check(self) -> None:
        """Raises SimulationError for a table that says what an engine's settings cannot."""
        for part, table in self.tables.items():
            try:
                prompting(table, self._context(part))
            except JudgeLoadError as error:
                raise SimulationError(str(error)) from error

    def _context(self, part: Part) -> Context:
        return Context(prompts.files(), self.folder, f"{self.where}, [{part}]")


NO_SETTINGS = WorldSettings({})
"""No part has a model."""


def read_world(path: Path) -> WorldSettings:
    """The settings in a TOML file. Raises SimulationError, which names the table and the key."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise SimulationError(f"cannot read `{path}`: {reason}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        says = str(error)
        raise SimulationError(f"{path}: not TOML: {says[:1].lower()}{says[1:]}") from None
    return world_settings(said, path.parent, str(path))


def world_settings(said: Mapping[str, Any], folder: Path, where: str) -> WorldSettings:
    """The settings in a file's tables; `where` begins the place in messages.

    Raises SimulationError.
    """
    for name, table in said.items():
        if name not in (*PARTS, "mcp"):
            near = suggest(name, [*PARTS, "mcp"])
            raise SimulationError(f"{where}: there is no [{name}]; {near}")
        if not isinstance(table, dict):
            raise SimulationError(f"{where}: `{name}` is a table; write [{name}]")
    tables = {part: said[part] for part in PARTS if part in said}
    described = servers(said.get("mcp", {}), where)
    connectors = {name: Connector(name, one, folder) for name, one in described.items()}
    settings = WorldSettings(tables, folder, where, connectors)
    settings.check()
    return settings


def needed(spec: ir.Spec) -> list[Part]:
    """The parts of a spec that a model plays."""
    wanted: dict[Part, bool] = {
        "llm": any(isinstance(backend, ir.LLMBackend) for backend in spec.simulate),
        "user": any(task.simulated is not None for task in spec.tasks),
    }
    return [part for part in wanted if wanted[part]]


def see_played(parts: Iterable[Part], settings: WorldSettings) -> None:
    """Raises SimulationError for the first of the parts that no model plays; it says what to do."""
    for part in parts:
        if not settings.has(part):
            raise SimulationError(_EXAMPLE.format(part=PARTS[part], name=part))
