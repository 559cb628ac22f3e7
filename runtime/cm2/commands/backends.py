"""Whether the Python backends of a spec may run: the option, and the answer before anything is
played."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from cm2.bundle import Bundle

python_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--allow-python",
    is_flag=True,
    help="Let the spec's Python backends run, whether `cm2 trust` knows them or not.",
)


def see_permitted(bundle: Bundle) -> None:
    """Exits with code 2 where a Python backend of the spec may not run, and says what to do."""
    from cm2.simulate.backend import SimulationError
    from cm2.simulate.trust import permit_all

    if bundle.allow_python:
        return
    try:
        permit_all(bundle.spec.simulate, bundle.files, bundle.origin)
    except SimulationError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
