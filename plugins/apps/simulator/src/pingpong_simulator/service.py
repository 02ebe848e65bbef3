"""
The provider's side of one HTTP exchange, as a value: a wire request goes in, the pieces of an answer come out.

Knows no socket and no clock: it says how long to wait, others wait. State is what a provider would keep: prompt caches,
and the turn of every fault script.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from typing import Any

from attrs import evolve, field, frozen
from pingpong import (
    AnyEndpoint,
    AuthenticationError,
    Card,
    ContextLengthExceeded,
    Driver,
    EmbedResponse,
    Event,
    NotFoundError,
    Parsed,
    PartEnd,
    PingPongError,
    ReasoningDelta,
    Response,
    StreamEnd,
    StreamError,
    StreamStart,
    TextDelta,
    TokenCount,
    ToolCallDelta,
    Usage,
    WireRequest,
    WireResponse,
    events_from_response,
    params_from_path,
)

from pingpong_simulator import tokens
from pingpong_simulator.caching import PromptCache
from pingpong_simulator.draws import draw_from
from pingpong_simulator.engine import Model, answer, vectors
from pingpong_simulator.faults import HEADER, Fault, FaultScript, error_from_fault, fault_from_text
from pingpong_simulator.skill import Pace, pace_of, ranks_from, skill_of

_KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
_SPLIT_CHANCE = 0.25
"""How often a piece of a stream arrives in two, so that clients meet events cut in the middle."""


@frozen
class Piece:
    """Bytes of a body, and the seconds to wait before them."""

    after_s: float
    data: bytes


@frozen
class Reply:
    """
    An answer to send.

    Attributes:
        after_s: Seconds before the head is sent; infinite for silence.
        pieces: The body in the pieces it arrives in.
        is_broken: The connection breaks after the last piece.
    """

    status: int
    headers: Mapping[str, str]
    pieces: tuple[Piece, ...]
    after_s: float = 0.0
    is_broken: bool = False


@frozen
class _Found:
    driver: Driver
    endpoint: Any
    params: Mapping[str, str]


@frozen(kw_only=True)
class Service:
    """
    Every endpoint of every driver, answering.

    Attributes:
        drivers: Gives the drivers; called at each request, so that they may be made on first use.
        latency: Scale of the pace; 0 answers at once.
    """

    drivers: Callable[[], tuple[Driver, ...]]
    cards: tuple[Card, ...]
    seed: int = 0
    latency: float = 1.0
    script: FaultScript = field(factory=lambda: FaultScript({}))
    _cache: PromptCache = field(factory=PromptCache)
    _ranks: Mapping[str, float] = field(init=False)

    @_ranks.default
    def _ranked(self) -> Mapping[str, float]:
        return ranks_from(self.cards)

    def reply(self, wire: WireRequest, base_url: str | None = None) -> Reply:
        """The answer to a request sent to a driver's base URL, or to any driver that has its path."""
        drivers = [d for d in self.drivers() if base_url in (None, d.base_url)]
        found = list(_found(drivers, wire))
        if not found:
            unknown = NotFoundError(f"There is no endpoint {wire.method} {wire.path[:100]}.", status=404)
            return _whole(_nearest(drivers or self.drivers(), wire.path).render_error(unknown))
        dialect = found[0].endpoint.dialect
        try:
            _check_key(wire)
            place, parsed = self._parsed(found, wire)
            dialect = place.endpoint.dialect
            card = self._card(place, parsed.model)
            return self._answered(place, parsed, card, self._fault(wire, card))
        except PingPongError as error:
            rendered: WireResponse = dialect.render_error(error)
            return _whole(rendered if error.status is None else evolve(rendered, status=error.status))

    def _parsed(self, found: list[_Found], wire: WireRequest) -> tuple[_Found, Parsed[Any]]:
        """The request as read by the driver that has its model; by the first one where none has it."""
        read = [(place, place.endpoint.dialect.parse(wire, place.params)) for place in found]
        known = (pair for pair in read if self._find_card(pair[0], pair[1].model) is not None)
        return next(known, read[0])

    def _find_card(self, place: _Found, model: str) -> Card | None:
        mine = (c for c in self.cards if c.provider == place.driver.name and model in (c.model, *c.aliases))
        return next((c for c in mine if place.endpoint.record.name in c.endpoints), None)

    def _card(self, place: _Found, model: str) -> Card:
        card = self._find_card(place, model)
        if card is None:
            raise NotFoundError(f"The model {model[:100]!r} does not exist here, or not for this endpoint.", status=404)
        return card

    def _fault(self, wire: WireRequest, card: Card) -> Fault:
        return fault_from_text(wire.headers[HEADER]) if HEADER in wire.headers else self.script.next(card.id)

    def _answered(self, place: _Found, parsed: Parsed[Any], card: Card, fault: Fault) -> Reply:
        if fault.sort == "silence":
            return Reply(200, {}, (), after_s=math.inf)
        if fault.sort == "status" or (fault.sort == "error_event" and not parsed.is_stream):
            rendered = place.endpoint.dialect.render_error(error_from_fault(fault))
            return _whole(evolve(rendered, status=fault.status or 200))
        draw = draw_from("pace", self.seed, card.id, parsed.wire.body)
        pace = pace_of(self._ranks[card.id], self.latency, draw)
        result = self._result(place.endpoint, parsed, card)
        if parsed.is_stream:
            reply = _streamed(place.endpoint.dialect, parsed, result, pace, fault)
        else:
            written = result.usage.output_tokens if isinstance(result, Response) and result.usage else 0
            reply = _whole(place.endpoint.dialect.render(result, parsed), pace.first_token_s + written / pace.tokens_per_s)
        return _faulty(reply, fault, draw)

    def _result(self, endpoint: AnyEndpoint, parsed: Parsed[Any], card: Card) -> Any:
        request, model = parsed.request, Model(card, skill_of(card, self._ranks[card.id]))
        if endpoint.record.operation == "embed":
            usage = Usage(uncached_input_tokens=tokens.embedded_tokens(request))
            return EmbedResponse(
                provider=card.provider, model=parsed.model, vectors=vectors(request, model, self.seed), usage=usage
            )
        input_tokens = tokens.input_tokens(request)
        if endpoint.record.operation == "count_tokens":
            return TokenCount(provider=card.provider, model=parsed.model, input_tokens=input_tokens)
        if card.context_tokens is not None and input_tokens > card.context_tokens:
            raise ContextLengthExceeded(f"The input has {input_tokens} tokens; the model takes {card.context_tokens}.")
        response = answer(request, model, self.seed)
        can_cache = card.price is not None and card.price.cache_read_usd_per_mtok is not None
        read = min(self._cache.read(card.id, request), input_tokens) if can_cache else 0
        visible, reasoning = tokens.output_tokens(response)
        usage = Usage(
            uncached_input_tokens=input_tokens - read,
            cache_read_tokens=read,
            visible_output_tokens=visible,
            reasoning_tokens=reasoning,
        )
        return evolve(response, model=parsed.model, usage=usage)


