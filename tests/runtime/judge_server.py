"""A chat completions server on loopback whose every response a function gives, faults included."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from judged import verdict


@dataclass(frozen=True)
class Request:
    """A request as it came. `number` says how many with the same body came before it."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    number: int

    @property
    def user(self) -> str:
        return str(self.body["messages"][-1]["content"])

    @property
    def is_probe(self) -> bool:
        return "Write the word hello" in self.user


@dataclass(frozen=True)
class Response:
    """What goes back: after `delay` seconds, all of the body or its first `cut` bytes.

    `status` 0 closes the connection without a word.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None


Reply = Callable[[Request], Response]


def completion(text: str | None, finish: str = "stop", **extra: Any) -> dict[str, Any]:
    """A completion as vLLM writes it."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60},
    }
    return {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage} | extra


def saying(text: str, **extra: Any) -> Response:
    return Response(body=completion(text, **extra))


ON_SCHEMA = saying(verdict("insufficient"))


class Server:
    """Serves in a thread of its own until it is closed; `requests` has what came, probes apart."""

    def __init__(self, reply: Reply, probe: Reply = lambda _: ON_SCHEMA) -> None:
        self._reply, self._probe = reply, probe
        self._seen: dict[str, int] = {}
        self.requests: list[Request] = []
        self.probes: list[Request] = []
        self.most = 0
        self._now = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
            assert not self._thread.is_alive()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                while await self._exchange(reader, writer):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 22)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its response; whether the connection stays open."""
        request = await self._read(reader)
        (self.probes if request.is_probe else self.requests).append(request)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            response = (self._probe if request.is_probe else self._reply)(request)
            if response.delay:
                await asyncio.sleep(response.delay)
        finally:
            self._now -= 1
        if not response.status:
            return False
        said = response.body
        body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        headers = {"content-type": "application/json", **response.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        first = f"HTTP/1.1 {response.status} Said\r\n{head}content-length: {len(body)}\r\n\r\n"
        writer.write(first.encode() + body[: response.cut])
        await writer.drain()
        return response.cut is None

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        raw = await reader.readexactly(int(headers["content-length"]))
        text = raw.decode()
        number = self._seen.get(text, 0)
        self._seen[text] = number + 1
        return Request(first.split()[1], headers, json.loads(text), number)


def refusing_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
