"""Embeddings, alone and in batches, and token counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pingpong import (
    Card,
    EmbedRequest,
    EmbedResponse,
    InvalidRequestError,
    MalformedResponse,
    Overloaded,
    PluginError,
    Request,
    TokenCount,
    Tool,
    Usage,
    WireRequest,
    WireResponse,
    system,
    user,
)

ONE = {"model": "models/gemini-3.6-flash", "content": {"parts": [{"text": "a"}]}}
TWO = {**ONE, "content": {"parts": [{"text": "b"}]}}
OPTIONS = {"gemini": {"taskType": "RETRIEVAL_DOCUMENT", "title": "t"}}


@pytest.mark.parametrize(
    ("name", "request_", "path", "body"),
    [
        ("embedContent", EmbedRequest("a"), "embedContent", ONE),
        (
            "embedContent",
            EmbedRequest("a", dimensions=2, provider_options=OPTIONS),
            "embedContent",
            {**ONE, "taskType": "RETRIEVAL_DOCUMENT", "title": "t", "outputDimensionality": 2},
        ),
        ("embedContent", EmbedRequest(("a", "b")), "batchEmbedContents", {"requests": [ONE, TWO]}),
        ("batchEmbedContents", EmbedRequest("a"), "batchEmbedContents", {"requests": [ONE]}),
    ],
)
def test_inputs_go_to_the_endpoint_that_takes_them(
    endpoint: Callable[[str], Any], card: Card, name: str, request_: EmbedRequest, path: str, body: object
) -> None:
    """One input may go alone, several go as one batch, and the dialect of that path reads them back."""
    wire = endpoint(name).codec.encode(request_, card, is_stream=False)
    assert (wire.target, json.loads(wire.body)) == (f"/v1beta/models/gemini-3.6-flash:{path}", body)
    assert endpoint(path).dialect.parse(wire, {"model": "m"}).request == request_


def test_nothing_to_embed_is_refused(endpoint: Callable[[str], Any], card: Card) -> None:
    """No input, no request."""
    with pytest.raises(InvalidRequestError):
        endpoint("embedContent").codec.encode(EmbedRequest(()), card, is_stream=False)


@pytest.mark.parametrize("name", ["embedContent", "batchEmbedContents"])
@pytest.mark.parametrize(
    "response",
    [
        EmbedResponse(provider="gemini", model="", vectors=((0.5, -1.0),)),
        EmbedResponse(
            provider="gemini", model="", vectors=((0.5,), (1.0,)), usage=Usage(uncached_input_tokens=3), request_id="r"
        ),
    ],
)
def test_vectors_come_back(endpoint: Callable[[str], Any], name: str, response: EmbedResponse) -> None:
    """What the dialect renders decodes to the same vectors, counts and id."""
    assert endpoint(name).codec.decode(endpoint(name).dialect.render(response)) == response


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"[]",
        b"{}",
        b'{"embeddings":[]}',
        b'{"embeddings":1}',
        b'{"embedding":{"values":[]}}',
        b'{"embedding":{"values":["1"]}}',
        b'{"embeddings":[{"values":[1]},{"values":[true]}]}',
    ],
)
def test_broken_vectors_are_malformed(endpoint: Callable[[str], Any], body: bytes) -> None:
    """Anything but vectors of numbers raises a typed error."""
    with pytest.raises(MalformedResponse):
        endpoint("embedContent").codec.decode(WireResponse(200, {}, body))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("batchEmbedContents", b"{}"),
        ("batchEmbedContents", b'{"requests":[]}'),
        ("embedContent", b"{}"),
        ("embedContent", b'{"content":{"parts":[{"inlineData":{}}]}}'),
        ("embedContent", b'{"content":{"parts":[{"text":"a"}]},"outputDimensionality":0}'),
    ],
)
def test_a_bad_embedding_request_is_refused(endpoint: Callable[[str], Any], name: str, body: bytes) -> None:
    """The dialect refuses what the endpoint does not take."""
    with pytest.raises(InvalidRequestError):
        endpoint(name).dialect.parse(WireRequest("POST", f"/v1beta/models/m:{name}", {}, body), {})


def test_a_lone_part_may_be_embedded(endpoint: Callable[[str], Any]) -> None:
    """One part without a list means the same."""
    wire = WireRequest("POST", "/", {}, b'{"content":{"parts":{"text":"a"}}}')
    assert endpoint("embedContent").dialect.parse(wire, {}).request == EmbedRequest("a")


def test_the_whole_request_is_counted(endpoint: Callable[[str], Any], card: Card) -> None:
    """System instruction and tools are counted with the contents, and the dialect reads the same request."""
    request = Request((system("s"), user("hi")), tools=(Tool("f"),))
    wire = endpoint("countTokens").codec.encode(request, card, is_stream=False)
    body = json.loads(wire.body)["generateContentRequest"]
    assert wire.target == "/v1beta/models/gemini-3.6-flash:countTokens"
    assert body["model"] == "models/gemini-3.6-flash"
    assert set(body) == {"model", "systemInstruction", "contents", "tools"}
    assert endpoint("countTokens").dialect.parse(wire, {"model": "m"}).request == request


def test_bare_contents_are_counted(endpoint: Callable[[str], Any]) -> None:
    """Clients may send contents alone."""
    wire = WireRequest("POST", "/", {}, b'{"contents":[{"parts":[{"text":"hi"}]}]}')
    assert endpoint("countTokens").dialect.parse(wire, {}).request == Request("hi")
    with pytest.raises(InvalidRequestError):
        endpoint("countTokens").dialect.parse(WireRequest("POST", "/", {}, b'{"generateContentRequest":1}'), {})


@pytest.mark.parametrize("tokens", [0, 7])
def test_a_count_comes_back(endpoint: Callable[[str], Any], tokens: int) -> None:
    """What the dialect renders decodes to the same count."""
    count = TokenCount(provider="gemini", model="", input_tokens=tokens, request_id="r")
    assert endpoint("countTokens").codec.decode(endpoint("countTokens").dialect.render(count)) == count


def test_a_count_of_zero_may_be_left_out(endpoint: Callable[[str], Any]) -> None:
    """protobuf's JSON has no zeros."""
    assert endpoint("countTokens").codec.decode(WireResponse(200, {}, b"{}")).input_tokens == 0


@pytest.mark.parametrize("body", [b"", b"[]", b'{"totalTokens":-1}', b'{"totalTokens":"1"}', b'{"totalTokens":true}'])
def test_a_broken_count_is_malformed(endpoint: Callable[[str], Any], body: bytes) -> None:
    """Anything but a count raises a typed error."""
    with pytest.raises(MalformedResponse):
        endpoint("countTokens").codec.decode(WireResponse(200, {}, body))


@pytest.mark.parametrize("name", ["countTokens", "embedContent"])
def test_an_error_inside_a_200_is_raised(endpoint: Callable[[str], Any], name: str) -> None:
    """An error object is an error in spite of its status."""
    with pytest.raises(Overloaded):
        endpoint(name).codec.decode(WireResponse(200, {}, b'{"error":{"status":"UNAVAILABLE"}}'))


@pytest.mark.parametrize("name", ["countTokens", "embedContent", "batchEmbedContents"])
def test_these_endpoints_do_not_stream(endpoint: Callable[[str], Any], name: str) -> None:
    """Asking for a stream of them is a mistake of whoever asks."""
    with pytest.raises(PluginError):
        endpoint(name).codec.stream_decoder({})
    with pytest.raises(PluginError):
        endpoint(name).dialect.stream_renderer()
    assert endpoint(name).dialect.stream_headers() == {}
