"""Answers of `generateContent`, as bodies and as what they decode to; rendering gives an equal answer again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from pingpong import (
    Audio,
    File,
    FinishReason,
    Image,
    MalformedResponse,
    Opaque,
    Overloaded,
    Part,
    Reasoning,
    Request,
    Response,
    Text,
    ToolCall,
    Usage,
    WireResponse,
    user,
)

SIGNED = Opaque("gemini", '{"thoughtSignature":"c2ln"}')


def _body(*parts: dict[str, Any], finish: object = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, "index": 0}
    return {"candidates": [{k: v for k, v in candidate.items() if v is not None}], "modelVersion": "m", **more}


@pytest.fixture
def decode(endpoint: Callable[[str], Any]) -> Callable[..., Response]:
    """The response in a body; rendering it gives an equal one, streamed too."""

    def run(body: object, headers: dict[str, str] | None = None) -> Response:
        codec, dialect = endpoint("generateContent").codec, endpoint("generateContent").dialect
        response = codec.decode(WireResponse(200, headers or {}, json.dumps(body).encode()))
        assert isinstance(response, Response)
        assert codec.decode(dialect.render(response)) == response
        streamed = endpoint("streamGenerateContent")
        assert streamed.codec.decode(streamed.dialect.render(response)) == response
        return response

    return run


PARTS: dict[str, tuple[list[dict[str, Any]], tuple[Part, ...]]] = {
    "text in pieces is one part": ([{"text": "a"}, {"text": "b"}], (Text("ab"),)),
    "a signature closes a part": ([{"text": "a", "thoughtSignature": "c2ln"}, {"text": "b"}], (Text("a", SIGNED), Text("b"))),
    "an empty text signs what came before": ([{"text": "a"}, {"text": "", "thoughtSignature": "c2ln"}], (Text("a", SIGNED),)),
    "so does a signature alone": ([{"text": "a"}, {"thoughtSignature": "c2ln"}], (Text("a", SIGNED),)),
    "thoughts stay apart from text": (
        [{"text": "t", "thought": True}, {"text": "u", "thought": True}, {"text": "a", "thought": False}],
        (Reasoning("tu"), Text("a")),
    ),
    "a signature after thoughts is a text's": (
        [{"text": "t", "thought": True}, {"text": "", "thoughtSignature": "c2ln"}],
        (Reasoning("t"), Text("", SIGNED)),
    ),
    "empty text says nothing": ([{"text": ""}, {}], ()),
    "media": (
        [
            {"inlineData": {"mimeType": "image/png", "data": "//4A"}, "thoughtSignature": "c2ln"},
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "YQ"}},
            {"fileData": {"mimeType": "text/csv", "fileUri": "files/1"}},
            {"inlineData": {"mimeType": "text/csv", "data": "YQ==", "displayName": "x.csv"}},
        ],
        (
            Image(data=b"\xff\xfe\x00", media_type="image/png", opaque=SIGNED),
            Audio(data=b"a", media_type="audio/L16;rate=24000"),
            File(url="files/1", media_type="text/csv"),
            File(data=b"a", media_type="text/csv", opaque=Opaque("gemini", '{"inlineData":{"displayName":"x.csv"}}')),
        ),
    ),
    "what is not known is opaque": (
        [
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK"}, "thoughtSignature": "c2ln"},
            {"toolCall": {"toolType": "FILE_SEARCH", "id": "1"}},
            {"functionCall": {"partialArgs": []}},
            {"functionCall": {"name": "f", "args": [1]}},
            {"inlineData": {"mimeType": "image/png", "data": "!"}},
            {"inlineData": {"mimeType": "image/png", "data": 1}},
            {"text": 1},
        ],
        (
            Opaque("gemini", '{"executableCode":{"language":"PYTHON","code":"1"}}'),
            Opaque("gemini", '{"codeExecutionResult":{"outcome":"OUTCOME_OK"},"thoughtSignature":"c2ln"}'),
            Opaque("gemini", '{"toolCall":{"toolType":"FILE_SEARCH","id":"1"}}'),
            Opaque("gemini", '{"functionCall":{"partialArgs":[]}}'),
            Opaque("gemini", '{"functionCall":{"name":"f","args":[1]}}'),
            Opaque("gemini", '{"inlineData":{"mimeType":"image/png","data":"!"}}'),
            Opaque("gemini", '{"inlineData":{"mimeType":"image/png","data":1}}'),
            Opaque("gemini", '{"text":1}'),
        ),
    ),
}


@pytest.mark.parametrize(("parts", "expected"), PARTS.values(), ids=PARTS)
def test_parts_decode(decode: Callable[..., Response], parts: list[dict[str, Any]], expected: tuple[Part, ...]) -> None:
    """Each kind of part decodes to its canonical form, attachments kept, order kept."""
    response = decode(_body(*parts))
    assert response.parts == expected
    assert (response.finish_reason, response.raw_finish_reason, response.model) == (FinishReason.stop, "STOP", "m")


def test_calls_decode_with_and_without_ids(decode: Callable[..., Response]) -> None:
    """A call without an id is named by its position; arguments are the object's compact JSON; STOP then means calls."""
    response = decode(
        _body(
            {"text": "x"},
            {"functionCall": {"name": "f", "args": {"b": 1, "a": "é"}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "f", "id": "i"}},
            finishMessage="Model generated function call(s).",
        )
    )
    first = Opaque("gemini", '{"thoughtSignature":"c2ln","functionCall":{"id":null}}')
    assert response.tool_calls == (ToolCall("call_1", "f", '{"b":1,"a":"é"}', first), ToolCall("i", "f", "{}"))
    assert response.finish_reason is FinishReason.tool_calls


