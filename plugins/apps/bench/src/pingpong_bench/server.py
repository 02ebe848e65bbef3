"""
The scripted provider, a program of its own: `python -m pingpong_bench.server BURST_WORDS PACED_WORDS INTERVAL_MS`.

Prints its port on 127.0.0.1 and serves until its stdin ends, which it does whenever whoever started it is gone.
It does as little as a server can, so that what is measured beside it is disturbed as little as can be.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from pingpong_bench.payloads import answer_body, stream_events

MAX_REQUEST_BYTES = 64 * 1024

MAX_LIFE_S = 3600.0
"""A full run takes minutes; nothing of it is left after an hour, whatever happened."""

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


def _answer() -> bytes:
    body = answer_body()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\nopenai-processing-ms: 10\r\n"
    return head + b"date: Fri, 20 Nov 2026 10:00:00 GMT\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _chunks(n_words: int) -> list[bytes]:
    return [b"%x\r\n%s\r\n" % (len(event), event) for event in stream_events(n_words)]


class Script:
    """What is answered, made once."""

    def __init__(self, burst_words: int, paced_words: int, interval_ms: float) -> None:
        self.answer = _answer()
        self.burst = _STREAM_HEAD + b"".join(_chunks(burst_words)) + _END
        self.paced = _chunks(paced_words)
        self.interval_s = interval_ms / 1000


class Connection(asyncio.Protocol):
    """One connection; answers each request by its path and by whether it asks for a stream."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101  # a socket's is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        if len(self._buffer) > MAX_REQUEST_BYTES:
            self._transport.abort()
        while (head_bytes := self._buffer.find(b"\r\n\r\n") + 4) > 3:
            head = self._buffer[:head_bytes].lower()
            _, _, length = head.partition(b"content-length:")
            end = head_bytes + int(length.partition(b"\r\n")[0] or b"0")
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head_bytes:end], self._buffer[end:]
            is_stream = b'"stream":true' in body.replace(b" ", b"")
            if not is_stream:
                self._transport.write(self._script.answer)
            elif b" /paced/" in head:
                self._transport.write(_STREAM_HEAD)
                self._tell(self._loop.time(), self._script.paced)
            else:
                self._transport.write(self._script.burst)

    def _tell(self, due_s: float, chunks: Sequence[bytes]) -> None:
        """The next event now, the one after it when it is due."""
        if self._transport.is_closing():
            return
        self._transport.write(chunks[0])
        if len(chunks) == 1:
            self._transport.write(_END)
        else:
            due_s += self._script.interval_s
            self._loop.call_at(due_s, self._tell, due_s, chunks[1:])


async def serve(script: Script) -> None:
    """Serve until stdin ends."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Connection(script), "127.0.0.1", 0)

    def watch() -> None:
        sys.stdin.buffer.read()
        with suppress(RuntimeError):  # the loop may have ended by its own limit
            loop.call_soon_threadsafe(over.set)

    threading.Thread(target=watch, daemon=True).start()
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    with suppress(TimeoutError):
        async with asyncio.timeout(MAX_LIFE_S):
            await over.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Script(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
