"""What the simulator declares; importing this imports nothing of the simulator itself."""

from __future__ import annotations

from pingpong import CommandRecord, TransportRecord
from pingpong.hookspecs import hookimpl

TRANSPORT = TransportRecord(
    name="simulator",
    factory="pingpong_simulator.transport:make",
    help="Answers by itself, with seeded answers; no network, no key.",
    is_simulator=True,
)
COMMAND = CommandRecord(
    name="simulate",
    factory="pingpong_simulator.command:make",
    help="Serve the simulated wire APIs of all providers over HTTP on 127.0.0.1.",
)


@hookimpl
def pingpong_transports() -> list[TransportRecord]:
    """The simulator as a transport."""
    return [TRANSPORT]


@hookimpl
def pingpong_commands() -> list[CommandRecord]:
    """`pingpong simulate`."""
    return [COMMAND]
