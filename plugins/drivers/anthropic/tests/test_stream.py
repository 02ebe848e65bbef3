"""Streams: decoding under any partition, faults, and rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from pingpong import (
    Event,
    FinishReason,
    MalformedResponse,
    Opaque,
    Overloaded,
    Part,
    PartEnd,
    Reasoning,
    ReasoningDelta,
    Response,
    ResponseTooLarge,
    StreamEnd,
    StreamError,
    StreamStart,
    StreamTruncated,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    UnsupportedCapability,
    Usage,
    response_from_events,
)
from pingpong import Image as ImagePart
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect

Sse = Callable[..., bytes]
HEADERS = {"content-type": "text/event-stream", "request-id": "req_1"}
START: dict[str, Any] = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def opened(index: int, **block: Any) -> dict[str, Any]:
    """The start of a block."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    """A delta of a block."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def closed(index: int) -> dict[str, Any]:
    """The end of a block."""
    return {"type": "content_block_stop", "index": index}


def ending(reason: str = "end_turn", **more: Any) -> dict[str, Any]:
    """The closing delta."""
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": {"output_tokens": 7},
        **more,
    }


FULL: list[dict[str, Any]] = [
    START,
    PING,
    opened(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="hm"),
    delta(0, "signature_delta", signature="sig"),
    closed(0),
    opened(1, type="text", text="", citations=[]),
    delta(1, "text_delta", text="é"),
    delta(1, "citations_delta", citation={"type": "x"}),
    delta(1, "text_delta", text="\u2028!"),
    closed(1),
    opened(2, type="tool_use", id="t1", name="f", input={}, caller={"type": "direct"}),
    opened(3, type="tool_use", id="t2", name="g", input={}),
    delta(2, "input_json_delta", partial_json=""),
    delta(2, "input_json_delta", partial_json='{"a": '),
    delta(3, "input_json_delta", partial_json='{"b'),
    delta(2, "input_json_delta", partial_json="1}"),
    closed(2),
    closed(3),
    opened(4, type="tool_use", id="t3", name="h", input={}),
    closed(4),
    opened(5, type="server_tool_use", id="s", name="web_search", input={}),
    delta(5, "input_json_delta", partial_json='{"q":"x"}'),
    closed(5),
    opened(6, type="compaction", content=None),
    delta(6, "compaction_delta", content="sum"),
    delta(6, "shiny_delta", x=1),
    closed(6),
    {"type": "shiny_event"},
    ending("tool_use", context_management={"applied_edits": []}),
    STOP,
]
RESPONSE = Response(
    provider="anthropic",
    model="m",
    response_id="msg_1",
    request_id="req_1",
    parts=(
        Reasoning("hm", Opaque("anthropic", '{"signature":"sig"}')),
        Text("é\u2028!", Opaque("anthropic", '{"citations":[{"type":"x"}]}')),
        ToolCall("t1", "f", '{"a":1}', Opaque("anthropic", '{"caller":{"type":"direct"}}')),
        ToolCall("t2", "g", '{"b'),
        ToolCall("t3", "h", "{}"),
        Opaque("anthropic", '{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"x"}}'),
        Opaque("anthropic", '{"type":"compaction","content":"sum"}'),
    ),
    finish_reason=FinishReason.tool_calls,
    raw_finish_reason="tool_use",
    usage=Usage(uncached_input_tokens=3, visible_output_tokens=7),
    opaque=Opaque("anthropic", '{"context_management":{"applied_edits":[]}}'),
)


def decoded(*chunks: bytes, headers: dict[str, str] = HEADERS) -> list[Event]:
    """The events of a body fed in these chunks."""
    decoder = MessagesCodec().stream_decoder(headers)
    return [event for chunk in chunks for event in decoder.feed(chunk)] + list(decoder.close())


def failure(events: Sequence[Event]) -> StreamError:
    """The error that the stream ends with."""
    last = events[-1]
    assert isinstance(last, StreamError)
    assert last.partial == last.error.partial
    return last


def test_a_stream_is_decoded_part_by_part(sse: Sse) -> None:
    """Interleaved blocks of every kind fold into the response that they tell."""
    events = decoded(sse(*FULL))
    assert response_from_events(events) == RESPONSE
    assert [
        StreamStart("anthropic", "m", "msg_1", "req_1"),
        ReasoningDelta(0, "hm"),
        PartEnd(0, RESPONSE.parts[0]),
        TextDelta(1, "é"),
        TextDelta(1, "\u2028!"),
        PartEnd(1, RESPONSE.parts[1]),
        ToolCallDelta(2, "t1", "f", '{"a": '),
        ToolCallDelta(3, "t2", "g", '{"b'),
        ToolCallDelta(2, "t1", "f", "1}"),
    ] == events[:9]
    assert [PartEnd(i, RESPONSE.parts[i]) for i in range(2, 7)] == events[9:14]


