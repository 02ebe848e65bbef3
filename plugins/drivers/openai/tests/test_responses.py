"""The responses endpoint: items, statuses, streamed events, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from pingpong import (
    Audio,
    Card,
    FinishReason,
    MalformedResponse,
    Opaque,
    Part,
    PartEnd,
    PingPongError,
    RateLimited,
    Reasoning,
    ReasoningDelta,
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
    tool_result,
    user,
)


def _body(*output: dict[str, Any], status: str = "completed", **extra: Any) -> WireResponse:
    body = {"id": "resp_1", "model": "gpt-5.6-sol", "status": status, "output": output, **extra}
    return WireResponse(200, {}, json.dumps(body).encode())


def _cut(reason: str | None) -> WireResponse:
    return _body(status="incomplete", incomplete_details=reason and {"reason": reason})


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _events(responses: Any, *chunks: bytes) -> list[Any]:
    decoder = responses.codec.stream_decoder({"x-request-id": "req_1"})
    return [*decoder.feed(b"".join(chunks)), *decoder.close(), *decoder.feed(b"data: {}\n\n"), *decoder.close()]


def _kept(**value: Any) -> Opaque:
    return Opaque("openai", json.dumps({"responses": value}, separators=(",", ":")))


START = _event("response.created", response={"id": "resp_1", "model": "m", "status": "in_progress", "output": []})
MESSAGE = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
CALL = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}"}


def _text(text: str, **extra: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **extra}


def test_items_become_parts(responses: Any) -> None:
    """Texts, refusals, summaries and calls have canonical parts; everything else is opaque, at its place and whole."""
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [{"text": "one"}, {"text": "two"}], "encrypted_content": "e"}
    thought = {"id": "rs_2", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "deep"}]}
    message = {**MESSAGE, "phase": "final_answer", "content": [_text("a", annotations=[{"n": 1}]), {"type": "hologram"}]}
    custom = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "4 + 4", "status": "in_progress"}
    empty = {**MESSAGE, "content": []}
    response = responses.codec.decode(_body(reasoning, thought, search, message, CALL, custom, empty))
    assert response.parts == (
        Reasoning("one", _kept(id="rs_1", encrypted_content="e")),
        Reasoning("two", _kept(id="rs_1")),
        Reasoning("deep", _kept(id="rs_2", **{"in": "content"})),
        _kept(item=search),
        Text("a", _kept(id="msg_1", phase="final_answer", annotations=[{"n": 1}])),
        _kept(id="msg_1", phase="final_answer", content={"type": "hologram"}),
        ToolCall("c1", "f", "{}", _kept(id="fc_1")),
        ToolCall("c2", "g", "4 + 4", _kept(id="ctc_1", status="in_progress", type="custom_tool_call")),
        _kept(item=empty),
    )
    assert responses.codec.decode(responses.dialect.render(response)) == response


def test_an_answer_goes_back_as_it_came(responses: Any, reasoning_card: Card) -> None:
    """Ids, signatures and opaque items are in the next request, verbatim and in order."""
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"}
    message = {**MESSAGE, "content": [_text("a"), {"type": "refusal", "refusal": "no"}]}
    answer = responses.codec.decode(_body(reasoning, search, message, CALL))
    result = tool_result(answer.tool_calls[0], "done")
    wire = responses.codec.encode(Request((user("q"), answer.message, result)), reasoning_card, is_stream=False)
    items = json.loads(wire.body)["input"][1:]
    call = {name: value for name, value in CALL.items() if name != "status"}
    assert items == [reasoning, search, message, call, {"type": "function_call_output", "call_id": "c1", "output": "done"}]


@pytest.mark.parametrize(
    ("wire", "finish", "raw"),
    [
        (_body(), FinishReason.stop, "completed"),
        (_body(CALL), FinishReason.tool_calls, "completed"),
        (_body({**MESSAGE, "content": [{"type": "refusal", "refusal": "no"}]}), FinishReason.refusal, "completed"),
        (
            _body(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            FinishReason.length,
            "max_output_tokens",
        ),
        (
            _body(status="incomplete", incomplete_details={"reason": "content_filter"}),
            FinishReason.content_filter,
            "content_filter",
        ),
        (_body(status="incomplete", incomplete_details=None), FinishReason.unknown, "incomplete"),
        (_body(status="queued"), FinishReason.unknown, "queued"),
        (_body(status="in_progress"), FinishReason.unknown, "in_progress"),
        (_body(status="cancelled"), FinishReason.unknown, "cancelled"),
    ],
)
def test_statuses(responses: Any, wire: WireResponse, finish: FinishReason, raw: str) -> None:
    """Status, reason and output together say why it ended; both halves agree."""
    response = responses.codec.decode(wire)
    assert (response.finish_reason, response.raw_finish_reason) == (finish, raw)
    again = responses.codec.decode(responses.dialect.render(response))
    assert again.finish_reason == finish


def test_usage_counts_searches(responses: Any) -> None:
    """Hosted searches are billed units, cached and written tokens parts of the input; garbage is unknown."""
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    wire = _body(usage=usage, tool_usage={"web_search": {"num_requests": 3}}, service_tier="flex")
    assert responses.codec.decode(wire).usage == Usage(
        uncached_input_tokens=5,
        cache_read_tokens=4,
        cache_write_tokens=1,
        visible_output_tokens=3,
        reasoning_tokens=2,
        other_units={"web_search_requests": 3},
    )
    assert responses.codec.decode(_body(usage={"input_tokens": "many", "output_tokens": 5})).usage is None
    assert responses.codec.decode(_body(usage=None)).usage is None


@pytest.mark.parametrize(
    "wire",
    [
        WireResponse(200, {}, b""),
        WireResponse(200, {}, b"{}"),
        _body({**MESSAGE, "content": [{"type": "output_text"}]}),
        _body({**MESSAGE, "content": ["x"]}),
        _body({"type": "function_call", "name": "f"}),
        _body({"type": "function_call", "call_id": "c", "name": 5, "arguments": "{}"}),
        _body({"type": "reasoning", "summary": [{}]}),
    ],
)
def test_a_broken_body_is_malformed(responses: Any, wire: WireResponse) -> None:
    """Missing fields and other types are the provider's fault, typed."""
    with pytest.raises(MalformedResponse):
        responses.codec.decode(wire)


