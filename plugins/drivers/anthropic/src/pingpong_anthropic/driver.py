"""The factory: endpoints, credentials and the token estimate, put together."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen
from pingpong import (
    ApiKey,
    Card,
    Credentials,
    Driver,
    DriverOptions,
    DriverRecord,
    Endpoint,
    File,
    Image,
    Opaque,
    Part,
    Request,
    ToolCall,
    ToolCallResponse,
    estimate_text_tokens,
)

from pingpong_anthropic.count_tokens import CountTokensCodec, CountTokensDialect
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect
from pingpong_anthropic.wire import json_text

BASE_URL = "https://api.anthropic.com"
IMAGE_TOKENS = 1600
"""
The most an image costs: larger ones are scaled down until they cost no more.

Source: https://platform.claude.com/docs/en/build-with-claude/vision#calculate-image-costs
"""
_MESSAGE_TOKENS = 4


@frozen
class WithHeaders:
    """Credentials, and headers that the host wants on every request; the credentials win."""

    credentials: Credentials
    extra: Mapping[str, str]

    @property
    def is_present(self) -> bool:
        """Whether a key is at hand."""
        return self.credentials.is_present

    async def headers(self) -> Mapping[str, str]:
        """The host's headers and the key's."""
        return {**self.extra, **await self.credentials.headers()}


def base_url_from(configured: str | None) -> str:
    """The base URL without trailing slashes and without the `/v1` that every path begins with."""
    return (configured or BASE_URL).rstrip("/").removesuffix("/v1").rstrip("/")


def make(record: DriverRecord, options: DriverOptions, env: Mapping[str, str]) -> Driver:
    """The driver, ready for use; reads no file and opens no connection."""
    messages, count_tokens = record.endpoints
    key = ApiKey(
        header="x-api-key",
        key=options.api_key,
        file=options.api_key_file,
        env_vars=record.env_vars,
        env=env,
        provider=record.name,
    )
    return Driver(
        name=record.name,
        base_url=base_url_from(options.base_url),
        endpoints=(
            Endpoint(messages, MessagesCodec(), MessagesDialect()),
            Endpoint(count_tokens, CountTokensCodec(), CountTokensDialect()),
        ),
        credentials=WithHeaders(key, {n.lower(): v for n, v in options.headers.items()}) if options.headers else key,
        estimate_tokens=estimate_tokens,
    )


def estimate_tokens(request: Request, card: Card) -> int:
    """An upper estimate of the request's input tokens; pure, no vocabulary, the same for every model."""
    tools = (estimate_text_tokens(f"{t.name} {t.description} {json_text(t.parameters)}") for t in request.tools)
    schema = estimate_text_tokens(json_text(request.output_schema.schema)) if request.output_schema else 0
    messages = (_MESSAGE_TOKENS + sum(map(_part_tokens, message.parts)) for message in request.messages)
    return sum(messages) + sum(tools) + schema


def _part_tokens(part: Part) -> int:
    match part:
        case ToolCall():
            return estimate_text_tokens(part.name + part.arguments)
        case ToolCallResponse():
            return _MESSAGE_TOKENS + sum(map(_part_tokens, part.parts))
        case Opaque():
            return estimate_text_tokens(part.json)
        case Image():
            return IMAGE_TOKENS
        case File():
            return -(-len(part.data or b"") // 3)
        case _:
            return estimate_text_tokens(getattr(part, "text", ""))
