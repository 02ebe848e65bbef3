"""What the transport declares; importing this imports neither it nor aiohttp."""

from __future__ import annotations

from pingpong import TransportRecord
from pingpong.hookspecs import hookimpl

TRANSPORT = TransportRecord(
    name="aiohttp",
    factory="pingpong_aiohttp.transport:make",
    help="HTTP over aiohttp, at a fifth of httpx's CPU time; on asyncio.",
    backends=("asyncio",),
)


@hookimpl
def pingpong_transports() -> list[TransportRecord]:
    """aiohttp as a transport."""
    return [TRANSPORT]
