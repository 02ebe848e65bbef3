"""What the Gemini driver declares; reading it imports neither codecs nor dialects."""

from __future__ import annotations

from pingpong import Capability, DriverRecord, EndpointRecord
from pingpong.hookspecs import hookimpl

_CHAT = frozenset(
    {
        Capability.tools,
        Capability.tool_choice,
        Capability.json_schema,
        Capability.reasoning,
        Capability.image_input,
        Capability.audio_input,
        Capability.file_input,
        Capability.video_input,
        Capability.image_output,
        Capability.audio_output,
        Capability.temperature,
        Capability.top_p,
        Capability.top_k,
        Capability.stop,
        Capability.seed,
        Capability.penalties,
    }
)
"""All but `parallel_tool_calls`: models call tools in parallel as they like, and the wire has no switch for it."""

_CHAT_OPTIONS = frozenset(
    {"safetySettings", "cachedContent", "tools", "toolConfig", "generationConfig", "serviceTier", "labels", "store"}
)
_CHAT_UNPRICED = frozenset({"cachedContent", "generationConfig", "serviceTier", "tools"})
"""Input kept elsewhere, further candidates and modalities, another tier, hosted tools."""
_EMBED_OPTIONS = frozenset({"taskType", "title"})
_EMBED_UNPRICED = frozenset({"title"})
"""Input beside the inputs."""

RECORD = DriverRecord(
    name="gemini",
    title="Gemini API (Google)",
    factory="pingpong_gemini.driver:make",
    cards="pingpong_gemini:models.json",
    env_vars=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    key_url="https://aistudio.google.com/apikey",
    corpora=("google",),
    endpoints=(
        EndpointRecord(
            name="generateContent",
            operation="chat",
            path="/v1beta/models/{model}:generateContent",
            capabilities=_CHAT,
            provider_options=_CHAT_OPTIONS,
            unpriced_options=_CHAT_UNPRICED,
        ),
        EndpointRecord(
            name="streamGenerateContent",
            operation="chat",
            path="/v1beta/models/{model}:streamGenerateContent",
            capabilities=_CHAT | {Capability.streaming},
            provider_options=_CHAT_OPTIONS,
            unpriced_options=_CHAT_UNPRICED,
        ),
        EndpointRecord(
            name="countTokens",
            operation="count_tokens",
            path="/v1beta/models/{model}:countTokens",
            capabilities=_CHAT,
            provider_options=_CHAT_OPTIONS,
        ),
        EndpointRecord(
            name="embedContent",
            operation="embed",
            path="/v1beta/models/{model}:embedContent",
            provider_options=_EMBED_OPTIONS,
            unpriced_options=_EMBED_UNPRICED,
        ),
        EndpointRecord(
            name="batchEmbedContents",
            operation="embed",
            path="/v1beta/models/{model}:batchEmbedContents",
            provider_options=_EMBED_OPTIONS,
            unpriced_options=_EMBED_UNPRICED,
        ),
    ),
)


@hookimpl
def pingpong_drivers() -> list[DriverRecord]:
    """The Gemini driver."""
    return [RECORD]
