"""An upper estimate of a request's input tokens, without a vocabulary or a network."""

from __future__ import annotations

from pingpong import Audio, Card, File, Image, Part, Reasoning, Request, Text, ToolCall, ToolCallResponse, estimate_text_tokens

from pingpong_openai.jsonwire import json_text

MESSAGE_TOKENS = 4
"""Overhead of one message: role and separators."""
IMAGE_TOKENS = 1600
"""More than any documented size of image costs at high detail with the current models' tiles and patches."""
UNKNOWN_FILE_TOKENS = 4096
"""For a file whose bytes only the provider sees."""


def estimate_tokens(request: Request, card: Card) -> int:
    """Input tokens of a request, at least what the provider will count; of base64 in texts it may still be too low."""
    messages = sum(MESSAGE_TOKENS + sum(map(_part_tokens, message.parts)) for message in request.messages)
    tools = sum(estimate_text_tokens(json_text([tool.name, tool.description, tool.parameters])) for tool in request.tools)
    schema = request.output_schema
    return messages + tools + (0 if schema is None else estimate_text_tokens(json_text(schema.schema)))


def _part_tokens(part: Part) -> int:
    match part:
        case Text() | Reasoning():
            return estimate_text_tokens(part.text)
        case ToolCall():
            return estimate_text_tokens(part.name) + estimate_text_tokens(part.arguments)
        case ToolCallResponse():
            return MESSAGE_TOKENS + sum(map(_part_tokens, part.parts))
        case Image():
            return IMAGE_TOKENS
        case File() | Audio():
            return UNKNOWN_FILE_TOKENS if part.data is None else len(part.data) // 3 + 1
        case _:
            return estimate_text_tokens(part.json)
