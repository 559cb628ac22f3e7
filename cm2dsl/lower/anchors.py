"""Recordings, and where in them an anchor stands."""

from __future__ import annotations

from dataclasses import dataclass

from cm2dsl import ir, nodes
from cm2dsl.chat import ChatError, read
from cm2dsl.diagnostic import Log
from cm2dsl.files import Files
from cm2dsl.lower.items import DraftAnchor
from cm2dsl.source import Span
from cm2dsl.trajectory import Segment, Trajectory, segments


@dataclass(frozen=True)
class Recordings:
    """The dialogues of one recording file, and their segments."""

    file: str
    dialogues: tuple[Trajectory, ...]
    segments: tuple[tuple[Segment, ...], ...]


def read_recordings(
    file: nodes.String, files: Files, known: dict[str, Recordings], log: Log
) -> Recordings | None:
    """The recordings of a file, read once; None where the log says what is wrong with it."""
    opened = files.open(file)
    if opened is None:
        return None
    name, source = opened
    if name not in known:
        try:
            dialogues = tuple(read(source.path))
        except ChatError as error:
            line = min(error.line or 1, len(source.line_starts))
            start = source.line_starts[line - 1]
            log.error("E406", error.message, Span(source, start, start + 1), error.help)
            return None
        if not dialogues:
            log.error("E406", f"`{name}` holds no dialogue", file.span, "record one, a line each")
            return None
        known[name] = Recordings(name, dialogues, tuple(tuple(segments(d)) for d in dialogues))
    return known[name]


def resolve_anchor(
    anchor: DraftAnchor,
    task: str,
    recordings: Recordings | None,
    rows: tuple[ir.Row, ...] | None,
    log: Log,
) -> ir.Anchor | None:
    """The anchor and the first place where it stands in a recording of the task."""
    if recordings is None:
        help = 'name the recorded dialogue: `reference "file.jsonl"`'
        log.error("E310", "an anchor needs a recording to be in", anchor.span, help)
        return None
    by_key = {row.key: row for row in rows or ()}
    elsewhere: str | None = None
    tried = 0
    for dialogue, pieces in zip(recordings.dialogues, recordings.segments, strict=True):
        name, _, key = dialogue.task.partition("/")
        row = by_key.get(key)
        if name not in ("", task) or (rows is not None and row is None):
            continue
        tried += 1
        wanted = ir.fill(anchor.text, row)
        for piece in pieces:
            if wanted not in piece.text:
                continue
            if piece.channel == anchor.channel:
                return ir.Anchor(
                    channel=anchor.channel,
                    text=anchor.text,
                    recording=dialogue.id,
                    segment=piece.name,
                )
            elsewhere = elsewhere or piece.channel
    shown = "".join(p if isinstance(p, str) else f"{{row.{p.path[0]}}}" for p in anchor.text)
    if not tried:
        help = f"add one whose `task` is `{task}`" + ("" if rows is None else "/ROW")
        message = f"`{recordings.file}` has no recording of task `{task}`"
        log.error("E310", message, anchor.span, help)
        return None
    help = f"it is in a `{elsewhere}`" if elsewhere else "copy the words from the recording"
    message = f"no {anchor.channel} in `{recordings.file}` holds `{shown}`"
    log.error("E310", message, anchor.span, help)
    return None
