"""What the kernel's tests share: both event loops, and a scripted server on 127.0.0.1."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import anyio.abc
import pytest
from attrs import define, field
from hypothesis import settings
from pingpong import HttpxTransport, SystemClock, TransportOptions, WireRequest

settings.register_profile("kernel", deadline=None, derandomize=True, max_examples=200)
settings.load_profile("kernel")

POST = WireRequest("POST", "/v1/messages?beta=true", {"x-api-key": "sk-secret"}, b'{"a":1}')

Answer = Sequence[bytes]
"""What to send, piece by piece."""


@define
class ScriptedServer:
    """
    Answers the n-th request with the n-th answer, and every further one with the last.

    Attributes:
        requests: Head and body of every whole request, in order of arrival.
        open: Connections now.
    """

    answers: Sequence[Answer]
    port: int = 0
    requests: list[bytes] = field(factory=list)
    open: int = 0
    _changed: anyio.Event = field(factory=anyio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open_connections(self, count: int) -> int:
        """Wait, 5 s at most, until so many connections are open; gives how many are."""
        with anyio.move_on_after(5):
            while self.open != count:
                await self._changed.wait()
        return self.open

    def _count(self, change: int) -> None:
        self.open += change
        self._changed.set()
        self._changed = anyio.Event()

    async def handle(self, stream: anyio.abc.SocketStream) -> None:
        self._count(1)
        try:
            async with stream:
                await self._serve(stream)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        finally:
            self._count(-1)

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        buffer = b""
        while True:
            while (request := whole_request(buffer)) is None:
                try:
                    buffer += await stream.receive()
                except anyio.EndOfStream:
                    return
            buffer = buffer[len(request) :]
            self.requests.append(request)
            for piece in self.answers[min(len(self.requests), len(self.answers)) - 1]:
                await stream.send(piece)


def whole_request(buffer: bytes) -> bytes | None:
    """The first request in the buffer, None while it is not whole."""
    head, separator, rest = buffer.partition(b"\r\n\r\n")
    if not separator:
        return None
    lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    n_body = lengths[0] if lengths else 0
    return head + separator + rest[:n_body] if len(rest) >= n_body else None


@asynccontextmanager
async def _serve(*answers: Answer) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(answers)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=1024)
    server.port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # anyio, not Django
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.handle)
        try:
            yield server
        finally:
            tasks.cancel_scope.cancel()


Serve = Callable[..., AbstractAsyncContextManager[ScriptedServer]]


@pytest.fixture
def serve() -> Serve:
    """`async with serve(answer, …) as server`: a scripted server that ends with the block."""
    return _serve


@asynccontextmanager
async def _closing(transport: HttpxTransport) -> AsyncIterator[HttpxTransport]:
    try:
        yield transport
    finally:
        await transport.aclose()


async def _read_all(transport: HttpxTransport, url: str) -> bytes:
    stream = await transport.open(url, POST, time.monotonic() + 30)
    pieces = []
    try:
        while piece := await stream.read():
            pieces.append(piece)
    finally:
        await stream.aclose()
    return b"".join(pieces)


async def _call(transport: HttpxTransport, url: str, *, is_streamed: bool) -> bytes:
    if is_streamed:
        return await _read_all(transport, url)
    return (await transport.send(url, POST, time.monotonic() + 30)).body


@pytest.fixture
def closing() -> Callable[[HttpxTransport], AbstractAsyncContextManager[HttpxTransport]]:
    """`async with closing(transport)`: closed with the block."""
    return _closing


@pytest.fixture
def opened() -> Callable[..., AbstractAsyncContextManager[HttpxTransport]]:
    """`async with opened(**options) as transport`: a transport of our own, closed with the block."""
    return lambda **options: _closing(HttpxTransport(clock=SystemClock(), options=TransportOptions(**options)))


@pytest.fixture
def call() -> Callable[..., Awaitable[bytes]]:
    """One answer's body, plain or streamed."""
    return _call


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops."""
    return str(request.param)


@pytest.fixture(scope="session")
def is_full() -> bool:
    """Whether the long form of the soak tests was asked for, with PINGPONG_FULL=1."""
    return os.environ.get("PINGPONG_FULL") == "1"
