"""
An incremental parser of a streamed JSON array, the form of an answer that no server-sent events were asked for.

Pure: it sees bytes as they arrive, in any partition, and keeps at most `max_event_bytes` of what is not yet whole.
"""

from __future__ import annotations

import re

from pingpong import MAX_EVENT_BYTES, ResponseTooLarge

_SYNTAX = re.compile(rb'[{}\[\]"\\]')
_IN_STRING = re.compile(rb'["\\]')


class JsonArrayParser:
    """
    The elements of one streamed JSON array of objects, each as it becomes whole.

    Attributes:
        is_closed: Whether the array's own closing bracket came.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._seen = 0
        self._begin: int | None = None
        self._depth = 0
        self._is_in_string = False
        self.is_closed = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """
        Objects that this chunk completes, as JSON text.

        Raises:
            ResponseTooLarge: An object, whole or not yet, is larger than the cap.
        """
        self._buffer += chunk
        elements: list[bytes] = []
        while (match := (_IN_STRING if self._is_in_string else _SYNTAX).search(self._buffer, self._seen)) is not None:
            self._seen = match.end()
            if not self._is_in_string:
                self._take_bracket(match.group(), elements)
            elif match.group() == b'"':
                self._is_in_string = False
            elif self._seen == len(self._buffer):
                self._seen -= 1
                break
            else:
                self._seen += 1
        else:
            self._seen = len(self._buffer)
        done = self._seen if self._begin is None else self._begin
        del self._buffer[:done]
        self._seen -= done
        self._begin = None if self._begin is None else 0
        if len(self._buffer) > self._max_event_bytes:
            raise self._too_large()
        return elements

    def _take_bracket(self, char: bytes, elements: list[bytes]) -> None:
        if char == b'"':
            self._is_in_string = True
        elif char in b"{[":
            if self._depth == 1 and char == b"{":
                self._begin = self._seen - 1
            self._depth += 1
        elif char in b"}]":
            self._depth -= 1
            if self._depth == 1 and self._begin is not None:
                if self._seen - self._begin > self._max_event_bytes:
                    raise self._too_large()
                elements.append(bytes(self._buffer[self._begin : self._seen]))
                self._begin = None
            self.is_closed = self.is_closed or self._depth == 0

    def _too_large(self) -> ResponseTooLarge:
        return ResponseTooLarge(f"One event of the stream is larger than {self._max_event_bytes} bytes; the stream was closed.")
