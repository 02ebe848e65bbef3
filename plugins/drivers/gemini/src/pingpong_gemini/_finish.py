"""
Why an answer ended, between the wire's words and the closed enum.

Source: `Candidate.FinishReason` in google/ai/generativelanguage/v1beta/generative_service.proto, and the later members that
https://ai.google.dev/api/generate-content#FinishReason lists.
"""

from __future__ import annotations

from pingpong import FinishReason

_MEANING = {
    "STOP": FinishReason.stop,
    "MAX_TOKENS": FinishReason.length,
    "CONTINUATION": FinishReason.pause,
    "MALFORMED_FUNCTION_CALL": FinishReason.malformed_tool_call,
    "UNEXPECTED_TOOL_CALL": FinishReason.malformed_tool_call,
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
            "ESCALATION",
            "PUP_LIMITED_DISABLED",
        ),
        FinishReason.content_filter,
    ),
}
"""OTHER, NO_IMAGE, IMAGE_OTHER, TOO_MANY_TOOL_CALLS, MISSING_THOUGHT_SIGNATURE and MALFORMED_RESPONSE stay `unknown`."""

_WORD = {
    FinishReason.stop: "STOP",
    FinishReason.tool_calls: "STOP",
    FinishReason.length: "MAX_TOKENS",
    FinishReason.content_filter: "SAFETY",
    FinishReason.refusal: "SAFETY",
    FinishReason.pause: "CONTINUATION",
    FinishReason.malformed_tool_call: "MALFORMED_FUNCTION_CALL",
    FinishReason.unknown: "OTHER",
}


def finish_from_wire(word: str, *, has_calls: bool) -> FinishReason:
    """The canonical reason; STOP with tool calls means them, as this wire has no word of its own for it."""
    if word == "STOP" and has_calls:
        return FinishReason.tool_calls
    return _MEANING.get(word, FinishReason.unknown)


def finish_to_wire(reason: FinishReason | None, raw: str | None, *, has_calls: bool) -> str:
    """The wire's word: the provider's own where it still means the same, else the usual one."""
    reason = reason or FinishReason.unknown
    if raw is not None and finish_from_wire(raw, has_calls=has_calls) is reason:
        return raw
    return _WORD[reason]
