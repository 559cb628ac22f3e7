"""`cm2c schema`."""

from __future__ import annotations

import json

import click

from cm2dsl.ir import schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of a bundle's ir.json."""
    click.echo(json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True))