def test_a_failed_response_raises_with_what_it_had_said(responses: Any) -> None:
    """By the code in its error object; the partial answer and its usage are kept."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    failure: dict[str, Any] = {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}, "usage": usage}
    with pytest.raises(RateLimited) as caught:
        responses.codec.decode(_body({**MESSAGE, "content": [_text("half")]}, **failure))
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.partial.finish_reason) == ("half", None)
    body = {"id": "resp_1", "model": "m", "output": [], **failure}
    delta = _event("response.output_text.delta", output_index=0, content_index=0, delta="half")
    events = _events(responses, START, delta, _event("response.failed", response=body))
    assert [e.kind for e in events] == ["start", "text", "error"]
    assert isinstance(events[-1].error, RateLimited)
    assert events[-1].partial.text == "half"
    assert events[-1].partial.usage == Usage(uncached_input_tokens=1, visible_output_tokens=1)


def test_a_stream_in_order(responses: Any) -> None:
    """Start, deltas as they come, whole parts at their items' ends, then the end with usage."""
    done = {**MESSAGE, "content": [_text("ab")]}
    final = {"id": "resp_1", "model": "m", "status": "completed", "usage": {"input_tokens": 1, "output_tokens": 1}}
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}]}
    events = _events(
        responses,
        START,
        _event("response.output_item.added", output_index=0, item={"id": "rs_1", "type": "reasoning", "summary": []}),
        _event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="why"),
        _event("response.output_item.done", output_index=0, item=reasoning),
        _event("response.output_item.added", output_index=1, item={**MESSAGE, "content": []}),
        _event("response.output_text.delta", output_index=1, content_index=0, delta="a", obfuscation="x"),
        _event("response.output_item.added", output_index=2, item={**CALL, "arguments": ""}),
        _event("response.function_call_arguments.delta", output_index=2, delta="{}"),
        _event("response.output_text.delta", output_index=1, content_index=0, delta="b"),
        _event("response.output_item.done", output_index=1, item=done),
        _event("response.output_item.done", output_index=2, item=CALL),
        _event("response.novel_thing.delta", output_index=2, delta="?"),
        b"data: [DONE]\n\n",
        _event("response.completed", response={**final, "output": [reasoning, done, CALL]}),
    )
    assert events == [
        StreamStart("openai", "m", "resp_1", "req_1"),
        ReasoningDelta(0, "why"),
        PartEnd(0, Reasoning("why", _kept(id="rs_1"))),
        TextDelta(1, "a"),
        ToolCallDelta(2, "c1", "f", "{}"),
        TextDelta(1, "b"),
        PartEnd(1, Text("ab", _kept(id="msg_1"))),
        PartEnd(2, ToolCall("c1", "f", "{}", _kept(id="fc_1"))),
        StreamEnd(FinishReason.tool_calls, "completed", None, Usage(uncached_input_tokens=1, visible_output_tokens=1)),
    ]


