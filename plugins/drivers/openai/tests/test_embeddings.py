"""Embeddings: numbers or base64, in input order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import (
    Card,
    EmbedRequest,
    EmbedResponse,
    InvalidRequestError,
    MalformedResponse,
    RateLimited,
    ServerError,
    Usage,
    WireRequest,
    WireResponse,
)
from pingpong_openai.driver import make
from pingpong_openai.options import OpenAIOptions
from pingpong_openai.plugin import RECORD

ENDPOINT: Any = make(RECORD, OpenAIOptions(), {}).endpoints[2]
CARD = Card(provider="openai", model="text-embedding-3-small", endpoints=("embeddings",))
floats = st.floats(-1, 1, width=32)


def _parsed(**body: Any) -> Any:
    wire = WireRequest("POST", "/v1/embeddings", {}, json.dumps({"model": "m", "input": ["a"], **body}).encode())
    return ENDPOINT.dialect.parse(wire, {})


@given(st.lists(st.lists(floats, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple), st.sampled_from(["float", "base64"]))
def test_vectors_come_back_equal(vectors: tuple[tuple[float, ...], ...], encoding: str) -> None:
    """decode(render(x)) == x, in the encoding the client asked for."""
    response = EmbedResponse(
        provider="openai", model="m", vectors=vectors, usage=Usage(uncached_input_tokens=3), request_id="req_1"
    )
    wire = ENDPOINT.dialect.render(response, _parsed(encoding_format=encoding))
    assert ENDPOINT.codec.decode(wire) == response
    assert ENDPOINT.codec.decode(ENDPOINT.dialect.render(response)) == response


def test_rows_are_put_in_input_order() -> None:
    """The index of a row decides, not its place; absent usage is None."""
    rows = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1]}]
    response = ENDPOINT.codec.decode(WireResponse(200, {}, json.dumps({"data": rows}).encode()))
    assert (response.vectors, response.usage, response.model) == (((1.0,), (2.0,)), None, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"data":[{"index":0}]}',
        b'{"data":[{"index":0,"embedding":"?"}]}',
        b'{"data":[{"index":0,"embedding":"eA=="}]}',
    ],
)
def test_a_broken_body_is_malformed(body: bytes) -> None:
    """Missing rows and what is no float32 base64 are the provider's fault."""
    with pytest.raises(MalformedResponse):
        ENDPOINT.codec.decode(WireResponse(200, {}, body))


def test_errors_are_mapped() -> None:
    """By status, and inside a 200 by code."""
    assert isinstance(ENDPOINT.codec.error(WireResponse(500, {}, b"")), ServerError)
    with pytest.raises(RateLimited):
        ENDPOINT.codec.decode(WireResponse(200, {}, b'{"error":{"code":"rate_limit_exceeded"}}'))
    assert ENDPOINT.dialect.render_error(RateLimited("slow")).status == 429


@pytest.mark.parametrize("inputs", [("a",), ("a", "b")])
@pytest.mark.parametrize("dimensions", [None, 8])
def test_a_request_comes_back_whole(inputs: tuple[str, ...], dimensions: int | None) -> None:
    """parse(encode(r)) is r."""
    request = EmbedRequest(inputs, dimensions=dimensions, provider_options={"openai": {"user": "u"}})
    parsed = ENDPOINT.dialect.parse(ENDPOINT.codec.encode(request, CARD, is_stream=False), {})
    assert (parsed.request, parsed.model, parsed.is_stream) == (request, CARD.model, False)


def test_one_text_is_one_input() -> None:
    """A bare string is taken as the provider takes it."""
    assert _parsed(input="a").request == EmbedRequest("a")


@pytest.mark.parametrize("inputs", [None, [], [1, 2], [[1]], 5, ["a", 1]])
def test_other_inputs_are_refused(inputs: Any) -> None:
    """Token ids and nothing at all are the caller's error."""
    with pytest.raises(InvalidRequestError):
        _parsed(input=inputs)


def test_embeddings_never_stream() -> None:
    """Every streaming half says so."""
    with pytest.raises(InvalidRequestError):
        ENDPOINT.codec.stream_decoder({})
    with pytest.raises(InvalidRequestError):
        ENDPOINT.dialect.stream_renderer()
    with pytest.raises(InvalidRequestError):
        ENDPOINT.dialect.stream_headers()


def test_an_unknown_encoding_is_refused() -> None:
    """Vectors are given as floats or base64; anything else is the caller's error, not silently floats."""
    with pytest.raises(InvalidRequestError, match="encoding_format"):
        _parsed(encoding_format="banana")
