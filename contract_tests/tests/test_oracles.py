"""What each oracle reads out of small bodies written by hand after the providers' documentation."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from pingpong import WireResponse
from pingpong_contract.corpus import interactions
from pingpong_contract.corpus_cases import corpus_or_skip
from pingpong_contract.oracles import Answer, Call, Count, Expected, Failure, Tokens, Vectors, oracle_from_path
from pingpong_contract.oracles._reading import kinds_of_status, retry_after_s, sse

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
GENERATE = "/v1beta/models/g:streamGenerateContent"


def _read(path: str, body: str | bytes | Mapping[str, Any], *, status: int = 200, is_streaming: bool = False) -> Expected:
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    oracle = oracle_from_path(path)
    assert oracle is not None
    return oracle(WireResponse(status, {}, data), is_streaming=is_streaming)


def _answer(path: str, body: str | bytes | Mapping[str, Any], *, is_streaming: bool = False) -> Answer:
    expected = _read(path, body, is_streaming=is_streaming)
    assert isinstance(expected, Answer)
    return expected


def _failure(path: str, body: str | bytes | Mapping[str, Any], *, status: int = 200, is_streaming: bool = False) -> Failure:
    expected = _read(path, body, status=status, is_streaming=is_streaming)
    assert isinstance(expected, Failure)
    return expected


def _words(*words: str) -> frozenset[str | None]:
    return frozenset(words)


def _stream(*events: Any, end: str = "\n") -> str:
    lines = [f"data: {e if isinstance(e, str) else json.dumps(e)}{end}{end}" for e in events]
    return "".join(lines)


def test_events_end_at_blank_lines_of_any_kind_and_nowhere_else() -> None:
    """CR, LF and CRLF end lines, data lines join, comments and unfinished events are left out, U+2028 is text."""
    body = "\ufeffevent: a\r\ndata: 1\r\ndata: 2\r\n\r\n: note\n\ndata:x\u2028y\n\ndata: z\r\rdata: cut"
    assert sse(body.encode()) == [("a", "1\n2"), ("message", "x\u2028y"), ("message", "z")]


def test_a_chat_completion_is_its_first_choice() -> None:
    """Text, refusal, calls, finish reason and usage come of choice 0, wherever it stands."""
    message = {"content": "hi", "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": ""}}]}
    usage = {
        "prompt_tokens": 9, "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2},
    }  # fmt: skip
    other = {"index": 1, "message": {"content": "no"}, "finish_reason": "length"}
    choices = [other, {"index": 0, "message": message, "finish_reason": "tool_calls"}]
    answer = _answer(CHAT, {"id": "c", "model": "m", "choices": choices, "usage": usage})
    assert (answer.text, answer.calls) == ("hi", (Call(call_id="t", name="f", arguments={}),))
    assert (answer.finish_reasons, answer.raw_finish_reasons) == (_words("tool_calls"), _words("tool_calls"))
    assert answer.tokens == Tokens(input=9, output=5, cache_read=4, reasoning=2)


def test_a_refusal_is_text_that_ends_in_refusal() -> None:
    """A refusal's words count as text; the provider's own word stays stop."""
    answer = _answer(CHAT, {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]})
    assert (answer.text, answer.finish_reasons, answer.raw_finish_reasons) == ("No.", _words("refusal"), _words("stop"))
    content = [{"type": "refusal", "refusal": "No."}]
    body = {"status": "completed", "output": [{"type": "message", "content": content}]}
    assert (_answer(RESPONSES, body).text, _answer(RESPONSES, body).finish_reasons) == ("No.", _words("refusal"))


def test_a_chat_stream_is_joined_by_call_index() -> None:
    """Interleaved calls are put together by index; usage may come in a chunk without choices."""
    pieces = [(0, "a", "f", '{"x"'), (1, "b", "g", "{"), (0, None, None, ":1}"), (1, None, None, "oops")]
    chunks: list[dict[str, Any]] = [
        {"id": "c", "model": "m", "choices": [{"delta": {"tool_calls": [
            {"index": i, "id": call_id, "function": {"name": name, "arguments": text}}
        ]}}]} for i, call_id, name, text in pieces
    ]  # fmt: skip
    chunks += [{"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": {"prompt_tokens": 1}}]
    answer = _answer(CHAT, _stream(*chunks, "[DONE]"), is_streaming=True)
    assert answer.calls == (Call(call_id="a", name="f", arguments={"x": 1}), Call(call_id="b", name="g", arguments="{oops"))
    assert answer.finish_reasons == _words("stop", "tool_calls")
    assert answer.tokens == Tokens(input=1, output=0, reasoning=0)


def test_legacy_and_custom_calls_are_read() -> None:
    """A function_call has no id; a custom tool's input is free text."""
    legacy = [{"delta": {"function_call": {"name": "f", "arguments": "{}"}}, "finish_reason": "function_call"}]
    answer = _answer(CHAT, _stream({"choices": legacy}, "[DONE]"), is_streaming=True)
    assert (answer.calls, answer.finish_reasons) == ((Call(call_id=None, name="f", arguments={}),), _words("tool_calls"))
    custom = {"tool_calls": [{"id": "t", "type": "custom", "custom": {"name": "g", "input": "go"}}]}
    answer = _answer(CHAT, {"choices": [{"message": custom, "finish_reason": "tool_calls"}]})
    assert answer.calls == (Call(call_id="t", name="g", arguments="go", is_custom=True),)


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, GENERATE])
def test_a_stream_without_its_end_is_truncated(path: str) -> None:
    """No wire's cut stream passes for an answer."""
    events = {
        CHAT: {"choices": [{"delta": {"content": "hi"}}]},
        RESPONSES: {"type": "response.output_text.delta", "delta": "hi"},
        MESSAGES: {"type": "message_start", "message": {}},
        GENERATE: {"candidates": [{"content": {"parts": [{"text": "hi"}]}}]},
    }
    failure = _failure(path, _stream(events[path]), is_streaming=True)
    assert (failure.kinds, failure.is_retryable) == (_words("stream_truncated"), True)