FILTERED = (
    "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION "
    "MODEL_ARMOR ESCALATION PUP_LIMITED_DISABLED"
)
REASONS = {
    "STOP": FinishReason.stop,
    "MAX_TOKENS": FinishReason.length,
    "CONTINUATION": FinishReason.pause,
    "MALFORMED_FUNCTION_CALL": FinishReason.malformed_tool_call,
    "UNEXPECTED_TOOL_CALL": FinishReason.malformed_tool_call,
    **dict.fromkeys(FILTERED.split(), FinishReason.content_filter),
    **dict.fromkeys(["OTHER", "IMAGE_OTHER", "NO_IMAGE", "TOO_MANY_TOOL_CALLS", "NEWER"], FinishReason.unknown),
}


@pytest.mark.parametrize(("word", "reason"), REASONS.items())
def test_every_finish_reason_maps(decode: Callable[..., Response], word: str, reason: FinishReason) -> None:
    """Each word of the wire has its place in the closed enum, and what is not known keeps its word."""
    response = decode(_body({"text": "a"}, finish=word))
    assert (response.finish_reason, response.raw_finish_reason) == (reason, word)


@pytest.mark.parametrize(("number", "word"), [(1, "STOP"), (2, "MAX_TOKENS"), (17, "IMAGE_RECITATION"), (99, "99")])
def test_finish_reasons_may_come_by_number(decode: Callable[..., Response], number: int, word: str) -> None:
    """Clients that ask for `enum-encoding=int` get the protobuf number."""
    assert decode(_body({"text": "a"}, finish=number)).raw_finish_reason == word


def test_an_answer_without_a_finish_reason_is_unknown(endpoint: Callable[[str], Any]) -> None:
    """Nobody invents a stop."""
    body = json.dumps(_body({"text": "a"}, finish=None)).encode()
    response = endpoint("generateContent").codec.decode(WireResponse(200, {}, body))
    assert (response.finish_reason, response.raw_finish_reason) == (FinishReason.unknown, None)


@pytest.mark.parametrize(
    ("reason", "word"),
    [(FinishReason.length, "MAX_TOKENS"), (FinishReason.refusal, "SAFETY"), (FinishReason.unknown, "OTHER"), (None, "OTHER")],
)
def test_a_changed_finish_reason_changes_the_wire(endpoint: Callable[[str], Any], reason: FinishReason | None, word: str) -> None:
    """The canonical reason wins over a word that no longer means it."""
    response = Response(provider="gemini", model="m", parts=(Text("a"),), finish_reason=reason, raw_finish_reason="STOP")
    body = json.loads(endpoint("generateContent").dialect.render(response).body)
    assert body["candidates"][0]["finishReason"] == word


