"""
An upper estimate of a request's input tokens. Pure: no vocabulary, no network.

Source of the constants, where none is named: what recorded requests cost beyond the estimate of their texts, rounded up.
"""

from __future__ import annotations

from pingpong import Card, File, Image, Opaque, Part, Request, ToolCall, ToolCallResponse, estimate_text_tokens

from pingpong_anthropic.options import has_old_tokenizer
from pingpong_anthropic.wire import PROVIDER, fields_from_opaque, json_text

IMAGE_TOKENS = 1600
"""
The most an image costs: larger ones are scaled down until they cost no more.

Source: https://platform.claude.com/docs/en/build-with-claude/vision#calculate-image-costs
"""
NEW_TOKENIZER_PERCENT = 135
REQUEST_TOKENS = 16
MESSAGE_TOKENS = 4
TOOLS_TOKENS = 700
"""The system prompt that the API adds as soon as there are tools; 350 to 620 were seen."""
SERVER_TOOL_TOKENS = 2500
"""What each server tool adds before it brings anything back; what it brings back cannot be known."""
SCHEMA_TOKENS = 250
CITATIONS_TOKENS = 600
THINKING_TOKENS = 40


def estimate_tokens(request: Request, card: Card) -> int:
    """An upper estimate of the request's input tokens for a card; server tools may bring in more than anyone can foresee."""
    options = request.provider_options.get(PROVIDER, {})
    server_tools = options.get("tools", ())
    texts = sum(MESSAGE_TOKENS + sum(map(_part_tokens, message.parts)) for message in request.messages)
    texts += sum(estimate_text_tokens(f"{t.name} {t.description} {json_text(t.parameters)}") for t in request.tools)
    fixed = REQUEST_TOKENS + SERVER_TOOL_TOKENS * len(server_tools)
    if request.tools or server_tools:
        fixed += TOOLS_TOKENS
    if request.output_schema is not None:
        texts += estimate_text_tokens(json_text(request.output_schema.schema))
        fixed += SCHEMA_TOKENS
    if request.reasoning_effort or request.reasoning_budget_tokens or "thinking" in options:
        fixed += THINKING_TOKENS
    percent = 100 if has_old_tokenizer(card.model) else NEW_TOKENIZER_PERCENT
    return fixed + -(-texts * percent // 100)


def _part_tokens(part: Part) -> int:
    match part:
        case ToolCall():
            return estimate_text_tokens(part.name + part.arguments)
        case ToolCallResponse():
            return MESSAGE_TOKENS + sum(map(_part_tokens, part.parts))
        case Opaque():
            return estimate_text_tokens(part.json)
        case Image():
            return IMAGE_TOKENS
        case File():
            cited = CITATIONS_TOKENS if "citations" in fields_from_opaque(part.opaque) else 0
            return cited + -(-len(part.data or b"") // 3)
        case _:
            return estimate_text_tokens(getattr(part, "text", ""))
