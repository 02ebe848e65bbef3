"""What one half writes, the other reads back unchanged: answers whole and streamed, requests, in any partition of the bytes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pingpong import (
    Audio,
    Card,
    Event,
    FinishReason,
    Message,
    Opaque,
    OutputSchema,
    Part,
    PartEnd,
    Reasoning,
    ReasoningDelta,
    Request,
    Response,
    Role,
    StreamEnd,
    StreamError,
    StreamStart,
    StreamTruncated,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallResponse,
    ToolChoice,
    Usage,
    WireResponse,
    events_from_response,
    response_from_events,
)
from pingpong_openai.driver import make
from pingpong_openai.options import OpenAIOptions
from pingpong_openai.plugin import RECORD

CHAT, RESPONSES, _ = make(RECORD, OpenAIOptions(), {}).endpoints
CARD = Card(provider="openai", model="gpt-4.1", endpoints=())

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
words = st.from_regex(r"[a-z]{3,8}", fullmatch=True)
ids = st.uuids().map(str)
counts = st.integers(0, 10_000)
arguments = st.one_of(st.dictionaries(words, st.integers(), max_size=2).map(json.dumps), texts)


def _usages(*, has_audio: bool) -> st.SearchStrategy[Usage | None]:
    audio = counts if has_audio else st.just(0)
    return st.none() | st.builds(
        Usage,
        uncached_input_tokens=counts,
        cache_read_tokens=counts,
        cache_write_tokens=counts,
        input_audio_tokens=audio,
        visible_output_tokens=counts,
        reasoning_tokens=counts,
        output_audio_tokens=audio,
        other_units=st.just({}) if has_audio else st.just({}) | st.just({"web_search_requests": 2}),
    )


def _kept(wire: str, value: dict[str, Any]) -> Opaque | None:
    return Opaque("openai", json.dumps({wire: value}, separators=(",", ":"), ensure_ascii=False)) if value else None


@st.composite
def chat_responses(draw: st.DrawFn) -> Response:
    """Answers that one chat completion can tell."""
    parts: list[Part] = []
    if draw(st.booleans()):
        parts.append(Reasoning(draw(texts)))
    is_refusal = draw(st.booleans())
    if is_refusal or draw(st.booleans()):
        notes = draw(st.sampled_from([{}, {"annotations": [{"type": "url_citation", "n": 1}]}]))
        parts.append(Text(draw(texts), _kept("chat", notes)))
    if draw(st.booleans()):
        kept = draw(st.sampled_from([{}, {"id": "audio_x", "expires_at": 9}]))
        parts.append(Audio(data=draw(st.binary(min_size=1)), transcript=draw(st.none() | texts), opaque=_kept("chat", kept)))
    for call_id in draw(st.lists(ids, max_size=3, unique=True)):
        kept = draw(st.sampled_from([{}, {"type": "custom"}]))
        parts.append(ToolCall(call_id, draw(words), draw(arguments), _kept("chat", kept)))
    if draw(st.booleans()):
        message: dict[str, Any] = {"role": "assistant", "content": draw(texts), "refusal": None, "annotations": []}
        other = {"choice": {"index": 1, "message": message, "finish_reason": "stop"}}
        parts.append(_kept("chat", other) or Opaque("openai", ""))
    finish, raw = draw(
        st.sampled_from(
            [(FinishReason.refusal, "stop")]
            if is_refusal
            else [
                (FinishReason.stop, "stop"),
                (FinishReason.length, "length"),
                (FinishReason.tool_calls, "function_call"),
                (FinishReason.content_filter, "content_filter"),
                (FinishReason.unknown, "novel"),
            ]
        )
    )
    kept = draw(st.sampled_from([{}, {"created": 5, "service_tier": "flex", "logprobs": {"content": [{"token": "a"}]}}]))
    return Response(
        provider="openai",
        model=draw(words),
        parts=tuple(parts),
        finish_reason=finish,
        raw_finish_reason=raw,
        usage=draw(_usages(has_audio=True)),
        response_id=draw(st.none() | ids),
        request_id=draw(st.none() | ids),
        opaque=_kept("chat", kept),
    )


@st.composite
def responses_responses(draw: st.DrawFn) -> Response:
    """Answers that one response object can tell."""
    parts: list[Part] = []
    for item_id in draw(st.lists(ids, max_size=5, unique=True)):
        said: dict[str, Any] = {"id": item_id} if draw(st.booleans()) else {}
        kind = draw(st.sampled_from(["text", "reasoning", "call", "custom", "item"]))
        if kind == "text":
            extra = draw(st.sampled_from([{}, {"phase": "commentary", "annotations": [{"n": 1}], "logprobs": [{"n": 2}]}]))
            parts.append(Text(draw(st.just("") | texts), _kept("responses", {**said, **extra} if said else {})))
        elif kind == "reasoning":
            extra = draw(st.sampled_from([{}, {"encrypted_content": "abc"}, {"in": "content"}]))
            summary = draw(texts) if "in" in extra else draw(st.just("") | texts)
            parts.append(Reasoning(summary, _kept("responses", {**said, **extra} if said else {})))
        elif kind == "item":
            parts.append(Opaque("openai", '{"responses":{"item":{"type":"web_search_call","id":"ws_1","status":"completed"}}}'))
        else:
            mark = {"type": "custom_tool_call"} if kind == "custom" else {}
            parts.append(ToolCall(item_id, draw(words), draw(arguments), _kept("responses", {**said, **mark})))
    finish, raw = _ending(draw, parts)
    return Response(
        provider="openai",
        model=draw(words),
        parts=tuple(parts),
        finish_reason=finish,
        raw_finish_reason=raw,
        usage=draw(_usages(has_audio=False)),
        response_id=draw(st.none() | ids),
        request_id=draw(st.none() | ids),
        opaque=_kept("responses", draw(st.sampled_from([{}, {"created_at": 5, "service_tier": "flex"}]))),
    )


def _ending(draw: st.DrawFn, parts: list[Part]) -> tuple[FinishReason, str]:
    text_places = [i for i, part in enumerate(parts) if isinstance(part, Text)]
    is_refusal: bool = draw(st.booleans())
    if text_places and is_refusal:
        last = parts[text_places[-1]]
        assert isinstance(last, Text)
        said = json.loads(last.opaque.json)["responses"] if last.opaque else {}
        said = {name: value for name, value in said.items() if name in ("id", "phase")}
        parts[text_places[-1]] = Text(last.text, _kept("responses", {**said, "type": "refusal"} if said else {}))
        return FinishReason.refusal, "completed"
    is_call = any(isinstance(part, ToolCall) for part in parts)
    whole = (FinishReason.tool_calls if is_call else FinishReason.stop, "completed")
    cut = [(FinishReason.length, "max_output_tokens"), (FinishReason.content_filter, "content_filter")]
    return draw(st.sampled_from([whole, *cut, (FinishReason.unknown, "novel")]))


def _headers(response: Response) -> dict[str, str]:
    return {} if response.request_id is None else {"x-request-id": response.request_id}


def _stream(endpoint: Any, response: Response) -> bytes:
    renderer = endpoint.dialect.stream_renderer()
    return b"".join(renderer.render(event) for event in events_from_response(response))


def _events(endpoint: Any, headers: dict[str, str], chunks: list[bytes]) -> list[Any]:
    decoder = endpoint.codec.stream_decoder(headers)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*events, *decoder.close()]


def _pieces(data: st.DataObject, body: bytes) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@given(chat_responses())
def test_a_chat_answer_comes_back_whole(response: Response) -> None:
    """decode(render(x)) == x."""
    assert CHAT.codec.decode(CHAT.dialect.render(response)) == response


@given(responses_responses())
def test_a_responses_answer_comes_back_whole(response: Response) -> None:
    """decode(render(x)) == x."""
    assert RESPONSES.codec.decode(RESPONSES.dialect.render(response)) == response


@given(st.data(), chat_responses())
@settings(max_examples=150)
def test_a_streamed_chat_answer_comes_back_in_any_partition(data: st.DataObject, response: Response) -> None:
    """The folded stream is the answer, and chunk borders change no event."""
    _check_stream(CHAT, data, response)


@given(st.data(), responses_responses())
@settings(max_examples=150)
def test_a_streamed_responses_answer_comes_back_in_any_partition(data: st.DataObject, response: Response) -> None:
    """The folded stream is the answer, and chunk borders change no event."""
    _check_stream(RESPONSES, data, response)


def _check_stream(endpoint: Any, data: st.DataObject, response: Response) -> None:
    body, headers = _stream(endpoint, response), _headers(response)
    whole = _events(endpoint, headers, [body])
    assert response_from_events(whole) == response
    assert _events(endpoint, headers, _pieces(data, body)) == whole
    # Multi-line data and CRLF mean the same to the standard.
    reworded = body.replace(b"data: {", b"data: {\ndata: ").replace(b"\n", b"\r\n")
    assert _events(endpoint, headers, _pieces(data, reworded)) == whole


@given(st.data(), st.sampled_from([CHAT, RESPONSES]))
def test_a_cut_stream_is_an_error_with_the_partial_answer(data: st.DataObject, endpoint: Any) -> None:
    """Without its terminal marker a stream ends in `StreamTruncated`, which holds what had arrived, and never in an end."""
    response = data.draw(chat_responses() if endpoint is CHAT else responses_responses())
    body = _stream(endpoint, response)
    events = _events(endpoint, {}, [body[: data.draw(st.integers(0, len(body) - 3))]])
    last = events[-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, StreamTruncated)
    told = response_from_events(events[:-1])
    assert last.partial is last.error.partial
    assert last.partial is None if len(events) == 1 else last.partial is not None and last.partial.parts == told.parts


def test_every_split_and_single_bytes_give_the_same_events() -> None:
    """One answer of every kind of part, cut at each place and fed byte by byte."""
    parts = (Reasoning("dénk"), Text("Grüße 🎈\u2028\n"), ToolCall("c1", "f", '{"a":"ü"}'), ToolCall("c2", "g", "{}"))
    response = Response(
        provider="openai", model="m", parts=parts, finish_reason=FinishReason.tool_calls, usage=Usage(visible_output_tokens=3)
    )
    for endpoint in (CHAT, RESPONSES):
        body = _stream(endpoint, response)
        whole = _events(endpoint, {}, [body])
        assert response_from_events(whole).parts == parts
        assert _events(endpoint, {}, [body[i : i + 1] for i in range(len(body))]) == whole
        for at in range(1, len(body), 7):
            assert _events(endpoint, {}, [body[:at], body[at:]]) == whole


def test_many_deltas_of_each_part_are_told_and_read() -> None:
    """A live stream has several deltas a part, interleaved; each arrives as it was told."""
    told: list[Event] = [
        StreamStart("openai", "m", "r1"),
        ReasoningDelta(0, "th"),
        ReasoningDelta(0, "ink"),
        PartEnd(0, Reasoning("think")),
        TextDelta(1, "H"),
        TextDelta(1, "i"),
        PartEnd(1, Text("Hi")),
        ToolCallDelta(2, "c1", "f", "{"),
        ToolCallDelta(3, "c2", "g", "[1"),
        ToolCallDelta(2, "c1", "f", "}"),
        ToolCallDelta(3, "c2", "g", "]"),
        PartEnd(2, ToolCall("c1", "f", "{}")),
        PartEnd(3, ToolCall("c2", "g", "[1]")),
    ]
    ends = {CHAT.record.name: "tool_calls", RESPONSES.record.name: "completed"}
    for endpoint in (CHAT, RESPONSES):
        end = StreamEnd(FinishReason.tool_calls, ends[endpoint.record.name])
        renderer = endpoint.dialect.stream_renderer()
        heard = _events(endpoint, {}, [renderer.render(event) for event in (*told, end)])
        assert response_from_events(heard) == response_from_events([*told, end])
        deltas = [event for event in told if event.kind not in ("start", "part_end")]
        assert [event for event in heard if event.kind in ("text", "reasoning", "tool_call")] == deltas


def test_legacy_and_further_answers_are_told_whole_and_streamed() -> None:
    """The deprecated function call, and further choices with calls of their own."""
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": calls}
    other = _kept("chat", {"choice": {"index": 1, "message": message, "finish_reason": "tool_calls"}})
    assert other is not None
    response = Response(
        provider="openai",
        model="m",
        parts=(ToolCall("call_0", "old", '{"a":1}', _kept("chat", {"type": "function_call"})), other),
        finish_reason=FinishReason.tool_calls,
        raw_finish_reason="function_call",
    )
    wire = CHAT.dialect.render(response)
    assert b'"function_call":{"name":"old"' in wire.body
    assert CHAT.codec.decode(wire) == response
    assert response_from_events(_events(CHAT, {}, [_stream(CHAT, response)])) == response


schemas = st.dictionaries(words, st.integers(), max_size=2).map(lambda extra: {"type": "object", **extra})
tools = st.builds(Tool, words, st.just("") | texts, schemas, st.none() | st.booleans())


@st.composite
def requests(draw: st.DrawFn, *, is_chat: bool) -> Request:
    """Requests that either wire carries whole."""
    messages = [Message(Role.system, draw(texts)), Message(Role.user, tuple(map(Text, draw(st.lists(texts, min_size=1)))))]
    for call_id in draw(st.lists(ids, max_size=3, unique=True)):
        call = ToolCall(call_id, draw(words), draw(arguments))
        result = tuple(map(Text, draw(st.lists(texts, min_size=1, max_size=2))))
        messages.append(Message(Role.assistant, (Text(draw(texts)), call)))
        messages.append(Message(Role.tool, (ToolCallResponse(call_id, result, call.name, draw(st.booleans())),)))
    chat_only: dict[str, Any] = {}
    if is_chat:
        chat_only = {
            "stop": draw(st.lists(texts, max_size=3)),
            "seed": draw(st.none() | st.integers()),
            "presence_penalty": draw(st.none() | st.just(0.5)),
            "frequency_penalty": draw(st.none() | st.just(0.0)),
        }
    return Request(
        tuple(messages),
        tools=draw(st.lists(tools, max_size=2)),
        tool_choice=draw(st.none() | st.sampled_from([ToolChoice("required"), ToolChoice("named", "f")])),
        parallel_tool_calls=draw(st.none() | st.booleans()),
        output_schema=draw(st.none() | st.builds(OutputSchema, schemas, words, st.none() | texts, st.booleans())),
        max_output_tokens=draw(st.none() | st.integers(1, 9)),
        temperature=draw(st.none() | st.sampled_from([0.0, 0.7])),
        top_p=draw(st.none() | st.just(0.9)),
        reasoning_effort=draw(st.none() | st.sampled_from(["none", "high"])),
        provider_options=draw(st.sampled_from([{}, {"openai": {"service_tier": "flex", "metadata": {"a": "b"}}}])),
        **chat_only,
    )


@given(requests(is_chat=True), st.booleans())
def test_a_chat_request_comes_back_whole(request: Request, is_stream: bool) -> None:
    """parse(encode(r)) is r, and equal requests give equal bytes."""
    _check_request(CHAT, request, is_stream=is_stream)


@given(requests(is_chat=False), st.booleans())
def test_a_responses_request_comes_back_whole(request: Request, is_stream: bool) -> None:
    """parse(encode(r)) is r, and equal requests give equal bytes."""
    _check_request(RESPONSES, request, is_stream=is_stream)


def _check_request(endpoint: Any, request: Request, *, is_stream: bool) -> None:
    wire = endpoint.codec.encode(request, CARD, is_stream=is_stream)
    parsed = endpoint.dialect.parse(wire, {})
    assert (parsed.request, parsed.model, parsed.is_stream) == (request, "gpt-4.1", is_stream)
    assert endpoint.codec.encode(parsed.request, CARD, is_stream=is_stream) == wire


@given(chat_responses(), st.sampled_from([CHAT, RESPONSES]))
def test_a_changed_text_changes_the_wire(response: Response, endpoint: Any) -> None:
    """The visible text reaches the wire, whatever else is kept of it."""
    changed = tuple(Text(p.text + "x", p.opaque) if isinstance(p, Text) else p for p in response.parts)
    wires = [endpoint.dialect.render(Response(provider="openai", model="m", parts=parts)) for parts in (response.parts, changed)]
    assert (wires[0] == wires[1]) == (changed == response.parts)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_fail_typed(body: bytes) -> None:
    """Garbage as a stream ends in one error event and never raises."""
    for endpoint in (CHAT, RESPONSES):
        events = _events(endpoint, {}, [b"data: " + body + b"\n\n", body])
        assert isinstance(events[-1], StreamError)
        assert WireResponse(200, {}, body).status == 200
