"""SARIF 2.1.0, with fingerprints and fixes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from cm2dsl.lint.fingerprint import fingerprints
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.rule import PAGE, Edit
from cm2dsl.lint.run import Found
from cm2dsl.source import Source, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def show(found: Sequence[Found]) -> str:
    rules = [
        {
            "id": rule.code,
            "name": rule.name,
            "shortDescription": {"text": rule.title},
            "help": {"text": f"see {PAGE.format(code=rule.code)}, or `cm2c explain {rule.code}`"},
            "defaultConfiguration": {"level": rule.severity},
        }
        for rule in all_rules()
    ]
    driver = {"name": "cm2c lint", "version": version("cm2dsl"), "rules": rules}
    marks = fingerprints(found)
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, mark) for one, mark in zip(found, marks, strict=True)],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=1) + "\n"


def _result(one: Found, mark: str) -> dict[str, Any]:
    finding = one.finding
    result: dict[str, Any] = {
        "ruleId": one.code,
        "level": one.severity,
        "message": {"text": f"{finding.message}; {finding.help}"},
        "locations": [{"physicalLocation": _place(finding.span)}],
        "partialFingerprints": {"cm2c/v1": mark},
    }
    if finding.fix is not None:
        source = finding.span.source
        change = {
            "artifactLocation": {"uri": _uri(source)},
            "replacements": [_replacement(edit, source) for edit in finding.fix.edits],
        }
        fix = {"description": {"text": finding.fix.says}, "artifactChanges": [change]}
        result["fixes"] = [fix]
    return result


def _place(span: Span) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": _uri(span.source)},
        "region": _region(span.source, span.start, span.stop),
    }


def _uri(source: Source) -> str:
    return quote(source.name.replace("\\", "/"))


def _region(source: Source, start: int, stop: int) -> dict[str, int]:
    (line, column), (end_line, end_column) = source.position(start), source.position(stop)
    return {
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": end_column,
    }


def _replacement(edit: Edit, source: Source) -> dict[str, Any]:
    region = _region(source, edit.start, edit.stop)
    return {"deletedRegion": region, "insertedContent": {"text": edit.text}}
