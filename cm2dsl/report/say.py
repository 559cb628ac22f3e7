"""Writing to standard output what its encoding may not have: names of files can hold anything."""

from __future__ import annotations

import sys

import click


def say(text: str) -> None:
    """For people: in the terminal's encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)


def give(text: str) -> None:
    """For programs: in UTF-8, wherever it is written."""
    click.echo(text.encode("utf-8", "replace"), nl=False)
