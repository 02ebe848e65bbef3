"""Whether a driver's two halves agree on recorded traffic: what one writes, the other reads back unchanged."""

from __future__ import annotations

from typing import Any

from attrs import evolve, fields
from pingpong import (
    Card,
    Driver,
    EmbedResponse,
    Endpoint,
    Parsed,
    PingPongError,
    Response,
    TokenCount,
    WireRequest,
    events_from_response,
    params_from_path,
    response_from_events,
)

from pingpong_contract.corpus import Interaction, endpoint_of

_TOLD_OF_ERRORS = ("kind", "status", "code", "retryable", "retry_after_s", "message")


def answer_round_trip(driver: Driver, interaction: Interaction) -> list[str]:
    """
    What is lost between `decode`, `render` and `decode` again, whole and streamed, and between `error` and `render_error`.

    One sentence each; empty where nothing is lost. The id of the HTTP request is not part of a body and not compared.
    """
    endpoint = _endpoint(driver, interaction)
    wire = interaction.response
    try:
        if wire.status >= 300:
            return _error_losses(endpoint, endpoint.codec.error(wire))
        if not interaction.is_streaming:
            value = endpoint.codec.decode(wire)
        else:
            decoder = endpoint.codec.stream_decoder(wire.headers)
            value = response_from_events([*decoder.feed(wire.body), *decoder.close()])
        return _value_losses(endpoint, evolve(value, request_id=None))
    except Exception as exc:  # whichever half raises, the round trip failed
        return [f"{type(exc).__name__}: {exc}"]


def request_round_trip(driver: Driver, interaction: Interaction) -> list[str]:
    """What is lost between `parse`, `encode` and `parse` again of a request that the provider answered well."""
    endpoint = _endpoint(driver, interaction)
    if interaction.response.status >= 300:
        return []
    try:
        first = _parsed(endpoint, interaction.request)
        card = Card(provider=driver.name, model=first.model, endpoints=(endpoint.record.name,))
        again = _parsed(endpoint, endpoint.codec.encode(first.request, card, is_stream=first.is_stream))
    except Exception as exc:  # whichever half raises, the round trip failed
        return [f"{type(exc).__name__}: {exc}"]
    flags = [] if (first.model, first.is_stream) == (again.model, again.is_stream) else ["model or streaming changed"]
    return flags + _losses(first.request, again.request)


def _endpoint(driver: Driver, interaction: Interaction) -> Endpoint[Any, Any]:
    record = endpoint_of(interaction, [e.record for e in driver.endpoints], driver.base_url)
    found: Any = next(e for e in driver.endpoints if e.record is record)
    return found  # type: ignore[no-any-return]  # any of the union's endpoints will do


def _parsed(endpoint: Endpoint[Any, Any], wire: WireRequest) -> Parsed[Any]:
    params = params_from_path(endpoint.record.path, wire.path)
    return endpoint.dialect.parse(wire, params or {})


def _value_losses(endpoint: Endpoint[Any, Any], value: Response | EmbedResponse | TokenCount) -> list[str]:
    again = endpoint.codec.decode(endpoint.dialect.render(value))
    losses = _losses(value, evolve(again, request_id=None))
    if isinstance(value, Response):
        renderer = endpoint.dialect.stream_renderer()
        body = b"".join(renderer.render(event) for event in events_from_response(value))
        decoder = endpoint.codec.stream_decoder(endpoint.dialect.stream_headers())
        streamed = response_from_events([*decoder.feed(body), *decoder.close()])
        losses += [f"streamed: {loss}" for loss in _losses(value, evolve(streamed, request_id=None))]
    return losses


def _error_losses(endpoint: Endpoint[Any, Any], error: PingPongError) -> list[str]:
    again = endpoint.codec.error(endpoint.dialect.render_error(error))
    pairs = [(name, getattr(error, name), getattr(again, name)) for name in _TOLD_OF_ERRORS]
    return [f"{name}: {before!r} became {after!r}" for name, before, after in pairs if before != after]


def _losses(before: Any, after: Any) -> list[str]:
    if type(before) is not type(after):
        return [f"{type(before).__name__} became {type(after).__name__}"]
    pairs = [(f.name, getattr(before, f.name), getattr(after, f.name)) for f in fields(type(before)) if f.eq]
    return [f"{name}: {str(one)[:200]} became {str(other)[:200]}" for name, one, other in pairs if one != other]
