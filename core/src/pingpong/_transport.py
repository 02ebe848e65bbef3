"""
The default transport, over httpx, and the system's clock. The only module of the kernel that knows an HTTP client.

httpx is imported when the first call needs it. A host's own client may come from httpx or from httpx2: nothing is
used here but what the two share (adr/0005).
"""

from __future__ import annotations

import ssl
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import anyio
from attrs import define, field, frozen
from attrs.validators import ge, gt

from pingpong import _errors as errors
from pingpong._clock import Clock
from pingpong._wire import WireRequest, WireResponse

if TYPE_CHECKING:
    from httpx import AsyncClient

# How long an idle connection is kept; below the idle limits of common servers (60 s in AWS load balancers, 75 s in nginx).
_KEEPALIVE_S = 20.0

# The most that closing may hold up a cancelled task.
_CLOSE_TIMEOUT_S = 2.0

# Providers send about 30 headers and 3 kB; h11 itself stops at 100 kB of head.
_MAX_HEADERS, _MAX_HEADER_BYTES = 256, 64 * 1024

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

    @contextmanager
    def deadline(self, at_s: float) -> Iterator[None]:
        """Cancel what runs inside at `at_s`, then raise `DeadlineExceeded`; a cancellation from outside stays one."""
        # The event loop's clock may have another zero than time.monotonic (trio's has).
        with anyio.CancelScope(deadline=anyio.current_time() + at_s - time.monotonic()) as scope:
            yield
        if scope.cancelled_caught:
            raise errors.DeadlineExceeded("The request's time is used up; raise timeout_s or ask for less.")


@frozen(kw_only=True)
class TransportOptions:
    """
    How the transport connects. Proxy and certificates are taken from here alone, never from the environment.

    Attributes:
        proxy: URL of an HTTP proxy; only for a client of our own.
        verify: Whether to check certificates, or the path of a CA bundle, or a context; only for a client of our own.
        connect_timeout_s: For name and TCP, and again for TLS, > 0.
        idle_timeout_s: The longest silence in a streamed answer, > 0. A plain answer is silent while the model thinks,
            so only the deadline bounds it.
        max_response_bytes: Cap on a body as decoded, > 0.
        max_connections: Calls and open streams at a time, >= 1; further ones wait. Not more than a host's client allows
            (100 by default), or its pool loses connections to cancelled calls (adr/0005).
    """

    proxy: str | None = field(default=None, repr=False)
    verify: bool | str | ssl.SSLContext = True
    connect_timeout_s: float = field(default=5.0, validator=gt(0))
    idle_timeout_s: float = field(default=60.0, validator=gt(0))
    max_response_bytes: int = field(default=64 * 1024 * 1024, validator=gt(0))
    max_connections: int = field(default=100, validator=ge(1))


@lru_cache(maxsize=8)
def _ssl_context(verify: bool | str) -> ssl.SSLContext:
    """One context for all transports: loading the certificates takes 20 ms."""
    import httpx

    if not isinstance(verify, str):
        return httpx.create_ssl_context(verify=verify, trust_env=False)
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as exc:
        raise errors.ConfigError(f"verify: {verify} cannot be read as a CA bundle; name a PEM file.") from exc


def _own_client(options: TransportOptions) -> AsyncClient:
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    verify = options.verify if isinstance(options.verify, ssl.SSLContext) else _ssl_context(options.verify)
    # A call cancelled in the queue of httpcore 1.0.9's pool costs the pool a connection; so we queue outside (adr/0005).
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEEPALIVE_S)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    try:
        return httpx.AsyncClient(trust_env=False, verify=verify, proxy=options.proxy, limits=limits, cookies=no_cookies)
    except (ValueError, ImportError, httpx.InvalidURL):
        raise errors.ConfigError("proxy: not the URL of a proxy that httpx can use; write http://host:port.") from None


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


