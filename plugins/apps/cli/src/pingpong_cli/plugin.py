"""What this distribution brings, by name; importing this imports no command."""

from __future__ import annotations

from pingpong import CommandRecord
from pingpong.hookspecs import hookimpl


@hookimpl
def pingpong_commands() -> list[CommandRecord]:
    """The commands that need nothing but a client."""
    return [
        CommandRecord(name="ask", factory="pingpong_cli.ask:make", help="Ask a question; the answer streams to stdout."),
        CommandRecord(name="plan", factory="pingpong_cli.plan:make", help="Show what `ask` would do and could cost."),
        CommandRecord(name="models", factory="pingpong_cli.models:make", help="List models, prices, and what can be used."),
        CommandRecord(name="plugins", factory="pingpong_cli.plugins:make", help="List plugins, loaded or not, and why."),
        CommandRecord(
            name="plugins doctor", factory="pingpong_cli.doctor:make", help="Check plugins, keys, cards and configuration."
        ),
        CommandRecord(name="completion", factory="pingpong_cli.completion:make", help="Print a shell's completion script."),
    ]
