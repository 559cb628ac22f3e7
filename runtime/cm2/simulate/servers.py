"""What a spec's MCP servers are: the tables [mcp.NAME] of a world's settings.

A table has a `command` to start, or a `url` to call. It holds no key: `env` and `key_env` name
variables of the environment.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from cm2.simulate.backend import SimulationError
from cm2dsl import ir
from cm2dsl.diagnostic import suggest

_EXAMPLE = """the backend `mcp "{name}"` is a server: say which into a file, such as

    [mcp.{name}]
    command = "python"
    args    = ["-m", "desk.server"]

or with `url = "https://…"`, and name it with --world FILE"""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One server.

    `args` are those of `command`, `env` the variables that it is given beside a search path and a
    home. `key_env` names the variable that holds the bearer token of a `url`. `tools` are the
    server's names for tools that the spec names otherwise. A call may take `seconds`. A
    `shared` session serves all rollouts at once.
    """

    command: str | None = None
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    url: str | None = None
    key_env: str | None = None
    tools: dict[str, str] = {}
    seconds: float = 30.0
    shared: bool = False

    def name_of(self, tool: str) -> str:
        """What the server calls a tool of the spec."""
        return self.tools.get(tool, tool)

    def environment(self) -> dict[str, str]:
        """The variables that the command is given. Raises SimulationError where one is not set."""
        return {name: variable(name) for name in self.env}


def servers(said: Any, where: str) -> dict[str, Server]:
    """The servers in the table `mcp` of a file; `where` begins the place in messages.

    Raises SimulationError, which names the table and the key.
    """
    if not isinstance(said, dict) or not all(isinstance(one, dict) for one in said.values()):
        raise SimulationError(f"{where}: servers have tables of their own; write [mcp.NAME]")
    return {name: _server(table, f"{where}, [mcp.{name}]") for name, table in said.items()}


def see_described(backends: Sequence[ir.Backend], known: Collection[str]) -> None:
    """Raises SimulationError for the first server of a chain that has no table."""
    for backend in backends:
        if isinstance(backend, ir.MCPBackend) and backend.server not in known:
            near = f"; {suggest(backend.server, [*known])}" if known else ""
            raise SimulationError(_EXAMPLE.format(name=backend.server) + near)


def variable(name: str) -> str:
    """A variable of the environment. Raises SimulationError where it is not set."""
    if name not in os.environ:
        raise SimulationError(f"the environment has no variable `{name}`, which a server needs")
    return os.environ[name]


def _server(table: Mapping[str, Any], where: str) -> Server:
    try:
        found = msgspec.convert(table, Server)
    except msgspec.ValidationError as error:
        says = str(error)
        if "unknown field" in says:
            key = says.split("`")[1]
            says = f"there is no `{key}`; {suggest(key, Server.__struct_fields__)}"
        raise SimulationError(f"{where}: {says[:1].lower()}{says[1:]}") from None
    if (found.command is None) == (found.url is None):
        raise SimulationError(f"{where}: give either a `command` or a `url`")
    if found.url is not None and (found.args or found.env):
        raise SimulationError(f"{where}: `args` and `env` are those of a `command`")
    if found.url is not None and not found.url.startswith(("http://", "https://")):
        raise SimulationError(f"{where}: `{found.url}` is no address; write https://…")
    if found.url is None and found.key_env is not None:
        raise SimulationError(f"{where}: `key_env` is of a `url`; name the variable in `env`")
    if found.seconds <= 0:
        raise SimulationError(f"{where}: `seconds` must be more than 0")
    return found
