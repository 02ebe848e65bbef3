"""`generateContent` and `streamGenerateContent`: both halves. Source: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from attrs import evolve
from pingpong import (
    Card,
    InvalidRequestError,
    MalformedResponse,
    Parsed,
    PingPongError,
    Request,
    Response,
    StreamError,
    WireRequest,
    WireResponse,
    events_from_response,
    response_from_events,
    target_from_template,
)
from pingpong_wire import EventStream, json_bytes, object_from_json, parsed

from pingpong_gemini._answer import Answer
from pingpong_gemini._contents import contents_to_wire, messages_from_wire
from pingpong_gemini._errors import REQUEST_ID, error_from_wire, error_to_wire
from pingpong_gemini._json import PROVIDER, Json, camel
from pingpong_gemini._render import JSON_HEADERS, SSE_HEADERS, GeminiStreamRenderer, headers_of, response_to_wire
from pingpong_gemini._settings import is_older, settings_from_wire, settings_to_wire
from pingpong_gemini._stream import Frames, GeminiReader

GENERATE_PATH = "/v1beta/models/{model}:generateContent"
STREAM_PATH = "/v1beta/models/{model}:streamGenerateContent"
REQUEST_HEADERS = {"content-type": "application/json"}
_DOCUMENT = msgspec.json.Decoder()


def request_body(request: Request, model: str) -> Json:
    """
    A `GenerateContentRequest` without its model.

    Raises:
        UnsupportedParameter, InvalidRequestError: Something in it that this wire cannot carry.
    """
    return {**contents_to_wire(request, needs_signatures=not is_older(model)), **settings_to_wire(request, model)}


def body_object(wire: WireRequest) -> Json:
    """
    The request's body as an object with its own keys in lowerCamelCase.

    Raises:
        InvalidRequestError: It is no JSON object.
    """
    return camel(
        object_from_json(wire.body, lambda fault: InvalidRequestError(f"Invalid JSON payload received: the body {fault}."))
    )


def request_from_body(body: Json) -> Request:
    """
    The request that a `GenerateContentRequest` asks.

    Raises:
        InvalidRequestError: As `messages_from_wire` and `settings_from_wire`.
    """
    settings = {k: v for k, v in body.items() if k not in ("contents", "systemInstruction", "model")}
    return Request(messages_from_wire(body), **settings_from_wire(settings))


def answer_document(wire: WireResponse) -> Any:
    """
    The parsed body of an answer.

    Raises:
        MalformedResponse: It is not JSON.
    """
    return parsed(
        wire.body, _DOCUMENT, lambda fault: MalformedResponse(f"Gemini's answer {fault}.", provider=PROVIDER, status=wire.status)
    )


@lru_cache(maxsize=256)
def _target(path: str, model: str) -> str:
    target = target_from_template(path, model=model)
    return f"{target}?alt=sse" if path == STREAM_PATH else target


@dataclass(frozen=True)
class ChatCodec:
    """The client half of both chat endpoints."""

    path: str

    def encode(self, request: Request, card: Card, *, is_stream: bool) -> WireRequest:
        """The HTTP request; a stream is asked for as server-sent events. Raises as `request_body`."""
        return WireRequest("POST", _target(self.path, card.model), REQUEST_HEADERS, json_bytes(request_body(request, card.model)))

    def decode(self, wire: WireResponse) -> Response:
        """
        The answer in a 2xx body; of `streamGenerateContent` too, whose stream is then read to its end.

        Raises:
            MalformedResponse: The body breaks the protocol.
            PingPongError: The body is an error in spite of its status.
        """
        if self.path == STREAM_PATH:
            return self._decode_stream(wire)
        answer = Answer(wire.headers.get(REQUEST_ID))
        answer.take(answer_document(wire))
        if not answer.has_candidate:
            raise MalformedResponse(
                "Gemini's answer has no candidate and no reason for it.", provider=PROVIDER, status=wire.status
            )
        return answer.response(wire.body)

    def _decode_stream(self, wire: WireResponse) -> Response:
        decoder = self.stream_decoder(wire.headers)
        events = [*decoder.feed(wire.body), *decoder.close()]
        if isinstance(last := events[-1], StreamError):
            raise last.error
        return evolve(response_from_events(events), raw=wire.body)

    def stream_decoder(self, headers: Mapping[str, str]) -> EventStream:
        """A fresh decoder for one streamed body."""
        frames = Frames()
        return EventStream(GeminiReader(headers.get(REQUEST_ID), frames), frames)

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that an answer means, whatever its status and body."""
        return error_from_wire(wire)


@dataclass(frozen=True)
class ChatDialect:
    """The server half of both chat endpoints."""

    path: str

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        """Read a client's request. Raises `InvalidRequestError`, naming the field."""
        return Parsed(request_from_body(body_object(wire)), params.get("model", ""), self.path == STREAM_PATH, wire)

    def render(self, response: Response, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer; on `streamGenerateContent` the whole stream in one body."""
        if self.path == GENERATE_PATH:
            return response_to_wire(response)
        renderer = self.stream_renderer(parsed)
        body = b"".join(renderer.render(event) for event in events_from_response(response))
        return WireResponse(200, headers_of(response.request_id, dict(self.stream_headers(parsed))), body)

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> GeminiStreamRenderer:
        """A fresh renderer: server-sent events where the request has `?alt=sse` or is unknown, else a JSON array."""
        return GeminiStreamRenderer(is_sse=_wants_sse(parsed))

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Headers of a streamed 200 answer."""
        return SSE_HEADERS if _wants_sse(parsed) else JSON_HEADERS

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error as `google.rpc.Status`."""
        return error_to_wire(error)


def _wants_sse(parsed: Parsed[Any] | None) -> bool:
    return parsed is None or parsed.wire.query.get("alt") == "sse"
