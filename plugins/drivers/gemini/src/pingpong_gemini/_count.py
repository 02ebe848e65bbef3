"""`countTokens`: both halves. Source: https://ai.google.dev/api/tokens"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pingpong import (
    Card,
    InvalidRequestError,
    MalformedResponse,
    Parsed,
    PingPongError,
    PluginError,
    Request,
    TokenCount,
    WireRequest,
    WireResponse,
    target_from_template,
)
from pingpong_wire import json_bytes

from pingpong_gemini._chat import REQUEST_HEADERS, answer_document, body_object, request_body, request_from_body
from pingpong_gemini._errors import REQUEST_ID, error_from_body, error_from_wire, error_to_wire
from pingpong_gemini._json import PROVIDER, camel
from pingpong_gemini._render import JSON_HEADERS, headers_of

COUNT_PATH = "/v1beta/models/{model}:countTokens"


class CountCodec:
    """The client half. The whole request is counted, tools and system instruction included, not its contents alone."""

    def encode(self, request: Request, card: Card, *, is_stream: bool) -> WireRequest:
        """The HTTP request. Raises as the chat endpoints do."""
        body = {"generateContentRequest": {"model": f"models/{card.model}", **request_body(request, card.model)}}
        return WireRequest("POST", target_from_template(COUNT_PATH, model=card.model), REQUEST_HEADERS, json_bytes(body))

    def decode(self, wire: WireResponse) -> TokenCount:
        """
        The count in a 2xx body; the wire does not repeat the model.

        Raises:
            MalformedResponse: No count, or none that can be.
            PingPongError: The body is an error in spite of its status.
        """
        document = answer_document(wire)
        body = camel(document)
        if "error" in body:
            raise error_from_body(document, status=None, headers=wire.headers)
        # protobuf leaves a count of zero out of its JSON.
        total = body.get("totalTokens", 0 if isinstance(document, dict) else None)
        if not isinstance(total, int) or isinstance(total, bool) or total < 0:
            raise MalformedResponse("Gemini's answer holds no count of tokens.", provider=PROVIDER, status=wire.status)
        return TokenCount(provider=PROVIDER, model="", input_tokens=total, request_id=wire.headers.get(REQUEST_ID))

    def stream_decoder(self, headers: Mapping[str, str]) -> NoReturn:
        """Counts are not streamed."""
        raise PluginError("countTokens does not stream.", provider=PROVIDER)

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that an answer means, whatever its status and body."""
        return error_from_wire(wire)


class CountDialect:
    """The server half; takes bare contents as well as a whole request."""

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        """Read a client's request. Raises `InvalidRequestError`, naming the field."""
        body = body_object(wire)
        inner = body.get("generateContentRequest", body)
        if not isinstance(inner, dict):
            raise InvalidRequestError("generateContentRequest: give an object.")
        return Parsed(request_from_body(camel(inner)), params.get("model", ""), False, wire)

    def render(self, response: TokenCount, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer."""
        body = {
            "totalTokens": response.input_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": response.input_tokens}],
        }
        return WireResponse(200, headers_of(response.request_id, JSON_HEADERS), json_bytes(body))

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> NoReturn:
        """Counts are not streamed."""
        raise PluginError("countTokens does not stream.", provider=PROVIDER)

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Counts are not streamed: none."""
        return {}

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error as `google.rpc.Status`."""
        return error_to_wire(error)
