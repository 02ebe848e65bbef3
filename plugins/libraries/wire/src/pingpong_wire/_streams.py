"""
The frame of every stream decoder: bytes into framed events, those through one wire's reader, and an end that is one end.

Nothing follows a terminal event; an error, wherever it arises, is the last event and holds what had been told until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from attrs import evolve
from pingpong import (
    MAX_EVENT_BYTES,
    Event,
    MalformedResponse,
    PingPongError,
    Response,
    ResponseTooLarge,
    SseEvent,
    SseParser,
    StreamEnd,
    StreamError,
    Usage,
    response_from_events,
)

_BLANK = b" \t\r\n\xef\xbb\xbf"
_MAX_BLANK_BYTES = 1024
"""How much white space may stand before an object; more of it is taken for the start of a stream."""


class Frames(Protocol):
    """Events as the bytes frame them, in any partition; `close` gives what only the end of the body completes."""

    def feed(self, chunk: bytes) -> Sequence[SseEvent]: ...

    def close(self) -> Sequence[SseEvent]: ...


class StreamReader(Protocol):
    """What one wire's events mean. `provider` and `request_id` go onto errors that lack them."""

    provider: str
    request_id: str | None

    def take(self, event: SseEvent) -> Iterable[Event]:
        """What one framed event tells. Raises the error that it is, or that it breaks the protocol with."""

    def end(self) -> Iterable[Event]:
        """What the end of the body tells. Raises `StreamTruncated` where the wire has a mark that did not come."""

    def partial(self, told: Sequence[Event]) -> Response | None:
        """The answer so far, once the stream failed after telling these events."""


def partial_answer(told: Sequence[Event], usage: Usage | None) -> Response | None:
    """What the events tell, with the usage that the provider reported without an end to put it in; None where nothing came."""
    return evolve(response_from_events(told), usage=usage) if told else None


class SseOrJson:
    """
    Server-sent events, or one JSON object as a single event.

    Some servers answer a request for a stream with 200 and an error body. Its first byte tells it apart: a line of
    server-sent events never begins with a brace, whatever the content type says.
    """

    def __init__(self) -> None:
        self._sse = SseParser()
        self._begin = b""
        self._body: bytearray | None = None
        self._is_sse = False

    def feed(self, chunk: bytes) -> Sequence[SseEvent]:
        """
        Events that this chunk completes.

        Raises:
            ResponseTooLarge: What is not yet whole is larger than the cap.
        """
        if self._is_sse:
            return self._sse.feed(chunk)
        if self._body is None:
            chunk = self._begin + chunk
            begin = chunk.lstrip(_BLANK)
            if not begin and len(chunk) <= _MAX_BLANK_BYTES:
                self._begin = chunk
                return ()
            if not begin.startswith(b"{"):
                self._is_sse = True
                return self._sse.feed(chunk)
            self._body, chunk = bytearray(), begin
        self._body += chunk
        if len(self._body) > MAX_EVENT_BYTES:
            raise ResponseTooLarge(f"The answer is larger than {MAX_EVENT_BYTES} bytes; the stream was closed.")
        return ()

    def close(self) -> Sequence[SseEvent]:
        """The JSON object, where it was one."""
        return () if self._body is None else (SseEvent("message", bytes(self._body)),)


class EventStream:
    """A `pingpong.StreamDecoder`: one reader's view of one body."""

    def __init__(self, reader: StreamReader, frames: Frames) -> None:
        self._reader = reader
        self._frames = frames
        self._told: list[Event] = []
        self._n_framed = 0
        self._is_over = False

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Events that this chunk completes; none after a terminal one."""
        if self._is_over:
            return ()
        n_before = len(self._told)
        try:
            self._read(self._frames.feed(chunk))
        except PingPongError as error:
            self._fail(error)
        return self._told[n_before:]

    def close(self) -> Sequence[Event]:
        """The body ended: what that tells, which ends in a terminal event unless one came before."""
        if self._is_over:
            return ()
        n_before = len(self._told)
        try:
            self._read(self._frames.close())
            if not self._is_over:
                self._tell(self._reader.end())
        except PingPongError as error:
            self._fail(error)
        return self._told[n_before:]

    def _read(self, framed: Iterable[SseEvent]) -> None:
        take = self._reader.take
        for event in framed:
            self._n_framed += 1
            try:
                self._tell(take(event))
            except MalformedResponse as error:
                error.args = (f"{error.message} (event {self._n_framed} of the stream)",)
                raise
            if self._is_over:
                break

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._told.append(event)
            if isinstance(event, StreamEnd):
                self._is_over = True
                return

    def _fail(self, error: PingPongError) -> None:
        self._is_over = True
        error.provider = error.provider or self._reader.provider
        error.request_id = error.request_id or self._reader.request_id
        error.partial = self._reader.partial(self._told)
        self._told.append(StreamError(error, error.partial))
