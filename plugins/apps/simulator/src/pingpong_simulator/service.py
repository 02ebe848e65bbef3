"""
The provider's side of one HTTP exchange: a wire request goes in, a reply comes out. Knows no socket and no clock.

State is what a provider would keep: prompt caches, and the turn of every fault script.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen
from pingpong import (
    AuthenticationError,
    Card,
    ContextLengthExceeded,
    Driver,
    EmbedResponse,
    InvalidRequestError,
    NotFoundError,
    Parsed,
    PingPongError,
    Response,
    TokenCount,
    Usage,
    WireRequest,
    WireResponse,
    params_from_path,
)

from pingpong_simulator import tokens
from pingpong_simulator.caching import PromptCache
from pingpong_simulator.draws import draw_from
from pingpong_simulator.engine import Model, answer, vectors
from pingpong_simulator.faults import HEADER, Fault, FaultScript, error_from_fault, fault_from_text
from pingpong_simulator.honoured import bare, check_embedding, honoured, is_bare
from pingpong_simulator.listing import Asked, asked_from_wire
from pingpong_simulator.listing import answer as listed_models
from pingpong_simulator.replies import Reply, faulty, streamed, whole
from pingpong_simulator.skill import pace_of, ranks_from, skill_of

_KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
_VERSION = re.compile(r"/v\d+(?:alpha|beta)?\d*(?=/)")


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
        if (asked := asked_from_wire(wire)) is not None:
            named = [d for d in drivers if base_url is not None or d.name == asked.provider]
            if named:
                return self._listed(named[0], wire, asked)
        found = list(_found(drivers, wire))
        if not found:
            unknown = NotFoundError(f"There is no endpoint {wire.method} {wire.path[:100]}.", status=404)
            return whole(_nearest(drivers or self.drivers(), wire.path).render_error(unknown))
        dialect = found[0].endpoint.dialect
        try:
            _check_key(wire)
            place, parsed = self._parsed(found, wire)
            dialect = place.endpoint.dialect
            card = self._card(place, parsed.model)
            reply = self._answered(place, parsed, card, self._fault(wire, card))
            return evolve(reply, headers={**self._request_id(dialect, wire), **reply.headers})
        except PingPongError as error:
            return self._failed(dialect, wire, error)

    def _listed(self, driver: Driver, wire: WireRequest, asked: Asked) -> Reply:
        """A provider's list of models, or one of them."""
        dialect = driver.endpoints[0].dialect
        try:
            _check_key(wire)
            cards = [card for card in self.cards if card.provider == driver.name]
            body = listed_models(wire, evolve(asked, provider=driver.name), cards)
            return whole(evolve(body, headers={**self._request_id(dialect, wire), **body.headers}))
        except PingPongError as error:
            return self._failed(dialect, wire, error)

    def _failed(self, dialect: Any, wire: WireRequest, error: PingPongError) -> Reply:
        rendered: WireResponse = dialect.render_error(error)
        headers = {**self._request_id(dialect, wire), **rendered.headers}
        return whole(evolve(rendered, headers=headers, status=error.status or rendered.status))

    def _request_id(self, dialect: Any, wire: WireRequest) -> Mapping[str, str]:
        """The header that names a request, called as the provider calls it: only its dialect knows how."""
        request_id = f"req_{draw_from('request id', self.seed, wire.target, wire.body).getrandbits(96):024x}"
        told: WireResponse = dialect.render_error(InvalidRequestError("", request_id=request_id))
        return {name: value for name, value in told.headers.items() if value == request_id}

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
            return whole(evolve(rendered, status=fault.status or 200))
        draw = draw_from("pace", self.seed, card.id, parsed.wire.body)
        pace = pace_of(self._ranks[card.id], self.latency, draw)
        result = self._result(place, parsed, card)
        if parsed.is_stream:
            reply = streamed(place.endpoint.dialect, parsed, result, pace, fault)
        else:
            written = result.usage.output_tokens if isinstance(result, Response) and result.usage else 0
            reply = whole(place.endpoint.dialect.render(result, parsed), pace.first_token_s + written / pace.tokens_per_s)
        return faulty(reply, fault, draw)

    def _result(self, place: _Found, parsed: Parsed[Any], card: Card) -> Any:
        request, model = parsed.request, Model(card, skill_of(card, self._ranks[card.id]))
        record = place.endpoint.record
        if record.operation == "embed":
            check_embedding(request, place.driver.name, record.name)
            usage = Usage(uncached_input_tokens=tokens.embedded_tokens(request))
            return EmbedResponse(
                provider=card.provider, model=parsed.model, vectors=vectors(request, model, self.seed), usage=usage
            )
        if not request.messages:
            raise InvalidRequestError("The request has no messages; give at least one.")
        request = honoured(request, place.driver.name, record.name)
        input_tokens = tokens.input_tokens(request)
        if record.operation == "count_tokens":
            return TokenCount(provider=card.provider, model=parsed.model, input_tokens=input_tokens)
        if card.context_tokens is not None and input_tokens > card.context_tokens:
            raise ContextLengthExceeded(f"The input has {input_tokens} tokens; the model takes {card.context_tokens}.")
        response = answer(request, model, self.seed)
        if is_bare(request, place.driver.name):
            response = bare(response)
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
            params = _params(endpoint.record.path, wire.path)
            if params is not None and endpoint.record.method == wire.method:
                yield _Found(driver, endpoint, params)


def _params(template: str, path: str) -> Mapping[str, str] | None:
    """As `params_from_path`, whatever version of the API the path names: google-genai 3 asks for v1, its server knows both."""
    version = _VERSION.match(path)
    return params_from_path(_VERSION.sub(version[0], template, count=1) if version else template, path)


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
