"""
What an answer of the Responses API says, streamed or not. The terminal event repeats the whole answer, which is read.

Source: https://platform.openai.com/docs/api-reference/responses/object and .../responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pingpong import WireResponse

from pingpong_contract.oracles import openai_errors
from pingpong_contract.oracles._expected import Answer, Call, Count, Expected, Failure, Tokens
from pingpong_contract.oracles._reading import arguments_of, mapping, sse_json, text_of

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


def expected(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What the recorded answer says."""
    if response.status >= 300:
        return openai_errors.expected(response)
    return _from_stream(response.body) if is_streaming else _from_object(json.loads(text_of(response.body)), None)


def expected_count(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What `responses/input_tokens` says; it never streams."""
    if response.status >= 300:
        return openai_errors.expected(response)
    return Count(json.loads(text_of(response.body))["input_tokens"])


def _from_stream(body: bytes) -> Expected:
    items: list[Mapping[str, Any]] = []
    for event in sse_json(body):
        if event["type"] == "error":
            return openai_errors.inside_200(event.get("error") or event)
        if event["type"] == "response.output_item.done":
            items.append(event["item"])
        elif event["type"] in _TERMINAL:
            return _from_object(event["response"], items)
    return Failure(status=None, kinds=frozenset({"stream_truncated"}))


def _from_object(body: Mapping[str, Any], streamed: Sequence[Mapping[str, Any]] | None) -> Expected:
    items = body.get("output") or streamed or ()
    if body.get("status") == "failed":
        return openai_errors.inside_200(mapping(body.get("error")))
    contents = [c for item in items if item["type"] == "message" for c in item["content"]]
    words = {"output_text": "text", "refusal": "refusal"}
    has_refusal = any(c["type"] == "refusal" for c in contents)
    calls = tuple(_call(item) for item in items if item["type"] in ("function_call", "custom_tool_call"))
    reason = mapping(body.get("incomplete_details")).get("reason")
    return Answer(
        text="".join(c[words[c["type"]]] for c in contents if c["type"] in words),
        reasoning="".join(_reasoning(item) for item in items if item["type"] == "reasoning"),
        calls=calls,
        finish_reasons=_finish(body.get("status"), reason, calls, has_refusal=has_refusal),
        raw_finish_reasons=frozenset({body.get("status"), reason} - {None}) or frozenset({None}),
        tokens=_tokens(body.get("usage")),
        model=body.get("model"),
        response_id=body.get("id"),
    )


def _finish(status: str | None, reason: str | None, calls: Sequence[Call], *, has_refusal: bool) -> frozenset[str]:
    if status == "incomplete":
        return frozenset({{"max_output_tokens": "length", "content_filter": "content_filter"}.get(reason or "", "unknown")})
    if status in ("queued", "in_progress"):
        return frozenset({"pause", "unknown"})
    if status != "completed":
        return frozenset({"unknown"})
    if has_refusal:
        return frozenset({"refusal"})
    if any(not call.is_custom for call in calls):
        return frozenset({"tool_calls"})
    return frozenset({"stop", "tool_calls"} if calls else {"stop"})


def _reasoning(item: Mapping[str, Any]) -> str:
    return "".join(piece.get("text") or "" for name in ("summary", "content") for piece in item.get(name) or ())


def _call(item: Mapping[str, Any]) -> Call:
    if item["type"] == "custom_tool_call":
        return Call(call_id=item["call_id"], name=item["name"], arguments=item["input"], is_custom=True)
    return Call(call_id=item["call_id"], name=item["name"], arguments=arguments_of(item["arguments"]))


def _tokens(usage: Any) -> Tokens | None:
    if not usage:
        return None
    inputs = mapping(usage.get("input_tokens_details"))
    outputs = mapping(usage.get("output_tokens_details"))
    return Tokens(
        input=usage["input_tokens"],
        output=usage["output_tokens"],
        cache_read=inputs.get("cached_tokens") or 0,
        cache_write=inputs.get("cache_write_tokens") or 0,
        reasoning=outputs.get("reasoning_tokens") or 0,
    )
