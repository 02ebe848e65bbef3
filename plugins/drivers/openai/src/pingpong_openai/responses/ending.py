"""How a response ended and what it used: the fields around its output, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from pingpong import FinishReason, Opaque, StreamEnd, Usage
from pingpong_wire import count_or_zero, usage_or_none

from pingpong_openai.chat.usage import Count, disjoint
from pingpong_openai.jsonwire import kept_if_any
from pingpong_openai.responses.items import CALL_TYPES, WIRE, is_refusal_item
from pingpong_openai.responses.shapes import KEPT, Body, kept_fields

_REASONS = {"max_output_tokens": FinishReason.length, "content_filter": FinishReason.content_filter}
_STATUSES = frozenset({"queued", "in_progress", "cancelled", "failed", "completed"})
WEB_SEARCHES = "web_search_requests"
"""The billed unit of the hosted web search in `Usage.other_units`."""


def end_from_body(provider: str, body: Body, items: list[dict[str, Any]]) -> StreamEnd:
    """The end that a whole response object tells; `items` is its output."""
    finish, raw = _finish(body, items)
    return StreamEnd(finish, raw, usage=usage_from_body(body), opaque=_kept(provider, body))


def _finish(body: Body, items: list[dict[str, Any]]) -> tuple[FinishReason, str | None]:
    if body.status == "incomplete":
        reason = body.incomplete_details.get("reason") if isinstance(body.incomplete_details, dict) else None
        return _REASONS.get(reason or "", FinishReason.unknown), reason or body.status
    if body.status != "completed":
        # A background response that is queued or running: there is no answer yet, and the status says so.
        return FinishReason.unknown, body.status
    if any(map(is_refusal_item, items)):
        return FinishReason.refusal, body.status
    has_calls = any(item.get("type") in CALL_TYPES for item in items)
    return FinishReason.tool_calls if has_calls else FinishReason.stop, body.status


def _kept(provider: str, body: Body) -> Opaque | None:
    return kept_if_any(provider, WIRE, {name: value for name, value in zip(KEPT, kept_fields(body), strict=True) if value})


def status_from_finish(finish: FinishReason | None, raw: str | None) -> tuple[str, dict[str, Any] | None]:
    """Status and incomplete details that tell a finish reason."""
    if finish in (FinishReason.stop, FinishReason.tool_calls, FinishReason.refusal):
        return "completed", None
    for reason, meaning in _REASONS.items():
        if finish is meaning:
            return "incomplete", {"reason": reason}
    if raw in _STATUSES:
        return raw or "", None
    return "incomplete", {"reason": raw or str(finish or FinishReason.unknown)}


class _Parts(msgspec.Struct):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Fields(msgspec.Struct):
    input_tokens: Count
    output_tokens: Count
    input_tokens_details: _Parts | None = None
    output_tokens_details: _Parts | None = None


_NO_PARTS = _Parts()


def usage_from_body(body: Body) -> Usage | None:
    """
    Disjoint classes out of the wire's totals; None where absent or where a count is no count.

    Cached and written tokens are parts of `input_tokens`, reasoning tokens of `output_tokens`.
    """
    web_search = body.tool_usage.get("web_search") if isinstance(body.tool_usage, dict) else None
    return usage_or_none(body.usage, lambda wire: _usage(wire, web_search))


def _usage(wire: Mapping[str, Any], web_search: object) -> Usage:
    fields = msgspec.convert(wire, _Fields)
    read, written = fields.input_tokens_details or _NO_PARTS, fields.output_tokens_details or _NO_PARTS
    inputs = disjoint(fields.input_tokens, read.cached_tokens, read.cache_write_tokens)
    outputs = disjoint(fields.output_tokens, written.reasoning_tokens)
    searches = count_or_zero(web_search, "num_requests")
    return Usage(
        uncached_input_tokens=inputs[0],
        cache_read_tokens=inputs[1],
        cache_write_tokens=inputs[2],
        visible_output_tokens=outputs[0],
        reasoning_tokens=outputs[1],
        other_units={WEB_SEARCHES: searches} if searches else {},
    )


def wire_from_usage(usage: Usage) -> dict[str, Any]:
    """The wire's totals; audio has no field here and an hour-long cache write counts as a write."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
