"""The option of commands whose output has several formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click


def with_format(formats: Sequence[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--format, whose parameter is `form`; `text`, for people, is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default="text",
        show_default=True,
        help="Output.",
    )
