"""
Answers on their way: the pieces of a body, when each is sent, and what a fault does to them. Pure.

Knows no socket and no clock: it says how long to wait, others wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any

from attrs import evolve, frozen
from pingpong import (
    Event,
    Parsed,
    PartEnd,
    ReasoningDelta,
    Response,
    StreamEnd,
    StreamError,
    StreamStart,
    TextDelta,
    ToolCallDelta,
    WireResponse,
    events_from_response,
)

from pingpong_simulator import tokens
from pingpong_simulator.faults import Fault, error_from_fault
from pingpong_simulator.skill import Pace

_SPLIT_CHANCE = 0.25
"""How often a piece of a stream arrives in two, so that clients meet events cut in the middle."""


@frozen
class Piece:
    """Bytes of a body, and the seconds to wait before them."""

    after_s: float
    data: bytes


@frozen
class Reply:
    """
    An answer to send.

    Attributes:
        after_s: Seconds before the head is sent; infinite for silence.
        pieces: The body in the pieces it arrives in.
        is_broken: The connection breaks after the last piece.
    """

    status: int
    headers: Mapping[str, str]
    pieces: tuple[Piece, ...]
    after_s: float = 0.0
    is_broken: bool = False


def whole(wire: WireResponse, after_s: float = 0.0) -> Reply:
    """A reply whose body comes in one piece."""
    return Reply(wire.status, wire.headers, (Piece(0.0, wire.body),), after_s)


def streamed(dialect: Any, parsed: Parsed[Any], response: Response, pace: Pace, fault: Fault) -> Reply:
    """A streamed reply, with the faults that strike between events."""
    renderer = dialect.stream_renderer(parsed)
    pieces: list[Piece] = []
    n_content = 0
    for event in _small_events(response):
        is_struck = n_content == fault.after or isinstance(event, StreamEnd)
        if is_struck and not isinstance(event, StreamStart) and fault.sort in ("cut_events", "error_event"):
            if fault.sort == "error_event":
                pieces.append(Piece(0.0, renderer.render(StreamError(error_from_fault(fault)))))
            break
        n_content += not isinstance(event, StreamStart)
        if data := renderer.render(event):
            pieces.append(Piece(_tokens_of(event) / pace.tokens_per_s, data))
    return Reply(200, dialect.stream_headers(parsed), tuple(pieces), pace.first_token_s)


def _small_events(response: Response) -> Iterator[Event]:
    """The events of a response, with a delta for every token."""
    for event in events_from_response(response):
        if isinstance(event, TextDelta | ReasoningDelta):
            yield from (evolve(event, text=piece) for piece in tokens.pieces(event.text))
        elif isinstance(event, ToolCallDelta):
            yield from (evolve(event, arguments=piece) for piece in tokens.pieces(event.arguments))
        else:
            yield event


def _tokens_of(event: Event) -> int:
    return 0 if isinstance(event, StreamStart | PartEnd) else 1


def faulty(reply: Reply, fault: Fault, draw: Random) -> Reply:
    """The reply with what the fault does to its bytes, and a stream's pieces split here and there."""
    if fault.sort == "garbage":
        return evolve(reply, pieces=(Piece(0.0, draw.randbytes(256)),))
    if fault.sort in ("cut", "reset"):
        return evolve(reply, pieces=tuple(_first_bytes(reply.pieces, fault.after)), is_broken=fault.sort == "reset")
    if len(reply.pieces) > 1:
        return evolve(reply, pieces=tuple(half for piece in reply.pieces for half in _halves(piece, draw)))
    return reply


def _first_bytes(pieces: Iterable[Piece], limit: int) -> Iterator[Piece]:
    for piece in pieces:
        if limit > 0:
            yield evolve(piece, data=piece.data[:limit])
        limit -= len(piece.data)


def _halves(piece: Piece, draw: Random) -> tuple[Piece, ...]:
    if len(piece.data) < 2 or draw.random() >= _SPLIT_CHANCE:
        return (piece,)
    at = draw.randrange(1, len(piece.data))
    return Piece(piece.after_s, piece.data[:at]), Piece(0.0, piece.data[at:])
