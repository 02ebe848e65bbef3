"""Streams of `streamGenerateContent`: framing, folding, failures; the same events however the bytes arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pingpong import (
    Event,
    FinishReason,
    MalformedResponse,
    Opaque,
    Overloaded,
    Parsed,
    PartEnd,
    Reasoning,
    ReasoningDelta,
    Request,
    ResponseTooLarge,
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
)

Feed = Callable[[Sequence[bytes]], list[Event]]
SIGNED = Opaque("gemini", '{"thoughtSignature":"c2ln"}')


def _chunk(*parts: dict[str, Any], finish: str | None = None, usage: int | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    chunk = {"candidates": [candidate | ({"finishReason": finish} if finish else {}) | more], "modelVersion": "m"}
    return chunk | ({"usageMetadata": {"promptTokenCount": usage}} if usage is not None else {})


CHUNKS = [
    _chunk({"text": "think", "thought": True}, usage=1),
    _chunk({"text": "ing", "thought": True}),
    _chunk({"text": "One\u2028 é😀"}, usage=2, citationMetadata={"citationSources": [{"uri": "a"}], "x": 0}),
    _chunk({"text": " two"}, citationMetadata={"citationSources": [{"uri": "b"}], "x": 1}),
    _chunk({"text": "", "thoughtSignature": "c2ln"}, {"functionCall": {"name": "f", "args": {"a": 1}}}),
    _chunk({"text": ""}, finish="STOP", usage=3, groundingMetadata={"a": 1}),
]
TRAILING = {"usageMetadata": {"promptTokenCount": 9}, "modelVersion": "m"}
CALL = ToolCall("call_2", "f", '{"a":1}', Opaque("gemini", '{"functionCall":{"id":null}}'))
EVENTS: list[Event] = [
    StreamStart("gemini", "m"),
    ReasoningDelta(0, "think"),
    ReasoningDelta(0, "ing"),
    PartEnd(0, Reasoning("thinking")),
    TextDelta(1, "One\u2028 é😀"),
    TextDelta(1, " two"),
    PartEnd(1, Text("One\u2028 é😀 two", SIGNED)),
    ToolCallDelta(2, "call_2", "f", '{"a":1}'),
    PartEnd(2, CALL),
    StreamEnd(
        FinishReason.tool_calls,
        "STOP",
        None,
        Usage(uncached_input_tokens=3),
        Opaque(
            "gemini",
            '{"candidate":{"citationMetadata":{"citationSources":[{"uri":"a"},{"uri":"b"}],"x":1},"groundingMetadata":{"a":1}}}',
        ),
    ),
]


def _sse(chunks: Sequence[object], end: bytes = b"\r\n") -> bytes:
    return b"".join(b"data: " + json.dumps(c, ensure_ascii=False).encode() + end + end for c in chunks)


def _array(chunks: Sequence[object]) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(c, indent=2, ensure_ascii=False).encode() for c in chunks) + b"\n]"


def _multi_line(chunks: Sequence[object]) -> bytes:
    texts = (json.dumps(c, indent=1, ensure_ascii=False).encode() for c in chunks)
    return b": hello\n\n" + b"".join(b"".join(b"data:" + line + b"\n" for line in t.split(b"\n")) + b"\n" for t in texts)


FRAMINGS: dict[str, bytes] = {
    "CRLF": _sse(CHUNKS),
    "LF": _sse(CHUNKS, b"\n"),
    "CR": _sse(CHUNKS, b"\r"),
    "byte order mark": b"\xef\xbb\xbf" + _sse(CHUNKS),
    "comments and data over several lines": _multi_line(CHUNKS),
    "array": _array(CHUNKS),
    "array with space around": b" \r\n" + _array(CHUNKS) + b"\r\n",
}


@pytest.mark.parametrize("body", FRAMINGS.values(), ids=FRAMINGS)
def test_any_framing_in_any_pieces_gives_the_same_events(events_of: Feed, body: bytes) -> None:
    """Whole, byte by byte and at every two-way split, each framing tells the same events."""
    assert events_of([body]) == EVENTS
    assert events_of([body[i : i + 1] for i in range(len(body))]) == EVENTS
    for at in range(1, len(body)):
        assert events_of([body[:at], body[at:]]) == EVENTS


@pytest.mark.parametrize("frame", [_sse, _array])
def test_counts_after_the_finish_reason_hold(events_of: Feed, frame: Callable[[Sequence[object]], bytes]) -> None:
    """A chunk of counts alone after the last content replaces what was counted before, and the end comes once."""
    events = events_of([frame([*CHUNKS, TRAILING])])
    assert [e.kind for e in events].count("end") == 1
    assert response_from_events(events).usage == Usage(uncached_input_tokens=9)


def test_content_after_a_finish_reason_is_not_lost(events_of: Feed) -> None:
    """Some models say STOP in every chunk: the answer goes on until the body ends."""
    calls = [_chunk({"functionCall": {"name": name, "id": name}}, finish="STOP") for name in "fg"]
    response = response_from_events(events_of([_sse(calls)]))
    assert [c.name for c in response.tool_calls] == ["f", "g"]


def test_the_array_ends_with_its_bracket(endpoint: Callable[[str], Any]) -> None:
    """In an array the end is told as soon as the closing bracket is there, and nothing after it."""
    decoder = endpoint("streamGenerateContent").codec.stream_decoder({})
    events = decoder.feed(_array(CHUNKS))
    assert events == EVENTS
    assert (list(decoder.feed(b"[{}]")), list(decoder.close())) == ([], [])


def test_the_whole_answer_equals_the_folded_stream(endpoint: Callable[[str], Any], events_of: Feed) -> None:
    """The parts of all chunks in one unstreamed body decode to the response that the stream folds to."""
    last = CHUNKS[-1]["candidates"][0]
    parts = [p for c in CHUNKS for p in c["candidates"][0]["content"]["parts"]]
    citations = {"citationSources": [{"uri": "a"}, {"uri": "b"}], "x": 1}
    body = {
        "candidates": [{"citationMetadata": citations} | last | {"content": {"parts": parts, "role": "model"}}],
        "usageMetadata": CHUNKS[-1]["usageMetadata"],
        "modelVersion": "m",
    }
    whole = endpoint("generateContent").codec.decode(WireResponse(200, {}, json.dumps(body).encode()))
    assert response_from_events(events_of([_sse(CHUNKS)])) == whole


@pytest.mark.parametrize("cut", range(len(CHUNKS)))
@pytest.mark.parametrize("frame", [_sse, _array])
def test_a_cut_stream_is_truncated(events_of: Feed, frame: Callable[[Sequence[object]], bytes], cut: int) -> None:
    """Without a finish reason the stream fails with what had arrived, its counts included, and never with a stop."""
    body = frame(CHUNKS[:cut])
    if frame is _array:
        body = body.removesuffix(b"\n]")
    *before, last = events_of([body])
    assert isinstance(last, StreamError)
    assert isinstance(last.error, StreamTruncated)
    assert last.partial is last.error.partial
    assert last.partial is not None
    assert last.partial.parts == response_from_events(before).parts
    assert (last.partial.finish_reason, last.partial.raw_finish_reason) == (None, None)
    assert last.partial.usage == (Usage(uncached_input_tokens=2 if cut > 2 else 1) if cut else None)
    assert not any(isinstance(e, StreamEnd) for e in before)


def test_an_array_without_its_bracket_is_truncated(events_of: Feed) -> None:
    """A finish reason alone does not end an array."""
    last = events_of([_array(CHUNKS).removesuffix(b"]")])[-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, StreamTruncated)


def test_an_unspecified_finish_reason_ends_nothing(events_of: Feed) -> None:
    """The enum's default value means that the model has not stopped."""
    last = events_of([_sse([_chunk({"text": "a"}, finish="FINISH_REASON_UNSPECIFIED")])])[-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, StreamTruncated)


ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
PRETTY = json.dumps(ERROR, indent=2).encode()


