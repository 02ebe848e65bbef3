"""The server half of the responses endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from pingpong import Parsed, PingPongError, Request, Response, StreamRenderer, WireRequest, WireResponse

from pingpong_openai.errors import render_error
from pingpong_openai.fields import model_in, refusing_bad_shapes
from pingpong_openai.jsonwire import SSE_HEADERS, answer, body_of
from pingpong_openai.responses.parse import request_from_body
from pingpong_openai.responses.render import ResponsesStreamRenderer, body_from_response


@frozen
class ResponsesDialect:
    """Dialect of one provider's responses endpoint."""

    provider: str

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        """The request a client sent."""
        body = body_of(wire)
        with refusing_bad_shapes():
            return Parsed(request_from_body(self.provider, body), model_in(body), body.get("stream") is True, wire)

    def render(self, response: Response, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer; the wire repeats what was asked."""
        return answer(body_from_response(self.provider, response, _asked(parsed)), response.request_id)

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> StreamRenderer:
        """A fresh renderer for one stream."""
        return ResponsesStreamRenderer(self.provider, _asked(parsed))

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Headers of a streamed answer."""
        return SSE_HEADERS

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error."""
        return render_error(error)


def _asked(parsed: Parsed[Any] | None) -> Mapping[str, Any]:
    return {} if parsed is None else body_of(parsed.wire)
