"""
What an answer of Anthropic's Messages API says, streamed or not, and its token counts.

Source: https://docs.claude.com/en/api/messages, .../messages-streaming, .../errors, .../messages-count-tokens
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pingpong import WireResponse

from pingpong_contract.oracles._expected import Answer, Call, Count, Expected, Failure, Tokens
from pingpong_contract.oracles._reading import (
    INVALID,
    arguments_of,
    codes_of,
    failure,
    json_or_none,
    kinds_of_status,
    mapping,
    sse_json,
    text_of,
)

_FINISH = {
    "end_turn": frozenset({"stop"}),
    "stop_sequence": frozenset({"stop"}),
    "max_tokens": frozenset({"length"}),
    "model_context_window_exceeded": frozenset({"length"}),
    "tool_use": frozenset({"tool_calls"}),
    "pause_turn": frozenset({"pause"}),
    "compaction": frozenset({"pause", "unknown"}),
    "refusal": frozenset({"refusal"}),
}
_KINDS_OF_TYPE = {
    "authentication_error": frozenset({"authentication"}),
    "billing_error": frozenset({"quota_exhausted"}),
    "permission_error": frozenset({"permission_denied"}),
    "not_found_error": frozenset({"not_found"}),
    "conflict_error": frozenset({"conflict"}),
    "request_too_large": frozenset({"invalid_request", "context_length_exceeded"}),
    "rate_limit_error": frozenset({"rate_limited"}),
    "timeout_error": frozenset({"provider_timeout"}),
    "api_error": frozenset({"server_error"}),
    "overloaded_error": frozenset({"overloaded"}),
    "invalid_request_error": INVALID,
}
_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens", "output_tokens_details")


def expected(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What the recorded answer says."""
    if response.status >= 300:
        return _failure(response)
    if is_streaming:
        return _from_stream(response.body)
    body = json.loads(text_of(response.body))
    return _answer(body, body["content"])


def expected_count(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What `messages/count_tokens` says; it never streams."""
    if response.status >= 300:
        return _failure(response)
    return Count(json.loads(text_of(response.body))["input_tokens"])


def _failure(response: WireResponse) -> Failure:
    error = mapping(mapping(json_or_none(response.body)).get("error"))
    kinds = _KINDS_OF_TYPE.get(str(error.get("type")), kinds_of_status(response.status))
    return failure(response.status, response.headers, kinds, (error.get("type"),))


def _from_stream(body: bytes) -> Expected:
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for event in sse_json(body):
        kind = event["type"]
        if kind == "error":
            kinds = _KINDS_OF_TYPE.get(event["error"].get("type"), frozenset({"server_error", "provider_error"}))
            return Failure(status=None, kinds=kinds, codes=codes_of((event["error"].get("type"),)))
        if kind == "message_start":
            message = dict(event["message"])
        elif kind == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "json": ""}
        elif kind == "content_block_delta":
            _add_delta(blocks[event["index"]], event["delta"])
        elif kind == "message_delta":
            message.update(event["delta"])
            # "The token counts shown in the usage field of the message_delta event are cumulative."
            later = {k: v for k, v in mapping(event.get("usage")).items() if k in _COUNTS and v is not None}
            message["usage"] = {**mapping(message.get("usage")), **later}
        elif kind == "message_stop":
            return _answer(message, [_whole(blocks[i]) for i in sorted(blocks)])
    return Failure(status=None, kinds=frozenset({"stream_truncated"}))


def _add_delta(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    if delta["type"] == "text_delta":
        block["text"] = block.get("text", "") + delta["text"]
    elif delta["type"] == "thinking_delta":
        block["thinking"] = block.get("thinking", "") + delta["thinking"]
    elif delta["type"] == "input_json_delta":
        block["json"] += delta["partial_json"]


def _whole(block: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**block, "input": arguments_of(block["json"])} if block["json"] else block


def _answer(message: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]]) -> Answer:
    stop = message.get("stop_reason")
    return Answer(
        text="".join(b["text"] for b in blocks if b["type"] == "text"),
        reasoning="".join(b["thinking"] for b in blocks if b["type"] == "thinking"),
        calls=tuple(Call(call_id=b["id"], name=b["name"], arguments=b["input"]) for b in blocks if b["type"] == "tool_use"),
        finish_reasons=_FINISH.get(str(stop), frozenset({"unknown"})),
        raw_finish_reasons=frozenset({stop}),
        tokens=_tokens(message.get("usage")),
        model=message.get("model"),
        response_id=message.get("id"),
        stop_sequence=message.get("stop_sequence"),
    )


def _tokens(usage: Any) -> Tokens | None:
    if not usage:
        return None
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    details = mapping(usage.get("output_tokens_details"))
    return Tokens(
        # "Total input tokens in a request is the summation of input_tokens, cache_creation_input_tokens, and
        # cache_read_input_tokens." https://docs.claude.com/en/api/messages
        input=usage["input_tokens"] + read + written,
        output=usage["output_tokens"],
        cache_read=read,
        cache_write=written,
        reasoning=details.get("thinking_tokens"),
    )
