"""Opening the SPEC argument of a command."""

from __future__ import annotations

from pathlib import Path

import click

from cm2.bundle import Bundle, open_spec
from cm2dsl.diagnostic import CompileError
from cm2dsl.emit.bundle import BundleError


def open_or_exit(spec: Path) -> Bundle:
    """The bundle; exits with code 2 and the faults where the spec has any."""
    try:
        return open_spec(spec)
    except CompileError as error:
        click.echo(str(error), err=True)
    except BundleError as error:
        click.echo(f"error: {error}", err=True)
    raise SystemExit(2)