def test_any_partition_gives_the_same_events(sse: Sse) -> None:
    """Byte by byte and at every two-way split, also with CRLF, a BOM, padding, comments and cut UTF-8."""
    plain = sse(*FULL)
    whole = decoded(plain)
    assert whole == decoded(*(plain[i : i + 1] for i in range(len(plain))))
    for at in range(1, len(plain)):
        assert whole == decoded(plain[:at], plain[at:])
    odd = b"\xef\xbb\xbf: hello\r\n" + plain.replace(b"}\n\n", b"}   \n\n").replace(b"\n", b"\r\n").replace(b"data: ", b"data:")
    assert whole == decoded(odd) == decoded(*(odd[i : i + 1] for i in range(len(odd))))


def test_text_in_a_blocks_start_is_told(sse: Sse) -> None:
    """What a start says already is content like any other."""
    events = decoded(sse(START, opened(0, type="text", text="he"), delta(0, "text_delta", text="y"), closed(0), ending(), STOP))
    assert [TextDelta(0, "he"), TextDelta(0, "y"), PartEnd(0, Text("hey"))] == events[1:4]


def test_a_start_may_leave_out_its_empty_text(sse: Sse) -> None:
    """A text or thinking block that starts without its empty field is filled all the same."""
    events = decoded(sse(START, opened(0, type="text"), delta(0, "text_delta", text="y"), opened(1, type="thinking"), STOP))
    assert [PartEnd(0, Text("y")), PartEnd(1, Reasoning(""))] == events[2:4]


def test_a_block_left_open_is_closed_by_the_end(sse: Sse) -> None:
    """The terminal marker ends every part; without a stop reason the reason is unknown."""
    events = decoded(sse(START, opened(0, type="text", text=""), delta(0, "text_delta", text="y"), STOP))
    usage = Usage(uncached_input_tokens=3, visible_output_tokens=1)
    assert [PartEnd(0, Text("y")), StreamEnd(FinishReason.unknown, usage=usage)] == events[-2:]


def test_nothing_follows_a_terminal_event(sse: Sse) -> None:
    """Bytes behind the end are ignored, in the same chunk and later ones."""
    decoder = MessagesCodec().stream_decoder(HEADERS)
    events = decoder.feed(sse(START, ending(), STOP, START, {"type": "error", "error": {}}))
    assert isinstance(events[-1], StreamEnd)
    assert [*decoder.feed(sse(START)), *decoder.close()] == []


@pytest.mark.parametrize("n", range(1, len(FULL)))
def test_a_cut_stream_is_truncated_and_keeps_what_came(sse: Sse, n: int) -> None:
    """Whatever is cut before the terminal marker ends in one error with the partial answer and the usage told so far."""
    events = decoded(sse(*FULL[:n]))
    last = failure(events)
    assert isinstance(last.error, StreamTruncated)
    assert last.error.retryable
    assert last.partial is not None
    assert last.partial.finish_reason is None
    assert response_from_events(events).parts == last.partial.parts
    is_final = n == len(FULL) - 1
    output = 7 if is_final else 1
    assert Usage(uncached_input_tokens=3, visible_output_tokens=output, is_estimated=not is_final) == last.partial.usage


def test_a_stream_of_nothing_has_no_partial_answer() -> None:
    """Where nothing came, nothing is made up."""
    last = failure(decoded(b""))
    assert isinstance(last.error, StreamTruncated)
    assert last.partial is None


def test_an_answer_that_is_no_stream_is_malformed() -> None:
    """HTML or JSON in place of a stream is told as what it is."""
    last = failure(decoded(b"<html>\n\n", headers={"content-type": "text/html"}))
    assert isinstance(last.error, MalformedResponse)


