"""
The default transport, over httpx, and the system's clock. The only module of the kernel that knows an HTTP client.

httpx is imported when the first call needs it. A host's own client may come from httpx or from httpx2: nothing is
used here but what the two share (adr/0005).
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import anyio
from attrs import define

from pingpong import _errors as errors
from pingpong._clock import Clock
from pingpong._http import BodyDecoder, TransportOptions, Trouble, headers_in, headers_out, tls_context, waiting, where_of
from pingpong._wire import WireRequest, WireResponse

if TYPE_CHECKING:
    import asyncio

    from httpx import AsyncClient

# How long an idle connection is kept; below the idle limits of common servers (60 s in AWS load balancers, 75 s in nginx).
_KEEPALIVE_S = 20.0

# Each call looks at every idle connection of httpcore's pool, at each of them several times: 100 of them cost 11 ms a call,
# 50 cost 4 ms. httpx keeps 20 by default.
_MAX_IDLE = 20

# The most that closing may hold up a cancelled task.
_CLOSE_TIMEOUT_S = 2.0

# How soon a deadline that found another cancellation under way looks again.
_NEXT_TRY_S = 0.01

# What one socket read can hold: httpcore reads 64 KiB, and a chunk takes a byte at least.
_MAX_BUFFERED_CHUNKS = 64 * 1024


class SystemClock:
    """The machine's clock, on asyncio and on trio."""

    def monotonic_s(self) -> float:
        """`time.monotonic()`."""
        return time.monotonic()

    def utc_now(self) -> datetime:
        """The time of day, with zone UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait; a cancellation point even for 0."""
        await anyio.sleep(seconds)

    def deadline(self, at_s: float) -> AbstractContextManager[None]:
        """
        Cancel what runs inside at `at_s`, then raise `DeadlineExceeded`; a cancellation from outside stays one.

        On asyncio it cancels as `asyncio.timeout` does: code inside that anyio shields is not spared.
        """
        # Not imported here: it takes 10 ms, and where it is not there, it does not run.
        asyncio = sys.modules.get("asyncio")
        try:
            task = asyncio.current_task() if asyncio else None
        except RuntimeError:
            task = None
        return _deadline_of_anyio(at_s) if task is None else _DeadlineOfTask(at_s, task)


@contextmanager
def _deadline_of_anyio(at_s: float) -> Iterator[None]:
    # The event loop's clock may have another zero than time.monotonic (trio's has).
    with anyio.CancelScope(deadline=anyio.current_time() + at_s - time.monotonic()) as scope:
        yield
    if scope.cancelled_caught:
        raise Trouble.late.error()


class _DeadlineOfTask:
    """The same for a task of asyncio, at a third of the cost: one stands around every call and every wait."""

    __slots__ = ("_at_s", "_handle", "_is_over", "_n_before", "_task")

    def __init__(self, at_s: float, task: asyncio.Task[Any]) -> None:
        self._at_s, self._task, self._is_over = at_s, task, False

    def __enter__(self) -> None:
        self._n_before = self._task.cancelling()
        left_s, loop = self._at_s - time.monotonic(), self._task.get_loop()
        self._handle = loop.call_later(left_s, self._end) if left_s > 0 else loop.call_soon(self._end)

    def _end(self) -> None:
        # Another cancellation that is under way goes first, or its owner would not know it again.
        if self._task.cancelling() > self._n_before:
            self._handle = self._task.get_loop().call_later(_NEXT_TRY_S, self._end)
        else:
            self._is_over = self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._handle.cancel()
        # A scope of anyio that was cancelled in the meantime takes our cancellation for a foreign one, but repeats its own.
        is_known = self._is_over and (self._task.uncancel() <= self._n_before or anyio.current_effective_deadline() == -inf)
        if is_known:
            from asyncio import CancelledError

            if isinstance(exc, CancelledError):
                raise Trouble.late.error() from None


def backend_running() -> str:
    """The event loop that runs here, `asyncio` or `trio`, "" for none."""
    try:
        return anyio.get_cancelled_exc_class().__module__.partition(".")[0]
    except RuntimeError:
        return ""


