"""What the driver declares; importing this imports nothing of the driver itself."""

from __future__ import annotations

from pingpong import Capability, DriverRecord, EndpointRecord
from pingpong.hookspecs import hookimpl

_BOTH = {
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
}

CHAT = EndpointRecord(
    name="chat/completions",
    operation="chat",
    path="/v1/chat/completions",
    capabilities=frozenset(
        {*_BOTH, Capability.audio_input, Capability.audio_output, Capability.stop, Capability.seed, Capability.penalties}
    ),
    provider_options=frozenset(
        {
            "audio",
            "function_call",
            "functions",
            "logit_bias",
            "logprobs",
            "max_tokens",
            "metadata",
            "modalities",
            "moderation",
            "n",
            "prediction",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "response_format",
            "safety_identifier",
            "service_tier",
            "store",
            "stream_options",
            "tool_choice",
            "tools",
            "top_logprobs",
            "user",
            "verbosity",
            "web_search_options",
        }
    ),
    # Further answers, other modalities, rejected predictions, another tier, searches, and a limit beside ours.
    unpriced_options=frozenset(
        {"audio", "max_tokens", "modalities", "n", "prediction", "service_tier", "tools", "web_search_options"}
    ),
)
RESPONSES = EndpointRecord(
    name="responses",
    operation="chat",
    path="/v1/responses",
    capabilities=frozenset({*_BOTH, Capability.image_output}),
    provider_options=frozenset(
        {
            "context_management",
            "conversation",
            "include",
            "instructions",
            "max_tool_calls",
            "metadata",
            "moderation",
            "previous_response_id",
            "prompt",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning",
            "safety_identifier",
            "service_tier",
            "store",
            "stream_options",
            "text",
            "tool_choice",
            "tools",
            "top_logprobs",
            "truncation",
            "user",
        }
    ),
    # Hosted tools, another tier, a compaction's own tokens, and input that is stored where no estimate sees it.
    unpriced_options=frozenset({"context_management", "conversation", "previous_response_id", "prompt", "service_tier", "tools"}),
)
EMBEDDINGS = EndpointRecord(name="embeddings", operation="embed", path="/v1/embeddings", provider_options=frozenset({"user"}))

RECORD = DriverRecord(
    name="openai",
    title="OpenAI",
    factory="pingpong_openai.driver:make",
    options="pingpong_openai.options:OpenAIOptions",
    cards="pingpong_openai:models.json",
    endpoints=(CHAT, RESPONSES, EMBEDDINGS),
    env_vars=("OPENAI_API_KEY",),
    corpora=("openai",),
    key_url="https://platform.openai.com/api-keys",
)


@hookimpl
def pingpong_drivers() -> list[DriverRecord]:
    """OpenAI."""
    return [RECORD]
