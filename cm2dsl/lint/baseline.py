"""Findings that were there before: a file of fingerprints, so that only new ones are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from pathlib import Path

import click

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.lint.fingerprint import fingerprints
from cm2dsl.report.place import file_of

VERSION = 1


def read_baseline(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline. Raises click.UsageError for what is none."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe would not end
            raise ValueError
        said = json.loads(path.read_text(encoding="utf-8"))
        known = frozenset(said["findings"]) if said["version"] == VERSION else None
    except FileNotFoundError:
        message = f"there is no baseline `{path}`: write one with --update-baseline"
        raise click.UsageError(message) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        known = None
    if known is None:
        message = f"`{path}` is no baseline: name another file, or delete this one first"
        raise click.UsageError(message)
    return known


def without_known(found: Sequence[Diagnostic], known: Set[str]) -> list[Diagnostic]:
    """The findings that are not in a baseline."""
    marks = fingerprints(found)
    return [one for one, mark in zip(found, marks, strict=True) if mark not in known]


def baseline_text(found: Sequence[Diagnostic]) -> str:
    """A baseline of these findings: each fingerprint with what it is of, in order."""
    named = {
        mark: f"{one.code} {file_of(one.span.source)}: {one.message}"
        for one, mark in zip(found, fingerprints(found), strict=True)
    }
    ordered = dict(sorted(named.items(), key=lambda pair: (pair[1], pair[0])))
    whole = {"version": VERSION, "findings": ordered}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