def test_an_unclosed_array_is_truncated() -> None:
    """Gemini's JSON array without its bracket is no answer."""
    assert _failure(GENERATE, '[{"candidates": []}', is_streaming=True).kinds == _words("stream_truncated")


INSIDE = [
    (CHAT, {"error": {"code": "server_error", "message": "x"}}, "server_error", "server_error"),
    (RESPONSES, {"type": "error", "code": "rate_limit_exceeded", "message": "x"}, "rate_limited", "rate_limit_exceeded"),
    (
        RESPONSES,
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error"}}},
        "server_error",
        "server_error",
    ),
    (MESSAGES, {"type": "error", "error": {"type": "overloaded_error"}}, "overloaded", "overloaded_error"),
    (GENERATE, {"error": {"code": 503, "status": "UNAVAILABLE"}}, "overloaded", "UNAVAILABLE"),
]


@pytest.mark.parametrize(("path", "event", "kind", "code"), INSIDE)
def test_an_error_inside_a_200_is_a_failure(path: str, event: dict[str, Any], kind: str, code: str) -> None:
    """The provider's code alone says what happened; no status is expected."""
    failure = _failure(path, _stream(event), is_streaming=True)
    assert (failure.status, failure.kinds) == (None, _words(kind))
    assert code in failure.codes


def test_the_responses_api_is_read_from_its_terminal_event() -> None:
    """Text of all messages, summaries as reasoning, function calls, and why it is incomplete."""
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "content": [{"text": "!"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]},
        {"type": "web_search_call", "id": "w"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"x": 1}'},
        {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "go"},
    ]
    usage = {
        "input_tokens": 9, "output_tokens": 8,
        "input_tokens_details": {"cached_tokens": 3}, "output_tokens_details": {"reasoning_tokens": 5},
    }  # fmt: skip
    body = {"id": "r", "model": "m", "status": "completed", "output": output, "usage": usage}
    whole, streamed = _answer(RESPONSES, body), _stream({"type": "response.completed", "response": body})
    assert (whole.text, whole.reasoning, [c.name for c in whole.calls]) == ("ab", "hm!", ["f", "g"])
    assert (whole.finish_reasons, whole.tokens) == (_words("tool_calls"), Tokens(input=9, output=8, cache_read=3, reasoning=5))
    assert _answer(RESPONSES, streamed, is_streaming=True) == whole
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
    assert _answer(RESPONSES, cut).finish_reasons == _words("length")
    assert _answer(RESPONSES, cut).raw_finish_reasons == _words("incomplete", "max_output_tokens")
    assert _answer(RESPONSES, {"status": "queued", "output": []}).finish_reasons == _words("pause", "unknown")
    assert _answer(RESPONSES, {"status": "cancelled", "output": []}).finish_reasons == _words("unknown")


