"""Files written whole: beside the old one first, with its mode, then in its place."""

from __future__ import annotations

from pathlib import Path

import click


def write_beside(path: Path, text: str) -> None:
    """Write a file, or replace its text. Raises click.ClickException where it cannot be written."""
    real = path.resolve()
    fresh = real.with_name(real.name + ".new")
    try:
        fresh.write_text(text, encoding="utf-8", newline="\n")
        if real.exists():
            fresh.chmod(real.stat().st_mode)
        fresh.replace(real)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        reason = (error.strerror or "it failed").lower()
        raise click.ClickException(f"cannot write `{path}`: {reason}") from None
