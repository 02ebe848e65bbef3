"""How the driver types: checked by mypy, never run."""

from collections.abc import Mapping
from typing import assert_type

from pingpong import (
    AnyEndpoint,
    Card,
    Codec,
    Dialect,
    Driver,
    DriverRecord,
    EmbedRequest,
    EmbedResponse,
    EndpointRecord,
    Request,
    Response,
    StreamDecoder,
    StreamRenderer,
    WireRequest,
)
from pingpong_openai.chat.codec import ChatCodec
from pingpong_openai.chat.dialect import ChatDialect
from pingpong_openai.driver import make
from pingpong_openai.embeddings import EmbeddingsCodec
from pingpong_openai.options import OpenAIOptions
from pingpong_openai.plugin import pingpong_drivers
from pingpong_openai.responses.codec import ResponsesCodec
from pingpong_openai.responses.dialect import ResponsesDialect


def the_hook_gives_records() -> DriverRecord:
    """The record alone is enough to make the driver."""
    assert_type(pingpong_drivers(), list[DriverRecord])
    return pingpong_drivers()[0]


def a_factory_makes_a_driver(record: DriverRecord, options: OpenAIOptions, env: Mapping[str, str]) -> None:
    """What it makes is a driver of the kernel's own type."""
    driver = make(record, options, env)
    assert_type(driver, Driver)
    assert_type(driver.endpoints[0], AnyEndpoint)


def it_estimates(driver: Driver, request: Request, card: Card) -> None:
    """The estimate is a whole number of tokens."""
    assert_type(driver.estimate_tokens(request, card), int)


def both_halves_are_protocols(record: EndpointRecord, card: Card) -> tuple[Codec[Request, Response], Dialect[Request, Response]]:
    """Codec and dialect of each endpoint are met by shape."""
    embeddings: Codec[EmbedRequest, EmbedResponse] = EmbeddingsCodec("openai", record)
    responses: Codec[Request, Response] = ResponsesCodec("openai", record)
    assert_type(embeddings.encode(EmbedRequest("hello"), card, is_stream=False), WireRequest)
    return responses, ResponsesDialect("openai")


def chat_streams(record: EndpointRecord, headers: Mapping[str, str]) -> StreamDecoder:
    """A stream is decoded to the kernel's events."""
    chat: Codec[Request, Response] = ChatCodec("openai", record)
    dialect: Dialect[Request, Response] = ChatDialect("openai")
    assert_type(dialect.stream_renderer(), StreamRenderer)
    return chat.stream_decoder(headers)
