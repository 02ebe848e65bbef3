"""The driver under test and a card for it."""

from __future__ import annotations

from typing import Any

import pytest
from pingpong import Capability, Card, Driver
from pingpong_openai.driver import make
from pingpong_openai.options import OpenAIOptions
from pingpong_openai.plugin import RECORD


@pytest.fixture(scope="session")
def driver() -> Driver:
    """The driver with no options and an empty environment."""
    return make(RECORD, OpenAIOptions(), {})


@pytest.fixture(scope="session")
def chat(driver: Driver) -> Any:
    """The endpoint chat/completions."""
    return driver.endpoints[0]


@pytest.fixture(scope="session")
def responses(driver: Driver) -> Any:
    """The endpoint responses."""
    return driver.endpoints[1]


@pytest.fixture(scope="session")
def embeddings(driver: Driver) -> Any:
    """The endpoint embeddings."""
    return driver.endpoints[2]


@pytest.fixture(scope="session")
def card() -> Card:
    """A model that does not reason."""
    return Card(provider="openai", model="gpt-4.1", endpoints=("chat/completions", "responses"))


@pytest.fixture(scope="session")
def reasoning_card() -> Card:
    """A model that reasons."""
    return Card(provider="openai", model="gpt-5.6-sol", endpoints=("responses",), capabilities=frozenset({Capability.reasoning}))