def test_reasoning_text_streams_and_items_may_stand_in_any_message(responses: Any, card: Card) -> None:
    """Open models tell their reasoning as content; an opaque item is sent from whatever message holds it."""
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "deep"}]}
    delta = _event("response.reasoning_text.delta", output_index=0, content_index=0, delta="deep")
    events = _events(responses, START, delta, _event("response.output_item.done", output_index=0, item=item))
    assert events[1:3] == [ReasoningDelta(0, "deep"), PartEnd(0, Reasoning("deep", _kept(id="rs_1", **{"in": "content"})))]
    approval = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}
    wire = responses.codec.encode(Request((user((_kept(item=approval), Text("go"))),)), card, is_stream=False)
    assert json.loads(wire.body)["input"] == [approval, {"role": "user", "content": "go"}]


def test_items_told_at_the_end_only_are_told(responses: Any) -> None:
    """What no delta and no finished item told comes out of the terminal event, deltas included."""
    output: list[dict[str, Any]] = [
        {**MESSAGE, "content": [_text("late")]},
        {"type": "reasoning", "summary": [{"text": "why"}]},
        CALL,
        {"type": "novel"},
    ]
    body = {"id": "resp_1", "model": "m", "status": "completed", "output": output}
    events = _events(responses, _event("response.completed", response=body))
    assert [e.kind for e in events] == [
        "start",
        "text",
        "part_end",
        "reasoning",
        "part_end",
        "tool_call",
        "part_end",
        "part_end",
        "end",
    ]
    assert response_from_events(events) == evolve(responses.codec.decode(_body(*output)), model="m", request_id="req_1")


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], StreamTruncated),
        ([START], StreamTruncated),
        ([START, b"data: [DONE]\n\n"], StreamTruncated),
        ([START, b"data: {oops\n\n"], MalformedResponse),
        ([START, _event("response.output_item.done", output_index=0, item={"type": "function_call"})], MalformedResponse),
        ([_event("error", code="rate_limit_exceeded", message="slow")], RateLimited),
        ([START, _event("error", error={"type": "server_error", "message": "down"})], ServerError),
        ([b'data: {"error":{"code":"rate_limit_exceeded"}}\n\n'], RateLimited),
    ],
)
def test_a_broken_stream_ends_in_one_error(responses: Any, chunks: list[bytes], expected: type[PingPongError]) -> None:
    """No terminal event, no JSON, or an error: one error event, nothing after."""
    events = _events(responses, *chunks)
    assert sum(isinstance(event, StreamError) for event in events) == 1
    assert isinstance(events[-1].error, expected)


def test_the_error_map_is_the_shared_one(responses: Any) -> None:
    """Non-2xx answers and errors told in a stream."""
    assert isinstance(responses.codec.error(WireResponse(500, {}, b"")), ServerError)
    assert responses.dialect.render_error(RateLimited("slow")).status == 429
    renderer = responses.dialect.stream_renderer()
    events = _events(responses, renderer.render(StreamStart("x", "m")), renderer.render(StreamError(RateLimited("slow"))))
    assert isinstance(events[-1].error, RateLimited)
    assert responses.dialect.stream_headers()["content-type"].startswith("text/event-stream")


def test_the_answer_repeats_what_was_asked(responses: Any) -> None:
    """Official clients read the echo of the request; ids are made up where there are none, and vanish again."""
    body = {"model": "m", "input": "x", "tools": [{"type": "web_search"}], "temperature": 0.5}
    parsed = responses.dialect.parse(WireRequest("POST", "/", {}, json.dumps(body).encode()), {})
    response = Response(provider="openai", model="m", parts=(Text("hi"),), finish_reason=FinishReason.stop)
    told = json.loads(responses.dialect.render(response, parsed).body)
    assert (told["temperature"], told["tools"], told["output"][0]["id"]) == (0.5, [{"type": "web_search"}], "msg_pp0")
    assert responses.codec.decode(responses.dialect.render(response, parsed)).response_id is None


def test_foreign_answers_are_told_in_our_words(responses: Any) -> None:
    """What this wire cannot show is left out, whole and streamed."""
    parts: tuple[Part, ...] = (Opaque("gemini", "{}"), Text("hi"), Audio(transcript="x"))
    paused = Response(provider="x", model="m", parts=parts, finish_reason=FinishReason.pause)
    again = responses.codec.decode(responses.dialect.render(paused))
    assert (again.parts, again.finish_reason, again.raw_finish_reason) == ((Text("hi"),), FinishReason.unknown, "pause")
    renderer = responses.dialect.stream_renderer()
    renderer.render(StreamStart("x", "m"))
    assert [renderer.render(PartEnd(i, part)) for i, part in enumerate((parts[0], parts[2]))] == [b"", b""]


def test_an_error_body_in_place_of_a_stream_is_that_error(responses: Any) -> None:
    """A 200 with JSON instead of server-sent events ends in the error that it tells."""
    decoder = responses.codec.stream_decoder({"content-type": "application/json"})
    assert list(decoder.feed(b'{"error":{"message":"busy","code":"rate_limit_exceeded"}}')) == []
    (last,) = decoder.close()
    assert (type(last.error), last.error.message) == (RateLimited, "busy")
