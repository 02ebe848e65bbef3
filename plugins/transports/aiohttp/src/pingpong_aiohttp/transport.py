"""
The transport over aiohttp's `ClientSession`.

Requests go through `ClientSession.request`, the level that recorders of cassettes patch. aiohttp's own timers,
cookies, decoding, redirects, proxies of the environment and queue are off: the kernel has one of each (adr/0015).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, suppress
from functools import lru_cache
from http.cookies import SimpleCookie
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

from pingpong_aiohttp.requests import CleanRequest, EagerRequest

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


@lru_cache(maxsize=1024)
def _address(base_url: str, target: str) -> URL:
    """The URL, parsed once; the target stays as it is, byte for byte."""
    if not (target.isascii() and target.isprintable() and " " not in target):
        raise Trouble.unsendable.error()
    return URL(str(URL(base_url)) + target, encoded=True)


def raise_mapped(exc: BaseException, where: str) -> NoReturn:
    """
    What aiohttp raised as an error of ours; anything else goes on as it is.

    aiohttp's texts repeat addresses, headers and what the server sent: only the system's go further.
    """
    if not isinstance(exc, (aiohttp.ClientError, OSError, ValueError)):
        raise exc
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


class _NoCookies(aiohttp.DummyCookieJar):
    """Keeps none, and gives out the same none each time."""

    _none: SimpleCookie = SimpleCookie()

    def filter_cookies(self, request_url: URL) -> SimpleCookie:
        return self._none


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


def abort(response: aiohttp.ClientResponse) -> None:
    """Leave an answer. Its connection closes now: TLS, closed in good order, may keep one for 30 s."""
    connection = response.connection
    if connection is not None:
        if connection.transport is not None:
            with suppress(RuntimeError):  # its event loop may be closed; then `response.close` does nothing
                connection.transport.abort()
        connection.close()
    response.close()


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
    _state: Literal["open", "ended", "closed"] = "open"

    async def read(self) -> bytes:
        data = b""
        try:
            while self._state == "open" and not data:
                if not self._response.content.at_eof():
                    data = self._decoder.feed(self._arrived() or await self._arriving())
                else:
                    self._state = "ended"
                    self._transport.let_go(self._response)
                    self._decoder.finish()
        except BaseException as exc:
            self._close()
            raise_mapped(exc, self._where)
        if self._state == "closed":
            raise Trouble.left.error()
        return data

    def _arrived(self) -> bytes:
        """What came since the last read. `read_nowait` would forget it if the connection has broken in the meantime."""
        self._transport.check_time(self._deadline_s)
        return self._response.content._read_nowait(-1)

    async def _arriving(self) -> bytes:
        with self._transport.waiting(self._deadline_s, self._where):
            return await self._response.content.readany()

    def _close(self) -> None:
        if self._state == "open":
            self._state = "closed"
            abort(self._response)
            self._transport.let_go(self._response)

    async def aclose(self) -> None:
        self._close()


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
        self._answers: set[aiohttp.ClientResponse] = set()
        self._proxy = proxy_from(self._options.proxy)

    def waiting(self, deadline_s: float, where: str) -> AbstractContextManager[None]:
        """For a stream's wait."""
        return waiting(self._clock, deadline_s, self._options.idle_timeout_s, where)

    def check_time(self, deadline_s: float) -> None:
        """Raise `DeadlineExceeded` where that has passed."""
        if self._clock.monotonic_s() >= deadline_s:
            raise Trouble.late.error()

    def let_go(self, response: aiohttp.ClientResponse) -> None:
        """An answer has ended or was left: its slot is free. One of an event loop that is gone has none."""
        if response in self._answers:
            self._answers.remove(response)
            self._slots.release()

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """The whole answer, whatever its status; silence is bounded by the deadline alone."""
        where = where_of(base_url)
        with self._clock.deadline(deadline_s):
            response, headers, decoder = await self._answer(
                await self._ready(deadline_s), base_url, request, where, is_stream=False
            )
            pieces = []
            try:
                while raw := await response.content.readany():
                    pieces.append(decoder.feed(raw))
                decoder.finish()
            except BaseException as exc:
                abort(response)
                raise_mapped(exc, where)
            finally:
                self.let_go(response)
        return WireResponse(response.status, headers, b"".join(pieces))

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> _AiohttpStream:
        """The answer's head."""
        where = where_of(base_url)
        with self._clock.deadline(deadline_s):
            session = await self._ready(deadline_s)
        with self.waiting(deadline_s, where):
            response, headers, decoder = await self._answer(session, base_url, request, where, is_stream=True)
        return _AiohttpStream(self, response, decoder, deadline_s, where, response.status, headers)

    async def _answer(
        self, session: aiohttp.ClientSession, base_url: str, request: WireRequest, where: str, *, is_stream: bool
    ) -> tuple[aiohttp.ClientResponse, Mapping[str, str], BodyDecoder]:
        """An answer's head, in the slot that was taken for it, and what decodes its body."""
        response = None
        try:
            sent, body = headers_out(request.headers, is_stream=is_stream), request.body
            data: Any = body or None
            if len(body) > _PIECE_BYTES:
                sent["content-length"], data = str(len(body)), _Pieces(body)
            url, again = _address(base_url, request.target), () if request.method == "POST" else (_once,)
            response = await session.request(
                request.method, url, data=data, headers=sent, allow_redirects=False, middlewares=again
            )
            headers = headers_in(response.raw_headers, self._options.max_header_bytes)
            decoder = BodyDecoder(headers.get("content-encoding", ""), self._options.max_response_bytes)
        except BaseException as exc:
            if response is not None:
                abort(response)
            self._slots.release()
            raise_mapped(exc, where)
        self._answers.add(response)
        return response, headers, decoder

    async def _ready(self, deadline_s: float) -> aiohttp.ClientSession:
        """The session of this event loop, once there is a slot to use it with."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigError("The transport aiohttp runs on asyncio alone; name httpx under [transport].") from None
        if loop is not self._loop and not self._is_closed:
            await self._move_to(loop)
        await self._slots.acquire()
        try:
            self.check_time(deadline_s)
            if self._is_closed or self._session is None:
                raise Trouble.closed.error()
        except BaseException:
            self._slots.release()
            raise
        return self._session

    async def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None and not self._loop.is_closed():
            raise InvalidRequestError("The transport aiohttp is in use on another event loop; make a client for each.")
        left, self._session, self._loop = self._session, self._new_session(), loop
        if left is not None:
            # Moved before the first wait, or every call that comes in the meantime would move again.
            self._slots = anyio.Semaphore(self._options.max_connections, fast_acquire=True)
            self._answers.clear()
            await left.close()

    def _new_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=_KEEPALIVE_S, ssl=tls_context(self._options), resolver=aiohttp.ThreadedResolver()
        )
        return aiohttp.ClientSession(
            connector=connector,
            request_class=EagerRequest if sys.version_info < (3, 12) else CleanRequest,
            cookie_jar=_NoCookies(),
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
        for response in self._answers:
            abort(response)
        if self._session is None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # trio runs, after an event loop of asyncio that has ended
            _drop(self._session)
            return
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self._session.close()

    def __del__(self) -> None:
        """A transport that nobody closed goes as quietly as httpx does; aiohttp would log an error for its session."""
        session = getattr(self, "_session", None)
        if session is not None and not session.closed:
            _drop(session)


def _drop(session: aiohttp.ClientSession) -> None:
    """Close without waiting for anything."""
    closing = session.close()
    with suppress(Exception):
        closing.send(None)
    closing.close()


def proxy_from(address: str | None) -> URL | None:
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
