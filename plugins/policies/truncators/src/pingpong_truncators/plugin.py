"""What this distribution brings, by name."""

from __future__ import annotations

from pingpong import PolicyRecord
from pingpong.hookspecs import hookimpl


@hookimpl
def pingpong_truncators() -> list[PolicyRecord]:
    """One way to make a conversation fit."""
    return [
        PolicyRecord(
            name="drop-oldest",
            factory="pingpong_truncators.drop_oldest:DropOldest",
            help="Leaves out the oldest turns; keeps system and pinned messages and the last question.",
        )
    ]