def test_an_error_event_is_the_mapped_error(sse: Sse) -> None:
    """An error inside a 200 keeps what came before it, and may come first."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    last = failure(decoded(sse(START, opened(0, type="text", text=""), delta(0, "text_delta", text="a"), error, STOP)))
    assert isinstance(last.error, Overloaded)
    assert (last.error.code, last.error.request_id, last.error.status) == ("overloaded_error", "req_1", 200)
    assert last.partial is not None
    assert last.partial.text == "a"
    assert [StreamError] == [type(event) for event in decoded(sse(error))]


MALFORMED: list[list[dict[str, Any]]] = [
    [opened(0, type="text", text="")],
    [START, START],
    [{"type": "message_start"}],
    [START, opened(0, type="text", text=""), opened(0, type="text", text="")],
    [START, opened(0)],
    [START, opened(0, type="text", text=3)],
    [START, {"type": "content_block_start", "index": 0}],
    [START, delta(0, "text_delta", text="x")],
    [START, opened(0, type="text", text=""), delta(0, "text_delta")],
    [START, opened(0, type="text", text=""), delta(0, "thinking_delta", thinking="x")],
    [START, opened(0, type="text", text=""), {"type": "content_block_delta", "index": 0}],
    [START, closed(0)],
    [{"type": "message_delta", "delta": {}}],
    [START, {"type": "message_delta"}],
    [STOP],
]


@pytest.mark.parametrize("events", MALFORMED)
def test_events_out_of_order_are_malformed(sse: Sse, events: list[dict[str, Any]]) -> None:
    """What breaks the protocol ends the stream with one typed error."""
    got = decoded(sse(*events, STOP))
    assert isinstance(failure(got).error, MalformedResponse)
    assert sum(isinstance(event, StreamError) for event in got) == 1


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff\xff", b"nonsense", b'{"type":"message_start","message":"\\ud800"}'])
def test_an_event_that_is_no_json_object_is_malformed(data: bytes) -> None:
    """A broken event is a typed error with what came before it."""
    last = failure(decoded(b"event: message_start\ndata: " + data + b"\n\n"))
    assert isinstance(last.error, MalformedResponse)


def test_an_event_above_the_cap_is_a_typed_error(sse: Sse) -> None:
    """An endless line ends the stream, not the memory."""
    last = failure(decoded(sse(START), b"data: " + b"x" * (17 * 1024 * 1024)))
    assert isinstance(last.error, ResponseTooLarge)
    assert (last.error.provider, last.error.request_id) == ("anthropic", "req_1")


def test_a_type_is_taken_from_the_event_name_where_data_has_none() -> None:
    """Proxies that drop the type leave the name."""
    body = b'event: message_start\ndata: {"message":{"model":"m"}}\n\nevent: message_stop\ndata: {}\n\n'
    assert [StreamStart("anthropic", "m", None, "req_1"), StreamEnd(FinishReason.unknown)] == decoded(body)


def test_null_output_at_the_end_is_no_usage(sse: Sse) -> None:
    """Usage that the server does not know is None, never the zeros that the start had to show."""
    events = decoded(sse(START, {**ending(), "usage": {"output_tokens": None}}, STOP))
    assert response_from_events(events).usage is None


def rendered(events: Sequence[Event]) -> bytes:
    """The body that tells these events."""
    renderer = MessagesDialect().stream_renderer()
    return b"".join(renderer.render(event) for event in events)


def test_a_relayed_stream_is_the_same_stream(sse: Sse) -> None:
    """What the decoder gives, the renderer tells, call arguments as they were written."""
    events = decoded(sse(*FULL))
    relayed = decoded(rendered(events))
    assert response_from_events(relayed) == RESPONSE
    assert [e for e in events if isinstance(e, ToolCallDelta)] == [e for e in relayed if isinstance(e, ToolCallDelta)]


def test_what_a_call_learns_late_is_told_at_its_end() -> None:
    """Fields without a delta of their own follow in the block's stop event."""
    call = ToolCall("t", "f", '{"a":1}', Opaque("anthropic", '{"caller":{"type":"direct"}}'))
    events: list[Event] = [StreamStart("anthropic", "m"), ToolCallDelta(0, "t", "f", '{"a":1}'), PartEnd(0, call)]
    stop = rendered(events).split(b"\n\n")[-2]
    told = {"type": "content_block_stop", "index": 0, "content_block": {"caller": {"type": "direct"}}}
    assert told == msgspec.json.decode(stop.split(b"data: ")[1])


def test_a_part_without_deltas_is_told_whole() -> None:
    """A part that ends without a delta still gets start, deltas and stop; a foreign one gets nothing."""
    parts: list[Part] = [
        Text("x"),
        Reasoning("r", Opaque("anthropic", '{"signature":"s"}')),
        ToolCall("t", "f", '{"a":1}'),
        Text(""),
    ]
    parts.append(Reasoning("", Opaque("anthropic", '{"type":"redacted_thinking","data":"d"}')))
    end = StreamEnd(FinishReason.stop, "end_turn")
    start = StreamStart("anthropic", "m", None, "req_1")
    events: list[Event] = [start, *(PartEnd(i, part) for i, part in enumerate(parts)), end]
    assert response_from_events(events) == response_from_events(decoded(rendered(events)))
    assert rendered([PartEnd(0, Opaque("openai", "{}"))]) == b""


def test_an_error_ends_a_rendered_stream() -> None:
    """An error is told as the provider tells it inside a stream."""
    events = decoded(rendered([StreamStart("anthropic", "m"), StreamError(Overloaded("busy", code="overloaded_error"))]))
    last = failure(events)
    assert isinstance(last.error, Overloaded)
    assert last.error.message == "busy"


def test_a_picture_cannot_be_told_in_a_stream() -> None:
    """Another provider's picture has no event on this wire."""
    with pytest.raises(UnsupportedCapability):
        rendered([PartEnd(0, ImagePart(url="https://x.test"))])


def test_stream_headers_name_the_type() -> None:
    """A streamed answer says that it is one."""
    assert MessagesDialect().stream_headers()["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("is_byte_wise", [False, True])
def test_an_error_body_in_place_of_a_stream_is_that_error(is_byte_wise: bool) -> None:
    """A 200 with JSON instead of server-sent events ends in the error that it tells."""
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    decoder = MessagesCodec().stream_decoder({"content-type": "application/json", "request-id": "req_1"})
    chunks = [bytes([byte]) for byte in body] if is_byte_wise else [body]
    assert [event for chunk in chunks for event in decoder.feed(chunk)] == []
    (last,) = decoder.close()
    assert isinstance(last, StreamError)
    assert (type(last.error), last.error.message, last.error.request_id) == (Overloaded, "busy", "req_1")
