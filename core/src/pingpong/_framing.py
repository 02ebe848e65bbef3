"""
Incremental parsers over bytes: server-sent events and NDJSON.

Pure: they see bytes as they arrive, in any partition, and keep at most `max_event_bytes` of what is not yet whole.
Lines end as the standard says and nowhere else, so U+2028, U+0085, VT and FF inside JSON stay text.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from attrs import frozen

from pingpong._errors import ResponseTooLarge

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""An image inside one event is the largest thing providers send; 8 MiB of base64 has been seen."""


@frozen
class SseEvent:
    """One dispatched event. `name` is "message" unless the stream named it; `data` is UTF-8 bytes, lines joined by LF."""

    name: str
    data: bytes


def _too_large(cap: int) -> ResponseTooLarge:
    return ResponseTooLarge(f"One event of the stream is larger than {cap} bytes; the stream was closed.")


_BOM = b"\xef\xbb\xbf"


class SseParser:
    """Server-sent events out of bytes. `feed` gives the events that became whole; an unfinished last one is dropped."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        # The unfinished line stays in the pieces it came in, so that a long one is copied once and not with every chunk.
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._name = ""
        self._data: list[bytes] = []
        self._held_bytes = 0
        self._is_first = True
        self._skip_lf = False

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """
        Events that this chunk completes.

        Raises:
            ResponseTooLarge: What is not yet whole is larger than the cap.
        """
        if not chunk:
            return []
        if self._skip_lf:
            chunk = chunk.removeprefix(b"\n")
        if self._is_first:
            chunk, self._pieces, self._pieces_bytes = b"".join((*self._pieces, chunk)), [], 0
            self._is_first = len(chunk) < len(_BOM) and _BOM.startswith(chunk)
            if not self._is_first:
                chunk = chunk.removeprefix(_BOM)
        # A CR ends its line at once; the LF of a CRLF may be the next chunk's first byte.
        self._skip_lf = chunk.endswith(b"\r")
        # Of bytes, `splitlines` knows the standard's three line ends and no other.
        lines = chunk.splitlines()
        rest = lines.pop() if lines and not chunk.endswith((b"\n", b"\r")) else b""
        events: list[SseEvent] = []
        if lines:
            if self._pieces:
                lines[0] = b"".join((*self._pieces, lines[0]))
            self._pieces, self._pieces_bytes = [], 0
            self._take_lines(lines, events)
        if rest:
            self._pieces.append(rest)
            self._pieces_bytes += len(rest)
            if self._held_bytes + self._pieces_bytes > self._max_event_bytes:
                raise _too_large(self._max_event_bytes)
        return events

    def _take_lines(self, lines: list[bytes], events: list[SseEvent]) -> None:
        cap, data = self._max_event_bytes, self._data
        for line in lines:
            if not line:
                if data:
                    events.append(SseEvent(self._name or "message", data[0] if len(data) == 1 else b"\n".join(data)))
                    data.clear()
                    self._held_bytes = 0
                self._name = ""
                continue
            if len(line) + self._held_bytes > cap:
                raise _too_large(cap)
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                data.append(value)
                self._held_bytes += len(value) + 1
            elif name == b"event":
                self._name = value.decode("utf-8", "replace")


class NdjsonParser:
    """JSON documents, one a line. `close` gives a last one that has no line end."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines that this chunk completes, blank ones left out."""
        lines: list[bytes] = []
        if b"\n" in chunk:
            lines = b"".join((*self._pieces, chunk)).split(b"\n")
            chunk, self._pieces, self._pieces_bytes = lines.pop(), [], 0
        if chunk:
            self._pieces.append(chunk)
            self._pieces_bytes += len(chunk)
        if max(self._pieces_bytes, *map(len, lines), 0) > self._max_event_bytes:
            raise _too_large(self._max_event_bytes)
        return [line for raw in lines if (line := raw.strip(b" \t\r"))]

    def close(self) -> list[bytes]:
        """The unfinished last line, if there is one."""
        line, self._pieces, self._pieces_bytes = b"".join(self._pieces).strip(b" \t\r"), [], 0
        return [line] if line else []
