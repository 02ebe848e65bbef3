"""The floors: an HTTP client alone, with JSON parsed, and a socket alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from pingpong_bench.opened import Opened, answer_of_json
from pingpong_bench.payloads import CALL, KEY, STREAM

HEADERS = {"authorization": f"Bearer {KEY}"}


@asynccontextmanager
async def httpx(base_url: str) -> AsyncIterator[Opened]:
    """`AsyncClient.post` and `.json()`; a stream line by line, each event parsed."""
    from httpx import AsyncClient

    url = f"{base_url}/chat/completions"
    async with AsyncClient() as client:

        async def call() -> Any:
            return (await client.post(url, json=CALL, headers=HEADERS)).json()

        async def stream() -> Any:
            async with client.stream("POST", url, json=STREAM, headers=HEADERS) as response:
                return [json.loads(line[6:]) async for line in response.aiter_lines() if line.startswith("data: {")]

        yield Opened(call=call, stream=stream, told=answer_of_json)


@asynccontextmanager
async def aiohttp(base_url: str) -> AsyncIterator[Opened]:
    """`ClientSession.post` and `.json()`; a stream line by line, each event parsed."""
    from aiohttp import ClientSession, TCPConnector

    url = f"{base_url}/chat/completions"
    async with ClientSession(connector=TCPConnector(limit=0)) as session:

        async def call() -> Any:
            async with session.post(url, json=CALL, headers=HEADERS) as response:
                return await response.json()

        async def stream() -> Any:
            async with session.post(url, json=STREAM, headers=HEADERS) as response:
                return [json.loads(line[6:]) async for line in response.content if line.startswith(b"data: {")]

        yield Opened(call=call, stream=stream, told=answer_of_json)


class Exchange(asyncio.Protocol):
    """A connection that reads one answer of a known length at a time."""

    answer: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is read yet."""
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Give the body out once it is whole."""
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if found and len(body) == int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self.buffer = b""
            self.answer.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits hears of it."""
        if hasattr(self, "answer") and not self.answer.done():
            self.answer.set_exception(exc or ConnectionResetError("closed by the server"))


@asynccontextmanager
async def raw(base_url: str) -> AsyncIterator[Opened]:
    """Fixed bytes out, bytes in, JSON parsed: what no HTTP client can undercut in Python. Calls only."""
    parts = urlsplit(base_url)
    address = parts.hostname or "", parts.port or 80
    body = json.dumps(CALL).encode()
    head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: {HEADERS['authorization']}\r\n"
    sent = head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
    loop = asyncio.get_running_loop()
    idle: list[tuple[Any, Exchange]] = []

    async def call() -> Any:
        pair = idle.pop() if idle else await loop.create_connection(Exchange, *address)
        transport, exchange = pair
        exchange.answer = loop.create_future()
        transport.write(sent)
        answer = await exchange.answer
        idle.append(pair)
        return json.loads(answer)

    try:
        yield Opened(call=call, told=answer_of_json)
    finally:
        for transport, _ in idle:
            transport.close()