def _found(drivers: Iterable[Driver], wire: WireRequest) -> Iterator[_Found]:
    for driver in drivers:
        for endpoint in driver.endpoints:
            params = params_from_path(endpoint.record.path, wire.path)
            if params is not None and endpoint.record.method == wire.method:
                yield _Found(driver, endpoint, params)


def _nearest(drivers: Iterable[Driver], path: str) -> Any:
    """The dialect of the endpoint whose path is most like this one: what is unknown gets that provider's own 404."""
    endpoints = [e for d in drivers for e in d.endpoints]
    return max(endpoints, key=lambda e: _shared(e.record.path.split("/"), path.split("/"))).dialect


def _shared(one: list[str], other: list[str]) -> int:
    """How many path segments two paths share from their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _check_key(wire: WireRequest) -> None:
    keys = [wire.headers.get(name, "") for name in _KEY_HEADERS] + [wire.query.get("key", "")]
    if any("invalid" in key.lower() for key in keys):
        raise AuthenticationError("The key holds the word invalid, so the simulator refuses it.", status=401)


def _whole(wire: WireResponse, after_s: float = 0.0) -> Reply:
    return Reply(wire.status, wire.headers, (Piece(0.0, wire.body),), after_s)


def _streamed(dialect: Any, parsed: Parsed[Any], response: Response, pace: Pace, fault: Fault) -> Reply:
    renderer = dialect.stream_renderer(parsed)
    pieces: list[Piece] = []
    n_content = 0
    for event in _small_events(response):
        is_struck = n_content == fault.after or isinstance(event, StreamEnd)
        if is_struck and not isinstance(event, StreamStart) and fault.sort in ("cut_events", "error_event"):
            if fault.sort == "error_event":
                pieces.append(Piece(0.0, renderer.render(StreamError(error_from_fault(fault)))))
            break
        n_content += not isinstance(event, StreamStart)
        if data := renderer.render(event):
            pieces.append(Piece(_tokens_of(event) / pace.tokens_per_s, data))
    return Reply(200, dialect.stream_headers(parsed), tuple(pieces), pace.first_token_s)


def _small_events(response: Response) -> Iterator[Event]:
    """The events of a response, with a delta for every token."""
    for event in events_from_response(response):
        if isinstance(event, TextDelta | ReasoningDelta):
            yield from (evolve(event, text=piece) for piece in tokens.pieces(event.text))
        elif isinstance(event, ToolCallDelta):
            yield from (evolve(event, arguments=piece) for piece in tokens.pieces(event.arguments))
        else:
            yield event


def _tokens_of(event: Event) -> int:
    return 0 if isinstance(event, StreamStart | PartEnd) else 1


def _faulty(reply: Reply, fault: Fault, draw: Random) -> Reply:
    """The reply with what the fault does to its bytes, and a stream's pieces split here and there."""
    if fault.sort == "garbage":
        return evolve(reply, pieces=(Piece(0.0, draw.randbytes(256)),))
    if fault.sort in ("cut", "reset"):
        return evolve(reply, pieces=tuple(_first_bytes(reply.pieces, fault.after)), is_broken=fault.sort == "reset")
    if len(reply.pieces) > 1:
        return evolve(reply, pieces=tuple(half for piece in reply.pieces for half in _halves(piece, draw)))
    return reply


def _first_bytes(pieces: Iterable[Piece], limit: int) -> Iterator[Piece]:
    for piece in pieces:
        if limit > 0:
            yield evolve(piece, data=piece.data[:limit])
        limit -= len(piece.data)


def _halves(piece: Piece, draw: Random) -> tuple[Piece, ...]:
    if len(piece.data) < 2 or draw.random() >= _SPLIT_CHANCE:
        return (piece,)
    at = draw.randrange(1, len(piece.data))
    return Piece(piece.after_s, piece.data[:at]), Piece(0.0, piece.data[at:])
