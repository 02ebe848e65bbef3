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


_NUMBERED = (
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
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "IMAGE_RECITATION",
)
_NUMBERED_BLOCKS = ("BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY")
"""Members by their protobuf number, which `$alt=json;enum-encoding=int` puts on the wire."""


def finish_word(value: object) -> str | None:
    """The wire's word for why an answer ended, given by name or number; None where there is none."""
    return _word(value, _NUMBERED)


def block_word(value: object) -> str | None:
    """The wire's word for why a prompt was refused, given by name or number; None where there is none."""
    return _word(value, _NUMBERED_BLOCKS)


def _word(value: object, names: tuple[str, ...]) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else str(value)
    return value if isinstance(value, str) and value else None


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
