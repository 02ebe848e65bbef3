"""The factory: endpoints, credentials and token estimate, put together."""

from __future__ import annotations

from collections.abc import Mapping

from pingpong import ApiKey, Driver, DriverOptions, DriverRecord, Endpoint
from pingpong_wire import KeyAndHeaders

from pingpong_anthropic.count_tokens import CountTokensCodec, CountTokensDialect
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect
from pingpong_anthropic.tokens import estimate_tokens

BASE_URL = "https://api.anthropic.com"


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
        credentials=KeyAndHeaders(key, options.headers) if options.headers else key,
        estimate_tokens=estimate_tokens,
    )
