"""What is said of an exception of the user's code: to the agent, and to whoever reads the log."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

SHOWN = 2000
"""Characters of an exception's message: a part of it goes into the agent's context."""


def as_answer(error: BaseException, folder: str) -> str:
    """An exception as the agent sees it: a ValueError's message is written for it, others have
    their type before. Folders of this machine are left out; `folder` is the backend's."""
    message = _message(error)
    if isinstance(error, ValueError) and message:
        return message
    if isinstance(error, OSError) and error.strerror:
        message = error.strerror
    known = {folder, str(Path.cwd()), sys.prefix, sys.base_prefix, str(Path.home())}
    for place in sorted(known, key=len, reverse=True):
        if len(place) > 1:
            message = message.replace(place + os.sep, "")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def as_reason(error: BaseException, path: str, name: str) -> str:
    """`FILE:LINE: TYPE: MESSAGE`; the line is the last one of the file at `path` that was run."""
    ran = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == path
    ]
    if isinstance(error, SyntaxError) and error.filename == path and error.lineno:
        ran.append(error.lineno)
    message = error.msg if isinstance(error, SyntaxError) else _message(error)
    what = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"{name}:{ran[-1]}: {what}" if ran else f"{name}: {what}"


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as another:  # the exception is the user's own class
        text = f"(its message raised {type(another).__name__})"
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
