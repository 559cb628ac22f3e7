"""What the process of a backend takes from itself before it loads any code of the user's.

Limits on memory, files and core dumps where the platform has them, and the network on Linux: a
network namespace without interfaces, in a user namespace of its own. Where namespaces are not
allowed (in most containers), a seccomp filter refuses every socket that is not a local one.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FILE_SIZE = 64 << 20
"""Bytes of a file that a backend may write: what it prints is kept in one."""

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_EACCES = 13
_F_SETSIG = 10
_ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: the kernel's name for it (linux/audit.h) and its number of socket()."""
_IO_URING_SETUP = 425  # it could open sockets too; the same number on every machine
_X32 = 0x40000000


def isolate(memory: int) -> list[str]:
    """Shut this process in; `memory` is in bytes. What could not be done, in words, with why."""
    return [*_limit(memory), *_leave_network()]


def die_with(pipe: int) -> None:
    """End this process, whatever it is doing, when the other end of `pipe` is closed (Linux)."""
    if sys.platform == "linux":
        import fcntl
        import signal

        fcntl.fcntl(pipe, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
        if _is_closed(pipe):  # before anybody listened
            os._exit(1)


def _is_closed(pipe: int) -> bool:
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, 1) == b""
    except BlockingIOError:
        return False


def _limit(memory: int) -> list[str]:
    try:
        import resource
    except ImportError:
        return [f"its memory is not limited: {sys.platform} has no limits of a process"]
    undone = []
    limits = (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, FILE_SIZE)
    for kind, most in (*limits, (resource.RLIMIT_AS, memory)):
        try:
            _, hard = resource.getrlimit(kind)
            if hard != resource.RLIM_INFINITY:
                most = min(most, hard)
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError) as error:
            if kind == resource.RLIMIT_AS:
                undone.append(f"its memory is not limited: {error}")
    return undone


def _leave_network() -> list[str]:
    if sys.platform != "linux":
        return [f"it can use the network: there is no way to forbid that on {sys.platform}"]
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _checked(libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        try:
            leave_network_namespace(libc)
        except OSError:
            forbid_sockets(libc)
    except OSError as error:
        return [f"it can use the network: the system forbids to forbid it ({error.strerror})"]
    return []


def leave_network_namespace(libc: ctypes.CDLL) -> None:
    """Move to a network namespace that has no interface but a loopback that is down.

    The user stays who it is, without any right that it had beyond those of a user. Raises OSError.
    """
    user, group = os.getuid(), os.getgid()
    _checked(libc.unshare, _CLONE_NEWUSER | _CLONE_NEWNET)
    maps = ("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")
    for name, text in maps:
        with suppress(OSError):  # it is nobody then: that takes no network back
            Path("/proc/self", name).write_text(text)


def forbid_sockets(libc: ctypes.CDLL) -> None:
    """Refuse socket() for all but local ones, by a seccomp filter. Raises OSError."""
    if platform.machine() not in _ARCHITECTURES:
        raise OSError(0, f"no filter is known for {platform.machine()}")
    architecture, socket = _ARCHITECTURES[platform.machine()]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06  # BPF: LD|W|ABS, JEQ, JGE, RET
    program = [  # (operation, jump if true, jump if not, operand)
        (load, 0, 0, 4),  # the architecture
        (equal, 0, 7, architecture),
        (load, 0, 0, 0),  # the call
        (at_least, 5, 0, _X32),
        (equal, 4, 0, _IO_URING_SETUP),
        (equal, 0, 2, socket),
        (load, 0, 0, 16),  # its first argument, the family
        (equal, 0, 1, 1),  # AF_UNIX
        (answer, 0, 0, 0x7FFF0000),  # allow
        (answer, 0, 0, 0x00050000 | _EACCES),
    ]
    steps = (_Step * len(program))(*(_Step(*step) for step in program))
    filters = _Program(len(program), ctypes.cast(steps, ctypes.POINTER(_Step)))
    _checked(libc.prctl, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filters), 0, 0)


class _Step(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_Step)))


def _checked(call: Callable[..., int], *arguments: object) -> None:
    if call(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
