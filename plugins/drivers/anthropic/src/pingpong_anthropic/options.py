"""Names of `provider_options["anthropic"]` and which models take which form of an option. Pure."""

from __future__ import annotations

import re

MESSAGES_OPTIONS = frozenset(
    {
        "betas",
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "mcp_servers",
        "metadata",
        "output_config",
        "service_tier",
        "speed",
        "thinking",
        "thread",
        "tool_options",
        "tools",
    }
)
"""
All go to the top level of the body under their own names, but for these:

- `betas`, a list of names, becomes the header `anthropic-beta`, and the request goes to `?beta=true`.
- `tools`, a list of the wire's own tool objects (server tools, toolsets), follows the request's own tools.
- `tool_options`, by tool name, adds fields to a tool of the request (`cache_control`, `defer_loading`, …).
- `output_config` adds to what effort and output schema put there.
"""

COUNT_TOKENS_FIELDS = frozenset(
    {
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
"""What `messages/count_tokens` takes; it refuses the rest, which does not change the count."""

DEFAULT_MAX_TOKENS = 4096
"""`max_tokens` must be sent; for a model whose card does not say, the least that any Messages model ever allowed."""

_BEFORE_4_6 = (
    "claude-3",
    "claude-haiku-4",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2025",
    "claude-opus-4-5",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2025",
    "claude-sonnet-4-5",
)
_UP_TO_4_6 = (*_BEFORE_4_6, "claude-opus-4-6", "claude-sonnet-4-6")
_ONLY_TOP_LEVEL_SYSTEM = (*_UP_TO_4_6, "claude-opus-4-7", "claude-mythos-preview")
_SONNET_5 = re.compile(r"claude-sonnet-5(-\d{8})?")
LEAST_BUDGET = 1024
"""The least number of thinking tokens that the API takes."""
_BUDGETS = {"low": LEAST_BUDGET, "medium": 4096, "high": 16384, "xhigh": 32768, "max": 65536}
"""Thinking tokens for an effort, on models that know budgets alone."""


def takes_only_budget(model: str) -> bool:
    """
    Whether thinking is set by `budget_tokens` alone: every model before 4.6.

    Source: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
    """
    return model.startswith(_BEFORE_4_6)


def takes_budget(model: str) -> bool:
    """Whether `budget_tokens` is accepted: up to 4.6; later models answer 400. Source as above."""
    return model.startswith(_UP_TO_4_6)


def takes_system_turns(model: str) -> bool:
    """
    Whether `role: system` may stand among the messages: Opus 4.8 and later, but not Sonnet 5.

    The lists are of old models, so they never grow; a name this driver does not know counts as new.

    Source: https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
    """
    return not model.startswith(_ONLY_TOP_LEVEL_SYSTEM) and not _SONNET_5.fullmatch(model)


def has_old_tokenizer(model: str) -> bool:
    """
    Whether the model counts as those up to 4.6 did; "the same text counts as approximately 30% more tokens" since.

    Source: https://platform.claude.com/docs/en/models/haiku-5-5/overview
    """
    return model.startswith(_UP_TO_4_6)


def budget_from_effort(effort: str, max_tokens: int) -> int:
    """Thinking tokens that an effort stands for; the budget must stay below `max_tokens`."""
    return min(_BUDGETS[effort], max_tokens - 1)
