"""What plays a spec's tools and users: `--world`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from cm2.simulate.backend import SimulationError
from cm2.simulate.config import NO_SETTINGS, WorldSettings, needed, read_world, see_played
from cm2.simulate.servers import see_described
from cm2dsl import ir

PLAYS = {"user": "the model that plays users", "llm": "the model that plays tools"}
"""What a report calls a part."""

world_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--world",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What plays tools and users: a TOML file with tables [llm], [user] and [mcp.NAME].",
)


def world_settings(world: Path | None, spec: ir.Spec | None = None) -> WorldSettings:
    """The settings in the option's file; none without one.

    Exits with code 2 where they are wrong, name no model for what one plays in the spec, or do not
    say what a server of it is.
    """
    try:
        settings = NO_SETTINGS if world is None else read_world(world)
        if spec is not None:
            see_played(needed(spec), settings)
            see_described(spec.simulate, settings.servers)
    except SimulationError as error:
        _fail(str(error))
    return settings


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise SystemExit(2)
