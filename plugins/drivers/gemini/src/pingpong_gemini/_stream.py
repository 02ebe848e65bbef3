"""
Streams of `streamGenerateContent`: server-sent events with `?alt=sse`, else one JSON array that grows.

What ends an answer is a finish reason. Counts may still follow it, and server-sent events have no mark for the end of all, so
`StreamEnd` comes with the end of the body; in an array it comes with the closing bracket. A body that ends without a finish
reason, or an array without its bracket, is a truncated stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pingpong import (
    MAX_EVENT_BYTES,
    Event,
    JsonArrayParser,
    MalformedResponse,
    PingPongError,
    ResponseTooLarge,
    SseParser,
    StreamError,
    StreamTruncated,
)

from pingpong_gemini._answer import Answer
from pingpong_gemini._errors import REQUEST_ID
from pingpong_gemini._json import PROVIDER, json_value

_MAX_TAIL_BYTES = 64 * 1024
_BLANK = b" \t\r\n\xef\xbb\xbf"


class GeminiStreamDecoder:
    """Events out of one streamed body. The framing is told by its first character, whatever the headers say."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.answer = Answer(headers.get(REQUEST_ID))
        self._frames: _Sse | _Array | _Document | None = None
        self._is_done = False

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Events that this chunk completes."""
        if self._is_done:
            return ()
        if self._frames is None:
            begin = chunk.lstrip(_BLANK)
            if not begin:
                return ()
            self._frames = _Array() if begin[:1] == b"[" else _Document() if begin[:1] == b"{" else _Sse()
            chunk = begin
        events: list[Event] = []
        try:
            for document in self._frames.feed(chunk):
                events += self.answer.take(_parsed(document))
            if self._frames.is_closed and self.answer.is_finished:
                events += self._end()
        except PingPongError as exc:
            events.append(self._failed(exc))
        return events

    def close(self) -> Sequence[Event]:
        """The body ended: `StreamEnd` after a finish reason, else one `StreamError`; nothing after a terminal event."""
        if self._is_done:
            return ()
        events: list[Event] = []
        try:
            if self._frames is not None:
                for document in self._frames.close():
                    events += self.answer.take(_parsed(document))
        except PingPongError as exc:
            return [*events, self._failed(exc)]
        if self.answer.is_finished and not isinstance(self._frames, _Array):
            return [*events, *self._end()]
        return [*events, self._failed(StreamTruncated("The stream ended before Gemini said why the answer ends."))]

    def _end(self) -> list[Event]:
        self._is_done = True
        return self.answer.end()

    def _failed(self, error: PingPongError) -> StreamError:
        self._is_done = True
        error.provider = PROVIDER
        error.partial = self.answer.response()
        return StreamError(error, error.partial)


def _parsed(document: bytes) -> object:
    try:
        return json_value(document)
    except ValueError as exc:
        raise MalformedResponse("An event of Gemini's stream is not JSON.") from exc


class _Sse:
    """
    Server-sent events. An error in mid-stream comes as bare JSON lines between them, which the standard would have ignored,
    so what follows the last event is kept until the body ends.
    """

    is_closed = False

    def __init__(self) -> None:
        self._parser = SseParser()
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        events = [event.data for event in self._parser.feed(chunk)]
        if events:
            at = max(chunk.rfind(b"\n{"), chunk.rfind(b"\r{"))
            self._tail = bytearray(chunk[at:] if at >= 0 else b"")
        elif len(self._tail) < _MAX_TAIL_BYTES:
            self._tail += chunk[:_MAX_TAIL_BYTES]
        return events

    def close(self) -> list[bytes]:
        tail = bytes(self._tail).strip(_BLANK)
        return [tail] if tail.startswith(b"{") and tail.endswith(b"}") else []


class _Array:
    """Elements of the array."""

    def __init__(self) -> None:
        self._parser = JsonArrayParser()

    @property
    def is_closed(self) -> bool:
        return self._parser.is_closed

    def feed(self, chunk: bytes) -> list[bytes]:
        return self._parser.feed(chunk)

    def close(self) -> list[bytes]:
        return []


class _Document:
    """One JSON document instead of a stream: an error, as a rule."""

    is_closed = False

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        self._body += chunk
        if len(self._body) > MAX_EVENT_BYTES:
            raise ResponseTooLarge(f"The answer is larger than {MAX_EVENT_BYTES} bytes; the stream was closed.")
        return []

    def close(self) -> list[bytes]:
        return [bytes(self._body)]
