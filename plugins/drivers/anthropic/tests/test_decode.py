"""Whole answers: decoding, usage, finish reasons, and rendering back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from pingpong import (
    Card,
    FinishReason,
    Image,
    InvalidRequestError,
    MalformedResponse,
    Opaque,
    Overloaded,
    Reasoning,
    Request,
    Response,
    Text,
    TokenCount,
    ToolCall,
    UnsupportedCapability,
    Usage,
    WireResponse,
)
from pingpong_anthropic.count_tokens import CountTokensCodec, CountTokensDialect
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect

Answer = Callable[..., WireResponse]
Fields = Callable[..., dict[str, Any]]


def test_every_field_of_an_answer_is_decoded(answer: Answer, message: Fields) -> None:
    """Text, reasoning, calls, ids, finish reason and usage are all there, and the body is kept."""
    body = message(
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "hi", "citations": None},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        {"type": "shiny_new", "x": 1},
        container={"id": "c"},
        context_management=None,
    )
    wire = answer(body, headers={"request-id": "req_1"})
    response = MessagesCodec().decode(wire)
    assert (
        Response(
            provider="anthropic",
            model="claude-sonnet-4-6",
            parts=(
                Reasoning("hm", Opaque("anthropic", '{"signature":"s"}')),
                Text("hi"),
                ToolCall("t", "f", "{}"),
                Opaque("anthropic", '{"type":"shiny_new","x":1}'),
            ),
            finish_reason=FinishReason.stop,
            raw_finish_reason="end_turn",
            usage=Usage(uncached_input_tokens=3, visible_output_tokens=2),
            response_id="msg_1",
            request_id="req_1",
            opaque=Opaque("anthropic", '{"container":{"id":"c"}}'),
        )
        == response
    )
    assert wire.body == response.raw
    assert response.text == "hi"


REASONS = [
    ("end_turn", FinishReason.stop),
    ("stop_sequence", FinishReason.stop),
    ("max_tokens", FinishReason.length),
    ("model_context_window_exceeded", FinishReason.length),
    ("tool_use", FinishReason.tool_calls),
    ("pause_turn", FinishReason.pause),
    ("compaction", FinishReason.pause),
    ("refusal", FinishReason.refusal),
    ("brand_new", FinishReason.unknown),
    (None, FinishReason.unknown),
]


@pytest.mark.parametrize(("raw", "reason"), REASONS)
def test_stop_reasons_map_to_the_closed_list(answer: Answer, message: Fields, raw: str | None, reason: FinishReason) -> None:
    """Every word of the provider has its meaning, an unknown one keeps its word."""
    response = MessagesCodec().decode(answer(message(stop_reason=raw)))
    assert (reason, raw) == (response.finish_reason, response.raw_finish_reason)


@pytest.mark.parametrize(
    ("response", "stop_reason"),
    [
        (Response(provider="openai", model="m", finish_reason=FinishReason.stop, raw_finish_reason="stop"), "end_turn"),
        (Response(provider="o", model="m", finish_reason=FinishReason.stop, stop_sequence="X"), "stop_sequence"),
        (Response(provider="o", model="m", finish_reason=FinishReason.content_filter), "refusal"),
        (Response(provider="o", model="m", finish_reason=FinishReason.malformed_tool_call), "tool_use"),
        (Response(provider="o", model="m"), "end_turn"),
    ],
)
def test_answers_of_other_providers_are_told_in_this_wires_words(response: Response, stop_reason: str) -> None:
    """A word of another wire is never rendered; the nearest of this one is."""
    assert stop_reason == msgspec.json.decode(MessagesDialect().render(response).body)["stop_reason"]


USAGES: list[tuple[Any, Usage | None]] = [
    (None, None),
    ({}, None),
    ("3", None),
    ({"input_tokens": 3}, None),
    ({"input_tokens": 3, "output_tokens": -1}, None),
    ({"input_tokens": "3", "output_tokens": 1}, None),
    ({"input_tokens": 3.5, "output_tokens": 1}, None),
    ({"input_tokens": True, "output_tokens": 1}, None),
    ({"input_tokens": 3, "output_tokens": 1, "cache_creation": 4}, None),
    ({"input_tokens": 0, "output_tokens": 0}, Usage()),
    (
        {"input_tokens": 3, "output_tokens": 10, "output_tokens_details": {"thinking_tokens": 4}},
        Usage(uncached_input_tokens=3, visible_output_tokens=6, reasoning_tokens=4),
    ),
    (
        {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7},
        Usage(uncached_input_tokens=3, visible_output_tokens=1, cache_read_tokens=5, cache_write_tokens=7),
    ),
    (
        {
            "input_tokens": 3,
            "output_tokens": 1,
            "cache_creation_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2},
        },
        Usage(uncached_input_tokens=3, visible_output_tokens=1, cache_write_tokens=5, cache_write_1h_tokens=2),
    ),
    (
        {"input_tokens": 3, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 2}},
        Usage(uncached_input_tokens=3, visible_output_tokens=1, cache_write_1h_tokens=2),
    ),
    (
        {"input_tokens": 3, "output_tokens": 1, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0}},
        Usage(uncached_input_tokens=3, visible_output_tokens=1, other_units={"web_search_requests": 2}),
    ),
    (
        {
            "input_tokens": 3,
            "output_tokens": 1,
            "iterations": [
                {"type": "message", "input_tokens": 3, "output_tokens": 1},
                {"type": "advisor_message", "input_tokens": 9, "cache_read_input_tokens": 1, "output_tokens": 2},
                {"type": "advisor_message", "input_tokens": 5, "output_tokens": 0},
                "odd",
            ],
        },
        Usage(
            uncached_input_tokens=3,
            visible_output_tokens=1,
            other_units={"advisor_message_input_tokens": 15, "advisor_message_output_tokens": 2},
        ),
    ),
]


@pytest.mark.parametrize(("wire", "usage"), USAGES)
def test_usage_is_told_in_disjoint_classes(answer: Answer, message: Fields, wire: Any, usage: Usage | None) -> None:
    """Counts are split without overlap; absent or impossible ones are no usage, never zeros, and all survive rendering."""
    response = MessagesCodec().decode(answer(message(usage=wire)))
    assert usage == response.usage
    assert response == MessagesCodec().decode(MessagesDialect().render(response))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"type":"message"}', b'{"content":3}', b'{"content":[{"type":"text"}]}', b'{"content":["x"]}'],
)
def test_a_body_that_breaks_the_protocol_is_malformed(body: bytes) -> None:
    """A success body without what it must hold is a typed error, never a KeyError."""
    with pytest.raises(MalformedResponse) as caught:
        MessagesCodec().decode(WireResponse(200, {"request-id": "req_1"}, body))
    assert (caught.value.provider, caught.value.request_id) == ("anthropic", "req_1")


def test_an_error_inside_a_200_is_that_error(answer: Answer) -> None:
    """A body that says error is one in spite of its status."""
    with pytest.raises(Overloaded):
        MessagesCodec().decode(answer({"type": "error", "error": {"type": "overloaded_error", "message": "later"}}))


def test_an_image_in_an_answer_cannot_be_told() -> None:
    """Another provider's picture has no block in an answer of this wire."""
    response = Response(provider="x", model="m", parts=(Image(url="https://x.test"),), finish_reason=FinishReason.stop)
    with pytest.raises(UnsupportedCapability):
        MessagesDialect().render(response)


