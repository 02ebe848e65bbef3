"""Round trips over made-up answers and requests, and totality over made-up JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pingpong import (
    Audio,
    Card,
    DriverOptions,
    File,
    FinishReason,
    Image,
    InvalidRequestError,
    Message,
    Opaque,
    OutputSchema,
    Part,
    PingPongError,
    Reasoning,
    Request,
    Response,
    Role,
    StreamEnd,
    StreamError,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    Usage,
    WireRequest,
    WireResponse,
    events_from_response,
    response_from_events,
)
from pingpong_gemini.driver import make
from pingpong_gemini.plugin import RECORD

ENDPOINTS: Any = make(RECORD, DriverOptions(), {}).endpoints
CHAT, STREAM = ENDPOINTS[:2]
CARD = Card(provider="gemini", model="gemini-3.6-flash", endpoints=("generateContent",))
PATH = "/v1beta/models/m:streamGenerateContent"

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.just("\u2028\x85 \x00é😀")
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
signatures = st.none() | st.just(Opaque("gemini", '{"thoughtSignature":"c2ln"}'))
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words
arguments = st.dictionaries(names, values | st.lists(values, max_size=2) | st.dictionaries(names, values, max_size=2), max_size=3)
compact = arguments.map(lambda v: json.dumps(v, separators=(",", ":"), ensure_ascii=False))
data = st.binary(min_size=1, max_size=20)
media = st.one_of(
    st.builds(Image, data=data, media_type=st.just("image/png"), opaque=signatures),
    st.builds(Audio, data=data, media_type=st.just("audio/wav")),
    st.builds(File, data=data, media_type=st.just("application/pdf")),
    st.builds(File, url=st.just("https://example.com/v"), media_type=st.just("video/mp4")),
)
opaques = names.map(lambda code: Opaque("gemini", json.dumps({"executableCode": {"code": code}}, separators=(",", ":"))))
calls = st.builds(ToolCall, names, names, compact, signatures)


def _call_without_id(name: str, text: str, index: int) -> ToolCall:
    return ToolCall(f"call_{index}", name, text, Opaque("gemini", '{"functionCall":{"id":null}}'))


def _canonical(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts as this wire would have them: texts that would run together are left out, ids named by position."""
    out: list[Part] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, Text | Reasoning):
            if (not part.text and part.opaque is None) or (type(last) is type(part) and getattr(last, "opaque", None) is None):
                continue
        elif isinstance(part, ToolCall) and part.name.startswith("n"):
            part = _call_without_id(part.name, part.arguments, len(out))
        out.append(part)
    return tuple(out)


texts = st.builds(Text, words | st.just(""), signatures) | st.builds(Reasoning, words, signatures)
answers = st.lists(texts | calls | media | opaques, max_size=6).map(_canonical)
counts = st.integers(0, 10**9)
usages = st.none() | st.builds(
    Usage,
    uncached_input_tokens=counts,
    cache_read_tokens=counts,
    input_audio_tokens=counts,
    visible_output_tokens=counts,
    reasoning_tokens=counts,
    output_audio_tokens=counts,
)


@st.composite
def responses(draw: st.DrawFn) -> Response:
    """An answer as this provider could give it."""
    parts = draw(answers)
    stop = FinishReason.tool_calls if any(isinstance(p, ToolCall) for p in parts) else FinishReason.stop
    reasons = {
        "STOP": stop,
        "MAX_TOKENS": FinishReason.length,
        "SAFETY": FinishReason.content_filter,
        "NEW": FinishReason.unknown,
    }
    word = draw(st.sampled_from(list(reasons)))
    extra = draw(st.none() | names.map(lambda n: Opaque("gemini", f'{{"newer":"{n}","candidate":{{"finishMessage":"{n}"}}}}')))
    return Response(
        provider="gemini",
        model=draw(words | st.just("")),
        parts=parts,
        finish_reason=reasons[word],
        raw_finish_reason=word,
        usage=draw(usages),
        response_id=draw(st.none() | words),
        request_id=draw(st.none() | names),
        opaque=extra,
    )


@settings(max_examples=150, deadline=None)
@given(responses(), st.booleans(), st.data())
def test_answers_survive_both_ways(response: Response, is_sse: bool, pieces: st.DataObject) -> None:
    """decode(render(x)) is x, and so is the fold of its stream, under a random partition of the bytes."""
    assert CHAT.codec.decode(CHAT.dialect.render(response)) == response
    wire = WireRequest("POST", PATH + ("?alt=sse" if is_sse else ""), {}, b'{"contents":"hi"}')
    renderer = STREAM.dialect.stream_renderer(STREAM.dialect.parse(wire, {}))
    body = b"".join(renderer.render(event) for event in events_from_response(response))
    headers = {"x-goog-request-id": response.request_id} if response.request_id else {}
    cuts = sorted(pieces.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    decoder = STREAM.codec.stream_decoder(headers)
    events = [e for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) for e in decoder.feed(body[a:b])]
    events += decoder.close()
    assert isinstance(events[-1], StreamEnd)
    assert response_from_events(events) == response


