"""What goes over the wire, as values: the border between pure codecs and the transport."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import parse_qs, quote, unquote

from attrs import field, frozen


@frozen
class WireRequest:
    """
    One HTTP request to a provider, without credentials.

    Attributes:
        target: Path below the driver's base URL, with its query: `/v1/messages`.
        headers: Lower-case names; `content-type` included where there is a body.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> Mapping[str, str]:
        """The query's first value of each name."""
        return {k: v[0] for k, v in parse_qs(self.target.partition("?")[2], keep_blank_values=True).items()}


@frozen
class WireResponse:
    """One HTTP answer; header names are lower-case, the body is decoded of its content encoding."""

    status: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def target_from_template(template: str, **params: str) -> str:
    """Fill `{name}` places of a path template; values are percent-encoded, slashes and colons kept."""
    return template.format(**{k: quote(v, safe="/:@-._~") for k, v in params.items()})


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(template)))


def params_from_path(template: str, path: str) -> Mapping[str, str] | None:
    """The `{name}` values of a path that fits the template, None where it does not fit."""
    match = _pattern(template).fullmatch(path)
    return None if match is None else {k: unquote(v) for k, v in match.groupdict().items()}


class WireStream(Protocol):
    """A streamed answer whose head has arrived. Whoever opened it closes it."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names."""

    async def read(self) -> bytes:
        """
        The next bytes, decoded of their content encoding, in whatever pieces arrive; b"" at the end of the body.

        Raises:
            DeadlineExceeded: The request's deadline passed.
            ProviderTimeout: Nothing came for the transport's idle time.
            ConnectionFailed: The connection broke before the body ended.
            ResponseTooLarge: The body outgrew the transport's cap.
        """

    async def aclose(self) -> None:
        """Close the connection unless the body was read to its end; idempotent, and works under cancellation."""


class Transport(Protocol):
    """
    The only I/O of a driver: one HTTP request, one answer. Redirects are not followed, nothing is retried.

    `base_url` is scheme, host and path prefix without a trailing slash; `request.headers` hold the credentials;
    `deadline_s` is a moment of the client's clock that bounds the whole exchange, body included.
    """

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """The whole answer, whatever its status. Raises as `WireStream.read` does."""

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> WireStream:
        """The answer's head, the body to be read. Raises as `WireStream.read` does."""

    async def aclose(self) -> None:
        """Close every connection; idempotent."""
