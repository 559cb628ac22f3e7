"""A command that a launcher started several times speaks once."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Where a launcher says how many processes there are."""


def is_first() -> bool:
    """Whether this process is the one that speaks, as its launcher has it; alone, it is."""
    return os.environ.get("RANK", "0") == "0"


def is_one_of_several() -> bool:
    """Whether a launcher says that it started others beside this process."""
    return any(os.environ.get(name, "1") != "1" for name in _SIZES)


def alone_by_accident() -> bool:
    """Whether `accelerate launch --cpu` was told to start several processes and started this one:
    it leaves them to MPI, which has then said nothing to this process."""
    said = os.environ
    return (
        said.get("ACCELERATE_USE_CPU", "").lower() == "true"
        and "MASTER_PORT" in said
        and not any(name in said for name in _SIZES)
    )


def hush_others() -> None:
    """Let only the first process say anything, progress bars included.

    What another one cannot tell the first, because it fell in the middle of an update, it says
    itself: an exception that nobody handles. One that `Ranks` has passed on says the first alone.
    """
    if is_first():
        return
    os.environ["TQDM_DISABLE"] = "1"
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115

    def say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not getattr(error, "passed_on", False):
            traceback.print_exception(kind, error, trace, file=sys.__stderr__)

    sys.excepthook = say
