"""
Token counts between `usageMetadata` and the disjoint classes of `Usage`.

`promptTokenCount` includes what was read from the cache, `candidatesTokenCount` leaves thoughts out, and what server-side
tools put into the prompt is counted apart and billed as input.
Source: `UsageMetadata` in google/ai/generativelanguage/v1beta/generative_service.proto; https://ai.google.dev/gemini-api/docs/pricing
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import Usage
from pingpong_wire import count_or_zero, counts_or_zero, usage_or_none

from pingpong_gemini._json import Json, seen_camel

_COUNTS = ("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
_DETAILS = ("promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails")
_AUDIO = ("AUDIO", 4)
"""`Modality.AUDIO`, by name and by number, as `enum-encoding=int` puts it."""
KNOWN = frozenset((*_COUNTS, *_DETAILS, "totalTokenCount"))


def usage_from_wire(value: object) -> Usage | None:
    """The usage; None where the provider reports none, or counts that cannot be (negative, no integer, more cached than read)."""
    meta = seen_camel(value)
    return None if meta.keys().isdisjoint(_COUNTS) else usage_or_none(meta, _usage)


def _usage(meta: Mapping[str, Any]) -> Usage:
    prompt, cached, candidates, thoughts, tool_use = counts_or_zero(meta, _COUNTS)
    prompt_audio, cached_audio, output_audio, tool_audio = [_audio_tokens(meta.get(name)) for name in _DETAILS]
    input_audio = max(min(prompt_audio - cached_audio, prompt - cached), 0) + tool_audio
    uncached, visible = prompt - cached + tool_use - input_audio, candidates - output_audio
    if min(uncached, visible, prompt - cached) < 0:
        raise ValueError("a part is larger than its total")
    return Usage(
        uncached_input_tokens=uncached,
        cache_read_tokens=cached,
        input_audio_tokens=input_audio,
        visible_output_tokens=visible,
        reasoning_tokens=thoughts,
        output_audio_tokens=output_audio,
    )


def _audio_tokens(details: object) -> int:
    if not isinstance(details, list):
        return 0
    return sum([count_or_zero(d, "tokenCount") for d in map(seen_camel, details) if d.get("modality") in _AUDIO])


def usage_to_wire(usage: Usage) -> Json:
    """`usageMetadata` that `usage_from_wire` turns back into an equal usage; zero counts are left out, as protobuf does."""
    counts = {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cache_read_tokens,
        "candidatesTokenCount": usage.visible_output_tokens + usage.output_audio_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
    }
    meta: Json = {name: count for name, count in counts.items() if count or name == "promptTokenCount"}
    meta["totalTokenCount"] = usage.input_tokens + usage.output_tokens
    meta["promptTokensDetails"] = _details(usage.input_tokens, usage.input_audio_tokens)
    if usage.output_audio_tokens:
        meta["candidatesTokensDetails"] = _details(counts["candidatesTokenCount"], usage.output_audio_tokens)
    return meta


def _details(total: int, audio: int) -> list[Json]:
    by_modality = {"TEXT": total - audio, "AUDIO": audio}
    return [{"modality": name, "tokenCount": count} for name, count in by_modality.items() if count]
