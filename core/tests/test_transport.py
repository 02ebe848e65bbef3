"""What is the httpx transport's own: imports, hosts' clients and options. What every transport keeps, contract_tests tries."""

from __future__ import annotations

import gc
import gzip
import ssl
import subprocess
import sys
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest
from pingpong import (
    ConfigError,
    ConnectionFailed,
    HttpxTransport,
    InvalidRequestError,
    SystemClock,
    TransportOptions,
    WireRequest,
    WireResponse,
)

pytestmark = pytest.mark.anyio

CLOCK = SystemClock()
POST = WireRequest("POST", "/v1/messages?beta=true", {"content-type": "application/json", "x-api-key": "sk-secret"}, b'{"a":1}')
HELLO = [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Id: a\r\nx-id: b\r\nContent-Length: 5\r\n\r\nhello"]
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM = [CHUNKED + b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


def far() -> float:
    """A deadline that no test should reach."""
    return time.monotonic() + 30


def test_import_is_lazy() -> None:
    """Neither the module nor a transport that was not yet used imports httpx."""
    code = (
        "import sys, pingpong as t; t.HttpxTransport(clock=t.SystemClock()); "
        "sys.exit(any(m in sys.modules for m in ('httpx', 'httpx2', 'httpcore')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Greeter(BaseHTTPRequestHandler):
    """Says hello on a connection that stays, whatever event loop the client runs on."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on stderr."""


def twice() -> list[bytes]:
    """One transport on two event loops of asyncio, one after the other; those of trio do not mind."""
    transport = HttpxTransport(clock=CLOCK)
    with ThreadingHTTPServer(("127.0.0.1", 0), Greeter) as server:
        server.daemon_threads, server.block_on_close = True, False
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()

        async def once() -> bytes:
            return (await transport.send(f"http://127.0.0.1:{server.server_port}", POST, far())).body

        try:
            return [anyio.run(once, backend="asyncio") for _ in range(2)]
        finally:
            server.shutdown()


def test_an_event_loop_that_is_gone_is_told() -> None:
    """A transport whose connections were made on an event loop that has ended says so on the next one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the connection that outlives its event loop
        with pytest.raises(InvalidRequestError, match="event loop is closed"):
            twice()
        gc.collect()


async def test_send_gives_the_whole_answer(serve: Any, opened: Any) -> None:
    """Status, headers (lower-case, repeated ones joined) and body arrive; the request goes out as it was given."""
    async with serve(HELLO) as server, opened() as transport:
        answer = await transport.send(server.url, POST, far())
    headers = {"content-type": "application/json", "x-id": "a, b", "content-length": "5"}
    assert WireResponse(200, headers, b"hello") == answer
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert (lines[0], body) == (b"post /v1/messages?beta=true http/1.1", b'{"a":1}')
    assert {b"x-api-key: sk-secret", b"content-length: 7", b"accept-encoding: gzip, zstd"} <= set(lines)


async def test_open_gives_the_head_before_the_body(serve: Any, opened: Any) -> None:
    """The head is there while the body is still coming; the pieces come as they arrive, then b"" for ever."""
    async with serve(STREAM) as server, opened() as transport:
        stream = await transport.open(server.url, POST, far())
        assert (stream.status, stream.headers["transfer-encoding"]) == (200, "chunked")
        body = b""
        while piece := await stream.read():
            body += piece
        assert (body, await stream.read()) == (b"onetwo", b"")
        await stream.aclose()
        await stream.aclose()
        assert b"accept-encoding: identity" in server.requests[0].lower()


async def test_a_server_that_speaks_no_tls(opened: Any) -> None:
    """It is a failed connection that names host and port: the contract asks of it no class of error."""

    async def greet(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.send(b"220 mail\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # anyio, not Django
    async with listener, anyio.create_task_group() as tasks, opened() as transport:
        tasks.start_soon(listener.serve, greet)
        with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{port}"):
            await transport.send(f"https://127.0.0.1:{port}", POST, far())
        tasks.cancel_scope.cancel()


async def test_host_client_is_used_and_never_closed(serve: Any) -> None:
    """A host's client keeps its headers and stays open; once the host closes it, calls are refused."""
    async with serve(HELLO) as server:
        client = httpx.AsyncClient(headers={"x-host": "yes"}, trust_env=False)
        transport = HttpxTransport(client, clock=CLOCK)
        await transport.send(server.url, POST, far())
        await transport.aclose()
        assert not client.is_closed
        assert b"x-host: yes" in server.requests[0]
        await client.aclose()
        with pytest.raises(InvalidRequestError, match="closed"):
            await HttpxTransport(client, clock=CLOCK).send(server.url, POST, far())


@pytest.mark.parametrize("client", [httpx.Client(trust_env=False), object()])
def test_foreign_client_is_refused(client: Any) -> None:
    """Anything but an async client of httpx or httpx2 is a configuration error that names what was given."""
    with pytest.raises(ConfigError, match=type(client).__name__):
        HttpxTransport(client, clock=CLOCK)


async def test_options_are_explicit(serve: Any, opened: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Proxies come from the options alone, bad settings are named, and a proxy's password is not printed."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serve(HELLO) as server:
        async with opened(verify=ssl.create_default_context()) as transport:
            assert (await transport.send(server.url, POST, far())).body == b"hello"
        async with opened(proxy=server.url, verify=False) as transport:
            assert (await transport.send("http://a.invalid", POST, far())).body == b"hello"
        assert server.requests[1].startswith(b"POST http://a.invalid/v1/messages")
    bad: list[dict[str, Any]] = [{"verify": str(tmp_path / "missing.pem")}, {"proxy": "gopher://user:pw@x"}]
    for options in bad:
        with pytest.raises(ConfigError, match=next(iter(options))) as caught:
            await HttpxTransport(clock=CLOCK, options=TransportOptions(**options)).send("http://x", POST, far())
        assert "pw" not in str(caught.value)
    assert "pw" not in repr(TransportOptions(proxy="http://user:pw@x"))


@pytest.mark.parametrize("is_streamed", [False, True], ids=["plain", "streamed"])
async def test_a_hosts_mock_transport_answers_too(is_streamed: bool) -> None:
    """An answer that a host's mock made whole, compressed or not, is read like one from the wire."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=gzip.compress(b"hello"), headers={"content-encoding": "gzip"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        transport = HttpxTransport(client, clock=CLOCK)
        if is_streamed:
            stream = await transport.open("http://host.test", POST, far())
            body = await stream.read()
            assert await stream.read() == b""
        else:
            body = (await transport.send("http://host.test", POST, far())).body
    assert body == b"hello"