def test_a_blocked_prompt_is_a_content_filter(decode: Callable[..., Response]) -> None:
    """No candidates but a block reason is a visible outcome, not an error and not an empty success."""
    feedback = {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": [{"category": "X"}]}
    response = decode({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 3}, "modelVersion": "m"})
    assert (response.finish_reason, response.raw_finish_reason, response.parts) == (
        FinishReason.content_filter,
        "PROHIBITED_CONTENT",
        (),
    )
    assert response.usage == Usage(uncached_input_tokens=3)


def test_a_block_may_come_after_text(decode: Callable[..., Response]) -> None:
    """What was said before a late block stays, and the block ends the answer; a number names it as well as a word."""
    response = decode(_body({"text": "a"}, finish=None, promptFeedback={"blockReason": 1}))
    assert (response.text, response.finish_reason, response.raw_finish_reason) == ("a", FinishReason.content_filter, "SAFETY")


def test_what_surrounds_the_answer_is_kept(decode: Callable[..., Response]) -> None:
    """Grounding, ratings, service tier and what is not known yet travel in the response's attachment; ids where they belong."""
    body = _body({"text": "a"}, responseId="r", newer={"x": None}, usageMetadata={"promptTokenCount": 1, "serviceTier": "flex"})
    body["candidates"][0] |= {"groundingMetadata": {"webSearchQueries": ["q"]}, "avgLogprobs": -0.5}
    response = decode(body, {"x-goog-request-id": "req"})
    assert (response.response_id, response.request_id) == ("r", "req")
    assert response.raw is not None
    assert json.loads(response.opaque.json if response.opaque else "") == {
        "usageMetadata": {"serviceTier": "flex"},
        "newer": {"x": None},
        "candidate": {"groundingMetadata": {"webSearchQueries": ["q"]}, "avgLogprobs": -0.5},
    }


def test_the_first_candidate_is_the_answer(endpoint: Callable[[str], Any]) -> None:
    """Of several candidates the one of index 0 is taken, wherever it stands."""
    body = _body({"text": "a"})
    body["candidates"].insert(0, {"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"})
    response = endpoint("generateContent").codec.decode(WireResponse(200, {}, json.dumps(body).encode()))
    assert response.text == "a"


def test_further_candidates_are_kept(decode: Callable[..., Response], body_of: Callable[..., Any]) -> None:
    """Each is an opaque part after the answer's own, comes back from the dialect, and is never said to a model again."""
    body = _body({"text": "a"})
    parts = [{"text": "b", "thoughtSignature": "c2ln"}, {"functionCall": {"name": "f", "args": {}}}]
    further = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 1, "avgLogprobs": -0.5}
    body["candidates"] += [{"index": 2, "finishReason": "SAFETY"}, further]
    response = decode(body)
    assert response.parts == (
        Text("a"),
        Opaque("gemini", json.dumps({"candidate": further}, separators=(",", ":"))),
        Opaque("gemini", '{"candidate":{"finishReason":"SAFETY","index":2}}'),
    )
    assert (response.text, response.finish_reason) == ("a", FinishReason.stop)
    assert body_of(Request((user("q"), response.message)))["contents"][1]["parts"] == [{"text": "a"}]


def test_a_further_candidate_may_come_in_pieces(endpoint: Callable[[str], Any], decode: Callable[..., Response]) -> None:
    """Streamed among the first one's pieces, it is the same as in one document."""
    body = _body({"text": "ab"})
    body["candidates"].append({"content": {"parts": [{"text": "cd"}], "role": "model"}, "finishReason": "STOP", "index": 1})
    pieces = [(0, "a", None), (1, "c", None), (1, "d", "STOP"), (0, "b", "STOP")]
    candidates = [{"content": {"parts": [{"text": text}]}, "finishReason": finish, "index": i} for i, text, finish in pieces]
    chunks = [{"candidates": [candidate], "modelVersion": "m"} for candidate in candidates]
    wire = WireResponse(200, {}, b"".join(b"data: %s\r\n\r\n" % json.dumps(chunk).encode() for chunk in chunks))
    assert endpoint("streamGenerateContent").codec.decode(wire) == decode(body)


