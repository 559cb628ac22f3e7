"""The other end of a backend's process: it is started, asked one thing at a time, and ended.

The process is a fresh interpreter with an environment of its own, in an empty folder of its own
(see `cm2.sandbox`). It is asked from whichever event loop runs: it outlives them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

RUNTIME = Path(__file__).parents[2]
LONGEST = 32 << 20
"""Bytes of a message. A result may have less, and is written here with escapes."""

_POSIX = os.name == "posix"
_PASSED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "SYSTEMDRIVE")
"""What an interpreter may need to start. Everything else stays here, keys above all."""
_TAIL = 4000


class Ended(Exception):  # noqa: N818 - what happened to the process, not a mistake
    """The process is not there any more. The message says how it ended, `said` what it wrote
    last."""

    def __init__(self, how: str, said: str = "") -> None:
        super().__init__(how)
        self.said = said


class Process:
    """Starts at once. `close` ends it, and so does the end of this process, however it ends."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="cm2-backend-")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the process
        life, ours = os.pipe() if _POSIX else (-1, -1)
        program = (
            f"import sys; sys.path.append({str(RUNTIME)!r}); "
            f"from cm2.sandbox.program import main; main({life if _POSIX else None})"
        )
        flags = {} if _POSIX else {"creationflags": 0x200}  # a process group: no Ctrl-C from ours
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-B", "-X", "utf8", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                cwd=self._folder,
                env=_environment(self._folder),
                start_new_session=_POSIX,
                pass_fds=(life,) if _POSIX else (),
                **flags,  # type: ignore[call-overload]
            )
        finally:
            if _POSIX:
                os.close(life)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        if _POSIX:
            os.set_blocking(self._input.fileno(), False)
            os.set_blocking(self._output.fileno(), False)
        self._end = weakref.finalize(
            self, _end, self._process, self._errors, self._folder, ours if _POSIX else None
        )

    @property
    def running(self) -> bool:
        return self._end.alive and self._process.poll() is None

    async def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to a request.

        Raises TimeoutError when none has come after `seconds`, and Ended. The process is over then,
        and also where the one who asks is cancelled: nobody would read the answer.
        """
        text = json.dumps(request, ensure_ascii=False).encode()
        message = len(text).to_bytes(4, "big") + text
        try:
            if _POSIX:
                return await _Exchange(self._input, self._output, message).done(seconds)
            async with asyncio.timeout(seconds):  # there are no readiness events for pipes
                return await asyncio.to_thread(_exchange, self._input, self._output, message)
        except EOFError:
            raise self._ended() from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._end()

    def _ended(self) -> Ended:
        """How it ended, with the end of what it wrote to its error output."""
        try:
            code = self._process.wait(2)
        except subprocess.TimeoutExpired:  # it closed its pipes, and lives
            self.close()
            return Ended("closed its pipes")
        how = f"ended with exit code {code}"
        if code < 0:
            with suppress(ValueError):
                how = f"was ended by {signal.Signals(-code).name}"
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _TAIL))
        said = self._errors.read().decode(errors="replace").strip()
        self.close()
        return Ended(how, said)


class _Exchange:
    """One message there and one back, by the readiness events of the running loop."""

    def __init__(self, there: IO[bytes], back: IO[bytes], message: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._there, self._back = there.fileno(), back.fileno()
        self._left = memoryview(message)
        self._came = bytearray()
        self._answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()

    async def done(self, seconds: float) -> dict[str, Any]:
        self._loop.add_reader(self._back, self._read)
        late = self._loop.call_later(seconds, self._late)
        try:
            self._write()
            return await self._answer
        finally:
            late.cancel()
            self._loop.remove_reader(self._back)
            self._loop.remove_writer(self._there)

    def _write(self) -> None:
        try:
            self._left = self._left[os.write(self._there, self._left) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._fail(EOFError())
        if self._left and not self._answer.done():
            self._loop.add_writer(self._there, self._write)
        else:
            self._loop.remove_writer(self._there)

    def _read(self) -> None:
        try:
            part = os.read(self._back, 1 << 16)
        except BlockingIOError:
            return
        if not part:
            self._fail(EOFError())
            return
        self._came += part
        size = int.from_bytes(self._came[:4], "big")
        if size > LONGEST:
            self._fail(EOFError())
        elif len(self._came) >= 4 + size and not self._answer.done():
            self._answer.set_result(json.loads(bytes(self._came[4:])))

    def _late(self) -> None:
        """Time is up, unless the answer lies there: this process may be the one that is slow."""
        self._read()
        self._fail(TimeoutError())

    def _fail(self, error: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)


def _exchange(there: IO[bytes], back: IO[bytes], message: bytes) -> dict[str, Any]:
    """The same, in a thread that waits."""
    left = memoryview(message)
    try:
        while left:
            left = left[there.write(left) :]
        came = bytearray()
        while len(came) < 4 or len(came) < 4 + int.from_bytes(came[:4], "big"):
            part = back.read(1 << 16)
            if not part:
                raise EOFError
            came += part
    except (OSError, ValueError):  # the pipe broke, or was closed
        raise EOFError from None
    answer: dict[str, Any] = json.loads(bytes(came[4:]))
    return answer


def _environment(folder: str) -> dict[str, str]:
    """Little, and the same everywhere: the order of a set's strings must not change answers."""
    own = {"PYTHONHASHSEED": "0", "HOME": folder, "TMPDIR": folder, "TEMP": folder, "TMP": folder}
    own |= {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {name: os.environ[name] for name in _PASSED if name in os.environ} | own


def _end(
    process: subprocess.Popen[bytes], errors: IO[bytes], folder: str, life: int | None
) -> None:
    """End the process and everything that it started, and leave nothing of it."""
    closing: list[Callable[[], None]] = [errors.close]
    closing += [pipe.close for pipe in (process.stdin, process.stdout) if pipe is not None]
    for close in closing:
        with suppress(OSError):
            close()
    if life is not None:
        os.close(life)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
