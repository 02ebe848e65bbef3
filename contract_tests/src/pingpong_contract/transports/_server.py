"""
A scripted server on 127.0.0.1, in a thread of its own: it counts what reached it, and does to a client what a script says.

It speaks bytes, so it can break every rule of HTTP; what it can be told to do stands in `_steps`. It knows no transport.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Self

import anyio
from attrs import define, field, frozen

from pingpong_contract.transports._verdict import Broken

_THREAD_S = 10.0
"""How long the servers' own thread may take for a step of its own; never reached."""

_BUFFER_BYTES = 256 * 1024
"""A request head may be as long, and a server that does not read takes twice as much."""


@frozen
class Received:
    """One whole request as it came, header names included."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """The values of one header, by its lower-case name, in order."""
        return [value for key, value in self.headers if key.lower() == name]


@define(eq=False)
class Connection:
    """One connection, as a step of a script sees it."""

    server: Server
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client_left: asyncio.Event
    is_over: bool = False

    async def send(self, data: bytes) -> None:
        """Write, and wait until the client takes it."""
        self.writer.write(data)
        await self.writer.drain()
        self.server.count(sent_bytes=len(data))

    async def next_request(self) -> Received:
        """
        The next whole request.

        Raises:
            asyncio.IncompleteReadError: The client left.
        """
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        method, target, _ = first.split(b" ", 2)
        pairs = (line.partition(b":") for line in lines)
        headers = tuple((name, value.strip(b" ")) for name, _, value in pairs)
        self.server.count(heads=1)
        if self.server.is_body_held:
            await self.server.gate.acquire()
        return Received(method, target, headers, await self._body({k.lower(): v for k, v in headers}))

    async def _body(self, headers: dict[bytes, bytes]) -> bytes:
        if headers.get(b"transfer-encoding") != b"chunked":
            return await self.reader.readexactly(int(headers.get(b"content-length", 0)))
        body = b""
        while n_bytes := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(n_bytes + 2))[:-2]
        await self.reader.readuntil(b"\r\n")
        return body


Step = bytes | Callable[[Connection], Awaitable[None]]
"""Bytes to send, or something to do."""

Answer = Sequence[Step]


class _Counted(asyncio.StreamReaderProtocol):
    """Counts a connection as open until the client has closed its end, whatever the script waits for."""

    def __init__(self, server: Server) -> None:
        super().__init__(asyncio.StreamReader(limit=_BUFFER_BYTES), self._talk)
        self._server = server
        self._client_left = asyncio.Event()
        self._is_open = False

    def connection_made(self, transport: Any) -> None:
        self._is_open = True
        self._server.count(accepted=1, open_now=1)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._server.count(received_bytes=len(data))
        super().data_received(data)

    def eof_received(self) -> bool | None:
        self._left()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()
        asyncio.get_running_loop().call_soon(self._server.count)  # the descriptor is closed by then
        super().connection_lost(exc)

    def _left(self) -> None:
        self._client_left.set()
        if self._is_open:
            self._is_open = False
            self._server.count(open_now=-1)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._server.talk(Connection(self._server, reader, writer, self._client_left))


@define(eq=False)
class Server:
    """
    Answers the n-th request with the n-th answer, and every further one with the last.

    Attributes:
        greeting: What is done on every new connection before anything is read.
        is_body_held: Whether a request's body is left unread until `release`.
        requests: Every whole request, in order of arrival.
        n_heads: Heads of requests that arrived, whole requests or not.
        n_accepted, n_open, n_most_open: Connections so far, now, and the most at one time. One counts as open until the
            client has closed its end.
        n_half_closed: Connections on which nothing more is sent, though what comes is read.
        received_bytes, sent_bytes: On all connections, as plain text.
        is_stalled: Whether the client has stopped taking an endless answer.
        wait_s: How long a check waits for what must happen here; reached only where the check fails.
        wakers: Called when a count of any of the check's servers changes.
    """

    answers: Sequence[Answer]
    wait_s: float
    greeting: Answer = ()
    is_tls: bool = False
    is_body_held: bool = False
    port: int = 0
    requests: list[Received] = field(factory=list)
    n_heads: int = 0
    n_accepted: int = 0
    n_open: int = 0
    n_most_open: int = 0
    n_half_closed: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    is_stalled: bool = False
    gate: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(0))
    _loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop)
    wakers: list[Callable[[], object]] = field(factory=list)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self.is_tls else 'http'}://127.0.0.1:{self.port}"

    def release(self, n_times: int = 1) -> None:
        """Let go what is `held`, so many times; from any thread."""

        def let_go() -> None:
            for _ in range(n_times):
                self.gate.release()

        self._loop.call_soon_threadsafe(let_go)

    async def until(self, expected: str, holds: Callable[[], bool]) -> None:
        """
        Wait, for `wait_s` at most, until something holds of the counts; called in a check's event loop.

        Raises:
            Broken: It never held.
        """
        wake = _waker()
        with anyio.move_on_after(self.wait_s):
            while True:
                event = anyio.Event()
                self.wakers.append(waker := partial(wake, event.set))
                try:
                    if holds():
                        return
                    await event.wait()
                finally:
                    self.wakers.remove(waker)
        raise Broken("at the server", expected=expected, seen=self._counts())

    async def no_connection(self, case: str = "") -> None:
        """Wait until the client has closed every connection."""
        await self.until(f"no connection is left open{case and f' ({case})'}", lambda: self.n_open == 0)

    async def all_half_closed(self) -> None:
        """Wait until nothing more will be sent on any connection so far."""
        await self.until("the server ended its side of every connection", lambda: self.n_half_closed == self.n_accepted)

    def _counts(self) -> str:
        counts = (
            f"{self.n_accepted} connections so far, {self.n_open} open, {self.n_heads} heads and {len(self.requests)} requests"
        )
        return f"{counts}; {self.received_bytes} bytes received, {self.sent_bytes} sent"

    def count(
        self, *, accepted: int = 0, open_now: int = 0, half_closed: int = 0, heads: int = 0, received_bytes: int = 0,
        sent_bytes: int = 0, is_stalled: bool | None = None,
    ) -> None:  # fmt: skip
        """Add to the counts and wake who waits for them; only in the server's thread."""
        self.n_accepted += accepted
        self.n_open += open_now
        self.n_most_open = max(self.n_most_open, self.n_open)
        self.n_half_closed += half_closed
        self.n_heads += heads
        self.received_bytes += received_bytes
        self.sent_bytes += sent_bytes
        self.is_stalled = self.is_stalled if is_stalled is None else is_stalled
        for wake in tuple(self.wakers):
            with suppress(RuntimeError):  # the check's event loop is gone
                wake()

    async def talk(self, connection: Connection) -> None:
        """One connection, from its first byte to its last."""
        connection.writer.transport.set_write_buffer_limits(high=1, low=0)  # with 0 for both a TLS transport never goes on
        try:
            await _perform(connection, self.greeting)
            while not connection.is_over:
                self.requests.append(await connection.next_request())
                self.count()
                await _perform(connection, self.answers[min(len(self.requests), len(self.answers)) - 1])
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the check is over
        finally:
            connection.writer.close()


