"""
What a driver is: a table of endpoints, each a pair of pure halves, and the records that declare it.

A codec is the client half, a dialect the server half of one wire. Neither does I/O, reads a clock or knows a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

from attrs import field, frozen

from pingpong._cards import Card
from pingpong._credentials import Credentials, KeySource, Secret
from pingpong._errors import PingPongError
from pingpong._events import Event
from pingpong._requests import Capability, EmbedRequest, Request
from pingpong._responses import EmbedResponse, Response, TokenCount
from pingpong._wire import WireRequest, WireResponse

Operation = Literal["chat", "embed", "count_tokens"]
Req = TypeVar("Req")
Req_contra = TypeVar("Req_contra", contravariant=True)
Res_co = TypeVar("Res_co", covariant=True)
Res_contra = TypeVar("Res_contra", contravariant=True)


class StreamDecoder(Protocol):
    """Events out of a streamed body. One decoder serves one stream; after a terminal event it gives nothing more."""

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Events that this chunk completes, in any partition of the body; an error in the stream is a `StreamError`."""

    def close(self) -> Sequence[Event]:
        """
        The body ended: nothing after a terminal event; else a `StreamEnd` where this wire ends with its body, or one
        `StreamError` of `StreamTruncated`.
        """


class Codec(Protocol[Req_contra, Res_co]):
    """The client half of one endpoint."""

    def encode(self, request: Req_contra, card: Card, *, is_stream: bool) -> WireRequest:
        """
        The HTTP request for one attempt.

        Raises:
            UnsupportedParameter: An option this wire has no place for.
            InvalidRequestError: Content this wire cannot carry.
        """

    def decode(self, wire: WireResponse) -> Res_co:
        """
        The answer in a 2xx body.

        Raises:
            MalformedResponse: The body breaks the protocol.
            PingPongError: The body is an error in spite of its status.
        """

    def stream_decoder(self, headers: Mapping[str, str]) -> StreamDecoder:
        """A fresh decoder for a 2xx streamed body with these (lower-case) headers; only chat endpoints stream."""

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that a non-2xx answer means, by status and provider code; total: any status with any body."""


@frozen
class Parsed(Generic[Req]):
    """A request that a dialect read: what was asked, of which model name, streamed or not, and the wire it came on."""

    request: Req
    model: str
    is_stream: bool
    wire: WireRequest


class StreamRenderer(Protocol):
    """Wire bytes out of events, one stream each."""

    def render(self, event: Event) -> bytes:
        """The bytes that tell this event; b"" where the wire says nothing of it."""


class Dialect(Protocol[Req, Res_contra]):
    """The server half of one endpoint: what the simulator, the contract suite and the gateway speak with."""

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Req]:
        """
        Read a client's request. `params` are the places of the endpoint's path template.

        Raises:
            InvalidRequestError: The body is not what this endpoint takes; the message names the field.
        """

    def render(self, response: Res_contra, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer; what `Codec.decode` turns back into an equal response."""

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> StreamRenderer:
        """A fresh renderer for one stream; chat endpoints only."""

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Headers of a streamed 200 answer, content type included."""

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error as this provider does; what `Codec.error` maps back to the same kind."""


@frozen(kw_only=True)
class EndpointRecord:
    """
    What a driver declares of one endpoint, readable without importing the driver's class.

    Attributes:
        name: The wire's own path name, as recorded traffic is indexed: `chat/completions`.
        path: Template below the base URL: `/v1beta/models/{model}:generateContent`.
        capabilities: What this wire can carry; a card must have it too.
        provider_options: Names it takes from `Request.provider_options[driver]`.
        unpriced_options: Those of them that change what a call costs in a way its card cannot tell; with one of them the
            most it can cost is unknown, so it is refused under a cap.
    """

    name: str
    operation: Operation
    method: str = "POST"
    path: str
    capabilities: frozenset[Capability] = frozenset()
    provider_options: frozenset[str] = frozenset()
    unpriced_options: frozenset[str] = frozenset()


@frozen
class Endpoint(Generic[Req, Res_co]):
    """One endpoint: its record and its two halves."""

    record: EndpointRecord
    codec: Codec[Req, Res_co]
    dialect: Dialect[Req, Any]


AnyEndpoint = Endpoint[Request, Response] | Endpoint[EmbedRequest, EmbedResponse] | Endpoint[Request, TokenCount]


@frozen(kw_only=True)
class Driver:
    """
    A driver ready for use: what its factory returns.

    Attributes:
        base_url: Scheme, host and path prefix, no trailing slash.
        endpoints: In the record's order.
        credentials: Gives the headers that authenticate a request.
        estimate_tokens: Pure upper estimate of a request's input tokens for a card.
    """

    name: str
    base_url: str
    endpoints: tuple[AnyEndpoint, ...]
    credentials: Credentials
    estimate_tokens: Callable[[Request, Card], int]


@frozen(kw_only=True)
class DriverOptions:
    """
    What every driver can be told; a driver's own options class adds to it.

    Attributes:
        api_key: The key itself, as `Secret`; None reads the record's environment variables.
        api_key_file: A file that holds it.
        base_url: Instead of the provider's own; trailing slashes do not matter.
        headers: Sent with every request.
    """

    api_key: Secret | KeySource | None = field(default=None, repr=False)
    api_key_file: str | None = None
    base_url: str | None = None
    headers: Mapping[str, str] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class DriverRecord:
    """
    What the hook `pingpong_drivers` returns: a driver, declared.

    Attributes:
        name: The provider part of model ids, lower-kebab.
        factory: `package.module:callable`, called as `factory(record, options, env)`; returns a `Driver` and does no I/O.
            Imported on first use.
        options: `package.module:class` of its options; `pingpong:DriverOptions` where it adds none.
        cards: `package:file.json`, package data generated from `models.toml`; or the cards themselves.
        env_vars: Variables that may hold the key, the first found wins.
        endpoints: The endpoint records.
        corpora: Folders of recorded traffic that hold this provider's wire.
    """

    name: str
    factory: str
    cards: str | tuple[Card, ...]
    endpoints: tuple[EndpointRecord, ...]
    env_vars: tuple[str, ...] = ()
    options: str = "pingpong:DriverOptions"
    corpora: tuple[str, ...] = ()
    title: str = ""
    key_url: str = ""
