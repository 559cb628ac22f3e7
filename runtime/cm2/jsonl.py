"""JSON and JSON Lines, read strictly; defined in `cm2dsl.jsonl`, as the compiler reads them too."""

from __future__ import annotations

from cm2dsl.jsonl import JsonError, lines, parse

__all__ = ["JsonError", "lines", "parse"]
