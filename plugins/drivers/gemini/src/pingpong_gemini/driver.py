"""The driver's factory: endpoints, credentials and the token estimate, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pingpong import (
    AnyEndpoint,
    ApiKey,
    Audio,
    Card,
    Credentials,
    Driver,
    DriverOptions,
    DriverRecord,
    Endpoint,
    EndpointRecord,
    File,
    Image,
    Opaque,
    Part,
    PluginError,
    Request,
    ToolCall,
    ToolCallResponse,
    estimate_text_tokens,
)

from pingpong_gemini._chat import GENERATE_PATH, STREAM_PATH, ChatCodec, ChatDialect
from pingpong_gemini._count import CountCodec, CountDialect
from pingpong_gemini._embed import BATCH_PATH, EMBED_PATH, EmbedCodec, EmbedDialect
from pingpong_gemini._json import PROVIDER, json_text

BASE_URL = "https://generativelanguage.googleapis.com"
_MESSAGE_TOKENS = 4
_MEDIA_TOKENS = 1600
"""
For an image. Gemini 2 counts 258 a tile of 768 × 768 pixels, Gemini 3 up to 1120 an image at its default resolution.
Source: https://ai.google.dev/gemini-api/docs/tokens, https://ai.google.dev/gemini-api/docs/media-resolution
"""


@dataclass(frozen=True)
class WithHeaders:
    """Credentials that add the user's own headers to each request; the key wins over a header of its name."""

    inner: Credentials
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_present(self) -> bool:
        """Whether a key is at hand."""
        return self.inner.is_present

    async def headers(self) -> Mapping[str, str]:
        """The headers of a request. Raises `MissingCredential` as the inner credentials do."""
        return {**{name.lower(): value for name, value in self.extra.items()}, **await self.inner.headers()}


def make(record: DriverRecord, options: DriverOptions, env: Mapping[str, str]) -> Driver:
    """The driver, ready for use. Does no I/O."""
    key = ApiKey(
        header="x-goog-api-key",
        key=options.api_key,
        file=options.api_key_file,
        env_vars=record.env_vars,
        env=env,
        provider=record.name,
    )
    return Driver(
        name=record.name,
        base_url=(options.base_url or BASE_URL).rstrip("/"),
        endpoints=tuple(map(_endpoint, record.endpoints)),
        credentials=WithHeaders(key, options.headers) if options.headers else key,
        estimate_tokens=estimate_tokens,
    )


def _endpoint(record: EndpointRecord) -> AnyEndpoint:
    if record.name == "generateContent":
        return Endpoint(record, ChatCodec(GENERATE_PATH), ChatDialect(GENERATE_PATH))
    if record.name == "streamGenerateContent":
        return Endpoint(record, ChatCodec(STREAM_PATH), ChatDialect(STREAM_PATH))
    if record.name == "countTokens":
        return Endpoint(record, CountCodec(), CountDialect())
    if record.name == "embedContent":
        return Endpoint(record, EmbedCodec(EMBED_PATH), EmbedDialect(EMBED_PATH))
    if record.name == "batchEmbedContents":
        return Endpoint(record, EmbedCodec(BATCH_PATH), EmbedDialect(BATCH_PATH))
    raise PluginError(f"The driver {PROVIDER} has no endpoint {record.name!r}.", provider=PROVIDER)


def estimate_tokens(request: Request, card: Card) -> int:
    """
    Upper estimate of the request's input tokens.

    Text by byte classes, 4 a message, tools and schema as their JSON text, 1600 an image or an address, other bytes / 3.
    """
    total = sum(_MESSAGE_TOKENS + sum(map(_part_tokens, message.parts)) for message in request.messages)
    for tool in request.tools:
        total += estimate_text_tokens(tool.name + tool.description + json_text(tool.parameters))
    if request.output_schema is not None:
        total += estimate_text_tokens(json_text(request.output_schema.schema))
    return total


def _part_tokens(part: Part) -> int:
    if isinstance(part, Image):
        return _MEDIA_TOKENS
    if isinstance(part, Audio | File):
        return _MEDIA_TOKENS if part.data is None else len(part.data) // 3 + 1
    if isinstance(part, ToolCall):
        return estimate_text_tokens(part.name + part.arguments)
    if isinstance(part, ToolCallResponse):
        return estimate_text_tokens(part.name or "") + sum(map(_part_tokens, part.parts))
    return estimate_text_tokens(part.json if isinstance(part, Opaque) else part.text)