@pytest.mark.parametrize(
    "tail", [_sse([ERROR]), PRETTY + b"\n", PRETTY.replace(b"\n", b"\r\n"), json.dumps(ERROR).encode(), b"\r\n" + PRETTY]
)
def test_an_error_in_mid_stream_is_mapped(events_of: Feed, tail: bytes) -> None:
    """An error event, or bare JSON between events as the API sends it, ends the stream with the mapped error."""
    body = _sse(CHUNKS[:3]) + tail
    for chunks in ([body], [body[i : i + 1] for i in range(len(body))], [body[:-7], body[-7:]]):
        last = events_of(chunks)[-1]
        assert isinstance(last, StreamError)
        assert isinstance(last.error, Overloaded)
        assert (last.error.status, last.error.code, last.error.provider) == (503, "UNAVAILABLE", "gemini")
        assert last.partial is not None
        assert last.partial.text.startswith("One")


@pytest.mark.parametrize("body", [PRETTY, _array([ERROR]), _array([*CHUNKS[:1], ERROR])])
def test_an_error_instead_of_a_stream_is_mapped(events_of: Feed, body: bytes) -> None:
    """One JSON document, and an array that holds an error, are that error."""
    last = events_of([body[:3], body[3:]])[-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, Overloaded)


def test_an_unstreamed_answer_to_a_stream_request_is_read(events_of: Feed) -> None:
    """A server that does not stream gives the answer in one document."""
    events = events_of([json.dumps(_chunk({"text": "a"}, finish="STOP")).encode()])
    assert response_from_events(events).text == "a"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"data: {oops}\r\n\r\n", MalformedResponse),
        (b"data: \xff\r\n\r\n", MalformedResponse),
        (b"data: []\r\n\r\n", MalformedResponse),
        (b"[{oops}]", MalformedResponse),
        (b"{oops", MalformedResponse),
        (b'data: {"candidates":[{"content":{"parts":[1]}}]}\r\n\r\n', MalformedResponse),
        (b"<html>", StreamTruncated),
        (b"", StreamTruncated),
        (b" \r\n", StreamTruncated),
        (b"data: {}\r\n\r\n{cut", StreamTruncated),
        (b"[]", StreamTruncated),
    ],
)
def test_garbage_is_a_typed_error(events_of: Feed, body: bytes, kind: type[Exception]) -> None:
    """Whatever is no stream of this API ends with one typed error, and nothing after it."""
    for chunks in ([body], [body[i : i + 1] for i in range(len(body))]):
        events = events_of([*chunks, b""])
        assert isinstance(events[-1], StreamError)
        assert type(events[-1].error) is kind
        assert [e.kind for e in events].count("error") == 1


