"""What this distribution brings, by name; importing this imports nothing that measures."""

from __future__ import annotations

from pingpong import CommandRecord
from pingpong.hookspecs import hookimpl


@hookimpl
def pingpong_commands() -> list[CommandRecord]:
    """`pingpong bench calls`."""
    return [
        CommandRecord(
            name="bench calls",
            factory="pingpong_bench.command:make",
            help="Measure what a call costs in CPU time, beside other libraries, on this machine.",
        )
    ]
