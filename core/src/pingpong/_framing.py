"""
Incremental parsers over bytes: server-sent events, NDJSON and a streamed JSON array.

Pure: they see bytes as they arrive, in any partition, and keep at most `max_event_bytes` of what is not yet whole.
Lines end as the standard says and nowhere else, so U+2028, U+0085, VT and FF inside JSON stay text.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re

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


_LINE_END = re.compile(rb"\r\n|\n|\r")


class SseParser:
    """Server-sent events out of bytes. `feed` gives the events that became whole; an unfinished last one is dropped."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = b""
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
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        buffer = self._rest + chunk if self._rest else chunk
        if self._is_first:
            if len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
                self._rest = buffer
                return []
            self._is_first = False
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in buffer:
            # A CR ends its line at once; the LF of a CRLF may be the next chunk's first byte.
            self._skip_lf = buffer.endswith(b"\r")
            lines = _LINE_END.split(buffer)
        else:
            lines = buffer.split(b"\n")
        self._rest = lines.pop()
        events: list[SseEvent] = []
        for line in lines:
            self._take_line(line, events)
        if self._held_bytes + len(self._rest) > self._max_event_bytes:
            raise _too_large(self._max_event_bytes)
        return events

    def _take_line(self, line: bytes, events: list[SseEvent]) -> None:
        if not line:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                events.append(SseEvent(self._name or "message", data))
                self._data = []
                self._held_bytes = 0
            self._name = ""
            return
        if len(line) + self._held_bytes > self._max_event_bytes:
            raise _too_large(self._max_event_bytes)
        name, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name == b"data":
            self._data.append(value)
            self._held_bytes += len(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")


class NdjsonParser:
    """JSON documents, one a line. `close` gives a last one that has no line end."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines that this chunk completes, blank ones left out."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if max(map(len, (*lines, self._rest))) > self._max_event_bytes:
            raise _too_large(self._max_event_bytes)
        return [line for raw in lines if (line := raw.strip(b" \t\r"))]

    def close(self) -> list[bytes]:
        """The unfinished last line, if there is one."""
        line, self._rest = self._rest.strip(b" \t\r"), b""
        return [line] if line else []


_SYNTAX = re.compile(rb'[{}\[\]"\\]')


class JsonArrayParser:
    """The elements of one streamed JSON array of objects, each as it becomes whole."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = b""
        self._seen = 0
        self._depth = 0
        self._is_in_string = False
        self.is_closed = False
        """Whether the array's own closing bracket came."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Objects that this chunk completes, as JSON text."""
        buffer = self._rest + chunk
        at, begin, elements = self._seen, 0, []
        while (match := _SYNTAX.search(buffer, at)) is not None:
            at = match.end()
            char = match.group()
            if self._is_in_string:
                if char == b"\\":
                    if at == len(buffer):
                        at -= 1
                        break
                    at += 1
                elif char == b'"':
                    self._is_in_string = False
            elif char == b'"':
                self._is_in_string = True
            elif char in b"{[":
                if self._depth == 0 or (self._depth == 1 and char == b"{"):
                    begin = at - 1
                self._depth += 1
            elif char in b"}]":
                self._depth -= 1
                if self._depth == 1 and char == b"}":
                    elements.append(buffer[begin:at])
                    begin = at
                elif self._depth == 0:
                    self.is_closed = True
        else:
            at = len(buffer)
        keep = begin if self._depth else len(buffer)
        self._rest, self._seen = buffer[keep:], max(at - keep, 0)
        if len(self._rest) > self._max_event_bytes:
            raise _too_large(self._max_event_bytes)
        return elements
