"""One canonical answer on every driver's wire, rendered by the driver's own dialect, and a transport that gives it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, frozen
from pingpong import (
    Driver,
    Event,
    FinishReason,
    PartEnd,
    Response,
    StreamEnd,
    StreamStart,
    Text,
    TextDelta,
    Usage,
    WireRequest,
    WireResponse,
)

from pingpong_bench.payloads import INPUT_TOKENS, OUTPUT_TOKENS, TEXT

_READ_BYTES = 4096
_USAGE = Usage(uncached_input_tokens=INPUT_TOKENS, visible_output_tokens=OUTPUT_TOKENS)


def _events(provider: str, model: str, n_deltas: int) -> Iterator[Event]:
    """Words of one length, so that a stream of twice as many is twice as long."""
    yield StreamStart(provider, model, "answer-1")
    for _ in range(n_deltas):
        yield TextDelta(0, " words")
    yield PartEnd(0, Text(" words" * n_deltas))
    yield StreamEnd(FinishReason.stop, usage=_USAGE)


@define
class _Body:
    """A `WireStream` whose bytes are all there."""

    headers: Mapping[str, str]
    body: bytes
    at: int = 0
    status: int = 200

    async def read(self) -> bytes:
        piece = self.body[self.at : self.at + _READ_BYTES]
        self.at += len(piece)
        return piece

    async def aclose(self) -> None:
        return None


@frozen
class Canned:
    """A `Transport` without a network: the same answer to every request, whole or streamed."""

    answer: WireResponse
    stream_headers: Mapping[str, str]
    stream: bytes

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        return self.answer

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> _Body:
        return _Body(self.stream_headers, self.stream)

    async def aclose(self) -> None:
        return None


def canned(driver: Driver, endpoint: Any, model: str, n_deltas: int) -> Canned:
    """The answer on the wire of one chat endpoint: in one piece, and as a stream of so many deltas."""
    dialect = endpoint.dialect
    whole = Response(
        provider=driver.name,
        model=model,
        parts=(Text(TEXT),),
        finish_reason=FinishReason.stop,
        usage=_USAGE,
        response_id="answer-1",
    )
    renderer = dialect.stream_renderer()
    body = b"".join(renderer.render(event) for event in _events(driver.name, model, n_deltas))
    return Canned(dialect.render(whole), dialect.stream_headers(), body)