async def _perform(connection: Connection, steps: Answer) -> None:
    for step in steps:
        await (connection.send(step) if isinstance(step, bytes) else step(connection))


def _waker() -> Callable[[Callable[[], None]], object]:
    """How another thread gets something run in the event loop that runs here."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon


class Servers:
    """The thread in which one check's servers run; use as a context manager. `wait_s` as in `Server`."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s

    def __enter__(self) -> Self:
        self._ready, self._wakers = threading.Event(), list[Callable[[], object]]()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),), name="scripted-servers")
        self._thread.start()
        self._ready.wait(_THREAD_S)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_THREAD_S)
        if self._thread.is_alive():
            raise RuntimeError("The scripted servers do not stop.")

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._listening: list[asyncio.Server] = []
        self._ready.set()
        await self._stop.wait()
        for listening in self._listening:
            listening.close()

    def start(
        self, *answers: Answer, greeting: Answer = (), tls: ssl.SSLContext | None = None, is_body_held: bool = False
    ) -> Server:
        """A server on a free port; it ends with the thread, or with `stop`."""

        async def listen() -> Server:
            server = Server(
                answers or [()],
                self.wait_s,
                greeting=greeting,
                is_tls=tls is not None,
                is_body_held=is_body_held,
                wakers=self._wakers,
            )
            options: dict[str, Any] = (
                {} if tls is None else {"ssl_handshake_timeout": _THREAD_S, "ssl_shutdown_timeout": _THREAD_S}
            )
            listening = await self._loop.create_server(lambda: _Counted(server), "127.0.0.1", 0, backlog=1024, ssl=tls, **options)
            self._listening.append(listening)
            server.port = listening.sockets[0].getsockname()[1]
            return server

        return asyncio.run_coroutine_threadsafe(listen(), self._loop).result(_THREAD_S)

    def stop_listening(self) -> None:
        """Refuse every new connection."""

        async def close_all() -> None:
            for listening in self._listening:
                listening.close()

        asyncio.run_coroutine_threadsafe(close_all(), self._loop).result(_THREAD_S)