def test_items_of_a_responses_stream_stand_in_for_an_empty_output() -> None:
    """Where the terminal event leaves the output out, the finished items are the answer."""
    item = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
    done = {"type": "response.output_item.done", "item": item}
    body = _stream(done, {"type": "response.completed", "response": {"status": "completed", "output": []}})
    assert _answer(RESPONSES, body, is_streaming=True).text == "hi"


def test_later_counts_of_an_anthropic_stream_replace_earlier_ones() -> None:
    """message_delta's cumulative usage wins where it says something, a null does not; cache is part of the input."""
    start = {"id": "m", "model": "c", "usage": {"input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 1}}
    usage = {"output_tokens": 7, "input_tokens": 4, "cache_read_input_tokens": None, "cache_creation_input_tokens": 5}
    deltas = [{"type": "input_json_delta", "partial_json": part} for part in ('{"a"', ": 1}")]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
        *({"type": "content_block_delta", "index": 2, "delta": delta} for delta in deltas),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    answer = _answer(MESSAGES, _stream(*events), is_streaming=True)
    assert (answer.text, answer.reasoning) == ("hi", "hm")
    assert answer.calls == (Call(call_id="t", name="f", arguments={"a": 1}),)
    assert answer.tokens == Tokens(input=11, output=7, cache_read=2, cache_write=5, reasoning=None)


@pytest.mark.parametrize(
    ("word", "reading"),
    [("end_turn", "stop"), ("max_tokens", "length"), ("pause_turn", "pause"), ("refusal", "refusal"), ("new", "unknown")],
)
def test_anthropic_stop_reasons_have_their_reading(word: str, reading: str) -> None:
    """Words that the documentation does not know are unknown, never stop."""
    body: dict[str, Any] = {"content": [], "stop_reason": word, "usage": None}
    assert (_answer(MESSAGES, body).finish_reasons, _answer(MESSAGES, body).tokens) == (_words(reading), None)


CHUNKS: list[dict[str, Any]] = [
    {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}], "usageMetadata": {"promptTokenCount": 1}},
    {"candidates": [{"index": 1, "content": {"parts": [{"text": "no"}]}}, {"content": {"parts": [{"text": "hi"}]}}]},
    {
        "candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 9, "cachedContentTokenCount": 4, "toolUsePromptTokenCount": 2,
            "candidatesTokenCount": 3, "thoughtsTokenCount": 5,
        },
        "modelVersion": "g",
    },
]  # fmt: skip


@pytest.mark.parametrize("body", [_stream(*CHUNKS, end="\r\n"), json.dumps(CHUNKS), "\r\n" + json.dumps(CHUNKS, indent=1)])
def test_gemini_streams_are_events_or_one_array(body: str) -> None:
    """Both forms say the same: thoughts are reasoning, only candidate 0 counts, the last usage holds."""
    answer = _answer(GENERATE, body, is_streaming=True)
    assert (answer.text, answer.reasoning, answer.model) == ("hi", "hm", "g")
    assert answer.calls == (Call(call_id=None, name="f", arguments={}),)
    assert answer.tokens == Tokens(input=11, output=8, cache_read=4, reasoning=5)
    assert answer.finish_reasons == _words("stop", "tool_calls")


@pytest.mark.parametrize(
    ("word", "reading"),
    [
        ("MAX_TOKENS", "length"),
        (2, "length"),
        ("SPII", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "malformed_tool_call"),
        ("NEW", "unknown"),
    ],
)
def test_gemini_finish_reasons_have_their_reading(word: str | int, reading: str) -> None:
    """Filters, limits and broken calls are told apart, by name or number; a bare trafficType is no usage."""
    body = {"candidates": [{"finishReason": word}], "usageMetadata": {"trafficType": "ON_DEMAND"}}
    answer = _answer("/v1beta/models/g:generateContent", body)
    assert (answer.finish_reasons, answer.tokens) == (_words(reading), None)


def test_a_blocked_prompt_ends_by_content_filter() -> None:
    """Without candidates, the block reason is the finish reason."""
    answer = _answer("/v1beta/models/g:generateContent", {"promptFeedback": {"blockReason": "SAFETY"}})
    assert (answer.finish_reasons, answer.raw_finish_reasons) == (_words("content_filter"), _words("SAFETY"))


