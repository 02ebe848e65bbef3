"""The server half of chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from pingpong import Parsed, PingPongError, Request, Response, StreamRenderer, WireRequest, WireResponse

from pingpong_openai.chat.parse import request_from_body
from pingpong_openai.chat.render import ChatStreamRenderer, body_from_response
from pingpong_openai.errors import render_error
from pingpong_openai.fields import model_in, refusing_bad_shapes
from pingpong_openai.jsonwire import SSE_HEADERS, answer, body_of


@frozen
class ChatDialect:
    """Dialect of one provider's chat completions endpoint."""

    provider: str

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        """The request a client sent."""
        body = body_of(wire)
        with refusing_bad_shapes():
            return Parsed(request_from_body(self.provider, body), model_in(body), body.get("stream") is True, wire)

    def render(self, response: Response, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer."""
        return answer(body_from_response(self.provider, response), response.request_id)

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> StreamRenderer:
        """A fresh renderer; usage is told where the client asked for it."""
        options = body_of(parsed.wire).get("stream_options") if parsed is not None else None
        is_usage_wanted = parsed is None or (isinstance(options, dict) and options.get("include_usage") is True)
        return ChatStreamRenderer(self.provider, is_usage_wanted=is_usage_wanted)

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Headers of a streamed answer."""
        return SSE_HEADERS

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error."""
        return render_error(error)
