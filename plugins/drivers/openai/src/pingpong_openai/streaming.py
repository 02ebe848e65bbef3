"""What both streaming wires do when a stream fails."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from pingpong import Event, PingPongError, StreamError, Usage, response_from_events


def failed(error: PingPongError, told: Sequence[Event], usage: Usage | None) -> StreamError:
    """The last event of a failed stream; the answer so far is in it and in the error, usage included where it was told."""
    partial = evolve(response_from_events(told), usage=usage) if told else None
    error.partial = partial
    return StreamError(error, partial)
