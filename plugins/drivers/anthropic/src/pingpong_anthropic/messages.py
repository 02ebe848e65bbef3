"""The endpoint `messages`: codec and dialect. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import Card, InvalidRequestError, Parsed, PingPongError, Request, Response, WireRequest, WireResponse
from pingpong_wire import EventStream, SseOrJson, json_bytes

from pingpong_anthropic.encode import body_from_request, wire_request
from pingpong_anthropic.errors import error_from_body, error_from_wire, wire_from_error
from pingpong_anthropic.parse import body_from_wire, request_from_body
from pingpong_anthropic.responses import malformed, message_from_response, response_from_message
from pingpong_anthropic.stream import MessageReader
from pingpong_anthropic.stream_render import MessageStreamRenderer
from pingpong_anthropic.wire import PROVIDER, WireError, object_from_json

PATH = "/v1/messages"


def answer_from_wire(wire: WireResponse) -> dict[str, Any]:
    """
    The object that a 2xx body holds.

    Raises:
        MalformedResponse: It holds none.
        PingPongError: It holds an error in spite of its status.
    """
    request_id = wire.headers.get("request-id")
    try:
        body = object_from_json(wire.body, "the body")
    except WireError as exc:
        raise malformed(exc, status=wire.status, request_id=request_id) from exc
    if body.get("type") == "error":
        raise error_from_body(body, wire.status, wire.headers)
    return body


def json_response(body: Mapping[str, Any], request_id: str | None) -> WireResponse:
    """A 200 answer."""
    headers = {"content-type": "application/json"}
    if request_id:
        headers["request-id"] = request_id
    return WireResponse(200, headers, json_bytes(body))


class MessagesCodec:
    """Client half; see `pingpong.Codec`."""

    def encode(self, request: Request, card: Card, *, is_stream: bool) -> WireRequest:
        """The HTTP request for one attempt."""
        return wire_request(PATH, body_from_request(request, card, is_stream=is_stream), request)

    def decode(self, wire: WireResponse) -> Response:
        """The answer in a 2xx body."""
        return response_from_message(answer_from_wire(wire), wire.headers.get("request-id"), wire.body)

    def stream_decoder(self, headers: Mapping[str, str]) -> EventStream:
        """A fresh decoder for a 2xx streamed body."""
        return EventStream(MessageReader(headers), SseOrJson())

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that a non-2xx answer means."""
        return error_from_wire(wire)


class MessagesDialect:
    """Server half; see `pingpong.Dialect`."""

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        """Read a client's request."""
        body, table = body_from_wire(wire)
        if "max_tokens" not in table:
            raise InvalidRequestError("max_tokens: Field required.", provider=PROVIDER)
        return Parsed(request_from_body(body, table, wire), body.model, bool(body.stream), wire)

    def render(self, response: Response, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer."""
        return json_response(message_from_response(response), response.request_id)

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> MessageStreamRenderer:
        """A fresh renderer for one stream."""
        return MessageStreamRenderer()

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Headers of a streamed 200 answer."""
        return {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error as the provider does."""
        return wire_from_error(error)
