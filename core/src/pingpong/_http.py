"""What every HTTP transport shares: options, TLS, an answer's head and body, how long to wait, the words of errors. Pure."""

from __future__ import annotations

import re
import ssl
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from importlib import import_module
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from attrs.validators import and_, ge, gt, le

from pingpong import _errors as errors
from pingpong._clock import Clock

# Providers send about 30 headers and 3 kB; h11 itself stops at 100 kB of head.
_MAX_HEADERS, _MOST_HEADER_BYTES = 256, 96 * 1024

_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch

# 8 MB: a decoder of `zstd` may refuse more (RFC 9659 §3).
_MAX_ZSTD_WINDOW_LOG = 23


@frozen(kw_only=True)
class TransportOptions:
    """
    How a transport connects. Proxy and certificates are taken from here alone, never from the environment.

    Attributes:
        name: The transport, `httpx` or a plugin's; None takes the fastest that is installed and runs here.
        proxy: URL of an HTTP proxy; only for a client of our own.
        verify: Whether to check certificates, or the path of a CA bundle, or a context; only for a client of our own.
        client_cert: Path of a PEM file with our own certificate and its unencrypted key; only for a client of our own.
        connect_timeout_s: For name, TCP and TLS, > 0; httpx counts TLS anew.
        idle_timeout_s: The longest silence in a streamed answer, > 0; all until its head counts as one. A plain answer is
            silent while the model thinks, so only the deadline bounds it.
        max_response_bytes: Cap on a body as decoded, > 0.
        max_header_bytes: Cap on the headers of an answer, > 0 and at most 98,304.
        max_connections: Calls and open streams at a time, >= 1; further ones wait. Not more than a host's client allows
            (100 by default), or its pool loses connections to cancelled calls (adr/0005).
    """

    name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str | ssl.SSLContext = True
    client_cert: str | None = None
    connect_timeout_s: float = field(default=5.0, validator=gt(0))
    idle_timeout_s: float = field(default=60.0, validator=gt(0))
    max_response_bytes: int = field(default=64 * 1024 * 1024, validator=gt(0))
    max_header_bytes: int = field(default=64 * 1024, validator=and_(gt(0), le(_MOST_HEADER_BYTES)))
    max_connections: int = field(default=100, validator=ge(1))


class Trouble(Enum):
    """What can go wrong on the way, with the error that it is and the one wording that all transports share."""

    unsendable = errors.InvalidRequestError, "The request cannot be sent: base_url or a header is not valid in HTTP."
    closed = (errors.InvalidRequestError, "The transport, its HTTP client or its event loop is closed; open a new one.")
    left = errors.InvalidRequestError, "The stream is closed; read it before closing it."
    proxy = errors.ConfigError, "proxy: not the URL of a proxy that {} can use; write http://host:port."
    late = errors.DeadlineExceeded, "The request's time is used up; raise timeout_s or ask for less."
    silent = errors.ProviderTimeout, "{} was silent for longer than idle_timeout_s."
    failed = errors.ConnectionFailed, "The connection to {} failed: {}. Check network, base_url and proxy."
    cut = errors.ConnectionFailed, "The connection ended before the compressed answer did."
    head = errors.ResponseTooLarge, f"The answer has more than {_MAX_HEADERS} headers, or longer ones than max_header_bytes."
    body = errors.ResponseTooLarge, "The answer is larger than max_response_bytes."
    encoding = errors.MalformedResponse, "The answer has a content-encoding that was not asked for."
    garbled = errors.MalformedResponse, "The answer is not the {} that its headers say."

    def error(self, *said: str) -> errors.PingPongError:
        """The error, with what is to be said of this time: the names of the places in the text, in order."""
        cls, text = self.value
        error: errors.PingPongError = cls(text.format(*said))
        return error


@lru_cache(maxsize=256)
def where_of(base_url: str) -> str:
    """`host:port` of an address, all that a message says of it. Raises `InvalidRequestError` where it is none."""
    try:
        url = urlsplit(base_url)
        return f"{url.hostname or ''}:{url.port or {'http': 80, 'https': 443}[url.scheme]}"
    except (ValueError, KeyError):
        raise Trouble.unsendable.error() from None


def tls_context(options: TransportOptions) -> ssl.SSLContext:
    """What certificates are checked with: the options' own context, or one for all transports. Raises `ConfigError`."""
    verify = options.verify
    return verify if isinstance(verify, ssl.SSLContext) else _tls_context(verify, options.client_cert)


