"""What the tests of this driver share: the driver itself, a card, and feeding of streams."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import evolve
from pingpong import Card, Driver, DriverOptions, Event, Request, WireRequest
from pingpong_gemini.driver import make
from pingpong_gemini.plugin import RECORD


@pytest.fixture(scope="session")
def driver() -> Driver:
    """The driver with its default options and no key."""
    return make(RECORD, DriverOptions(), {})


@pytest.fixture(scope="session")
def endpoint(driver: Driver) -> Callable[[str], Any]:
    """An endpoint by name."""
    return lambda name: next(e for e in driver.endpoints if e.record.name == name)


@pytest.fixture(scope="session")
def card() -> Card:
    """A model that takes thinking levels."""
    return Card(provider="gemini", model="gemini-3.6-flash", endpoints=("generateContent",))


@pytest.fixture(scope="session")
def events_of(endpoint: Callable[[str], Any]) -> Callable[[Sequence[bytes]], list[Event]]:
    """The events of a stream that arrives in these pieces."""

    def feed(chunks: Sequence[bytes]) -> list[Event]:
        decoder = endpoint("streamGenerateContent").codec.stream_decoder({})
        return [*(event for chunk in chunks for event in decoder.feed(chunk)), *decoder.close()]

    return feed


@pytest.fixture(scope="session")
def python() -> Callable[[str], str]:
    """What a fresh interpreter prints."""
    return lambda code: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def body_of(endpoint: Callable[[str], Any], card: Card) -> Callable[..., Any]:
    """The body of a request, by default for a model that takes thinking levels."""

    def encode(request: Request, model: str = card.model) -> Any:
        wire = endpoint("generateContent").codec.encode(request, evolve(card, model=model), is_stream=False)
        return json.loads(wire.body)

    return encode


@pytest.fixture
def parsed(endpoint: Callable[[str], Any]) -> Callable[[object], Request]:
    """The request that a body asks."""

    def parse(body: object) -> Request:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        wire = WireRequest("POST", "/v1beta/models/m:generateContent", {}, data)
        request = endpoint("generateContent").dialect.parse(wire, {"model": "m"}).request
        assert isinstance(request, Request)
        return request

    return parse
