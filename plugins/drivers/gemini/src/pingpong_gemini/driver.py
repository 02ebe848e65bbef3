"""The driver's factory: endpoints, credentials and the token estimate, put together."""

from __future__ import annotations

from collections.abc import Mapping

from pingpong import AnyEndpoint, ApiKey, Driver, DriverOptions, DriverRecord, Endpoint, EndpointRecord, PluginError
from pingpong_wire import KeyAndHeaders, estimate_tokens

from pingpong_gemini._chat import GENERATE_PATH, STREAM_PATH, ChatCodec, ChatDialect
from pingpong_gemini._count import CountCodec, CountDialect
from pingpong_gemini._embed import BATCH_PATH, EMBED_PATH, EmbedCodec, EmbedDialect
from pingpong_gemini._json import PROVIDER

BASE_URL = "https://generativelanguage.googleapis.com"


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
        credentials=KeyAndHeaders(key, options.headers) if options.headers else key,
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
