"""Usage of the chat completions and embeddings wires, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from pingpong import Usage
from pingpong_wire import usage_or_none

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A count as it must be; nothing else is taken for one."""


class _Parts(msgspec.Struct):
    """What is part of a total; prompts have no reasoning, answers no cache."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None


class _Fields(msgspec.Struct):
    """The usage object. Embeddings have no completion."""

    prompt_tokens: Count
    completion_tokens: Count | None = None
    prompt_tokens_details: _Parts | None = None
    completion_tokens_details: _Parts | None = None


_NO_PARTS = _Parts()


def usage_from_wire(wire: object) -> Usage | None:
    """
    Disjoint classes out of the wire's totals; None where absent or where a count is no count.

    Cached, written and audio tokens are parts of `prompt_tokens`; reasoning and audio tokens of `completion_tokens`
    (https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage). A part never exceeds its total here.
    """
    return usage_or_none(wire, _usage)


def _usage(wire: Mapping[str, Any]) -> Usage:
    fields = msgspec.convert(wire, _Fields)
    read, written = fields.prompt_tokens_details or _NO_PARTS, fields.completion_tokens_details or _NO_PARTS
    inputs = disjoint(fields.prompt_tokens, read.cached_tokens, read.cache_write_tokens, read.audio_tokens)
    outputs = disjoint(fields.completion_tokens or 0, written.reasoning_tokens, written.audio_tokens)
    return Usage(
        uncached_input_tokens=inputs[0],
        cache_read_tokens=inputs[1],
        cache_write_tokens=inputs[2],
        input_audio_tokens=inputs[3],
        visible_output_tokens=outputs[0],
        reasoning_tokens=outputs[1],
        output_audio_tokens=outputs[2],
    )


def disjoint(total: int, *parts: int | None) -> tuple[int, ...]:
    """What the parts leave of their total, then each part, none larger than what is left; a part that is None is 0."""
    rest, taken = total, []
    for part in parts:
        taken.append(min(part or 0, rest))
        rest -= taken[-1]
    return (rest, *taken)


def wire_from_usage(usage: Usage) -> dict[str, Any]:
    """The wire's totals; an hour-long cache write counts as a write, which is all the wire knows."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "audio_tokens": usage.input_audio_tokens,
            "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
