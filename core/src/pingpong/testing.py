"""
Fakes, as public API: a clock that never waits, a driver with a wire of its own, a transport that follows a script.

    transport = FakeTransport({"fake:small": [RateLimited("slow down"), "hello"]})
    client = fake_client(transport)
    outcome = await client.complete("hi", model="fake:small")

Nothing here opens a socket, reads the environment or sleeps. Works on asyncio and trio.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any

from attrs import define, evolve, field, frozen

from pingpong import _errors as errors
from pingpong import hookspecs
from pingpong._cards import Card, Price
from pingpong._client import Client, MemoryLedger
from pingpong._config import Config
from pingpong._credentials import ApiKey
from pingpong._drivers import Driver, DriverOptions, DriverRecord, Endpoint, EndpointRecord, Operation, Parsed
from pingpong._errors import PingPongError
from pingpong._events import Event, StreamError, events_from_response, response_from_events
from pingpong._framing import SseParser
from pingpong._json import from_json, to_json
from pingpong._messages import Text
from pingpong._registry import Registry
from pingpong._requests import Capability, EmbedRequest, Request, estimate_text_tokens
from pingpong._responses import EmbedResponse, FinishReason, Response, TokenCount, Usage
from pingpong._wire import Transport, WireRequest, WireResponse, params_from_path

_due: ContextVar[tuple[float, ...]] = ContextVar("_due", default=())


class _Expired(BaseException):
    def __init__(self, at_s: float) -> None:
        self.at_s = at_s


@define
class FakeClock:
    """A clock that moves only when somebody sleeps, and then at once. `naps` are the sleeps asked for, in seconds."""

    now_s: float = 0.0
    epoch: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    naps: list[float] = field(factory=list)

    def monotonic_s(self) -> float:
        """Seconds since the clock was made, all of them slept."""
        return self.now_s

    def utc_now(self) -> datetime:
        """The epoch and what was slept since."""
        return self.epoch + timedelta(seconds=self.now_s)

    async def sleep(self, seconds: float) -> None:
        """Move on; to the nearest deadline only, where one comes first."""
        from anyio.lowlevel import checkpoint

        await checkpoint()
        self.naps.append(seconds)
        nearest_s = min(_due.get(), default=float("inf"))
        if nearest_s <= self.now_s + seconds:
            self.now_s = max(self.now_s, nearest_s)
            raise _Expired(nearest_s)
        self.now_s += seconds

    @contextmanager
    def deadline(self, at_s: float) -> Iterator[None]:
        """Ends a sleep inside that would pass `at_s`."""
        token = _due.set((*_due.get(), at_s))
        try:
            yield
        except _Expired as expired:
            if expired.at_s != at_s:
                raise
            raise errors.DeadlineExceeded("The time for this request is used up.") from None
        finally:
            _due.reset(token)


_CHAT = frozenset(Capability)
_OPERATIONS: tuple[tuple[str, Operation], ...] = (("chat", "chat"), ("embed", "embed"), ("count", "count_tokens"))
FAKE_RECORDS = tuple(
    EndpointRecord(name=name, operation=operation, path=f"/{name}", capabilities=_CHAT, provider_options=frozenset({"flavour"}))
    for name, operation in _OPERATIONS
)


@frozen
class _FakeCodec:
    """Records as JSON, streams as server-sent events."""

    kind: Any
    path: str

    def encode(self, request: Any, card: Card, *, is_stream: bool) -> WireRequest:
        body = {"model": card.model, "is_stream": is_stream, "request": to_json(request)}
        return WireRequest("POST", self.path, {"content-type": "application/json"}, json.dumps(body).encode())

    def decode(self, wire: WireResponse) -> Any:
        try:
            return from_json(self.kind, json.loads(wire.body))
        except (ValueError, errors.InvalidRequestError) as exc:
            raise errors.MalformedResponse("The fake answer is not what it should be.") from exc

    def stream_decoder(self, headers: Mapping[str, str]) -> _FakeDecoder:
        return _FakeDecoder()

    def error(self, wire: WireResponse) -> PingPongError:
        cls = {400: errors.InvalidRequestError, 429: errors.RateLimited}.get(wire.status, errors.ServerError)
        retry_after = wire.headers.get("retry-after")
        return cls("The fake provider failed.", status=wire.status, retry_after_s=float(retry_after) if retry_after else None)


class _FakeDecoder:
    def __init__(self) -> None:
        self._parser = SseParser()
        self._seen: list[Event] = []
        self._is_over = False

    def feed(self, chunk: bytes) -> Sequence[Event]:
        events: list[Event] = []
        for sse in self._parser.feed(chunk):
            if not self._is_over:
                data = json.loads(sse.data)
                if data["type"] == "error":
                    error = errors.ServerError(data["error"]["message"], partial=response_from_events(self._seen))
                    events.append(StreamError(error, error.partial))
                else:
                    events.append(from_json(Event, data))
                self._seen.append(events[-1])
                self._is_over = events[-1].kind in ("end", "error")
        return events

    def close(self) -> Sequence[Event]:
        if self._is_over:
            return ()
        partial = response_from_events(self._seen)
        return (StreamError(errors.StreamTruncated("The fake stream was cut.", partial=partial), partial),)


@frozen
class _FakeDialect:
    kind: Any

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Any]:
        body = json.loads(wire.body)
        return Parsed(from_json(self.kind, body["request"]), body["model"], body["is_stream"], wire)

    def render(self, response: Any, parsed: Parsed[Any] | None = None) -> WireResponse:
        data = to_json(evolve(response, raw=None) if isinstance(response, Response) else response)
        return WireResponse(200, {"content-type": "application/json"}, json.dumps(data).encode())

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> _FakeRenderer:
        return _FakeRenderer()

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        return {"content-type": "text/event-stream"}

    def render_error(self, error: PingPongError) -> WireResponse:
        headers = {} if error.retry_after_s is None else {"retry-after": f"{error.retry_after_s}"}
        status = {"invalid_request": 400, "rate_limited": 429}.get(error.kind, 500)
        return WireResponse(status, headers, b"{}")


class _FakeRenderer:
    def render(self, event: Event) -> bytes:
        data = to_json(evolve(event, partial=None) if isinstance(event, StreamError) else event)
        return b"data: " + json.dumps(data).encode() + b"\n\n"


FAKE_ENDPOINTS = (
    Endpoint(FAKE_RECORDS[0], _FakeCodec(Response, "/chat"), _FakeDialect(Request)),
    Endpoint(FAKE_RECORDS[1], _FakeCodec(EmbedResponse, "/embed"), _FakeDialect(EmbedRequest)),
    Endpoint(FAKE_RECORDS[2], _FakeCodec(TokenCount, "/count"), _FakeDialect(Request)),
)


def fake_driver(record: DriverRecord, options: DriverOptions, env: Mapping[str, str]) -> Driver:
    """The factory of every fake driver."""
    key = ApiKey(
        header="authorization", prefix="Bearer ", key=options.api_key, file=options.api_key_file,
        env_vars=record.env_vars, env=env, provider=record.name,
    )  # fmt: skip
    return Driver(
        name=record.name, base_url=options.base_url or f"https://{record.name}.test", endpoints=FAKE_ENDPOINTS, credentials=key,
        estimate_tokens=lambda request, card: sum(estimate_text_tokens(m.text) for m in request.messages),
    )  # fmt: skip


def fake_price(input_usd: str = "1", output_usd: str = "2") -> Price:
    """A price in US dollars per million tokens."""
    return Price(
        input_usd_per_mtok=Decimal(input_usd), output_usd_per_mtok=Decimal(output_usd),
        source_url="https://fake.test/prices", as_of=date(2026, 1, 1),
    )  # fmt: skip


def fake_card(model_id: str = "fake:small", *, price: Price | None = None, **changes: Any) -> Card:
    """A card that can do everything, with a price."""
    provider, _, model = model_id.partition(":")
    card = Card(
        provider=provider, model=model, endpoints=("chat", "embed", "count"), context_tokens=10_000, max_output_tokens=1_000,
        capabilities=_CHAT, price=price or fake_price(),
    )  # fmt: skip
    return evolve(card, **changes)


def fake_driver_record(name: str, cards: Sequence[Card]) -> DriverRecord:
    """A driver of that name whose key is in `FAKE_KEY`."""
    return DriverRecord(
        name=name, factory="pingpong.testing:fake_driver", cards=tuple(cards), endpoints=FAKE_RECORDS, env_vars=("FAKE_KEY",)
    )


_numbers = count()


def factory_path(factory: Callable[..., Any]) -> str:
    """A `package.module:attribute` under which a record can name an object of a test."""
    name = f"_placed_{next(_numbers)}"
    setattr(sys.modules[__name__], name, factory)
    return f"{__name__}:{name}"


def fake_plugin(name: str, **records: Sequence[Any]) -> Any:
    """An entry point of a plugin that brings these records, by kind: `fake_plugin("mine", routers=[…])`."""
    hooks = {f"pingpong_{kind}": hookspecs.hookimpl(_hook(f"pingpong_{kind}", found)) for kind, found in records.items()}
    module = SimpleNamespace(__name__=name, **hooks)
    dist = SimpleNamespace(name=f"pingpong-{name}", version="1.0")
    return SimpleNamespace(name=name, value=f"{name}:plugin", dist=dist, load=lambda: module)


def _hook(name: str, records: Sequence[Any]) -> Callable[[], list[Any]]:
    def hook() -> list[Any]:
        return list(records)

    hook.__name__ = name
    return hook


def fake_registry(cards: Sequence[Card] = (), plugins: Sequence[Any] = (), **options: Any) -> Registry:
    """A registry of fake drivers for these cards, and of these plugins."""
    providers = dict.fromkeys(c.provider for c in cards)
    records = [fake_driver_record(name, [c for c in cards if c.provider == name]) for name in providers]
    return Registry(found=[fake_plugin("fakes", drivers=records), *plugins], **options)


def fake_response(text: str = "hello", *, model: str = "small", provider: str = "fake", **changes: Any) -> Response:
    """A whole answer of 10 input and 5 output tokens."""
    response = Response(
        provider=provider, model=model, parts=(Text(text),), finish_reason=FinishReason.stop, raw_finish_reason="stop",
        usage=Usage(uncached_input_tokens=10, visible_output_tokens=5),
    )  # fmt: skip
    return evolve(response, **changes)


@frozen
class Cut:
    """A reply whose stream breaks off after `n_events` events, without a terminal marker."""

    response: Response
    n_events: int


class Silence:
    """A reply that never comes."""


Reply = str | Response | PingPongError | Cut | Silence | Callable[[Request], str | Response]


class FakeTransport:
    """
    Answers as its script says, in the fake drivers' wire.

    Args:
        script: By full model id, the replies in order; the last one serves for ever. A missing model echoes its prompt.
        clock: Silence waits on it.

    Attributes:
        requests: What was sent, as (model id, WireRequest), in order.
        n_open: Streams opened and not closed.
    """

    def __init__(self, script: Mapping[str, Sequence[Reply]] | None = None, clock: FakeClock | None = None) -> None:
        self._script = {model: list(replies) for model, replies in (script or {}).items()}
        self._clock = clock or FakeClock()
        self.requests: list[tuple[str, WireRequest]] = []
        self.n_open = 0
        self.is_closed = False

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """The next reply, whole."""
        endpoint, _, reply = await self._next(base_url, request, deadline_s)
        render = endpoint.dialect.render_error if isinstance(reply, PingPongError) else endpoint.dialect.render
        answer: WireResponse = render(reply.response if isinstance(reply, Cut) else reply)
        return answer

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> _FakeStream:
        """The next reply, as a stream of one chunk an event."""
        endpoint, parsed, reply = await self._next(base_url, request, deadline_s)
        if isinstance(reply, PingPongError):
            failed = endpoint.dialect.render_error(reply)
            return _FakeStream(self, failed.status, failed.headers, [failed.body])
        response, cut = (reply.response, reply.n_events) if isinstance(reply, Cut) else (reply, None)
        renderer = endpoint.dialect.stream_renderer(parsed)
        chunks = [renderer.render(event) for event in [*events_from_response(response)][:cut]]
        return _FakeStream(self, 200, endpoint.dialect.stream_headers(parsed), chunks)

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    async def _next(self, base_url: str, request: WireRequest, deadline_s: float) -> tuple[Any, Parsed[Any], Any]:
        from anyio.lowlevel import checkpoint

        await checkpoint()
        endpoint = next(e for e in FAKE_ENDPOINTS if params_from_path(e.record.path, request.path) is not None)
        parsed: Parsed[Any] = endpoint.dialect.parse(request, {})
        provider = base_url.removeprefix("https://").removesuffix(".test")
        model_id = f"{provider}:{parsed.model}"
        self.requests.append((model_id, request))
        replies = self._script.get(model_id) or [lambda request: request.messages[-1].text]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Silence):
            with self._clock.deadline(deadline_s):
                await self._clock.sleep(float("inf"))
        return endpoint, parsed, self._answer(endpoint.record, parsed, reply, provider)

    def _answer(self, record: EndpointRecord, parsed: Parsed[Any], reply: Any, provider: str) -> Any:
        if isinstance(reply, PingPongError | Cut):
            return reply
        usage = Usage(uncached_input_tokens=10)
        if record.operation == "embed":
            vectors = tuple((float(len(text)), 1.0) for text in parsed.request.inputs)
            return EmbedResponse(provider=provider, model=parsed.model, vectors=vectors, usage=usage)
        if record.operation == "count_tokens":
            return TokenCount(provider=provider, model=parsed.model, input_tokens=10)
        value = reply(parsed.request) if callable(reply) else reply
        return fake_response(value, model=parsed.model, provider=provider) if isinstance(value, str) else value


@define(eq=False)
class _FakeStream:
    transport: FakeTransport
    status: int
    headers: Mapping[str, str]
    chunks: list[bytes]
    is_closed: bool = False

    def __attrs_post_init__(self) -> None:
        self.transport.n_open += 1

    async def read(self) -> bytes:
        from anyio.lowlevel import checkpoint

        await checkpoint()
        return self.chunks.pop(0) if self.chunks else b""

    async def aclose(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.transport.n_open -= 1


class FakeClient(Client):
    """A client whose seams are the fakes'."""

    clock: FakeClock
    ledger: MemoryLedger


def fake_client(
    transport: Transport | None = None, *, cards: Sequence[Card] | None = None, plugins: Sequence[Any] = (), **options: Any
) -> FakeClient:
    """A client of fake drivers with a key, a fake clock and a fixed seed; `options` go to `Client`."""
    options.setdefault("clock", FakeClock())
    options.setdefault("env", {"FAKE_KEY": "fake-secret"})
    options.setdefault("config", Config())
    registry = fake_registry([fake_card()] if cards is None else cards, plugins)
    return FakeClient(registry=registry, transport=transport or FakeTransport(clock=options["clock"]), seed=1, **options)


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    """All events of a stream."""
    return [event async for event in events]
