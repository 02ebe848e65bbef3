"""
What answers of Google's Gemini API say: generateContent whole, as SSE or as a JSON array, token counts, embeddings, errors.

Source: https://ai.google.dev/api/generate-content, .../tokens, .../embeddings, https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pingpong import WireResponse

from pingpong_contract.oracles._expected import Answer, Call, Count, Expected, Failure, Tokens, Vectors
from pingpong_contract.oracles._reading import (
    INVALID,
    codes_of,
    failure,
    json_or_none,
    kinds_of_status,
    mapping,
    sse_json,
    text_of,
)

_FILTERED = "SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION"
_FINISH = {
    **dict.fromkeys(_FILTERED.split(), frozenset({"content_filter"})),
    "STOP": frozenset({"stop"}),
    "MAX_TOKENS": frozenset({"length"}),
    "MALFORMED_FUNCTION_CALL": frozenset({"malformed_tool_call"}),
    "UNEXPECTED_TOOL_CALL": frozenset({"malformed_tool_call"}),
    # Not among the closed list's words by name, so either reading is right.
    "LANGUAGE": frozenset({"content_filter", "unknown"}),
    "TOO_MANY_TOOL_CALLS": frozenset({"malformed_tool_call", "unknown"}),
}
_NUMBERS = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
]
"""Finish reasons by number, as old servers send them; protobuf's JSON form allows both."""
_KINDS_OF_STATUS_NAME = {
    "INVALID_ARGUMENT": INVALID,
    "FAILED_PRECONDITION": INVALID | {"permission_denied"},
    "OUT_OF_RANGE": INVALID,
    "UNAUTHENTICATED": frozenset({"authentication"}),
    "PERMISSION_DENIED": frozenset({"permission_denied"}),
    "NOT_FOUND": frozenset({"not_found"}),
    "ABORTED": frozenset({"conflict"}),
    "ALREADY_EXISTS": frozenset({"conflict"}),
    "RESOURCE_EXHAUSTED": frozenset({"rate_limited", "quota_exhausted"}),
    "INTERNAL": frozenset({"server_error"}),
    "UNKNOWN": frozenset({"server_error"}),
    "UNAVAILABLE": frozenset({"overloaded"}),
    "DEADLINE_EXCEEDED": frozenset({"provider_timeout"}),
}


def expected(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What a recorded answer of generateContent or streamGenerateContent says."""
    if response.status >= 300:
        return _failure(response)
    if not is_streaming:
        return _from_chunks([json.loads(text_of(response.body))])
    if not text_of(response.body).lstrip().startswith("["):
        return _from_chunks(sse_json(response.body))
    chunks = json_or_none(response.body)
    return _truncated() if chunks is None else _from_chunks(chunks)


def expected_count(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What countTokens says; it never streams."""
    if response.status >= 300:
        return _failure(response)
    # Protobuf's JSON form leaves a zero out: https://protobuf.dev/programming-guides/json/
    return Count(json.loads(text_of(response.body)).get("totalTokens", 0))


def expected_vectors(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What embedContent and batchEmbedContents say; they never stream."""
    if response.status >= 300:
        return _failure(response)
    body = json.loads(text_of(response.body))
    rows = body["embeddings"] if "embeddings" in body else [body["embedding"]]
    tokens = mapping(body.get("usageMetadata")).get("promptTokenCount")
    return Vectors(tuple(tuple(float(x) for x in row["values"]) for row in rows), tokens)


def _error_of(body: Any) -> Mapping[str, Any]:
    # A streamed request without alt=sse gets its error inside an array.
    first = body[0] if isinstance(body, list) and body else body
    return mapping(mapping(first).get("error"))


def _kinds(error: Mapping[str, Any], otherwise: frozenset[str]) -> frozenset[str]:
    if any(mapping(d).get("reason") == "API_KEY_INVALID" for d in error.get("details") or ()):
        return frozenset({"authentication", "invalid_request"})
    return _KINDS_OF_STATUS_NAME.get(str(error.get("status")), otherwise)


def _codes(error: Mapping[str, Any]) -> list[object]:
    reasons = [mapping(d).get("reason") for d in error.get("details") or ()]
    return [error.get("status"), error.get("code"), *reasons]


def _failure(response: WireResponse) -> Failure:
    error = _error_of(json_or_none(response.body))
    return failure(response.status, response.headers, _kinds(error, kinds_of_status(response.status)), _codes(error))


def _truncated() -> Failure:
    return Failure(status=None, kinds=frozenset({"stream_truncated"}))


def _from_chunks(chunks: Sequence[Mapping[str, Any]]) -> Expected:
    parts: list[Mapping[str, Any]] = []
    head: dict[str, Any] = {}
    usage: Mapping[str, Any] = {}
    finish = None
    for chunk in chunks:
        if error := _error_of(chunk):
            kinds = _kinds(error, frozenset({"server_error", "provider_error"}))
            return Failure(status=None, kinds=kinds, codes=codes_of(_codes(error)))
        head = {name: head.get(name) or chunk.get(name) for name in ("modelVersion", "responseId", "promptFeedback")}
        if "promptTokenCount" in mapping(chunk.get("usageMetadata")):
            usage = chunk["usageMetadata"]
        for candidate in chunk.get("candidates") or ():
            if candidate.get("index", 0) == 0:
                parts += mapping(candidate.get("content")).get("parts") or ()
                finish = candidate.get("finishReason") or finish
    finish = finish or mapping(head.get("promptFeedback")).get("blockReason")
    if finish is None:
        return _truncated()
    if isinstance(finish, int) and finish < len(_NUMBERS):
        finish = _NUMBERS[finish]
    return _answer(head, parts, finish, usage)


def _answer(head: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], finish: str, usage: Mapping[str, Any]) -> Answer:
    calls = tuple(_call(p["functionCall"]) for p in parts if "functionCall" in p)
    block = mapping(head.get("promptFeedback")).get("blockReason")
    readings = frozenset({"content_filter"}) if finish == block else _FINISH.get(finish, frozenset({"unknown"}))
    if calls and finish == "STOP":
        # Gemini has no word for "ends with calls": STOP is its "natural stop point".
        readings = frozenset({"stop", "tool_calls"})
    return Answer(
        text="".join(p["text"] for p in parts if "text" in p and not p.get("thought")),
        reasoning="".join(p["text"] for p in parts if "text" in p and p.get("thought")),
        calls=calls,
        finish_reasons=readings,
        raw_finish_reasons=frozenset({finish}),
        tokens=_tokens(usage),
        model=head.get("modelVersion"),
        response_id=head.get("responseId"),
    )


def _call(call: Mapping[str, Any]) -> Call:
    return Call(call_id=call.get("id") or None, name=call["name"], arguments=call.get("args") or {})


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    if not usage:
        return None
    return Tokens(
        # The cached part is inside promptTokenCount ("still the total effective prompt size"), tool-use prompts are not.
        input=usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0),
        output=usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0),
        cache_read=usage.get("cachedContentTokenCount", 0),
        reasoning=usage.get("thoughtsTokenCount", 0),
    )
