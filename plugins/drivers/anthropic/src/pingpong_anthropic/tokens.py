"""
An upper estimate of a request's input tokens. Pure: no vocabulary, no network.

Source of the constants, where none is named: what recorded requests cost beyond the estimate of their texts, rounded up.
"""

from __future__ import annotations

from collections.abc import Sequence

from pingpong import Card, File, Part, Request, ToolCallResponse
from pingpong_wire import estimate_tokens as content_tokens

from pingpong_anthropic.options import has_old_tokenizer
from pingpong_anthropic.wire import PROVIDER, fields_from_opaque

NEW_TOKENIZER_PERCENT = 135
REQUEST_TOKENS = 16
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
    fixed = REQUEST_TOKENS + SERVER_TOOL_TOKENS * len(server_tools)
    if request.tools or server_tools:
        fixed += TOOLS_TOKENS
    if request.output_schema is not None:
        fixed += SCHEMA_TOKENS
    if request.reasoning_effort or request.reasoning_budget_tokens or "thinking" in options:
        fixed += THINKING_TOKENS
    fixed += CITATIONS_TOKENS * sum(_n_cited(message.parts) for message in request.messages)
    percent = 100 if has_old_tokenizer(card.model) else NEW_TOKENIZER_PERCENT
    return fixed - (-content_tokens(request, card) * percent // 100)


def _n_cited(parts: Sequence[Part]) -> int:
    return sum(
        _n_cited(part.parts)
        if isinstance(part, ToolCallResponse)
        else isinstance(part, File) and "citations" in fields_from_opaque(part.opaque)
        for part in parts
    )
