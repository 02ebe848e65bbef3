"""A client of the OpenAI driver's wire, a scripted server, and a recorder of cassettes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from attrs import define, field

HELLO = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello"


@define
class Server:
    """Answers every request with `answer`, and closes the connection then where it is told so; `requests` are those that came."""

    answer: bytes
    closes: bool
    url: str = ""
    requests: list[bytes] = field(factory=list)
    n_accepted: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_accepted += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                self.requests.append(head + await reader.readexactly(sum(lengths)))
                writer.write(self.answer)
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _serve(answer: bytes = HELLO, *, closes: bool = False) -> AsyncIterator[Server]:
    server = Server(answer, closes)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


@pytest.fixture
def serve() -> object:
    """`async with serve(answer) as server`: a scripted server that ends with the block."""
    return _serve


@pytest.fixture
def anyio_backend() -> str:
    """The one event loop that aiohttp runs on."""
    return "asyncio"