USAGES: dict[str, tuple[object, Usage | None]] = {
    "none": (None, None),
    "empty": ({}, None),
    "no counts": ({"serviceTier": "standard"}, None),
    "zeros": ({"promptTokenCount": 0}, Usage()),
    "all classes": (
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 40,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 5,
            "toolUsePromptTokenCount": 7,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 70}, {"modality": "AUDIO", "tokenCount": 30}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}],
            "candidatesTokensDetails": [{"modality": 4, "tokenCount": 8}],
        },
        Usage(
            uncached_input_tokens=47,
            cache_read_tokens=40,
            input_audio_tokens=20,
            visible_output_tokens=12,
            reasoning_tokens=5,
            output_audio_tokens=8,
        ),
    ),
    "audio all cached": (
        {"promptTokenCount": 10, "cachedContentTokenCount": 10, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}]},
        Usage(cache_read_tokens=10),
    ),
    "negative": ({"promptTokenCount": -1}, None),
    "a string": ({"promptTokenCount": "3"}, None),
    "a float": ({"promptTokenCount": 1.5}, None),
    "a truth value": ({"promptTokenCount": True}, None),
    "more cached than read": ({"promptTokenCount": 1, "cachedContentTokenCount": 2}, None),
    "details that are no list": ({"promptTokenCount": 1, "promptTokensDetails": {}}, Usage(uncached_input_tokens=1)),
    "more audio than output": (
        {"candidatesTokenCount": 1, "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}]},
        None,
    ),
}


@pytest.mark.parametrize(("meta", "usage"), USAGES.values(), ids=USAGES)
def test_usage_is_split_into_classes(decode: Callable[..., Response], meta: object, usage: Usage | None) -> None:
    """Counts become disjoint classes; absent or impossible ones are no usage at all, never zeros."""
    body = _body({"text": "a"}, **({} if meta is None else {"usageMetadata": meta}))
    assert decode(body).usage == usage


def test_tokens_add_up(decode: Callable[..., Response]) -> None:
    """Input and output together are the provider's own total, tool-use prompts included."""
    meta = {"promptTokenCount": 132, "candidatesTokenCount": 65, "toolUsePromptTokenCount": 1387, "thoughtsTokenCount": 149}
    usage = decode(_body({"text": "a"}, usageMetadata=meta)).usage
    assert usage is not None
    assert usage.input_tokens + usage.output_tokens == 1733


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[]",
        b"{}",
        b'{"candidates":{"a":1}}',
        b'{"candidates":[{"content":{"parts":{"a":1}}}]}',
        b'{"candidates":[{"content":{"parts":["a"]}}]}',
    ],
)
def test_a_broken_body_is_a_malformed_response(endpoint: Callable[[str], Any], body: bytes) -> None:
    """What is not an answer of this API raises a typed error, whatever it is."""
    with pytest.raises(MalformedResponse):
        endpoint("generateContent").codec.decode(WireResponse(200, {}, body))


def test_an_error_inside_a_200_is_raised(endpoint: Callable[[str], Any]) -> None:
    """An error object is an error in spite of its status."""
    body = b'{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}'
    with pytest.raises(Overloaded) as caught:
        endpoint("generateContent").codec.decode(WireResponse(200, {}, body))
    assert (caught.value.status, caught.value.code) == (503, "UNAVAILABLE")


def test_an_answer_goes_back_verbatim(endpoint: Callable[[str], Any], decode: Callable[..., Response], card: Any) -> None:
    """The answer as the next turn's message is the parts that the provider sent, signatures and all, and no invented id."""
    parts: list[dict[str, Any]] = [
        {"text": "t", "thought": True},
        {"text": "a", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "b3Ro"},
        {"executableCode": {"code": "1"}},
    ]
    request = endpoint("generateContent").dialect.parse(
        endpoint("generateContent").codec.encode(Request((user("hi"), decode(_body(*parts)).message)), card, is_stream=False), {}
    )
    body = json.loads(request.wire.body)
    assert body["contents"][1] == {"role": "model", "parts": parts}


def test_a_foreign_part_is_not_rendered(endpoint: Callable[[str], Any]) -> None:
    """Another provider's part has no place in this provider's answer."""
    response = Response(provider="x", model="m", parts=(Opaque("openai", "{}"), Text("a")), finish_reason=FinishReason.stop)
    dialect, codec = endpoint("generateContent").dialect, endpoint("generateContent").codec
    assert codec.decode(dialect.render(response)).parts == (Text("a"),)
    assert codec.decode(dialect.render(evolve(response, parts=()))).parts == ()
