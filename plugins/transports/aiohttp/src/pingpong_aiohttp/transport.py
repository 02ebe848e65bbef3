"""
The transport over aiohttp's `ClientSession`.

Requests go through `ClientSession.request`, the level that recorders of cassettes patch. aiohttp's own timers,
cookies, decoding, redirects, proxies of the environment and queue are off: the kernel has one of each (adr/0015).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, suppress
from functools import lru_cache
from typing import Any, Literal, NoReturn

import aiohttp
import anyio
from aiohttp.http_exceptions import LineTooLong
from attrs import define
from pingpong import (
    BodyDecoder,
    Clock,
    ConfigError,
    InvalidRequestError,
    TransportContext,
    TransportOptions,
    Trouble,
    WireRequest,
    WireResponse,
    headers_in,
    headers_out,
    tls_context,
    waiting,
    where_of,
)
from yarl import URL

# As in the kernel's own transport: below the idle limits of common servers.
_KEEPALIVE_S = 20.0

# The most that closing may hold up a cancelled task.
_CLOSE_TIMEOUT_S = 2.0

# More than the kernel takes, so that the kernel refuses a head in its own words.
_MAX_HEADERS = 512

# What may wait unread in memory before the socket is paused; twice as much is aiohttp's high-water mark.
_READ_BUFFER_BYTES = 64 * 1024

# aiohttp warns of bytes above 1 MiB in one piece.
_PIECE_BYTES = 1024 * 1024

_FAILURES = (aiohttp.ClientError, OSError, ValueError)


@lru_cache(maxsize=1024)
def _address(base_url: str, target: str) -> URL:
    """The URL, parsed once; the target stays as it is, byte for byte."""
    if not (target.isascii() and target.isprintable() and " " not in target):
        raise Trouble.unsendable.error()
    return URL(str(URL(base_url)) + target, encoded=True)


def _raise_mapped(exc: BaseException, where: str) -> NoReturn:
    """
    One of `_FAILURES` as an error of ours.

    aiohttp's texts repeat addresses, headers and what the server sent: only the system's go further.
    """
    if isinstance(exc, aiohttp.ClientConnectorError):
        raise Trouble.failed.error(where, str(exc.os_error)) from exc.os_error
    if isinstance(exc, ValueError):
        raise Trouble.unsendable.error() from None
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, LineTooLong):
            raise Trouble.head.error() from None
        cause = cause.__cause__
    raise Trouble.failed.error(where, type(exc).__name__) from None


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """
    A middleware that keeps aiohttp from sending a GET or PUT again when its connection breaks: an attempt is one request.

    `ClientSession` retries what `ClientOSError` and `ServerDisconnectedError` ended, and no other error
    (https://docs.aiohttp.org/en/stable/client_advanced.html, "Retrying").
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise aiohttp.ClientConnectionError(type(exc).__name__) from None


class _Pieces:
    """A large body in pieces."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._body:
            raise StopAsyncIteration
        piece, self._body = bytes(self._body[:_PIECE_BYTES]), self._body[_PIECE_BYTES:]
        return piece


@define(eq=False)
class _AiohttpStream:
    """A `WireStream`; it holds one of the transport's slots until its body ends or it is closed."""

    _transport: AiohttpTransport
    _response: aiohttp.ClientResponse
    _decoder: BodyDecoder
    _deadline_s: float
    _where: str
    status: int
    headers: Mapping[str, str]
    state: Literal["open", "ended", "closed"] = "open"

    async def read(self) -> bytes:
        data = b""
        try:
            while self.state == "open" and not data:
                data = self._taken(self._response.content.read_nowait() or await self._arriving())
        except BaseException as exc:
            self._fail(exc)
        if self.state == "closed":
            raise Trouble.left.error()
        return data

    async def _arriving(self) -> bytes:
        if self._response.content.at_eof():
            return b""
        with self._transport.waiting(self._deadline_s, self._where):
            return await self._response.content.readany()

    async def whole(self) -> bytes:
        """The body, without a deadline of its own."""
        pieces = []
        try:
            while self.state == "open":
                pieces.append(self._taken(await self._response.content.readany()))
        except BaseException as exc:
            self._fail(exc)
        return b"".join(pieces)

    def _taken(self, raw: bytes) -> bytes:
        """What aiohttp gave, decoded; b"" is its end of the body."""
        if raw:
            return self._decoder.feed(raw)
        self.state = "ended"
        self._transport.left(self)
        if not self._decoder.is_whole:
            raise Trouble.cut.error()
        return b""

    def _fail(self, exc: BaseException) -> NoReturn:
        self.close()
        if isinstance(exc, _FAILURES):
            _raise_mapped(exc, self._where)
        raise exc

    def close(self) -> None:
        """Leave the answer: its connection is of no more use."""
        if self.state == "open":
            self.state = "closed"
            _abort(self._response)
            self._transport.left(self)

    async def aclose(self) -> None:
        self.close()


def _abort(response: aiohttp.ClientResponse) -> None:
    """Close its connection now: a TLS connection that is closed in good order may stay for 30 s."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


class AiohttpTransport:
    """
    A `Transport` over one aiohttp session, opened on the first call, on the event loop of that call.

    Calls wait for a free slot here, in time of their own deadline, and never inside aiohttp's pool. Once the event loop
    is closed, the next one to call gets a new session.
    """

    def __init__(self, *, clock: Clock, options: TransportOptions | None = None) -> None:
        self._options = options or TransportOptions()
        self._clock = clock
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._slots = anyio.Semaphore(self._options.max_connections, fast_acquire=True)
        self._open_streams: set[_AiohttpStream] = set()
        self._proxy = _proxy(self._options.proxy)

    def waiting(self, deadline_s: float, where: str) -> AbstractContextManager[None]:
        """For a stream's wait."""
        return waiting(self._clock, deadline_s, self._options.idle_timeout_s, where)

    def left(self, stream: _AiohttpStream) -> None:
        """A stream has ended or is closed: its slot is free."""
        self._open_streams.discard(stream)
        self._slots.release()

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """The whole answer, whatever its status; silence is bounded by the deadline alone."""
        with self._clock.deadline(deadline_s):
            session = await self._slot()
            stream = await self._exchange(session, base_url, request, deadline_s, is_stream=False)
            body = await stream.whole()
        return WireResponse(stream.status, stream.headers, body)

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> _AiohttpStream:
        """The answer's head."""
        bounded = self.waiting(deadline_s, where_of(base_url))
        with self._clock.deadline(deadline_s):
            session = await self._slot()
        with bounded:
            return await self._exchange(session, base_url, request, deadline_s, is_stream=True)

    async def _exchange(
        self, session: aiohttp.ClientSession, base_url: str, request: WireRequest, deadline_s: float, *, is_stream: bool
    ) -> _AiohttpStream:
        """The answer's head, in a slot that was taken for it."""
        try:
            where = where_of(base_url)
            response = await self._answer(session, _address(base_url, request.target), where, request, is_stream=is_stream)
            try:
                headers = headers_in(response.raw_headers, self._options.max_header_bytes)
                decoder = BodyDecoder(headers.get("content-encoding", ""), self._options.max_response_bytes)
            except BaseException:
                _abort(response)
                raise
        except BaseException:
            self._slots.release()
            raise
        stream = _AiohttpStream(self, response, decoder, deadline_s, where, response.status, headers)
        self._open_streams.add(stream)
        return stream

    async def _answer(
        self, session: aiohttp.ClientSession, url: URL, where: str, request: WireRequest, *, is_stream: bool
    ) -> aiohttp.ClientResponse:
        headers, body = headers_out(request.headers, is_stream=is_stream), request.body
        data: Any = body or None
        if len(body) > _PIECE_BYTES:
            headers["content-length"], data = str(len(body)), _Pieces(body)
        again = () if request.method == "POST" else (_once,)
        try:
            return await session.request(
                request.method, url, data=data, headers=headers, allow_redirects=False, middlewares=again
            )
        except _FAILURES as exc:
            _raise_mapped(exc, where)

    async def _slot(self) -> aiohttp.ClientSession:
        """Take a slot; gives the session to use it with."""
        session = await self._ready()
        await self._slots.acquire()
        if self._is_closed:
            self._slots.release()
            raise Trouble.closed.error()
        return session

    async def _ready(self) -> aiohttp.ClientSession:
        """The session of this event loop."""
        if self._is_closed:
            raise Trouble.closed.error()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigError("The transport aiohttp runs on asyncio alone; name httpx under [transport].") from None
        if self._session is None or loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed():
                raise InvalidRequestError("The transport aiohttp is in use on another event loop; make a client for each.")
            if self._session is not None:
                await self._session.close()
                self._slots = anyio.Semaphore(self._options.max_connections, fast_acquire=True)
            self._loop, self._session = loop, self._new_session()
        return self._session

    def _new_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=_KEEPALIVE_S, ssl=tls_context(self._options), resolver=aiohttp.ThreadedResolver()
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._options.connect_timeout_s),
            auto_decompress=False,
            trust_env=False,
            proxy=self._proxy,
            read_bufsize=_READ_BUFFER_BYTES,
            max_line_size=self._options.max_header_bytes,
            max_field_size=self._options.max_header_bytes,
            max_headers=_MAX_HEADERS,
        )

    async def aclose(self) -> None:
        """Close every connection; calls under way fail. Idempotent."""
        self._is_closed = True
        for stream in tuple(self._open_streams):
            stream.close()
        if self._session is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
                await self._session.close()

    def __del__(self) -> None:
        """A transport that nobody closed goes as quietly as httpx does; aiohttp would log an error for its session."""
        session = getattr(self, "_session", None)
        if session is not None and not session.closed:
            closing = session.close()
            with suppress(Exception):
                closing.send(None)
            closing.close()


def _proxy(address: str | None) -> URL | None:
    if address is None:
        return None
    with suppress(ValueError):
        url = URL(address)
        if url.scheme in ("http", "https") and url.host:
            return url
    raise Trouble.proxy.error("aiohttp")


def make(context: TransportContext) -> AiohttpTransport:
    """What the record names."""
    return AiohttpTransport(clock=context.clock, options=context.transport)