@contextmanager
def _errors_mapped(lib: ModuleType, url: Any) -> Iterator[None]:
    """The HTTP library's errors as ours. Host and port are all that a message says of the address."""
    try:
        yield
    except (lib.LocalProtocolError, lib.UnsupportedProtocol, lib.InvalidURL, UnicodeEncodeError):
        # Their text may repeat a header, and so a key; it goes no further.
        raise errors.InvalidRequestError("The request cannot be sent: base_url or a header is not valid in HTTP.") from None
    except (lib.HTTPError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as exc:
        where = f"{url.host}:{url.port or (443 if url.scheme == 'https' else 80)}"
        if isinstance(exc, lib.ReadTimeout | lib.WriteTimeout):
            raise errors.ProviderTimeout(f"{where} was silent for longer than idle_timeout_s.") from exc
        # Only these texts are the system's; others may quote what the server sent.
        reason = str(exc) if isinstance(exc, lib.ConnectError) else type(exc).__name__
        raise errors.ConnectionFailed(f"The connection to {where} failed: {reason}. Check network, base_url and proxy.") from exc


def _headers_from(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names; values of a repeated name are joined by a comma, as RFC 9110 §5.3 allows."""
    if len(raw) > _MAX_HEADERS or sum(len(name) + len(value) for name, value in raw) > _MAX_HEADER_BYTES:
        raise errors.ResponseTooLarge(f"The answer has more than {_MAX_HEADERS} headers or {_MAX_HEADER_BYTES} bytes of them.")
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


class _Decoder:
    """Undoes gzip and counts; never holds more than the cap, whatever a small chunk would swell to."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise errors.MalformedResponse("The answer has a content-encoding that was not asked for.")
        self._gunzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding.endswith("gzip") else None
        self._left_bytes = max_bytes
        self.is_whole = True

    def feed(self, raw: bytes) -> bytes:
        if self._gunzip is not None:
            try:
                raw = self._gunzip.decompress(raw, self._left_bytes + 1)
            except zlib.error as exc:
                raise errors.MalformedResponse("The answer is not the gzip that its headers say.") from exc
            self.is_whole = self._gunzip.eof
        self._left_bytes -= len(raw)
        if self._left_bytes < 0:
            raise errors.ResponseTooLarge("The answer is larger than max_response_bytes.")
        return raw


@define(eq=False)
class _HttpxStream:
    """A `WireStream`; it holds one of the transport's slots until its body ends or it is closed."""

    _slots: anyio.Semaphore
    _errors_mapped: Callable[[], AbstractContextManager[None]]
    _deadline: Callable[[], AbstractContextManager[None]]
    _state: Literal["open", "ended", "closed"] = "open"
    _response: Any = None
    _chunks: Any = None
    _decoder: Any = None
    status: int = 0
    headers: Mapping[str, str] = {}

    def take_head(self, response: Any, max_response_bytes: int) -> None:
        """Begin the body; from here on there is a connection to close."""
        self._response, self.status = response, response.status_code
        # A mock's answer may come read and decoded; httpx gives its raw bytes to nobody then.
        is_read = response.is_stream_consumed
        self._chunks = aiter(_Body(response.content)) if is_read else response.aiter_raw()
        self.headers = _headers_from(response.headers.raw)
        encoding = "" if is_read else self.headers.get("content-encoding", "").lower()
        self._decoder = _Decoder(encoding, max_response_bytes)

    async def read(self) -> bytes:
        try:
            with self._deadline():
                return await self.next_bytes()
        except BaseException:
            await self.aclose()
            raise

    async def next_bytes(self) -> bytes:
        """`read` without a deadline of its own."""
        while self._state == "open":
            with self._errors_mapped():
                raw = await anext(self._chunks, None)
            if raw is None:
                self._let_go("ended")
                if not self._decoder.is_whole:
                    raise errors.ConnectionFailed("The connection ended before the compressed answer did.")
            elif data := self._decoder.feed(raw):
                return bytes(data)
        if self._state == "closed":
            raise errors.InvalidRequestError("The stream is closed; read it before closing it.")
        return b""

    def _let_go(self, state: Literal["ended", "closed"]) -> None:
        self._state = state
        self._slots.release()

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
        with anyio.CancelScope() as scope, suppress(StopAsyncIteration, errors.PingPongError), self._errors_mapped():
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
        self._slots = anyio.Semaphore(self._options.max_connections, fast_acquire=True)
        self._client: Any = None
        if client is not None:
            self._adopt(client)

    def _adopt(self, client: AsyncClient) -> None:
        self._client, self._library = client, _library_of(client)
        self._body_type = type("_AsyncBody", (_Body, self._library.AsyncByteStream), {})

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """The whole answer, whatever its status; silence is bounded by the deadline alone."""
        with self._clock.deadline(deadline_s):
            stream = await self._open(base_url, request, deadline_s, encoding="gzip", idle_timeout_s=None)
            try:
                pieces = []
                while piece := await stream.next_bytes():
                    pieces.append(piece)
            except BaseException:
                await stream.aclose()
                raise
        return WireResponse(stream.status, stream.headers, b"".join(pieces))

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> _HttpxStream:
        """The answer's head. No compression is asked for: proxies hold a compressed stream back."""
        idle_timeout_s = self._options.idle_timeout_s
        with self._clock.deadline(deadline_s):
            return await self._open(base_url, request, deadline_s, encoding="identity", idle_timeout_s=idle_timeout_s)

    async def _open(
        self, base_url: str, request: WireRequest, deadline_s: float, *, encoding: str, idle_timeout_s: float | None
    ) -> _HttpxStream:
        if self._client is None and not self._is_closed:
            self._adopt(_own_client(self._options))
        if self._is_closed or self._client.is_closed:
            raise errors.InvalidRequestError("The transport, or the HTTP client it was given, is closed; open a new one.")
        timeout = {"connect": self._options.connect_timeout_s, "read": idle_timeout_s, "write": idle_timeout_s, "pool": None}
        tracing = {"trace": _TlsGuard()} if base_url.startswith("https:") else {}
        with _errors_mapped(self._library, None):
            outgoing = self._client.build_request(
                request.method,
                base_url + request.target,
                content=request.body,
                headers={**request.headers, "accept-encoding": encoding},
                extensions={"timeout": timeout, **tracing},
            )
        outgoing.stream = self._body_type(request.body)
        mapped = partial(_errors_mapped, self._library, outgoing.url)
        await self._slots.acquire()
        stream = _HttpxStream(self._slots, mapped, partial(self._clock.deadline, deadline_s))
        try:
            with mapped():
                response = await self._client.send(outgoing, stream=True, follow_redirects=False)
            stream.take_head(response, self._options.max_response_bytes)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def aclose(self) -> None:
        """Close every connection of a client of our own; calls under way fail. Idempotent."""
        was_closed, self._is_closed = self._is_closed, True
        if not was_closed and self._client is not None and not self._is_host_owned:
            with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
                await self._client.aclose()
