"""
The simulator's own tokens: short runs of letters, up to three digits, or one sign, each with the white space before it. Pure.

No provider's vocabulary, but the same text always counts the same, and the pieces of a text are the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pingpong import EmbedRequest, Message, Reasoning, Request, Response, Text, ToolCall, ToolCallResponse

MEDIA_TOKENS = 258
"""What one picture, sound or file counts; Gemini's price of a small picture."""

MESSAGE_TOKENS = 4
"""What a message costs beside its content, as OpenAI's cookbook counts it for its chat models."""

_PIECE = re.compile(r"\s*(?:[^\W\d_]{1,6}|\d{1,3}|_+|[^\w\s])|\s+")


def pieces(text: str) -> list[str]:
    """The text, token by token."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens a text has."""
    return len(pieces(text))


def first_tokens(text: str, limit: int) -> str:
    """The text cut after `limit` tokens."""
    return "".join(pieces(text)[:limit])


def input_texts(request: Request) -> Iterator[str]:
    """All that a request makes a model read, in the order that providers cache it: tools, schema, then messages."""
    for tool in request.tools:
        yield json.dumps([tool.name, tool.description, dict(tool.parameters)], sort_keys=True, default=str)
    if request.output_schema is not None:
        yield json.dumps(dict(request.output_schema.schema), sort_keys=True, default=str)
    for message in request.messages:
        yield f"{message.role}:"
        yield from _texts(message)


def _texts(message: Message) -> Iterator[str]:
    for part in message.parts:
        if isinstance(part, Text | Reasoning):
            yield part.text
        elif isinstance(part, ToolCall):
            yield f"{part.name} {part.arguments}"
        elif isinstance(part, ToolCallResponse):
            yield from _texts(Message("tool", part.parts))


def input_tokens(request: Request) -> int:
    """How many tokens a request makes a model read."""
    words = sum(count(text) for text in input_texts(request))
    return words + sum(MESSAGE_TOKENS + MEDIA_TOKENS * _media(m) for m in request.messages)


def _media(message: Message) -> int:
    return sum(hasattr(part, "media_type") for part in message.parts)


def embedded_tokens(request: EmbedRequest) -> int:
    """How many tokens the inputs of an embedding have, at least 1 each."""
    return sum(max(1, count(text)) for text in request.inputs)


def output_tokens(response: Response) -> tuple[int, int]:
    """Tokens of the visible answer, tool calls included, and of its reasoning."""
    calls = sum(count(f"{call.name} {call.arguments}") for call in response.tool_calls)
    return count(response.text) + calls, count(response.reasoning)
