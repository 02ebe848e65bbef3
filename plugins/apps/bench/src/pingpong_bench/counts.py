"""What one call and one streamed event do, in instructions, over a transport that costs nothing: for every driver found."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from attrs import frozen
from pingpong import Capability, Card, Client, Config, ConfigError, Driver, MemoryLedger, Registry, Request

from pingpong_bench.canned import canned
from pingpong_bench.counting import Count, counted
from pingpong_bench.ours import RINGS
from pingpong_bench.payloads import KEY, PROMPT

N_DELTAS = 100

STALE_BELOW = 0.97
"""A recorded figure this far above the count no longer guards anything."""


@frozen
class Counted:
    """One chat endpoint of one driver; an event is a text delta, None where the endpoint does not stream."""

    name: str
    call: Count
    event: Count | None

    @property
    def figures(self) -> Mapping[str, int]:
        """What is recorded of it."""
        figures = {"call_instructions": self.call.instructions, "call_c_calls": self.call.c_calls}
        if self.event is not None:
            figures |= {"event_instructions": self.event.instructions, "event_c_calls": self.event.c_calls}
        return figures


def python_version() -> str:
    """Counts differ between minor versions of CPython, so they are recorded for one."""
    return ".".join(platform.python_version_tuple()[:2])


def _chat_endpoints(client: Client) -> Iterator[tuple[Driver, Any, Card]]:
    """Every chat endpoint of every driver, with the first card that it serves."""
    for driver in client.models.drivers():
        for endpoint in driver.endpoints:
            serves = [c for c in client.models.cards if c.provider == driver.name and endpoint.record.name in c.endpoints]
            if endpoint.record.operation == "chat" and serves:
                yield driver, endpoint, serves[0]


async def count_all() -> tuple[tuple[Counted, ...], tuple[str, ...]]:
    """
    Every chat endpoint found, by driver and name; then what could not be counted and why, one sentence each.

    Only drivers are loaded, and a breaker and a token bucket, so that nothing else that is installed changes a count.
    """
    every = Registry()
    drivers = [p.distribution for p in every.plugins if "drivers" in p.records]
    registry = Registry(allow=[*drivers, RINGS.name], found=[*entry_points(group=RINGS.group), RINGS])
    probe = Client(Config(simulate=False), env={}, registry=registry)
    counts, broken = [], []
    for driver, endpoint, card in _chat_endpoints(probe):
        try:
            counts.append(await _counted(registry, driver, endpoint, card))
        except Exception as exc:  # whatever a third party's driver raises, the others are counted
            broken.append(f"{driver.name} {endpoint.record.name} cannot be counted: {type(exc).__name__}.")
    return tuple(counts), (*broken, *map(str, probe.models.problems))


async def _counted(registry: Registry, driver: Driver, endpoint: Any, card: Card) -> Counted:
    def client_of(n_deltas: int) -> Client:
        config = Config(simulate=False, drivers={driver.name: {"api_key": KEY}})
        transport = canned(driver, endpoint, card.model, n_deltas)
        return Client(config, env={}, registry=registry, ledger=MemoryLedger(), transport=transport, seed=1)

    pin = {driver.name: {"endpoint": endpoint.record.name}} if len(card.endpoints) > 1 else {}
    request = Request(PROMPT, model=card.id, provider_options=pin)
    name = f"{driver.name} {endpoint.record.name}"
    client = client_of(N_DELTAS)

    async def call() -> object:
        return await client.complete(request)

    calls = await counted(call)
    if Capability.streaming not in endpoint.record.capabilities & card.capabilities:
        return Counted(name, calls, None)
    few, many = [await _counted_stream(client_of(n_deltas), request) for n_deltas in (N_DELTAS, 2 * N_DELTAS)]
    # What begins and ends a stream is the same in both, so the difference is the deltas'.
    instructions, c_calls = many.instructions - few.instructions, many.c_calls - few.c_calls
    return Counted(name, calls, Count(round(instructions / N_DELTAS), round(c_calls / N_DELTAS)))


async def _counted_stream(client: Client, request: Request) -> Count:
    async def stream() -> object:
        async with client.stream(request) as events:
            async for _ in events:
                pass
            return await events.outcome()

    return await counted(stream)


def record(found: tuple[Counted, ...]) -> str:
    """The counts as the JSON that `differences` compares with."""
    return json.dumps({"python": python_version(), "counts": {c.name: c.figures for c in found}}, indent=2) + "\n"


def recorded(path: Path) -> Mapping[str, Mapping[str, int]] | None:
    """
    What a file recorded; None where it was for another version of Python.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        counts = {name: {figure: int(n) for figure, n in figures.items()} for name, figures in data["counts"].items()}
        return counts if data["python"] == python_version() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"{path} holds no recorded counts ({type(exc).__name__}); write it with --write.") from exc


def differences(found: tuple[Counted, ...], ceilings: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What is over its ceiling, or so far under it that the ceiling should come down; one sentence each."""
    told = [f"{name} is recorded, but no driver brings it." for name in ceilings if name not in {c.name for c in found}]
    for one in found:
        for figure, n in one.figures.items():
            ceiling = ceilings.get(one.name, {}).get(figure)
            what = f"{one.name}: {figure.replace('_', ' ', 1)}"
            if ceiling is None:
                told.append(f"{what}: {n}, and nothing is recorded.")
            elif n > ceiling:
                told.append(f"{what}: {n}, over its ceiling of {ceiling}.")
            elif n < ceiling * STALE_BELOW:
                told.append(f"{what}: {n}, well under its ceiling of {ceiling}; record the gain.")
    return told
