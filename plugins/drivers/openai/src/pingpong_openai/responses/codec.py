"""The client half of the responses endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen
from pingpong import (
    Card,
    EndpointRecord,
    MalformedResponse,
    PingPongError,
    Request,
    Response,
    StreamDecoder,
    WireRequest,
    WireResponse,
)
from pingpong_wire import EventStream, SseOrJson

from pingpong_openai.errors import error_from_body, error_from_wire, error_in
from pingpong_openai.ids import given_id
from pingpong_openai.jsonwire import decoded, post
from pingpong_openai.responses.encode import body_from_request
from pingpong_openai.responses.ending import end_from_body
from pingpong_openai.responses.items import parts_from_item
from pingpong_openai.responses.shapes import BODY, Body
from pingpong_openai.responses.stream import ResponsesReader


@frozen
class ResponsesCodec:
    """Codec of one provider's responses endpoint."""

    provider: str
    record: EndpointRecord

    def encode(self, request: Request, card: Card, *, is_stream: bool) -> WireRequest:
        """The HTTP request for one attempt."""
        names = self.record.provider_options
        return post(self.record.path, body_from_request(self.provider, names, request, card, is_stream=is_stream))

    def decode(self, wire: WireResponse) -> Response:
        """The answer in a 2xx body; one that failed raises, with what it had said so far."""
        body = decoded(wire.body, BODY, self.provider)
        if body.output is None and not body.error:
            raise MalformedResponse(f"{self.provider} sent a response without output.", provider=self.provider)
        response = self._response(body, wire)
        if body.error or body.status == "failed":
            error = error_from_body(self.provider, error_in(body.error), wire.status, wire.headers)
            error.partial = evolve(response, finish_reason=None, raw_finish_reason=None)
            raise error
        return response

    def _response(self, body: Body, wire: WireResponse) -> Response:
        items = body.output or []
        parts = tuple([part for item in items for _, part in parts_from_item(self.provider, item)])
        end = end_from_body(self.provider, body, items)
        return Response(
            provider=self.provider,
            model=body.model or "",
            parts=parts,
            finish_reason=end.finish_reason,
            raw_finish_reason=end.raw_finish_reason,
            usage=end.usage,
            response_id=given_id(body.id),
            request_id=wire.headers.get("x-request-id"),
            opaque=end.opaque,
            raw=wire.body,
        )

    def stream_decoder(self, headers: Mapping[str, str]) -> StreamDecoder:
        """A fresh decoder for one stream."""
        return EventStream(ResponsesReader(self.provider, headers.get("x-request-id")), SseOrJson())

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that a non-2xx answer means."""
        return error_from_wire(self.provider, wire)
