"""Chat completions: what the wire's odd corners mean, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pingpong import (
    Card,
    FinishReason,
    Image,
    MalformedResponse,
    Opaque,
    PartEnd,
    PingPongError,
    RateLimited,
    Request,
    Response,
    ServerError,
    StreamEnd,
    StreamError,
    StreamStart,
    StreamTruncated,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    WireRequest,
    WireResponse,
    response_from_events,
    user,
)


def _answer(message: dict[str, Any], finish: str | None = "stop", **extra: Any) -> WireResponse:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "model": "gpt-4.1", "choices": [choice], **extra}
    return WireResponse(200, {}, json.dumps(body).encode())


def _chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **extra: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"id": "chatcmpl-1", "model": "m", "choices": choices, **extra}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def _events(chat: Any, *chunks: bytes) -> list[Any]:
    decoder = chat.codec.stream_decoder({"x-request-id": "req_1"})
    return [*decoder.feed(b"".join(chunks)), *decoder.close(), *decoder.feed(DONE), *decoder.close()]


@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": "hi"}, "stop", FinishReason.stop),
        ({"content": "hi"}, "length", FinishReason.length),
        ({"content": None, "refusal": "no"}, "stop", FinishReason.refusal),
        ({"content": "hi"}, "content_filter", FinishReason.content_filter),
        ({"content": "hi"}, "function_call", FinishReason.tool_calls),
        ({"content": "hi"}, "novel", FinishReason.unknown),
        ({"content": "hi"}, None, FinishReason.unknown),
    ],
)
def test_finish_reasons(chat: Any, message: dict[str, Any], finish: str | None, expected: FinishReason) -> None:
    """A closed list; the provider's word is kept, and a refusal's words tell it from a stop."""
    response = chat.codec.decode(_answer(message, finish))
    assert (response.finish_reason, response.raw_finish_reason) == (expected, finish)


def test_calls_of_all_kinds(chat: Any) -> None:
    """Function, custom and legacy calls; no arguments are {}, malformed ones stay as written, a missing id is made up."""
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"half'}},
        {"id": "c", "type": "custom", "custom": {"name": "h", "input": "free text"}},
    ]
    message = {"content": "", "tool_calls": calls, "function_call": {"name": "old", "arguments": "{}"}}
    parts = chat.codec.decode(_answer(message, "tool_calls")).parts
    assert [(p.call_id, p.name, p.arguments) for p in parts] == [
        ("a", "f", "{}"),
        ("b", "g", '{"half'),
        ("c", "h", "free text"),
        ("call_3", "old", "{}"),
    ]
    assert [p.opaque and json.loads(p.opaque.json)["chat"]["type"] for p in parts] == [None, None, "custom", "function_call"]


def test_further_choices_are_kept_whole(chat: Any) -> None:
    """A response holds one answer; others are opaque, equal streamed or not, and left out of the next request."""
    choices = [
        {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"},
        {"index": 1, "message": {"content": "b"}, "finish_reason": "length", "logprobs": {"content": [{"token": "b"}]}},
    ]
    body = {"id": "chatcmpl-1", "model": "m", "choices": choices}
    whole = chat.codec.decode(WireResponse(200, {}, json.dumps(body).encode()))
    assert whole.text == "a"
    assert isinstance(whole.parts[1], Opaque)
    deltas = [{**{k: v for k, v in c.items() if k != "message"}, "delta": c["message"]} for c in choices]
    chunks = [b"data: " + json.dumps({**body, "choices": [delta]}).encode() + b"\n\n" for delta in reversed(deltas)]
    assert response_from_events(_events(chat, *chunks, DONE)).parts == whole.parts
    again = chat.codec.encode(
        Request((user("q"), whole.message)), Card(provider="openai", model="m", endpoints=()), is_stream=False
    )
    assert json.loads(again.body)["messages"][1] == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(uncached_input_tokens=3, visible_output_tokens=2)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 3},
            },
            Usage(
                uncached_input_tokens=1,
                cache_read_tokens=4,
                cache_write_tokens=3,
                input_audio_tokens=2,
                visible_output_tokens=1,
                reasoning_tokens=5,
                output_audio_tokens=3,
            ),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(cache_read_tokens=3, visible_output_tokens=2),
        ),
        ({"prompt_tokens": -1, "completion_tokens": 2}, None),
        ({"prompt_tokens": 3.5, "completion_tokens": 2}, None),
        ({"prompt_tokens": 3, "completion_tokens": "2"}, None),
        ({"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": True}}, None),
        ("many", None),
    ],
)
def test_usage_is_disjoint_or_unknown(chat: Any, usage: Any, expected: Usage | None) -> None:
    """Parts are taken out of their totals; absent or garbage usage is None, never zeros."""
    assert chat.codec.decode(_answer({"content": "hi"}, usage=usage)).usage == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"index":0}]}',
        b'{"choices":[{"message":{"content":5}}]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":[{"message":{"audio":{"data":"?"}}}]}',
    ],
)
def test_a_broken_body_is_malformed(chat: Any, body: bytes) -> None:
    """Missing fields, other types and bytes that are no text are the provider's fault, typed."""
    with pytest.raises(MalformedResponse):
        chat.codec.decode(WireResponse(200, {}, body))


