"""Text to syntax tree."""

from __future__ import annotations

from msgspec.structs import replace

from cm2dsl import nodes
from cm2dsl.build import Builder
from cm2dsl.diagnostic import Log
from cm2dsl.driver import Stack, TooDeep, Unexpected, drive, rules_for
from cm2dsl.recover import Recovery
from cm2dsl.source import Source
from cm2dsl.unexpected import Reporter


def parse(source: Source, log: Log) -> nodes.File | None:
    """The syntax tree; faults go to the log, and what is in doubt because of them to the tree.

    None where the text is nothing like the language, or of an edition that is not known.
    """
    faults = Log()
    try:
        file: nodes.File | None = drive(source, rules_for(Builder(source, faults)), Stack())
    except (Unexpected, TooDeep):
        faults = Log()
        recovery = Recovery(source, rules_for(Builder(source, faults)), Reporter(source, faults))
        file = recovery.read()
        if file is not None:
            file = replace(file, doubtful=tuple(recovery.doubtful))
        elif faults.diagnostics[0].code == "E004":
            del faults.diagnostics[1:]  # it is no spec: the rest says nothing
        first, *others = faults.diagnostics
        if first.code == "E004":  # what stands in the edition's place is said once
            others = [one for one in others if one.span.start != first.span.start]
            faults.diagnostics = [first, *others]
    log.diagnostics += faults.diagnostics
    if file is not None and file.edition.value != 1:
        log.error(
            "E004",
            f"edition `{file.edition.value}` is not known",
            file.edition.span,
            "this compiler knows edition 1: begin the file with `cm2 1`",
        )
        return None
    return file