def test_nothing_follows_an_error(endpoint: Callable[[str], Any]) -> None:
    """A decoder that failed stays silent."""
    decoder = endpoint("streamGenerateContent").codec.stream_decoder({})
    decoder.feed(b"data: {oops}\n\n")
    assert (list(decoder.feed(_sse(CHUNKS))), list(decoder.close())) == ([], [])


@pytest.mark.parametrize("begin", [b"data: ", b"[{", b"{"])
def test_an_event_above_the_cap_is_refused(events_of: Feed, begin: bytes) -> None:
    """Memory stays bounded in each framing."""
    piece = b"x" * (1024 * 1024)
    last = events_of([begin, *[piece] * 17])[-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, ResponseTooLarge)


@pytest.mark.parametrize(("query", "begin"), [("?alt=sse", b"data: "), ("", b"[{")])
def test_the_dialect_streams_as_asked(endpoint: Callable[[str], Any], events_of: Feed, query: str, begin: bytes) -> None:
    """The renderer writes server-sent events for `alt=sse`, else one array; both give the events back."""
    wire = WireRequest("POST", f"/v1beta/models/m:streamGenerateContent{query}", {}, b'{"contents":"hi"}')
    dialect = endpoint("streamGenerateContent").dialect
    parsed = dialect.parse(wire, {"model": "m"})
    assert parsed == Parsed(Request("hi"), "m", True, wire)
    renderer = dialect.stream_renderer(parsed)
    frames = [renderer.render(event) for event in EVENTS]
    assert b"".join(frames).startswith(begin)
    assert events_of(frames) == EVENTS
    assert dialect.stream_headers(parsed)["content-type"].startswith("text/event-stream" if query else "application/json")


@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_the_dialect_tells_a_failure(endpoint: Callable[[str], Any], events_of: Feed, query: str) -> None:
    """An error after content reaches the client as the same error."""
    wire = WireRequest("POST", f"/v1beta/models/m:streamGenerateContent{query}", {}, b'{"contents":"hi"}')
    dialect = endpoint("streamGenerateContent").dialect
    renderer = dialect.stream_renderer(dialect.parse(wire, {}))
    events: list[Event] = [EVENTS[0], TextDelta(0, "a"), StreamError(Overloaded("busy", status=503))]
    last = events_of([renderer.render(e) for e in events])[-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, Overloaded)
    assert (last.error.message, last.partial.text if last.partial else "") == ("busy", "a")


def test_a_streamed_error_body_is_raised_by_decode(endpoint: Callable[[str], Any]) -> None:
    """A stream read as a whole raises what ended it."""
    with pytest.raises(Overloaded):
        endpoint("streamGenerateContent").codec.decode(WireResponse(200, {}, _sse([*CHUNKS[:2], ERROR])))
