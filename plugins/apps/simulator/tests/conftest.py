"""What the simulator's tests share: the installed drivers' cards, a service without latency, and one HTTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from pingpong import Client, Config, Registry
from pingpong.testing import FakeClock
from pingpong_simulator.faults import script_from_table
from pingpong_simulator.http import served
from pingpong_simulator.service import Service

settings.register_profile("simulator", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("simulator")

PLUGINS = ("openai", "anthropic", "gemini", "simulator")

MakeService = Callable[..., Service]
MakeClient = Callable[..., Client]


def _client(**table: object) -> Client:
    config = Config(simulate=True, simulator={"latency": 0, "seed": 7, **table})
    return Client(config, env={}, registry=Registry(allow=PLUGINS), clock=FakeClock(), seed=7)


@pytest.fixture(scope="session")
def make_client() -> MakeClient:
    """A simulated client; keywords go into the configuration's simulator table."""
    return _client


@pytest.fixture(scope="session")
def make_service() -> MakeService:
    """A service over the installed drivers."""
    models = _client().models

    def make(*, seed: int = 7, latency: float = 0.0, faults: dict[str, object] | None = None) -> Service:
        return Service(
            drivers=models.drivers, cards=models.cards, seed=seed, latency=latency, script=script_from_table(faults or {})
        )

    return make


@pytest.fixture(scope="session")
def url(make_service: MakeService) -> Iterator[str]:
    """The base URL of one HTTP server, for the whole session."""
    with served(make_service()) as base:
        yield base