def _own_client(options: TransportOptions) -> AsyncClient:
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    # A call cancelled in the queue of httpcore 1.0.9's pool costs the pool a connection; so we queue outside (adr/0005).
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=_MAX_IDLE, keepalive_expiry=_KEEPALIVE_S)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    verify = tls_context(options)
    try:
        # An HTTPS proxy's certificate is checked as a server's; httpx would take the environment's word for it.
        proxy = (url := options.proxy) and httpx.Proxy(url, ssl_context=verify if url[:6].lower() == "https:" else None)
        return httpx.AsyncClient(trust_env=False, verify=verify, proxy=proxy, limits=limits, cookies=no_cookies)
    except (ValueError, ImportError, httpx.InvalidURL):
        raise Trouble.proxy.error("httpx") from None


def _library_of(client: AsyncClient) -> ModuleType:
    """httpx or httpx2, whichever the client comes from; its exceptions are that module's."""
    for name in (cls.__module__.partition(".")[0] for cls in type(client).__mro__):
        if name in ("httpx", "httpx2") and isinstance(client, sys.modules[name].AsyncClient):
            return sys.modules[name]
    raise errors.ConfigError(f"client: an httpx.AsyncClient or httpx2.AsyncClient is needed, not {type(client).__name__}.")


class _Body:
    """A request's body. httpx's own is an async generator that a call cancelled while sending leaves open; trio warns of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._pieces = [self._content]
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


class _TlsGuard:
    """
    Closes the TCP connection of a TLS handshake that was cancelled; httpcore 1.0.9 and httpcore2 2.16 leave it open.

    An httpx `trace` extension, see https://www.python-httpx.org/advanced/extensions/#trace.
    """

    _tcp: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            self._tcp = info["return_value"]
        elif event.endswith("start_tls.failed") and self._tcp is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
                await self._tcp.aclose()


class _Library:
    """What is used of httpx or httpx2: a class, its errors, and addresses, parsed once: that takes it a tenth of a call."""

    def __init__(self, lib: Any) -> None:
        self.body = type("_AsyncBody", (_Body, lib.AsyncByteStream), {})
        self.url = lru_cache(maxsize=1024)(lib.URL)
        broken = (anyio.BrokenResourceError, anyio.ClosedResourceError)
        self.failures = (lib.HTTPError, lib.InvalidURL, UnicodeEncodeError, OSError, RuntimeError, *broken)
        self._unsendable = (lib.LocalProtocolError, lib.UnsupportedProtocol, lib.InvalidURL, UnicodeEncodeError)
        self._connect_error = lib.ConnectError

    def raise_mapped(self, exc: Exception, where: str) -> NoReturn:
        """One of `failures` as an error of ours. Host and port are all that a message says of the address."""
        if isinstance(exc, self._unsendable):
            # Its text may repeat a header, and so a key; it goes no further.
            raise Trouble.unsendable.error() from None
        if isinstance(exc, RuntimeError):
            raise Trouble.closed.error() from None
        # Only these texts are the system's; others quote what the server sent, and go no further either.
        is_ours = isinstance(exc, self._connect_error)
        raise Trouble.failed.error(where, str(exc) if is_ours else type(exc).__name__) from (exc if is_ours else None)


@define(eq=False)
class _HttpxStream:
    """A `WireStream`; it holds one of the transport's slots until its body ends or it is closed."""

    _transport: HttpxTransport
    where: str
    deadline_s: float
    _state: Literal["new", "open", "ended", "closed"] = "new"
    _response: Any = None
    _chunks: Any = None
    _decoder: Any = None
    status: int = 0
    headers: Mapping[str, str] = {}

    async def take_slot(self) -> None:
        """Wait for one."""
        await self._transport.slots.acquire()
        self._state = "open"

    def take_head(self, response: Any, options: TransportOptions) -> None:
        """Begin the body; from here on there is a connection to close."""
        self._response, self.status = response, response.status_code
        # A mock's answer may come read and decoded; httpx gives its raw bytes to nobody then.
        is_read = response.is_stream_consumed
        self._chunks = aiter(_Body(response.content)) if is_read else aiter(response.stream)
        self.headers = headers_in(response.headers.raw, options.max_header_bytes)
        encoding = "" if is_read else self.headers.get("content-encoding", "")
        self._decoder = BodyDecoder(encoding, options.max_response_bytes)

    async def read(self) -> bytes:
        try:
            with self._transport.waiting(self.deadline_s, self.where):
                return await self.next_bytes()
        except BaseException:
            await self.aclose()
            raise

    async def next_bytes(self) -> bytes:
        """`read` without a deadline of its own."""
        library = self._transport.library
        while self._state == "open":
            try:
                raw = await anext(self._chunks, None)
                if raw is None:
                    await self._response.aclose()
            except library.failures as exc:
                library.raise_mapped(exc, self.where)
            if raw is None:
                self._let_go("ended")
                self._decoder.finish()
            elif data := self._decoder.feed(raw):
                return bytes(data)
        if self._state == "closed":
            raise Trouble.left.error()
        return b""

    def _let_go(self, state: Literal["ended", "closed"]) -> None:
        self._state = state
        self._transport.slots.release()

    async def aclose(self) -> None:
        if self._state != "open":
            return
        try:
            if self._response is not None:
                with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
                    await self._unwind()
                    await self._response.aclose()
        finally:
            self._let_go("closed")

    async def _unwind(self) -> None:
        """
        Leave httpx's nested async generators in order, by a read that is cancelled.

        Closing the outermost one would leave the inner ones to the garbage collector, which trio reports.
        """
        with anyio.CancelScope() as scope, suppress(StopAsyncIteration, *self._transport.library.failures):
            scope.cancel()
            for _ in range(_MAX_BUFFERED_CHUNKS):
                await anext(self._chunks)