def test_vectors_and_counts_are_read() -> None:
    """Base64 and numbers, single and batch, and a zero that protobuf leaves out."""
    packed = base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode()
    rows = [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": packed}]
    assert _read("/v1/embeddings", {"data": rows, "usage": {"prompt_tokens": 3}}) == Vectors(((0.5, -1.0), (2.0,)), 3)
    assert _read("/v1beta/models/g:embedContent", {"embedding": {"values": [1]}}) == Vectors(((1.0,),))
    assert _read("/v1beta/models/g:batchEmbedContents", {"embeddings": [{"values": [1]}] * 2}) == Vectors(((1.0,), (1.0,)))
    assert _read("/v1beta/models/g:countTokens", {}) == Count(0)
    assert _read("/v1/messages/count_tokens", {"input_tokens": 7}) == Count(7)
    assert _read("/v1/responses/input_tokens", {"input_tokens": 8}) == Count(8)


PATHS = [CHAT, RESPONSES, MESSAGES, GENERATE, "/v1/embeddings", "/v1/messages/count_tokens", "/v1/responses/input_tokens"]
PATHS += [f"/v1beta/models/g:{verb}" for verb in ("generateContent", "countTokens", "embedContent", "batchEmbedContents")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b'{"error": "x"}', b'{"error": nu', b"[]", b"3"])
def test_any_body_of_an_error_status_is_a_failure(path: str, body: bytes) -> None:
    """What is no error object is judged by status alone."""
    failure = _failure(path, body, status=502)
    assert (failure.status, failure.kinds, failure.codes, failure.is_retryable) == (
        502,
        _words("server_error"),
        frozenset(),
        True,
    )


ERRORS = [
    (CHAT, 429, {"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}, {"quota_exhausted"}, False),
    (CHAT, 400, {"error": {"code": "context_length_exceeded"}}, {"context_length_exceeded"}, False),
    (CHAT, 429, {"error": {"code": None, "type": "tokens"}}, {"rate_limited", "quota_exhausted"}, None),
    (MESSAGES, 500, {"error": {"type": "overloaded_error"}}, {"overloaded"}, True),
    (MESSAGES, 403, {"error": {"type": "permission_error"}}, {"permission_denied"}, False),
    (GENERATE, 404, [{"error": {"code": 404, "status": "NOT_FOUND"}}], {"not_found"}, False),
    (
        GENERATE,
        400,
        {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}},
        {"authentication", "invalid_request"},
        False,
    ),
]


@pytest.mark.parametrize(("path", "status", "body", "kinds", "is_retryable"), ERRORS)
def test_codes_tell_more_than_the_status(path: str, status: int, body: Any, kinds: set[str], is_retryable: bool | None) -> None:
    """The provider's code narrows what a status may mean, and whether trying again can help."""
    failure = _failure(path, json.dumps(body), status=status)
    assert (failure.kinds, failure.is_retryable) == (_words(*kinds), is_retryable)


def test_every_status_has_kinds_and_waits_are_bounded() -> None:
    """Any status has a reading; dates, nonsense and waits beyond a day are not judged."""
    assert all(kinds_of_status(status) for status in range(300, 600))
    assert kinds_of_status(418) == kinds_of_status(400)
    waits = [{"retry-after-ms": "1500"}, {"retry-after": "2"}, {"retry-after": "-1"}, {"retry-after": "99999999"}, {}]
    assert [retry_after_s(headers) for headers in waits] == [1.5, 2.0, None, None, None]
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}) is None


def test_unknown_paths_have_no_oracle() -> None:
    """Only what is documented is judged."""
    assert oracle_from_path("/v1/files") is None
    assert oracle_from_path("/v1/messages/batches") is None


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "azure", "vertex"])
def test_every_recorded_answer_of_a_known_wire_is_read(provider: str) -> None:
    """No recorded answer makes an oracle raise, and none of a 2xx status is a failure."""
    read = 0
    for interaction in interactions(corpus_or_skip(), [provider]):
        oracle = oracle_from_path(interaction.request.path)
        if oracle is not None and interaction.request.method == "POST":
            expected = oracle(interaction.response, is_streaming=interaction.is_streaming)
            assert isinstance(expected, Failure) == (interaction.response.status >= 300), interaction.id
            read += 1
    assert read > 0
