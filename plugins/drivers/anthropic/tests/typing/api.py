"""How the driver types: checked by mypy, never run."""

from collections.abc import Mapping
from typing import assert_type

from pingpong import (
    AnyEndpoint,
    Card,
    Codec,
    Dialect,
    Driver,
    DriverOptions,
    DriverRecord,
    Request,
    Response,
    StreamDecoder,
    TokenCount,
    WireResponse,
)
from pingpong_anthropic.count_tokens import CountTokensCodec
from pingpong_anthropic.driver import make
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect
from pingpong_anthropic.plugin import pingpong_drivers


def the_hook_gives_records() -> DriverRecord:
    """The record alone is enough to make the driver."""
    assert_type(pingpong_drivers(), list[DriverRecord])
    return pingpong_drivers()[0]


def a_factory_makes_a_driver(record: DriverRecord, options: DriverOptions, env: Mapping[str, str]) -> None:
    """What it makes is a driver of the kernel's own type."""
    driver = make(record, options, env)
    assert_type(driver, Driver)
    assert_type(driver.endpoints[0], AnyEndpoint)


def it_estimates(driver: Driver, request: Request, card: Card) -> None:
    """The estimate is a whole number of tokens."""
    assert_type(driver.estimate_tokens(request, card), int)


def both_halves_are_protocols() -> tuple[Codec[Request, Response], Dialect[Request, Response]]:
    """Codec and dialect are met by shape."""
    count: Codec[Request, TokenCount] = CountTokensCodec()
    assert_type(count.decode(WireResponse(200)), TokenCount)
    return MessagesCodec(), MessagesDialect()


def messages_stream(headers: Mapping[str, str]) -> StreamDecoder:
    """A stream is decoded to the kernel's events."""
    return MessagesCodec().stream_decoder(headers)
