"""What this distribution brings, by name; importing this imports nothing that measures."""

from __future__ import annotations

from pingpong import CommandRecord
from pingpong.hookspecs import hookimpl


@hookimpl
def pingpong_commands() -> list[CommandRecord]:
    """`pingpong bench calls` and `pingpong bench counts`."""
    return [
        CommandRecord(
            name="bench calls",
            factory="pingpong_bench.command:make",
            help="Measure what a call costs in CPU time, beside other libraries, on this machine.",
        ),
        CommandRecord(
            name="bench counts",
            factory="pingpong_bench.counts_command:make",
            help="Count the instructions of a call and of a streamed event, for every driver.",
        ),
    ]