def test_parts_only_another_provider_understands_are_left_out() -> None:
    """A foreign opaque part has no place in an answer."""
    parts = (Opaque("openai", "{}"), Text("hi", Opaque("openai", "{}")))
    body = MessagesDialect().render(Response(provider="openai", model="m", parts=parts, finish_reason=FinishReason.stop)).body
    assert msgspec.json.decode(body)["content"] == [{"type": "text", "text": "hi"}]


def test_a_count_round_trips_and_a_bad_one_is_malformed(answer: Answer) -> None:
    """The count is an integer of at least 0, and nothing else."""
    count = TokenCount(provider="anthropic", model="", input_tokens=12, request_id="req_1")
    assert count == CountTokensCodec().decode(CountTokensDialect().render(count))
    for body in ({}, {"input_tokens": -1}, {"input_tokens": "3"}, {"input_tokens": True}):
        with pytest.raises(MalformedResponse):
            CountTokensCodec().decode(answer(body))


def test_counting_sends_what_counts_and_nothing_more(card: Card) -> None:
    """Limits and sampling are refused by the endpoint and stay out; the conversation and tools go."""
    request = Request("q", temperature=0.5, max_output_tokens=9, stop="x", reasoning_effort="low")
    wire = CountTokensCodec().encode(request, card, is_stream=False)
    assert wire.target == "/v1/messages/count_tokens"
    assert {"model", "messages", "thinking", "output_config"} == set(msgspec.json.decode(wire.body))


def test_counting_does_not_stream(card: Card) -> None:
    """Every way of asking for a stream of a count is refused."""
    codec, dialect = CountTokensCodec(), CountTokensDialect()
    ways: list[Callable[[], object]] = [
        lambda: codec.encode(Request("q"), card, is_stream=True),
        lambda: codec.stream_decoder({}),
        dialect.stream_renderer,
        dialect.stream_headers,
    ]
    for way in ways:
        with pytest.raises(InvalidRequestError, match="does not stream"):
            way()