@lru_cache(maxsize=8)  # loading the certificates takes 20 ms
def _tls_context(verify: bool | str, client_cert: str | None) -> ssl.SSLContext:
    import certifi

    try:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else certifi.where())
    except OSError as exc:
        raise errors.ConfigError(f"verify: {verify} cannot be read as a CA bundle; name a PEM file.") from exc
    if verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, password="")  # or OpenSSL asks for one at the terminal
        except OSError as exc:
            raise errors.ConfigError(f"client_cert: {client_cert} is no PEM file of a certificate and a plain key.") from exc
    return context


def headers_out(headers: Mapping[str, str], *, is_stream: bool) -> dict[str, str]:
    """
    A request's headers with what to compress with: nothing for a stream, which proxies would hold back (adr/0005).

    Raises:
        InvalidRequestError: A name is no token (RFC 9110 §5.6.2) or a value not ASCII; HTTP libraries differ in what they do.
    """
    for name, value in headers.items():
        if not (_is_token(name) and value.isascii()):
            raise Trouble.unsendable.error() from None
    return {**headers, "accept-encoding": "identity" if is_stream else "gzip, zstd"}


def headers_in(raw: Sequence[tuple[bytes, bytes]], max_header_bytes: int) -> dict[str, str]:
    """
    Lower-case names; values of a repeated name are joined by a comma, as RFC 9110 §5.3 allows.

    Raises:
        ResponseTooLarge: They are too many, or too long.
    """
    if len(raw) > _MAX_HEADERS or sum(map(len, chain.from_iterable(raw))) > max_header_bytes:
        raise Trouble.head.error()
    headers = {_header_name(name): value.decode("latin-1") for name, value in raw}
    if len(headers) < len(raw):
        values: dict[str, list[str]] = {name: [] for name in headers}
        for name, value in raw:
            values[_header_name(name)].append(value.decode("latin-1"))
        headers = {name: ", ".join(several) for name, several in values.items()}
    return headers


@lru_cache(maxsize=1024)
def _header_name(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


def _gzip() -> Any:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _zstd() -> Any:
    zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _MAX_ZSTD_WINDOW_LOG})


_MAKERS: Mapping[str, Callable[[], Any] | None] = {"": None, "identity": None, "gzip": _gzip, "x-gzip": _gzip, "zstd": _zstd}


class BodyDecoder:
    """
    Undoes a body's gzip or zstd, of one part or several, and counts.

    It never holds more than the cap, whatever a small chunk would swell to.
    """

    __slots__ = ("_decoder", "_encoding", "_left_bytes", "_make")

    def __init__(self, encoding: str, max_bytes: int) -> None:
        """`encoding` is the answer's `content-encoding`. Raises `MalformedResponse` for one that is not ours to undo."""
        self._encoding = encoding.strip().lower()
        if self._encoding not in _MAKERS:
            raise Trouble.encoding.error()
        self._make, self._left_bytes = _MAKERS[self._encoding], max_bytes
        self._decoder: Any = None

    def finish(self) -> None:
        """The body ends here. Raises `ConnectionFailed` where it may not."""
        if self._decoder is not None and not self._decoder.eof:
            raise Trouble.cut.error()

    def feed(self, raw: bytes) -> bytes:
        """The next bytes, decoded. Raises `MalformedResponse`, or `ResponseTooLarge` beyond the cap."""
        data = raw if self._make is None else self._unpacked(raw, self._make)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise Trouble.body.error()
        return data

    def _unpacked(self, raw: bytes, make: Callable[[], Any]) -> bytes:
        pieces, left_bytes = [], self._left_bytes + 1
        while raw and left_bytes:
            if self._decoder is None or self._decoder.eof:
                self._decoder = make()
            try:
                pieces.append(self._decoder.decompress(raw, left_bytes))
            except Exception as exc:  # each decoder has an error class of its own
                raise Trouble.garbled.error(self._encoding) from exc
            left_bytes, raw = left_bytes - len(pieces[-1]), self._decoder.unused_data
        return b"".join(pieces)


@contextmanager
def waiting(clock: Clock, deadline_s: float, idle_timeout_s: float, where: str) -> Iterator[None]:
    """
    Bounds a wait for the peer by the request's deadline, and by `idle_timeout_s` where that comes first.

    Raises:
        DeadlineExceeded: The deadline passed.
        ProviderTimeout: `idle_timeout_s` did.
    """
    idle_at_s = clock.monotonic_s() + idle_timeout_s
    try:
        with clock.deadline(min(idle_at_s, deadline_s)):
            yield
    except errors.DeadlineExceeded:
        if idle_at_s < deadline_s:
            raise Trouble.silent.error(where) from None
        raise
