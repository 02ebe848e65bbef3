"""How the driver types: checked by mypy, never run."""

from collections.abc import Mapping
from typing import assert_type

from pingpong import AnyEndpoint, Card, Driver, DriverOptions, DriverRecord, Request
from pingpong_gemini.driver import make
from pingpong_gemini.plugin import pingpong_drivers


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


def every_endpoint_is_one_of_the_kernels(driver: Driver) -> tuple[AnyEndpoint, ...]:
    """All five endpoints stand in one tuple; their codecs are private."""
    return driver.endpoints
