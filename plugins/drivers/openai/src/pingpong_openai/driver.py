"""Makes the driver out of its record and options; no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from pingpong import ApiKey, Driver, DriverOptions, DriverRecord, Endpoint
from pingpong_wire import KeyAndHeaders, estimate_tokens

from pingpong_openai.chat.codec import ChatCodec
from pingpong_openai.chat.dialect import ChatDialect
from pingpong_openai.embeddings import EmbeddingsCodec, EmbeddingsDialect
from pingpong_openai.options import OpenAIOptions
from pingpong_openai.responses.codec import ResponsesCodec
from pingpong_openai.responses.dialect import ResponsesDialect

BASE_URL = "https://api.openai.com"


def make(record: DriverRecord, options: DriverOptions, env: Mapping[str, str]) -> Driver:
    """The driver; `env` is read now, never later."""
    key = ApiKey(
        header="authorization",
        prefix="Bearer ",
        key=options.api_key,
        file=options.api_key_file,
        env_vars=record.env_vars,
        env=env,
        provider=record.name,
    )
    headers = _extra_headers(options, env)
    chat, responses, embeddings = record.endpoints
    return Driver(
        name=record.name,
        base_url=base_url_from(options.base_url or env.get("OPENAI_BASE_URL") or BASE_URL),
        endpoints=(
            Endpoint(chat, ChatCodec(record.name, chat), ChatDialect(record.name)),
            Endpoint(responses, ResponsesCodec(record.name, responses), ResponsesDialect(record.name)),
            Endpoint(embeddings, EmbeddingsCodec(record.name, embeddings), EmbeddingsDialect(record.name)),
        ),
        credentials=KeyAndHeaders(key, headers) if headers else key,
        estimate_tokens=estimate_tokens,
    )


def base_url_from(value: str) -> str:
    """
    The base URL that endpoint paths are put below.

    OpenAI's clients take a base URL that ends in `/v1`, and OPENAI_BASE_URL is written so; our paths hold it already.
    """
    return value.rstrip("/").removesuffix("/v1").rstrip("/")


def _extra_headers(options: DriverOptions, env: Mapping[str, str]) -> Mapping[str, str]:
    organization, project = env.get("OPENAI_ORG_ID"), env.get("OPENAI_PROJECT_ID")
    if isinstance(options, OpenAIOptions):
        organization, project = options.organization or organization, options.project or project
    named = {"openai-organization": organization, "openai-project": project}
    given = {name.lower(): value for name, value in options.headers.items()}
    return {**{name: value for name, value in named.items() if value}, **given}
