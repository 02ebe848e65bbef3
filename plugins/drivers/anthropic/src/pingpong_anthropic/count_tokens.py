"""
The endpoint `messages/count_tokens`: codec and dialect. Pure.

Source: https://platform.claude.com/docs/en/api/messages-count-tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pingpong import Card, InvalidRequestError, Parsed, PingPongError, Request, TokenCount, WireRequest, WireResponse

from pingpong_anthropic.encode import body_from_request, wire_request
from pingpong_anthropic.errors import error_from_wire, wire_from_error
from pingpong_anthropic.messages import answer_from_wire, json_response
from pingpong_anthropic.options import COUNT_TOKENS_FIELDS
from pingpong_anthropic.parse import body_from_wire, request_from_body
from pingpong_anthropic.responses import malformed
from pingpong_anthropic.wire import PROVIDER

PATH = "/v1/messages/count_tokens"


def _no_stream() -> NoReturn:
    raise InvalidRequestError("Token counting does not stream; ask for a plain answer.", provider=PROVIDER)


class CountTokensCodec:
    """Client half; see `pingpong.Codec`."""

    def encode(self, request: Request, card: Card, *, is_stream: bool) -> WireRequest:
        """The HTTP request; options that do not change the count, and that the endpoint refuses, stay out."""
        if is_stream:
            _no_stream()
        body = body_from_request(request, card, is_stream=False)
        return wire_request(PATH, {n: v for n, v in body.items() if n in COUNT_TOKENS_FIELDS}, request)

    def decode(self, wire: WireResponse) -> TokenCount:
        """The count; the answer names no model, so `model` is ""."""
        count, request_id = answer_from_wire(wire).get("input_tokens"), wire.headers.get("request-id")
        if type(count) is not int or count < 0:
            raise malformed("input_tokens is missing or no count", status=wire.status, request_id=request_id)
        return TokenCount(provider=PROVIDER, model="", input_tokens=count, request_id=request_id)

    def stream_decoder(self, headers: Mapping[str, str]) -> NoReturn:
        """Never: this endpoint does not stream."""
        _no_stream()

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that a non-2xx answer means."""
        return error_from_wire(wire)


class CountTokensDialect:
    """Server half; see `pingpong.Dialect`."""

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        """Read a client's request."""
        body, table = body_from_wire(wire)
        if unknown := sorted(set(table) - COUNT_TOKENS_FIELDS - {"output_format"}):
            raise InvalidRequestError(f"{unknown[0]}: Extra inputs are not permitted.", provider=PROVIDER)
        return Parsed(request_from_body(body, table, wire), body.model, False, wire)

    def render(self, response: TokenCount, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer."""
        return json_response({"input_tokens": response.input_tokens}, response.request_id)

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> NoReturn:
        """Never: this endpoint does not stream."""
        _no_stream()

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> NoReturn:
        """Never: this endpoint does not stream."""
        _no_stream()

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error as the provider does."""
        return wire_from_error(error)
