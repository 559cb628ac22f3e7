"""Recordings, and where in them an anchor stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from msgspec import Struct

from cm2dsl import ir, nodes
from cm2dsl.chat import ChatError, read_lines
from cm2dsl.diagnostic import Log, used_here
from cm2dsl.files import Files
from cm2dsl.lower.items import DraftAnchor
from cm2dsl.source import Source, Span
from cm2dsl.trajectory import Segment, Trajectory, segments


class Recordings(Struct, frozen=True):
    """The dialogues of one recording file, and their segments."""

    file: str
    dialogues: tuple[Trajectory, ...]
    segments: tuple[tuple[Segment, ...], ...]
    places: Mapping[str, Sequence[int]]
    """The places of the dialogues of each task name; `""` is theirs that name none."""

    @classmethod
    def of(cls, file: str, dialogues: tuple[Trajectory, ...]) -> Recordings:
        """The recordings of a file, with what is asked of them often."""
        places: dict[str, list[int]] = {}
        for place, dialogue in enumerate(dialogues):
            places.setdefault(dialogue.task.partition("/")[0], []).append(place)
        return cls(file, dialogues, tuple(tuple(segments(d)) for d in dialogues), places)

    def of_task(self, task: str) -> list[int]:
        """The places of the dialogues that may be the task's, in the order of the file."""
        return sorted([*self.places.get("", ()), *self.places.get(task, ())])


def read_recordings(
    file: nodes.String, files: Files, known: dict[str, Recordings], log: Log
) -> Recordings | None:
    """The recordings of a file, read once; None where the log says what is wrong with it."""
    opened = files.open(file)
    if opened is None:
        return None
    name, source = opened
    if name not in known:
        dialogues = read_dialogues(source, files.read_bytes[name], log)
        if dialogues is None:
            return None
        if not dialogues:
            log.error("E406", f"`{name}` holds no dialogue", file.span, "record one, a line each")
            return None
        known[name] = Recordings.of(name, dialogues)
    return known[name]


def read_dialogues(source: Source, raw: bytes, log: Log) -> tuple[Trajectory, ...] | None:
    """The dialogues of a file, or None where the log says which line is not one."""
    try:
        return tuple(read_lines(BytesIO(raw), str(source.path)))
    except ChatError as error:
        line = min(error.line, len(source.line_starts))
        start = source.line_starts[line - 1]
        span = Span(source, start, start + max(len(source.line(line)), 1))
        log.error("E406", error.message, span, error.help)
        return None


def resolve_anchor(
    anchor: DraftAnchor,
    task: str,
    recordings: Recordings | None,
    rows: tuple[ir.Row, ...] | None,
    log: Log,
) -> ir.Anchor | None:
    """The anchor and the first place where it stands in a recording of the task."""
    related = used_here(anchor.via, anchor.span)
    if recordings is None:
        help = 'name the recorded dialogue: `reference "file.jsonl"`'
        log.error("E310", "an anchor needs a recording to be in", anchor.span, help, related)
        return None
    by_key = {row.key: row for row in rows or ()}
    elsewhere: str | None = None
    shown: str | None = None
    for place in recordings.of_task(task):
        dialogue, pieces = recordings.dialogues[place], recordings.segments[place]
        row = by_key.get(dialogue.task.partition("/")[2])
        if rows is not None and row is None:
            continue
        wanted = ir.fill(anchor.text, row)
        shown = shown if shown is not None else wanted
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
    if shown is None:
        help = f"add one whose `task` is `{task}`" + ("" if rows is None else "/ROW")
        message = f"`{recordings.file}` has no recording of task `{task}`"
        log.error("E310", message, anchor.span, help, related)
        return None
    help = "copy the words from the recording as they are"
    if elsewhere:
        help = f"a `{elsewhere}` there does: write `anchor {elsewhere} …`"
    where = f"no `{anchor.channel}` of `{task}` in `{recordings.file}`"
    message = f"{where} holds `{shown}`" + (
        "" if rows is None else " (nor what the other rows say)"
    )
    log.error("E310", message, anchor.span, help, related)
    return None
