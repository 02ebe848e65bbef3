"""The client half of chat completions."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen
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

from pingpong_openai.chat.encode import body_from_request
from pingpong_openai.chat.shapes import COMPLETION
from pingpong_openai.chat.stream import ChatReader, response_from_completion
from pingpong_openai.errors import error_from_body, error_from_wire, error_in
from pingpong_openai.jsonwire import decoded, post


@frozen
class ChatCodec:
    """Codec of one provider's chat completions endpoint."""

    provider: str
    record: EndpointRecord

    def encode(self, request: Request, card: Card, *, is_stream: bool) -> WireRequest:
        """The HTTP request for one attempt."""
        names = self.record.provider_options
        return post(self.record.path, body_from_request(self.provider, names, request, card, is_stream=is_stream))

    def decode(self, wire: WireResponse) -> Response:
        """The answer in a 2xx body; its first choice, further ones as opaque parts."""
        completion = decoded(wire.body, COMPLETION, self.provider)
        if completion.error:
            raise error_from_body(self.provider, error_in(completion.error), wire.status, wire.headers)
        first = completion.choices[0] if completion.choices else None
        # Azure leaves the message out where its filter blocked all of it.
        if first is None or (first.message is None and first.finish_reason != "content_filter"):
            raise MalformedResponse(f"{self.provider} sent a completion without a message.", provider=self.provider)
        return response_from_completion(self.provider, completion, wire.headers.get("x-request-id"), wire.body)

    def stream_decoder(self, headers: Mapping[str, str]) -> StreamDecoder:
        """A fresh decoder for one stream."""
        return EventStream(ChatReader(self.provider, headers.get("x-request-id")), SseOrJson())

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that a non-2xx answer means."""
        return error_from_wire(self.provider, wire)
