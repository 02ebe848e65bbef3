"""Both halves of the embeddings endpoint."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from attrs import frozen
from pingpong import (
    Card,
    EmbedRequest,
    EmbedResponse,
    EndpointRecord,
    InvalidRequestError,
    MalformedResponse,
    Parsed,
    PingPongError,
    StreamDecoder,
    StreamRenderer,
    WireRequest,
    WireResponse,
)
from pingpong_wire import base64_text, bytes_from_base64

from pingpong_openai.chat.usage import usage_from_wire
from pingpong_openai.errors import error_from_body, error_from_wire, error_in, render_error
from pingpong_openai.fields import model_in, refusing_bad_shapes, whole
from pingpong_openai.jsonwire import answer, body_of, decoded, merged, post

_CANONICAL = frozenset({"input", "model", "dimensions", "encoding_format"})


class _Row(msgspec.Struct):
    index: int
    embedding: list[float] | str


class _Vectors(msgspec.Struct):
    data: list[_Row] | None = None
    model: str | None = None
    usage: Any = None
    error: Any = None


_VECTORS = msgspec.json.Decoder(_Vectors)


@frozen
class EmbeddingsCodec:
    """Client half. Source: https://platform.openai.com/docs/api-reference/embeddings/create"""

    provider: str
    record: EndpointRecord

    def encode(self, request: EmbedRequest, card: Card, *, is_stream: bool) -> WireRequest:
        """The HTTP request for one attempt."""
        body: dict[str, Any] = {"model": card.model, "input": list(request.inputs), "encoding_format": "float"}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return post(self.record.path, merged(body, request.provider_options.get(self.provider, {}), self.record.provider_options))

    def decode(self, wire: WireResponse) -> EmbedResponse:
        """The vectors, in input order."""
        body = decoded(wire.body, _VECTORS, self.provider)
        if body.error:
            raise error_from_body(self.provider, error_in(body.error), wire.status, wire.headers)
        if body.data is None:
            raise MalformedResponse(f"{self.provider} sent embeddings without data.", provider=self.provider)
        return EmbedResponse(
            provider=self.provider,
            model=body.model or "",
            vectors=tuple(self._vector(row.embedding) for row in sorted(body.data, key=lambda row: row.index)),
            usage=usage_from_wire(body.usage),
            request_id=wire.headers.get("x-request-id"),
        )

    def stream_decoder(self, headers: Mapping[str, str]) -> StreamDecoder:
        """Embeddings never stream."""
        raise InvalidRequestError("Embeddings cannot be streamed.", provider=self.provider)

    def error(self, wire: WireResponse) -> PingPongError:
        """The error that a non-2xx answer means."""
        return error_from_wire(self.provider, wire)

    def _vector(self, value: list[float] | str) -> tuple[float, ...]:
        if isinstance(value, list):
            return tuple(value)
        data = bytes_from_base64(value, self._malformed_vector)
        if len(data) % 4:
            raise self._malformed_vector("is no row of float32")
        return struct.unpack(f"<{len(data) // 4}f", data)

    def _malformed_vector(self, fault: str) -> MalformedResponse:
        return MalformedResponse(f"A vector that {self.provider} sent {fault}.", provider=self.provider)


@frozen
class EmbeddingsDialect:
    """Server half; answers in base64 where the client asks for it, as the official one does."""

    provider: str

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[EmbedRequest]:
        """The request a client sent; texts only, no token ids."""
        body = body_of(wire)
        if body.get("encoding_format") not in (None, "float", "base64"):
            raise InvalidRequestError("encoding_format: give float or base64.")
        with refusing_bad_shapes():
            options = {name: value for name, value in body.items() if name not in _CANONICAL}
            request = EmbedRequest(
                _inputs(body.get("input")),
                dimensions=whole(body, "dimensions"),
                provider_options={self.provider: options} if options else {},
            )
            return Parsed(request, model_in(body), False, wire)

    def render(self, response: EmbedResponse, parsed: Parsed[Any] | None = None) -> WireResponse:
        """The 200 answer."""
        is_base64 = parsed is not None and body_of(parsed.wire).get("encoding_format") == "base64"
        body: dict[str, Any] = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": _packed(vector) if is_base64 else vector}
                for i, vector in enumerate(response.vectors)
            ],
            "model": response.model,
        }
        if response.usage is not None:
            tokens = response.usage.input_tokens
            body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return answer(body, response.request_id)

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> StreamRenderer:
        """Embeddings never stream."""
        raise InvalidRequestError("Embeddings cannot be streamed.", provider=self.provider)

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Embeddings never stream."""
        raise InvalidRequestError("Embeddings cannot be streamed.", provider=self.provider)

    def render_error(self, error: PingPongError) -> WireResponse:
        """The answer that tells an error."""
        return render_error(error)


def _packed(vector: Sequence[float]) -> str:
    return base64_text(struct.pack(f"<{len(vector)}f", *vector))


def _inputs(value: Any) -> tuple[str, ...]:
    inputs = (value,) if isinstance(value, str) else value
    if not isinstance(inputs, list | tuple) or not inputs or not all(isinstance(text, str) for text in inputs):
        raise InvalidRequestError("Invalid type for 'input': expected a text or a list of texts; token ids are not taken here.")
    return tuple(inputs)
