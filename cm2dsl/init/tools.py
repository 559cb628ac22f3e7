"""The tools file that a spec is drafted from, and its copy in which every known effect stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2dsl.diagnostic import Log
from cm2dsl.files import decode
from cm2dsl.init.effects import Effect, Origin, effect_of
from cm2dsl.schemas import read_tools
from cm2dsl.source import Source, Span


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with the effect that init takes it to have, and where that is known from."""

    name: str
    description: str
    parameters: dict[str, Any]
    effect: Effect | None
    origin: Origin | None

    @property
    def properties(self) -> Mapping[str, Any]:
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def required(self) -> tuple[str, ...]:
        """The arguments that a call must have, in the order of the schema."""
        found = self.parameters.get("required")
        names = [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
        known = [name for name in self.properties if name in names]
        return (*known, *(name for name in dict.fromkeys(names) if name not in known))


@dataclass(frozen=True, slots=True)
class ToolsFile:
    """A tools file: its bytes, its tools, and its text with an `x-effect` wherever one is known."""

    raw: bytes
    tools: tuple[Tool, ...]
    completed: str

    @property
    def by_name(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self.tools}

    @property
    def complete(self) -> bool:
        """Whether the file itself says of every tool what it changes, as far as init knows."""
        return all(tool.origin in ("schema", None) for tool in self.tools)


def read_tools_file(path: Path) -> ToolsFile:
    """Read a tools file. Raises CompileError where it is not right or empty, and OSError."""
    log = Log()
    raw = path.read_bytes()
    source = decode(raw, path.resolve(), str(path), log)
    found = read_tools(source, log) if source is not None else []
    if source is not None and not found and not log.diagnostics:
        help = 'write a list of function schemas: [{"name": …, "parameters": {…}}]'
        log.error("E404", "there is no tool in here", Span(source, 0, 1), help)
    log.raise_if_any()
    assert source is not None
    entries = _entries(source)
    tools: list[Tool] = []
    for tool, entry in zip(found, entries, strict=True):
        effect, origin = effect_of(entry, _body(entry)) or (None, None)
        tools.append(Tool(tool.name, tool.description, tool.parameters, effect, origin))
    return ToolsFile(raw, tuple(tools), _completed(entries, tools))


def _entries(source: Source) -> list[dict[str, Any]]:
    whole = json.loads(source.text)
    entries: list[dict[str, Any]] = whole["tools"] if isinstance(whole, dict) else whole
    return entries


def _body(entry: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = entry.get("function", entry)
    return body


def _completed(entries: Sequence[dict[str, Any]], tools: Sequence[Tool]) -> str:
    written: list[dict[str, Any]] = []
    for entry, tool in zip(entries, tools, strict=True):
        body = _body(entry)
        if tool.effect is not None and tool.origin != "schema":
            body = {"name": body["name"], "x-effect": tool.effect, **body}
        written.append({**entry, "function": body} if "function" in entry else body)
    return json.dumps(written, ensure_ascii=False, indent=2) + "\n"