def _user(parts: list[Part]) -> Message:
    return Message(Role.user, tuple(parts))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request in the form that this wire gives back: system first, answers of tools in one message each."""
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append(Message(Role.system, tuple(draw(st.lists(st.builds(Text, words), min_size=1, max_size=2)))))
    messages.append(_user(draw(st.lists(st.builds(Text, words) | media, min_size=1, max_size=3))))
    unique = draw(st.lists(calls, max_size=3, unique_by=lambda c: c.call_id))
    if unique:
        messages.append(Message(Role.assistant, tuple(unique)))
        results = [ToolCallResponse(c.call_id, draw(words), c.name, draw(st.booleans())) for c in unique]
        messages.append(Message(Role.tool, tuple(results)))
    choices = [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"), ToolChoice("named", "f")]
    small = st.none() | st.floats(0, 1)
    return Request(
        tuple(messages),
        tools=tuple(draw(st.lists(st.builds(Tool, names, words, arguments), max_size=2))),
        tool_choice=draw(st.sampled_from(choices)),
        output_schema=draw(st.none() | arguments.map(OutputSchema)),
        max_output_tokens=draw(st.none() | st.integers(1, 10**6)),
        temperature=draw(small),
        top_p=draw(small),
        top_k=draw(st.none() | st.integers(1, 100)),
        seed=draw(st.none() | st.integers(0, 2**31 - 1)),
        stop=tuple(draw(st.lists(words, max_size=2))),
        reasoning_effort=draw(st.sampled_from([None, "minimal", "low", "medium", "high"])),
    )


@settings(max_examples=150, deadline=None)
@given(requests())
def test_requests_survive(request: Request) -> None:
    """parse(encode(r)) is r, equal requests give equal bytes, and the request is left as it was."""
    for endpoint, is_stream in ((CHAT, False), (STREAM, True)):
        before = repr(request)
        wire = endpoint.codec.encode(request, CARD, is_stream=is_stream)
        assert endpoint.dialect.parse(wire, {"model": CARD.model}).request == request
        assert endpoint.codec.encode(request, CARD, is_stream=is_stream) == wire
        assert repr(request) == before


KEYS = (
    "candidates content parts text thought functionCall functionResponse inlineData fileData name args id mimeType data index "
    "usageMetadata promptTokenCount promptTokensDetails promptFeedback blockReason finishReason modelVersion error contents role "
    "systemInstruction tools functionDeclarations toolConfig functionCallingConfig mode allowedFunctionNames generationConfig "
    "thinkingConfig thinkingLevel thinkingBudget responseSchema responseMimeType properties type stopSequences response"
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "ANY", "STOP", "OBJECT", "model", "application/json"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(anything)
def test_any_json_is_an_answer_or_a_typed_error(value: Any) -> None:
    """Decoders never fall over JSON of the wrong shape, and the stream's grammar holds."""
    for body in ({"candidates": [{"content": {"parts": [value]}, "finishReason": value}]}, {"candidates": value}, value):
        data = json.dumps(body).encode()
        with suppress(PingPongError):
            CHAT.codec.decode(WireResponse(200, {}, data))
        decoder = STREAM.codec.stream_decoder({})
        events = [*decoder.feed(b"data: " + data + b"\n\n"), *decoder.close()]
        assert sum(isinstance(e, StreamEnd | StreamError) for e in events) == 1


@settings(max_examples=300, deadline=None)
@given(anything)
def test_any_json_is_a_request_or_a_refusal(value: Any) -> None:
    """The dialect takes what it can read and refuses the rest with one error class."""
    bodies = (
        {"contents": [{"parts": [value]}]},
        {"contents": value},
        {"contents": "a", "tools": value},
        {"contents": "a", "tools": [{"functionDeclarations": [value]}]},
        {"contents": "a", "toolConfig": value},
        {"contents": "a", "toolConfig": {"functionCallingConfig": value}},
        {"contents": "a", "generationConfig": value},
        {"contents": "a", "systemInstruction": value},
    )
    for body in bodies:
        wire = WireRequest("POST", PATH, {}, json.dumps(body).encode())
        try:
            parsed = STREAM.dialect.parse(wire, {"model": "m"})
        except InvalidRequestError:
            continue
        assert (parsed.model, isinstance(parsed.request, Request)) == ("m", True)
