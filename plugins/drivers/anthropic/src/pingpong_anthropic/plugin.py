"""The hook that declares the driver; records only."""

from __future__ import annotations

from pingpong import Capability, DriverRecord, EndpointRecord
from pingpong.hookspecs import hookimpl

_CAPABILITIES = frozenset(
    {
        Capability.streaming,
        Capability.tools,
        Capability.parallel_tool_calls,
        Capability.tool_choice,
        Capability.json_schema,
        Capability.reasoning,
        Capability.image_input,
        Capability.file_input,
        Capability.temperature,
        Capability.top_p,
        Capability.top_k,
        Capability.stop,
    }
)
_OPTIONS = frozenset(
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
_UNPRICED = frozenset(
    {
        "billing_policy",
        "compaction",
        "container",
        "context_management",
        "fallbacks",
        "inference_geo",
        "mcp_servers",
        "service_tier",
        "speed",
        "thread",
        "tools",
    }
)
"""Other rates, other models, hosted tools and machines, a compaction's own tokens, and input that is kept elsewhere."""

RECORD = DriverRecord(
    name="anthropic",
    title="Anthropic",
    factory="pingpong_anthropic.driver:make",
    cards="pingpong_anthropic:models.json",
    env_vars=("ANTHROPIC_API_KEY",),
    endpoints=(
        EndpointRecord(
            name="messages",
            operation="chat",
            path="/v1/messages",
            capabilities=_CAPABILITIES,
            provider_options=_OPTIONS,
            unpriced_options=_UNPRICED,
        ),
        EndpointRecord(
            name="messages/count_tokens",
            operation="count_tokens",
            path="/v1/messages/count_tokens",
            capabilities=_CAPABILITIES - {Capability.streaming},
            provider_options=_OPTIONS,
        ),
    ),
    corpora=("anthropic",),
    key_url="https://platform.claude.com/settings/keys",
)


@hookimpl
def pingpong_drivers() -> list[DriverRecord]:
    """This driver."""
    return [RECORD]
