"""
Streams of `streamGenerateContent`: server-sent events with `?alt=sse`, else one JSON array that grows.

What ends an answer is a finish reason. Counts may still follow it, and server-sent events have no mark for the end of all, so
`StreamEnd` comes with the end of the body; in an array it comes with the closing bracket. A body that ends without a finish
reason, or an array without its bracket, is a truncated stream.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from attrs import evolve
from pingpong import Event, MalformedResponse, Response, SseEvent, StreamTruncated, response_from_events
from pingpong_wire import SseOrJson, parsed

from pingpong_gemini._answer import Answer
from pingpong_gemini._array import JsonArrayParser
from pingpong_gemini._json import PROVIDER

_MAX_TAIL_BYTES = 64 * 1024
_BLANK = b" \t\r\n\xef\xbb\xbf"
_DOCUMENT = msgspec.json.Decoder()
ARRAY_END = SseEvent("array end", b"")
"""What the frames of an array tell after its last element."""


class GeminiReader:
    """What the documents of one stream tell; see `pingpong_wire.StreamReader`."""

    provider = PROVIDER

    def __init__(self, request_id: str | None, frames: Frames) -> None:
        self.request_id = request_id
        self._answer = Answer(request_id)
        self._frames = frames

    def partial(self, told: Sequence[Event]) -> Response:
        """The answer so far, be it empty."""
        return evolve(response_from_events(told), provider=PROVIDER, usage=self._answer.usage)

    def take(self, event: SseEvent) -> Sequence[Event]:
        """What one document, or the end of the array, tells. Raises as `Answer.take`."""
        if event is ARRAY_END:
            return self._answer.end() if self._answer.is_finished else ()
        return self._answer.take(parsed(event.data, _DOCUMENT, _malformed))

    def end(self) -> Sequence[Event]:
        """The end of the answer, where a finish reason came and nothing is left open."""
        if self._answer.is_finished and not self._frames.is_array:
            return self._answer.end()
        raise StreamTruncated("The stream ended before Gemini said why the answer ends.")


def _malformed(fault: str) -> MalformedResponse:
    return MalformedResponse(f"An event of Gemini's stream {fault}.", provider=PROVIDER)


class Frames:
    """Documents out of a body. The framing is told by its first character, whatever the headers say."""

    def __init__(self) -> None:
        self._inner: _Sse | _Array | None = None

    @property
    def is_array(self) -> bool:
        """Whether the body is a JSON array."""
        return isinstance(self._inner, _Array)

    def feed(self, chunk: bytes) -> Sequence[SseEvent]:
        """Documents that this chunk completes; `ARRAY_END` after the last of an array."""
        if self._inner is None:
            chunk = chunk.lstrip(_BLANK)
            if not chunk:
                return ()
            self._inner = _Array() if chunk.startswith(b"[") else _Sse()
        return self._inner.feed(chunk)

    def close(self) -> Sequence[SseEvent]:
        """A document that only the end of the body completes."""
        return () if self._inner is None else self._inner.close()


class _Sse:
    """
    Server-sent events. An error in mid-stream comes as bare JSON lines between them, which the standard would have ignored,
    so what follows the last event is kept, with the chunk that completed it, until the body ends.
    """

    def __init__(self) -> None:
        self._parser = SseOrJson()
        self._last = b""
        self._after = bytearray()

    def feed(self, chunk: bytes) -> Sequence[SseEvent]:
        events = self._parser.feed(chunk)
        if events:
            self._last, self._after = chunk, bytearray()
        elif len(self._after) < _MAX_TAIL_BYTES:
            self._after += chunk[:_MAX_TAIL_BYTES]
        return events

    def close(self) -> Sequence[SseEvent]:
        if whole := self._parser.close():
            return whole
        at = max(self._last.rfind(b"\n{"), self._last.rfind(b"\r{"))
        tail = ((self._last[at:] if at >= 0 else b"") + self._after).strip(_BLANK)
        return (SseEvent("message", tail),) if tail.startswith(b"{") and tail.endswith(b"}") else ()


class _Array:
    """Elements of the array, and its end."""

    def __init__(self) -> None:
        self._parser = JsonArrayParser()

    def feed(self, chunk: bytes) -> Sequence[SseEvent]:
        if self._parser.is_closed:
            return ()
        events = [SseEvent("message", element) for element in self._parser.feed(chunk)]
        return [*events, ARRAY_END] if self._parser.is_closed else events

    def close(self) -> Sequence[SseEvent]:
        return ()
