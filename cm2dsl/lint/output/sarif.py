"""SARIF 2.1.0, with fingerprints and fixes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from cm2dsl.codes import code_of
from cm2dsl.diagnostic import Diagnostic, Edit
from cm2dsl.identity import __version__
from cm2dsl.lint.fingerprint import fingerprints
from cm2dsl.lint.registry import rule_of
from cm2dsl.report.place import file_of
from cm2dsl.source import Source, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def show(found: Sequence[Diagnostic]) -> str:
    rules = [_rule(one) for one in {one.code: one for one in found}.values()]
    driver = {"name": "cm2c", "version": __version__, "rules": rules}
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    marks = fingerprints(found)
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(one, mark, places[one.code]) for one, mark in zip(found, marks, strict=True)
        ],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=1) + "\n"


def _rule(one: Diagnostic) -> dict[str, Any]:
    """What is said of a diagnostic's code."""
    said = code_of(one.code) or rule_of(one.code)
    rule: dict[str, Any] = {"id": one.code}
    if one.name is not None:
        rule["name"] = one.name
    if said is not None:
        rule["shortDescription"] = {"text": said.title}
    rule["help"] = {"text": f"`cm2c explain {one.code}` says more: {one.url}"}
    rule["defaultConfiguration"] = {"level": one.severity}
    return rule


def _result(one: Diagnostic, mark: str, rule: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": one.severity,
        "message": {"text": f"{one.message}; {one.help}" if one.help else one.message},
        "locations": [{"physicalLocation": _place(one.span)}],
        "partialFingerprints": {"cm2c/v1": mark},
    }
    if one.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": note}, "physicalLocation": _place(span)}
            for number, (span, note) in enumerate(one.related)
        ]
    if one.fix is not None:
        source = one.span.source
        change = {
            "artifactLocation": {"uri": _uri(source)},
            "replacements": [_replacement(edit, source) for edit in one.fix.edits],
        }
        fix = {"description": {"text": one.fix.says}, "artifactChanges": [change]}
        result["fixes"] = [fix]
    return result


def _place(span: Span) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": _uri(span.source)},
        "region": _region(span.source, span.start, span.stop),
    }


def _uri(source: Source) -> str:
    return quote(file_of(source), errors="surrogateescape")


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
