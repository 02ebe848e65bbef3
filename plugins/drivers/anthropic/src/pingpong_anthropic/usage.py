"""
Token counts and finish reasons of the wire and of the kernel, both ways. Pure.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import FinishReason, Usage
from pingpong_wire import count, count_or_zero, counts_or_zero, usage_or_none

_COUNTED = frozenset(
    {
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "output_tokens_details",
        "server_tool_use",
    }
)
_IN_TOTALS = frozenset({"message", "fallback_message"})
"""Iterations that the top-level counts include; an advisor's and a compaction's are billed beside them."""

FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.stop,
    "stop_sequence": FinishReason.stop,
    "max_tokens": FinishReason.length,
    "model_context_window_exceeded": FinishReason.length,
    "tool_use": FinishReason.tool_calls,
    "pause_turn": FinishReason.pause,
    "compaction": FinishReason.pause,
    "refusal": FinishReason.refusal,
}
"""`stop_reason` of the wire; anything else is `unknown`."""

_STOP_REASONS: Mapping[FinishReason, str] = {
    FinishReason.stop: "end_turn",
    FinishReason.length: "max_tokens",
    FinishReason.tool_calls: "tool_use",
    FinishReason.malformed_tool_call: "tool_use",
    FinishReason.pause: "pause_turn",
    FinishReason.refusal: "refusal",
    FinishReason.content_filter: "refusal",
    FinishReason.unknown: "end_turn",
}


def finish_reason_from_wire(stop_reason: str | None) -> FinishReason:
    """What a `stop_reason` means; unknown words and none at all give `unknown`."""
    return FINISH_REASONS.get(stop_reason or "", FinishReason.unknown)


def stop_reason_from(reason: FinishReason | None, raw: str | None, stop_sequence: str | None) -> str:
    """The `stop_reason` to render: the raw word where it is this wire's own, else the nearest one."""
    reason = reason or FinishReason.unknown
    if raw is not None and FINISH_REASONS.get(raw, FinishReason.unknown) is reason:
        return raw
    if reason is FinishReason.stop and stop_sequence is not None:
        return "stop_sequence"
    return _STOP_REASONS[reason]


def _table(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(name)
    return value


def usage_from_wire(fields: object) -> Usage | None:
    """Disjoint counts; None where usage is absent or any of it is no count."""
    return usage_or_none(fields, _usage)


def _usage(fields: Mapping[str, Any]) -> Usage:
    split = _table(fields, "cache_creation")
    short, long = counts_or_zero(split, ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"))
    # A stream repeats the sum of cache writes at its end, and their split only at its start: the sum wins.
    is_summed = fields.get("cache_creation_input_tokens") is not None
    total = count(fields, "cache_creation_input_tokens") if is_summed else short + long
    long = min(long, total)
    output = count(fields, "output_tokens")
    thinking = min(count_or_zero(_table(fields, "output_tokens_details"), "thinking_tokens"), output)
    server = _table(fields, "server_tool_use")
    units = {name: n for name in server if (n := count_or_zero(server, name))}
    return Usage(
        uncached_input_tokens=count(fields, "input_tokens"),
        cache_read_tokens=count_or_zero(fields, "cache_read_input_tokens"),
        cache_write_tokens=total - long,
        cache_write_1h_tokens=long,
        visible_output_tokens=output - thinking,
        reasoning_tokens=thinking,
        other_units={**units, **_units_beside(fields)} if "iterations" in fields else units,
    )


def _units_beside(fields: Mapping[str, Any]) -> dict[str, int]:
    """Tokens that the top-level counts leave out, by kind of iteration, at another model's or step's price."""
    units: dict[str, int] = {}
    iterations = fields.get("iterations")
    for step in iterations if isinstance(iterations, list) else ():
        kind = step.get("type") if isinstance(step, dict) else None
        if not isinstance(kind, str) or kind in _IN_TOTALS:
            continue
        inputs = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        for name, n_tokens in (
            (f"{kind}_input_tokens", sum(count_or_zero(step, n) for n in inputs)),
            (f"{kind}_output_tokens", count_or_zero(step, "output_tokens")),
        ):
            if n_tokens:
                units[name] = units.get(name, 0) + n_tokens
    return units


def usage_rest(fields: object) -> dict[str, Any]:
    """What `Usage` has no place for: service tier, place of inference, iterations and the like."""
    if not isinstance(fields, dict):
        return {}
    return {name: value for name, value in fields.items() if value is not None and name not in _COUNTED}


def wire_from_usage(usage: Usage | None, rest: Mapping[str, Any]) -> dict[str, Any]:
    """The wire's usage object, with what `usage_rest` kept; null counts where usage is unknown."""
    if usage is None:
        return {"input_tokens": None, "output_tokens": None, **rest}
    beside = usage_from_wire({"input_tokens": 0, "output_tokens": 0, **rest})
    told = beside.other_units if beside else {}
    units = {name: count for name, count in usage.other_units.items() if name not in told}
    wire: dict[str, Any] = {
        "input_tokens": usage.uncached_input_tokens + usage.input_audio_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }
    if units:
        wire["server_tool_use"] = {"web_search_requests": 0, "web_fetch_requests": 0, **units}
    return {**wire, **rest}
