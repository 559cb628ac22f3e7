"""`cm2 tools`: the simulated tools of a spec, for other programs."""

from __future__ import annotations

import asyncio
import socket
from importlib.util import find_spec
from pathlib import Path

import click

from cm2.bundle import Bundle
from cm2.commands.backends import python_option, see_permitted
from cm2.commands.score_faults import fail
from cm2.commands.spec import open_or_exit
from cm2.commands.world_options import world_option

LOOPBACK = "127.0.0.1"


@click.group(no_args_is_help=True)
def command() -> None:
    """Let other programs call the simulated tools of a spec."""


@command.command("serve")
@click.argument("spec", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--task",
    "names",
    multiple=True,
    metavar="TASK[/ROW]",
    help="Whose worlds sessions get, in turn; may be repeated. Without it, all instances.",
)
@click.option(
    "--http",
    metavar="[HOST:]PORT",
    help=f"Serve over streamable HTTP and not over stdio; HOST is {LOOPBACK} where none is given.",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file for what sessions call and get, as recordings.",
)
@world_option
@python_option
def serve(
    spec: Path,
    names: tuple[str, ...],
    http: str | None,
    record: Path | None,
    world: Path | None,
    allow_python: bool,
) -> None:
    """Serve the tools of SPEC, a .cm2 file or a bundle, as an MCP server.

    Each session has a world of its own, and takes the next of the instances. An agent connects as
    to any server: its settings name this command, or the address that --http serves at.

    Exit codes: 2 it could not start.
    """
    missing = [name for name in ("mcp", "jsonschema") if find_spec(name) is None]
    if missing:
        fail(f"serving tools needs {', '.join(missing)}", "pip install 'cm2dsl[mcp]'")
    if record is not None and record.exists():
        fail(f"`{record}` is there already", "name a file that is not: it would be replaced")
    if record is not None and not record.parent.is_dir():
        fail(f"there is no folder `{record.parent}`", f"make it, and write `{record.name}` there")
    listening = None if http is None else _listening(http)
    bundle = open_or_exit(spec, allow_python)
    see_permitted(bundle)
    asyncio.run(_serve(bundle, names, listening, record, world))


async def _serve(
    bundle: Bundle,
    names: tuple[str, ...],
    listening: socket.socket | None,
    record: Path | None,
    world: Path | None,
) -> None:
    from cm2.recordings import read_recordings
    from cm2.rollout.selection import SelectionError, chosen
    from cm2.serving import ToolServer
    from cm2.simulate import SimulationError, Simulator
    from cm2.simulate.config import NO_SETTINGS, read_world, see_played
    from cm2.simulate.servers import see_described
    from cm2dsl import ir
    from cm2dsl.chat import ChatError

    spec = bundle.spec
    try:
        instances = chosen(bundle, names, "all")
        settings = NO_SETTINGS if world is None else read_world(world)
        if any(isinstance(backend, ir.LLMBackend) for backend in spec.simulate):
            see_played(["llm"], settings)
        see_described(spec.simulate, settings.servers)
        llm = settings.opened("llm")
        simulator = Simulator(
            spec.tools,
            spec.simulate,
            bundle.files,
            read_recordings(bundle),
            user_tools=spec.user_tools,
            allow_python=bundle.allow_python,
            origin=bundle.origin,
            llm=llm,
            servers=settings.servers,
        )
    except SelectionError as error:
        fail(error.message, error.help)
    except (SimulationError, ChatError) as error:
        fail(str(error), None)
    server = ToolServer(bundle, simulator, instances, record)
    try:
        if listening is None:
            await server.serve_stdio()
        else:
            await _serve_http(server, listening)
    finally:
        if llm is not None:
            await llm.close()


async def _serve_http(server: object, listening: socket.socket) -> None:
    import uvicorn

    from cm2.serving import ToolServer

    assert isinstance(server, ToolServer)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(server.http_app(host), log_level="warning", ws="none")
    click.echo(f"serving http://{shown}:{port}/mcp", err=True)
    await uvicorn.Server(config).serve(sockets=[listening])


def _listening(said: str) -> socket.socket:
    """A socket at the address; exits where there is none."""
    host, _, port = said.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    if not port.isdecimal() or int(port) > 65535:
        fail(f"`{said}` is no address to serve at", "write a port, such as 8000, or HOST:PORT")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        fail(f"cannot serve at {host}:{port}: {reason}", "name another port; 0 takes a free one")