def test_an_error_inside_a_200_is_raised(chat: Any) -> None:
    """By its code, whole and streamed, with what had arrived."""
    error = {"error": {"message": "slow", "code": "rate_limit_exceeded"}}
    with pytest.raises(RateLimited):
        chat.codec.decode(WireResponse(200, {}, json.dumps(error).encode()))
    events = _events(chat, _chunk({"content": "a"}), b"data: " + json.dumps(error).encode() + b"\n\n", DONE)
    assert [e.kind for e in events] == ["start", "text", "error"]
    assert isinstance(events[-1].error, RateLimited)
    assert events[-1].partial.text == "a"


def test_a_stream_in_order(chat: Any) -> None:
    """Start, deltas as they come, whole parts, then usage that came after the finish reason, once."""
    events = _events(
        chat,
        b'data: {"id":"","model":"","choices":[],"prompt_filter_results":[]}\n\n',
        _chunk({"role": "assistant", "content": ""}, obfuscation="x"),
        _chunk({"content": "a"}),
        b": comment\n\ndata:\n\n",
        _chunk({"annotations": [{"n": 1}]}),
        _chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}),
        _chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        _chunk({}, "tool_calls"),
        _chunk(None, usage={"prompt_tokens": 1, "completion_tokens": 1}, service_tier="flex"),
        DONE,
    )
    text = Text("a", Opaque("openai", '{"chat":{"annotations":[{"n":1}]}}'))
    usage = Usage(uncached_input_tokens=1, visible_output_tokens=1)
    assert events == [
        StreamStart("openai", "m", "chatcmpl-1", "req_1"),
        TextDelta(0, "a"),
        ToolCallDelta(1, "c", "f", "{}"),
        PartEnd(0, text),
        PartEnd(1, ToolCall("c", "f", "{}")),
        StreamEnd(FinishReason.tool_calls, "tool_calls", None, usage, Opaque("openai", '{"chat":{"service_tier":"flex"}}')),
    ]


def test_a_refusal_streams_as_text(chat: Any) -> None:
    """Refusal deltas are visible text and end in a refusal."""
    events = _events(chat, _chunk({"refusal": "I "}), _chunk({"refusal": "cannot"}), _chunk({}, "stop"), DONE)
    response = response_from_events(events)
    assert (response.text, response.finish_reason) == ("I cannot", FinishReason.refusal)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], StreamTruncated),
        ([DONE], StreamTruncated),
        ([b'{"id":"x","choices":[]}'], StreamTruncated),
        ([_chunk({"content": "a"}), _chunk({}, "stop")], StreamTruncated),
        ([_chunk({"content": "a"}), b"data: {oops\n\n"], MalformedResponse),
        ([_chunk({"audio": {"data": "?"}})], MalformedResponse),
        ([b"data: 5\n\n"], MalformedResponse),
        ([b'data: {"error":"down"}\n\n'], ServerError),
    ],
)
def test_a_broken_stream_ends_in_one_error(chat: Any, chunks: list[bytes], expected: type[PingPongError]) -> None:
    """No [DONE], no JSON, or an error: one error event, nothing after."""
    events = _events(chat, *chunks)
    assert sum(isinstance(event, StreamError) for event in events) == 1
    assert isinstance(events[-1].error, expected)


