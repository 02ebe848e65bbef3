"""The simulator over HTTP: one ASGI application for the paths of all providers, on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn
from pingpong import WireRequest

from pingpong_simulator.replies import Piece, Reply
from pingpong_simulator.service import Service

HOST = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024 * 1024
_CLOSE_TIMEOUT_S = 1

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ConnectionBroken(Exception):
    """Raised on purpose: the server breaks the connection when an application fails in the middle of an answer."""


class Application:
    """The ASGI application. Source: https://asgi.readthedocs.io/en/latest/specs/www.html"""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        wire = await _wire_from(scope, receive)
        if wire is None:
            reply = Reply(413, {"content-type": "text/plain"}, (Piece(0.0, b"The body is too large."),))
        else:
            reply = self._service.reply(wire)
        if math.isinf(reply.after_s):
            await _gone(receive)
            return
        await asyncio.sleep(reply.after_s)
        await _sent(reply, send)


async def _wire_from(scope: Message, receive: Receive) -> WireRequest | None:
    """The request, None where its body is too large. The rest of such a body is read and forgotten."""
    body, size, is_more = bytearray(), 0, True
    while is_more:
        message = await receive()
        piece, is_more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size <= MAX_BODY_BYTES:
            body += piece
    if size > MAX_BODY_BYTES:
        return None
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    return WireRequest(scope["method"], scope["path"] + (f"?{query}" if query else ""), headers, bytes(body))


async def _gone(receive: Receive) -> None:
    """Wait until the client gives up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _sent(reply: Reply, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    if len(reply.pieces) == 1 and not reply.is_broken:
        headers.append((b"content-length", str(len(reply.pieces[0].data)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    for piece in reply.pieces:
        await asyncio.sleep(piece.after_s)
        await send({"type": "http.response.body", "body": piece.data, "more_body": True})
    if reply.is_broken:
        raise ConnectionBroken
    await send({"type": "http.response.body", "body": b""})


def listening(port: int = 0) -> socket.socket:
    """
    A socket that listens on 127.0.0.1; port 0 takes a free one.

    Raises:
        OSError: The port is taken, or not ours to take.
    """
    return socket.create_server((HOST, port))


def url_of(listener: socket.socket) -> str:
    """The base URL of a listening socket."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _is_failure(record: logging.LogRecord) -> bool:
    """Whether a log record tells of more than a connection broken on purpose."""
    return not (record.exc_info and record.exc_info[0] is ConnectionBroken)


def server_of(service: Service) -> uvicorn.Server:
    """The HTTP server; it logs failures only, and waits one second for open answers when it stops."""
    logging.getLogger("uvicorn.error").addFilter(_is_failure)
    config = uvicorn.Config(
        Application(service),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_CLOSE_TIMEOUT_S,
    )
    return uvicorn.Server(config)


@contextmanager
def served(service: Service) -> Iterator[str]:
    """Serve from a thread of this process on a free port; gives the base URL, and stops the server at the end."""
    server = server_of(service)
    with listening() as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="pingpong-simulator", daemon=True)
        thread.start()
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join()