class HttpxTransport:
    """
    A `Transport` over an httpx client: a host's own, which stays the host's to close, or one opened on the first call.

    Calls wait for a free slot here, in time of their own deadline, and never inside httpx's pool.
    """

    def __init__(self, client: AsyncClient | None = None, *, clock: Clock, options: TransportOptions | None = None) -> None:
        self._options = options or TransportOptions()
        self._clock = clock
        self._is_host_owned = client is not None
        self._is_closed = False
        self.slots = anyio.Semaphore(self._options.max_connections, fast_acquire=True)
        self._client: Any = None
        if client is not None:
            self._adopt(client)

    def _adopt(self, client: AsyncClient) -> None:
        self._client, self.library = client, _Library(_library_of(client))

    def waiting(self, deadline_s: float, where: str) -> AbstractContextManager[None]:
        """For a stream's wait."""
        return waiting(self._clock, deadline_s, self._options.idle_timeout_s, where)

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """The whole answer, whatever its status; silence is bounded by the deadline alone."""
        stream, pieces = _HttpxStream(self, where_of(base_url), deadline_s), []
        try:
            with self._clock.deadline(deadline_s):
                await stream.take_slot()
                await self._open(stream, base_url, request, is_stream=False)
                while piece := await stream.next_bytes():
                    pieces.append(piece)
        except BaseException:
            await stream.aclose()
            raise
        return WireResponse(stream.status, stream.headers, b"".join(pieces))

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> _HttpxStream:
        """The answer's head."""
        stream = _HttpxStream(self, where_of(base_url), deadline_s)
        try:
            with self._clock.deadline(deadline_s):
                await stream.take_slot()
            with self.waiting(deadline_s, stream.where):
                await self._open(stream, base_url, request, is_stream=True)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def _open(self, stream: _HttpxStream, base_url: str, request: WireRequest, *, is_stream: bool) -> None:
        """Send the request and take the answer's head, in the stream's slot."""
        if self._client is None and not self._is_closed:
            self._adopt(_own_client(self._options))
        if self._is_closed or self._client.is_closed:
            raise Trouble.closed.error()
        if self._clock.monotonic_s() >= stream.deadline_s:
            raise Trouble.late.error()
        timeout = {"connect": self._options.connect_timeout_s, "read": None, "write": None, "pool": None}
        tracing = {"trace": _TlsGuard()} if base_url.startswith("https:") else {}
        try:
            outgoing = self._client.build_request(
                request.method,
                self.library.url(base_url + request.target),
                content=request.body,
                headers=headers_out(request.headers, is_stream=is_stream),
                extensions={"timeout": timeout, **tracing},
            )
            outgoing.stream = self.library.body(request.body)
            response = await self._client.send(outgoing, stream=True, follow_redirects=False)
        except self.library.failures as exc:
            self.library.raise_mapped(exc, stream.where)
        stream.take_head(response, self._options)

    async def aclose(self) -> None:
        """Close every connection of a client of our own; calls under way fail. Idempotent."""
        was_closed, self._is_closed = self._is_closed, True
        if not was_closed and self._client is not None and not self._is_host_owned:
            with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
                await self._client.aclose()
