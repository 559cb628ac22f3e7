"""The codes of faults: one family a file. Those of lint's rules are in the rules."""

from __future__ import annotations

from cm2dsl.codes import allowances, files, names, syntax, types, values
from cm2dsl.codes.code import Code

CODES: tuple[Code, ...] = (
    *allowances.CODES,
    *syntax.CODES,
    *names.CODES,
    *types.CODES,
    *values.CODES,
    *files.CODES,
)
"""Every one, family by family."""


def code_of(code: str) -> Code | None:
    """What is said of a code, however it is cased."""
    wanted = code.strip().upper()
    return next((one for one in CODES if one.code == wanted), None)
