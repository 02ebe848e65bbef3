"""Ping-Pong itself: a whole call through `Client`, by each transport, with everything switched on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pingpong import Client, Config, MemoryLedger, Outcome, PluginError, Registry, Request, WireRequest

from pingpong_bench.opened import Answer, Opened, answer_of_json
from pingpong_bench.payloads import KEY, MODEL, PROMPT, STREAM

MODELS = (f"openai:{MODEL}", "openai:gpt-5", "openai:gpt-5-nano")

REQUEST = Request(PROMPT, model=MODELS[0], provider_options={"openai": {"endpoint": "chat/completions"}})
"""The model named, so that no router chooses; at the endpoint that every other contender speaks."""

RINGS = EntryPoint("rings", "pingpong_bench.rings", "pingpong")
"""A breaker and a token bucket, which no distribution installs."""


def client_of(base_url: str, ledger: MemoryLedger, *, name: str = "", **seams: Any) -> Client:
    """A client of the real OpenAI driver with a breaker, a token bucket and a ledger; no other plugin takes part."""
    allowed = ("pingpong-openai", "pingpong-aiohttp", RINGS.name)
    registry = Registry(allow=allowed, found=[*entry_points(group="pingpong"), RINGS])
    transport = {"name": name} if name else {}
    options = {"openai": {"api_key": KEY, "base_url": base_url}}
    config = Config(models=MODELS, drivers=options, simulate=False, transport=transport)
    return Client(config, env={}, registry=registry, ledger=ledger, seed=1, **seams)


def answer_of(outcome: Outcome) -> Answer:
    """The answer of an outcome."""
    usage = outcome.usage
    return Answer(outcome.text, str(outcome.response.finish_reason), usage.input_tokens, usage.output_tokens)


def _opened(client: Client) -> Opened:
    async def call() -> Outcome:
        return await client.complete(REQUEST)

    async def stream() -> Outcome:
        async with client.stream(REQUEST) as events:
            seen = [event async for event in events]
            if len(seen) < 3:
                raise PluginError("The stream gave no events.")
            return await events.outcome()

    return Opened(call=call, stream=stream, told=answer_of)


@asynccontextmanager
async def fast(base_url: str) -> AsyncIterator[Opened]:
    """Over aiohttp."""
    async with client_of(base_url, MemoryLedger(), name="aiohttp") as client:
        yield _opened(client)


@asynccontextmanager
async def httpx(base_url: str) -> AsyncIterator[Opened]:
    """Over an httpx client of our own."""
    async with client_of(base_url, MemoryLedger(), name="httpx") as client:
        yield _opened(client)


@asynccontextmanager
async def host(base_url: str) -> AsyncIterator[Opened]:
    """Over an httpx client handed in, of the same settings as the bare one's."""
    from httpx import AsyncClient

    async with AsyncClient() as own, client_of(base_url, MemoryLedger(), http_client=own) as client:
        yield _opened(client)


@asynccontextmanager
async def relay(base_url: str) -> AsyncIterator[Opened]:
    """The fast transport alone: a stream's bytes as they come, nothing parsed, as a gateway could pass them on."""
    from pingpong import SystemClock

    clock = SystemClock()
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    request = WireRequest("POST", "/chat/completions", headers, json.dumps(STREAM).encode())

    async with client_of(base_url, MemoryLedger(), name="aiohttp") as client:
        transport = client.models.target(MODELS[0]).transport

        async def stream() -> bytes:
            answer = await transport.open(base_url, request, clock.monotonic_s() + 60.0)
            pieces = []
            while piece := await answer.read():
                pieces.append(piece)
            return b"".join(pieces)

        yield Opened(stream=stream, told=_told_by_bytes)


def _told_by_bytes(body: bytes) -> Answer:
    return answer_of_json([json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")])
