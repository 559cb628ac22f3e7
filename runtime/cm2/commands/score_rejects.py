"""What `cm2 score` says of dialogues that were rejected: the first of each reason, and counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cm2.formats.record import Reject
from cm2.scoring.tally import Tally

SHOWN = 20
"""Rejects that are printed; a file has them all."""

ALIKE = 3
"""Rejects of one reason that are printed."""

WHOSE = re.compile(r"dialogue `[^`]*`: ")
"""How a reason begins where the place does not say which dialogue it is."""


class Rejects:
    """The first rejects, by reason, in the order in which they came."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], list[Reject]] = {}
        self._more: dict[tuple[str, str], int] = {}
        self._count = 0

    def take(self, rejects: Iterable[Reject]) -> None:
        """Keep those that are shown; of the reasons that are, count the others."""
        for reject in rejects:
            reason = (WHOSE.sub("", reject.reason, count=1), reject.help)
            known = self._first.get(reason)
            if self._count < SHOWN and (known is None or len(known) < ALIKE):
                self._first.setdefault(reason, []).append(reject)
                self._count += 1
            elif known is not None:
                self._more[reason] = self._more.get(reason, 0) + 1

    def lines(self, total: int) -> Iterator[str]:
        """What is printed, of `total` rejects in all."""
        for reason, first in self._first.items():
            yield from map(_text, first)
            if reason in self._more:
                yield f"and {self._more[reason]} more for the same reason"
        others = total - self._count - sum(self._more.values())
        if others:
            yield f"and {others} more"


def _text(reject: Reject) -> str:
    """Where a rejected dialogue is, why it was rejected, and what to do."""
    place = f"{reject.file}:{reject.line}" if reject.line is not None else reject.file
    where = f"`{reject.path}`: " if reject.path else ""
    return f"{place}: rejected: {where}{reject.reason}\n  = help: {reject.help}"


def nothing_scored(tally: Tally) -> str:
    """Why a run has no row."""
    if tally.rejected:
        which = (
            "the only dialogue was"
            if tally.rejected == 1
            else f"all {tally.rejected} dialogues were"
        )
        return f"nothing was scored: {which} rejected"
    if tally.unread:
        which = "the only file was" if tally.unread == 1 else f"all {tally.unread} files were"
        return f"nothing was scored: {which} rejected"
    return "nothing was scored: the files hold no dialogue"


def rejected_text(tally: Tally) -> str:
    """How much of the input has no row."""
    parts = []
    if tally.rejected:
        of = tally.rejected + tally.dialogues
        was = "was" if tally.rejected == 1 else "were"
        parts.append(f"{tally.rejected} of {counted(of, 'dialogue')} {was} rejected")
    if tally.unread:
        was = "was" if tally.unread == 1 else "were"
        parts.append(f"{counted(tally.unread, 'file')} {was} rejected as a whole")
    return ", ".join(parts)


def counted(count: int, noun: str) -> str:
    """`1 item`, `2 items`."""
    return f"{count:d} {noun}" if count == 1 else f"{count:d} {noun}s"
