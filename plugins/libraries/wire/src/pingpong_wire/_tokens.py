"""An upper estimate of what a request's content costs in tokens: no vocabulary, no network."""

from __future__ import annotations

from pingpong import (
    Audio,
    Card,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Request,
    Text,
    ToolCall,
    ToolCallResponse,
    estimate_text_tokens,
)

from pingpong_wire._json import json_text

_MESSAGE_TOKENS = 4
"""Overhead of one message: role and separators."""
_IMAGE_TOKENS = 1600
"""
No provider documents more for an image at the size to which it scales images down.

Source: https://platform.openai.com/docs/guides/images-vision, https://platform.claude.com/docs/en/build-with-claude/vision,
https://ai.google.dev/gemini-api/docs/media-resolution
"""
_UNSEEN_FILE_TOKENS = 4096
"""For sound or a file whose bytes only the provider sees."""


def estimate_tokens(request: Request, card: Card) -> int:
    """
    Upper estimate of messages, tools, output schema and the provider's own options together, the same for every card of it.

    Texts by `estimate_text_tokens`, tools, schema and options as their JSON text, an image as the largest there is, other bytes
    by three a token. Of base64 inside texts it may still be too low.
    """
    tokens = 0
    for message in request.messages:
        tokens += _MESSAGE_TOKENS + sum(map(_part_tokens, message.parts))
    for tool in request.tools:
        tokens += estimate_text_tokens(json_text([tool.name, tool.description, tool.parameters]))
    if request.output_schema is not None:
        tokens += estimate_text_tokens(json_text(request.output_schema.schema))
    options = request.provider_options.get(card.provider)
    if options and (own := {name: value for name, value in options.items() if name != "endpoint"}):
        tokens += estimate_text_tokens(json_text(own))
    return tokens


def _part_tokens(part: Part) -> int:
    match part:
        case Text() | Reasoning():
            return estimate_text_tokens(part.text)
        case ToolCall():
            return estimate_text_tokens(part.name) + estimate_text_tokens(part.arguments)
        case ToolCallResponse():
            return _MESSAGE_TOKENS + estimate_text_tokens(part.name or "") + sum(map(_part_tokens, part.parts))
        case Image():
            return _IMAGE_TOKENS
        case Audio() | File():
            return _UNSEEN_FILE_TOKENS if part.data is None else len(part.data) // 3 + 1
        case Opaque():
            return estimate_text_tokens(part.json)
