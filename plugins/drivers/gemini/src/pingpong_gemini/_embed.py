"""
`embedContent` and `batchEmbedContents`: both halves of both.

One input goes to the endpoint that the card names, several always to `batchEmbedContents`: `embedContent` takes one content,
and one attempt is one request. Google's own clients use the batch even for one input.

Source: https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pingpong import (
    Card,
    EmbedRequest,
    EmbedResponse,
    InvalidRequestError,
    MalformedResponse,
    Parsed,
    PingPongError,
    PluginError,
    WireRequest,
    WireResponse,
    target_from_template,
)
from pingpong_wire import json_bytes

from pingpong_gemini._chat import REQUEST_HEADERS, answer_document, body_object
from pingpong_gemini._errors import REQUEST_ID, error_from_body, error_from_wire, error_to_wire
from pingpong_gemini._json import PROVIDER, Json, camel
from pingpong_gemini._render import JSON_HEADERS, headers_of
from pingpong_gemini._usage import usage_from_wire, usage_to_wire

EMBED_PATH = "/v1beta/models/{model}:embedContent"
BATCH_PATH = "/v1beta/models/{model}:batchEmbedContents"
EMBED_OPTIONS = frozenset({"taskType", "title"})
"""Sent with every input of a request."""


@dataclass(frozen=True)
class EmbedCodec:
    """The client half of both embedding endpoints."""

    path: str

    def encode(self, request: EmbedRequest, card: Card, *, is_stream: bool) -> WireRequest:
        """
        The HTTP request.

        Raises:
            InvalidRequestError: There is nothing to embed.
        """
        if not request.inputs:
            raise InvalidRequestError("There is nothing to embed; give at least one input.")
        options = request.provider_options.get(PROVIDER, {})
        more = {name: options[name] for name in sorted(options) if name != "endpoint"}
        if request.dimensions is not None:
            more["outputDimensionality"] = request.dimensions
        bodies: list[Json] = [
            {"model": f"models/{card.model}", "content": {"parts": [{"text": text}]}, **more} for text in request.inputs
        ]
        path = self.path if len(bodies) == 1 else BATCH_PATH
        body = bodies[0] if path == EMBED_PATH else {"requests": bodies}
        return WireRequest("POST", target_from_template(path, model=card.model), REQUEST_HEADERS, json_bytes(body))

    def decode(self, wire: WireResponse) -> EmbedResponse:
        """
        The vectors in a 2xx body; the wire does not repeat the model.

        Raises:
            MalformedResponse: No vectors, or something else than numbers in one.
            PingPongError: The body is an error in spite of its status.
        """
        document = answer_document(wire)
        body = camel(document)
        if "error" in body:
            raise error_from_body(document, status=None, headers=wire.headers)
        found = body.get("embeddings", [body.get("embedding")])
        vectors = tuple(map(_vector, found)) if isinstance(found, list) else ()
        if not vectors or not all(vectors):
            raise MalformedResponse("Gemini's answer holds no vectors of numbers.", provider=PROVIDER, status=wire.status)
        return EmbedResponse(
            provider=PROVIDER,
            model="",
            vectors=vectors,
            usage=usage_from_wire(body.get("usageMetadata")),
            request_id=wire.headers.get(REQUEST_ID),
        )

    def stream_decoder(self, headers: Mapping[str, str]) -> NoReturn:
        """Embeddings are not streamed."""
        raise PluginError("Embeddings are not streamed.", provider=PROVIDER)

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that an answer means, whatever its status and body."""
        return error_from_wire(wire)


def _vector(value: object) -> tuple[float, ...]:
    """The vector; () for anything else."""
    values = camel(value).get("values")
    if not isinstance(values, list) or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return ()
    return tuple(map(float, values))


@dataclass(frozen=True)
class EmbedDialect:
    """The server half of both embedding endpoints."""

    path: str

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[EmbedRequest]:
        """Read a client's request. Raises `InvalidRequestError`, naming the field."""
        body = body_object(wire)
        entries = body.get("requests") if self.path == BATCH_PATH else [body]
        if not isinstance(entries, list) or not entries:
            raise InvalidRequestError("requests: give at least one.")
        first = camel(entries[0])
        options = {name: first[name] for name in sorted(EMBED_OPTIONS) if name in first}
        dimensions = first.get("outputDimensionality")
        if dimensions is not None and (not isinstance(dimensions, int) or dimensions < 1):
            raise InvalidRequestError("outputDimensionality: give a whole number of at least 1.")
        request = EmbedRequest(
            tuple(_text_of(camel(entry).get("content")) for entry in entries),
            dimensions=dimensions,
            provider_options={PROVIDER: options} if options else {},
        )
        return Parsed(request, params.get("model", ""), False, wire)

    def render(self, response: EmbedResponse, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer."""
        embeddings = [{"values": vector} for vector in response.vectors]
        is_single = self.path == EMBED_PATH and len(embeddings) == 1
        body: Json = {"embedding": embeddings[0]} if is_single else {"embeddings": embeddings}
        if response.usage is not None:
            body["usageMetadata"] = usage_to_wire(response.usage)
        return WireResponse(200, headers_of(response.request_id, JSON_HEADERS), json_bytes(body))

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> NoReturn:
        """Embeddings are not streamed."""
        raise PluginError("Embeddings are not streamed.", provider=PROVIDER)

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Embeddings are not streamed: none."""
        return {}

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error as `google.rpc.Status`."""
        return error_to_wire(error)


def _text_of(content: object) -> str:
    parts = camel(content).get("parts")
    parts = [parts] if isinstance(parts, dict) else parts
    found = [camel(part).get("text") for part in parts] if isinstance(parts, list) else []
    texts = [text for text in found if isinstance(text, str)]
    if not texts or len(texts) < len(found):
        raise InvalidRequestError("content.parts: give parts of text.")
    return "".join(texts)
