"""JSON in and out, and what travels in `Opaque`. Knows no endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from pingpong import InvalidRequestError, MalformedResponse, Opaque, Request, UnsupportedParameter, WireRequest, WireResponse
from pingpong_wire import attached as provider_fields
from pingpong_wire import json_bytes, json_text, object_from_json, parsed

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json"}
SSE_HEADERS: Mapping[str, str] = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}

T = TypeVar("T")


def post(path: str, body: Mapping[str, Any]) -> WireRequest:
    """
    A JSON request.

    Raises:
        InvalidRequestError: A text in it is not Unicode (half of a surrogate pair).
    """
    return WireRequest("POST", path, JSON_HEADERS, json_bytes(body))


def answer(body: Mapping[str, Any], request_id: str | None = None, status: int = 200) -> WireResponse:
    """A JSON answer, its request id in the header where the provider puts it."""
    headers = dict(JSON_HEADERS) if request_id is None else {**JSON_HEADERS, "x-request-id": request_id}
    return WireResponse(status, headers, json_bytes(body))


def decoded(data: bytes, decoder: msgspec.json.Decoder[T], provider: str) -> T:
    """
    What the provider's JSON says.

    Raises:
        MalformedResponse: It is no JSON or of another shape; the message names the place, never the content.
    """
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError):
        # What can be mended is; for the rest, this says what is wrong.
        return parsed(data, decoder, lambda fault: MalformedResponse(f"What {provider} sent {fault}.", provider=provider))


def body_of(wire: WireRequest) -> dict[str, Any]:
    """
    The JSON object a client sent.

    Raises:
        InvalidRequestError: The body is no JSON object.
    """
    return object_from_json(
        wire.body, lambda fault: InvalidRequestError(f"We could not parse the JSON body of your request: it {fault}.")
    )


def kept(provider: str, wire: str, value: Mapping[str, Any]) -> Opaque:
    """What one wire of the provider wants kept. Wires differ in shape, so each has its key."""
    return Opaque(provider, json_text({wire: value}))


def kept_if_any(provider: str, wire: str, value: Mapping[str, Any]) -> Opaque | None:
    """What one wire of the provider wants kept, None where there is nothing."""
    return kept(provider, wire, value) if value else None


def attached(opaque: Opaque | None, provider: str, wire: str) -> dict[str, Any]:
    """What `kept` keeps, {} where this provider's wire kept nothing."""
    value = provider_fields(opaque, provider).get(wire)
    return value if isinstance(value, dict) else {}


def merged(body: dict[str, Any], options: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The body with the caller's provider options: objects are merged, lists appended, all else replaced."""
    for name in sorted(names.intersection(options)):
        ours, theirs = body.get(name), options[name]
        if isinstance(ours, dict) and isinstance(theirs, Mapping):
            body[name] = {**ours, **theirs}
        elif isinstance(ours, list) and isinstance(theirs, list | tuple):
            body[name] = [*ours, *(value for value in theirs if value not in ours)]
        else:
            body[name] = theirs
    return body


def refuse_unplaced(request: Request, provider: str, names: tuple[str, ...], endpoint: str) -> None:
    """
    Refuse options that the wire has no field for.

    Raises:
        UnsupportedParameter: Some are set; `options` names them all.
    """
    unplaced: list[str] = []
    for name in names:
        if getattr(request, name) not in (None, ()):
            unplaced.append(name)
    if unplaced:
        message = f'{endpoint} of {provider} has no place for {", ".join(unplaced)}; leave it out, or set on_unsupported="drop".'
        raise UnsupportedParameter(message, provider=provider, options=tuple(unplaced))
