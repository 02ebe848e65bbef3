"""What a scripted server can be told to do besides sending bytes."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from pingpong_contract.transports._server import Connection, Step

_READ_BYTES = 256 * 1024


async def hang(connection: Connection) -> None:
    """Say nothing more until the client leaves."""
    while await connection.reader.read(_READ_BYTES):
        pass
    connection.is_over = True


async def close(connection: Connection) -> None:
    """A clean end."""
    connection.is_over = True


async def reset(connection: Connection) -> None:
    """A broken end: what was sent before may be lost."""
    connection.is_over = True
    linger = struct.pack("ii", 1, 0)
    connection.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.writer.transport.abort()


async def half_close(connection: Connection) -> None:
    """An end of what is sent; reading goes on."""
    connection.writer.write_eof()
    connection.server.count(half_closed=1)


async def held(connection: Connection) -> None:
    """Wait for one `Server.release`."""
    await connection.server.gate.acquire()


def dripped(data: bytes, size: int = 1) -> Step:
    """Send in writes of `size` bytes, a turn of both event loops between them."""

    async def step(connection: Connection) -> None:
        for start in range(0, len(data), size):
            await connection.send(data[start : start + size])
            await asyncio.sleep(0)

    return step


def endless(piece: bytes, at_most_bytes: int = 64 * 1024 * 1024) -> Step:
    """Send one piece again and again until the client leaves; `Server.is_stalled` tells that it takes nothing just now."""

    async def step(connection: Connection) -> None:
        while connection.server.sent_bytes < at_most_bytes:
            connection.writer.write(piece)
            drained = asyncio.ensure_future(connection.writer.drain())
            if not (await asyncio.wait([drained], timeout=0.2))[0]:
                connection.server.count(is_stalled=True)
            await drained
            connection.server.count(sent_bytes=len(piece), is_stalled=False)
        await hang(connection)

    return step


async def echo(connection: Connection) -> None:
    """Answer with the request's own body."""
    body = connection.server.requests[-1].body
    await asyncio.sleep(0)
    await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


def tunnel(port: int, *, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n", is_freezing: bool = False) -> Step:
    """What a proxy does after CONNECT, to a port of this machine; `is_freezing`: it passes nothing on after `release`."""

    async def step(connection: Connection) -> None:
        connection.is_over = True
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await connection.send(answer)
        ways = (connection.reader, writer), (reader, connection.writer)
        relays = [asyncio.ensure_future(_relay(*way)) for way in ways]
        if is_freezing:
            await held(connection)
            for relay in relays:
                relay.cancel()
            await connection.client_left.wait()
            writer.close()
        await asyncio.wait(relays)

    return step