def test_done_without_a_finish_reason_is_unknown(chat: Any) -> None:
    """The terminal marker came, so the answer is whole; why it ended is not invented."""
    assert _events(chat, _chunk({"content": "a"}), DONE)[-1] == StreamEnd(FinishReason.unknown, None)


def test_usage_is_streamed_where_asked_for(chat: Any) -> None:
    """A client that did not ask for usage gets no usage chunk."""
    for asked in (False, True):
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
        body |= {"stream_options": {"include_usage": True}} if asked else {}
        parsed = chat.dialect.parse(WireRequest("POST", "/", {}, json.dumps(body).encode()), {})
        renderer = chat.dialect.stream_renderer(parsed)
        told = renderer.render(StreamStart("x", "m")) + renderer.render(StreamEnd(FinishReason.stop, usage=Usage()))
        assert (b'"usage"' in told) is asked
    assert chat.dialect.stream_headers(parsed)["content-type"].startswith("text/event-stream")


def test_foreign_answers_are_told_in_our_words(chat: Any) -> None:
    """Another provider's finish words give way to ours, and what this wire cannot show is left out."""
    response = Response(
        provider="anthropic",
        model="m",
        parts=(Opaque("anthropic", "{}"), Text("hi"), Image(url="http://x.test/a.png")),
        finish_reason=FinishReason.length,
        raw_finish_reason="max_tokens",
    )
    again = chat.codec.decode(chat.dialect.render(response))
    assert (again.parts, again.raw_finish_reason) == ((Text("hi"),), "length")
    paused = Response(provider="x", model="m", finish_reason=FinishReason.pause)
    assert chat.codec.decode(chat.dialect.render(paused)).raw_finish_reason == "pause"
    renderer = chat.dialect.stream_renderer()
    renderer.render(StreamStart("x", "m"))
    assert renderer.render(PartEnd(0, Image(url="http://x.test/a.png"))) == b""
    call = renderer.render(PartEnd(1, ToolCall("c", "f", "{}")))
    assert b'"name":"f"' in call
    error = renderer.render(StreamError(RateLimited("slow")))
    assert b'"type":"requests"' in error


def test_a_blocked_answer_without_a_message_is_empty(chat: Any) -> None:
    """Azure's filter leaves the message out; any other choice without one breaks the protocol."""
    body = {"id": "x", "model": "m", "choices": [{"index": 0, "finish_reason": "content_filter"}]}
    response = chat.codec.decode(WireResponse(200, {}, json.dumps(body).encode()))
    assert (response.parts, response.finish_reason) == ((), FinishReason.content_filter)
    body["choices"] = [{"index": 0, "finish_reason": "stop"}]
    with pytest.raises(MalformedResponse):
        chat.codec.decode(WireResponse(200, {}, json.dumps(body).encode()))


def test_no_messages_are_refused(chat: Any) -> None:
    """An empty list is the caller's error, as OpenAI has it."""
    with pytest.raises(PingPongError, match="empty array") as caught:
        chat.dialect.parse(WireRequest("POST", "/v1/chat/completions", {}, b'{"model":"m","messages":[]}'), {})
    assert chat.dialect.render_error(caught.value).status == 400


@pytest.mark.parametrize("is_byte_wise", [False, True])
def test_an_error_body_in_place_of_a_stream_is_that_error(chat: Any, is_byte_wise: bool) -> None:
    """A 200 with JSON instead of server-sent events ends in the error that it tells."""
    body = json.dumps({"error": {"message": "busy", "code": "rate_limit_exceeded"}}, indent=1).encode()
    decoder = chat.codec.stream_decoder({"content-type": "application/json", "x-request-id": "req_1"})
    chunks = [bytes([byte]) for byte in body] if is_byte_wise else [body]
    assert [event for chunk in chunks for event in decoder.feed(chunk)] == []
    (last,) = decoder.close()
    assert (type(last.error), last.error.message, last.error.request_id) == (RateLimited, "busy", "req_1")


def test_a_broken_event_is_named_by_its_number(chat: Any) -> None:
    """An event that is not JSON ends the stream in an error that says which it was."""
    last = _events(chat, _chunk({"content": "a"}), b"data: {cut\n\n")[-1]
    assert isinstance(last.error, MalformedResponse)
    assert "event 2 of the stream" in last.error.message
