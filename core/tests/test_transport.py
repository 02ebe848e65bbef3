"""The httpx transport and the system's clock, against scripted servers on 127.0.0.1."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from pingpong import (
    ConfigError,
    ConnectionFailed,
    HttpxTransport,
    InvalidRequestError,
    MalformedResponse,
    PingPongError,
    ResponseTooLarge,
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
ENDLESS = [CHUNKED + b"3\r\none\r\n", "hang"]


def far() -> float:
    """A deadline that no test should reach."""
    return time.monotonic() + 30


either_way = pytest.mark.parametrize("is_streamed", [False, True], ids=["plain", "streamed"])


def test_import_is_lazy() -> None:
    """Neither the module nor a transport that was not yet used imports httpx."""
    code = (
        "import sys, pingpong as t; t.HttpxTransport(clock=t.SystemClock()); "
        "sys.exit(any(m in sys.modules for m in ('httpx', 'httpx2', 'httpcore')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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


@either_way
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        ([b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "close"], b"until the end"),
        ([CHUNKED, b"5;ext=1\r\nab", b"cde\r\n0\r\ntrailer: x\r\n\r\n"], b"abcde"),
        ([b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere.invalid/\r\ncontent-length: 2\r\n\r\nno"], b"no"),
        ([b"HTTP/1.1 529 \r\ncontent-length: 4\r\n\r\nbusy"], b"busy"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO[0]], b"hello"),
    ],
    ids=["204", "eof-delimited", "chunked", "redirect", "error-status", "continue"],
)
async def test_bodies_of_every_framing(
    serve: Any, opened: Any, call: Any, answer: list[Any], body: bytes, is_streamed: bool
) -> None:
    """Each way to end a body is understood, any status is an answer, and a redirect is not followed."""
    async with serve(answer) as server, opened() as transport:
        assert body == await call(transport, server.url, is_streamed=is_streamed)
    assert len(server.requests) == 1


async def test_connection_is_reused_and_its_death_noticed(serve: Any, opened: Any) -> None:
    """Calls share a connection; one that the server closed while idle is replaced without an error."""
    async with serve(HELLO, HELLO, [*HELLO, "close"], HELLO) as server, opened() as transport:
        for _ in range(3):
            await transport.send(server.url, POST, far())
        assert server.accepted == 1
        assert await server.open_connections(0) == 0
        assert (await transport.send(server.url, POST, far())).body == b"hello"
        assert server.accepted == 2


@either_way
async def test_gzip_under_any_chunking(serve: Any, opened: Any, call: Any, is_streamed: bool) -> None:
    """A compressed body decodes to the same bytes however it is cut."""
    text = bytes(range(256)) * 40
    packed = gzip.compress(text)
    for size in (1, 7, len(packed)):
        pieces = [packed[i : i + size] for i in range(0, len(packed), size)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
        async with serve([head, chunks + b"0\r\n\r\n"]) as server, opened() as transport:
            assert text == await call(transport, server.url, is_streamed=is_streamed)


def _gzipped(body: bytes, encoding: bytes = b"gzip") -> list[bytes]:
    return [b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (encoding, len(body)), body]


BOMB = gzip.compress(bytes(50_000_000))


@either_way
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_gzipped(BOMB), ResponseTooLarge),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 2001\r\n\r\n", bytes(2001)], ResponseTooLarge),
        ([b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"content-length: 0\r\n\r\n"], ResponseTooLarge),
        ([b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n"], ResponseTooLarge),
        ([b"HTTP/1.1 200 OK\r\na: " + b"b" * 900_000 + b"\r\ncontent-length: 0\r\n\r\n"], ConnectionFailed),
        (_gzipped(gzip.compress(b"x" * 100)[:-9]), ConnectionFailed),
        (_gzipped(b"this is no gzip"), MalformedResponse),
        (_gzipped(gzip.compress(gzip.compress(b"x")), b"gzip, gzip"), MalformedResponse),
        (_gzipped(b"x", b"br"), MalformedResponse),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "close"], ConnectionFailed),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "reset"], ConnectionFailed),
        ([CHUNKED + b"9\r\nabc", "close"], ConnectionFailed),
        ([CHUNKED + b"3\r\nabc\r\n", "close"], ConnectionFailed),
        ([CHUNKED + b"zz\r\nabc\r\n"], ConnectionFailed),
        ([b"HTTP/1.1 200 OK\r\ncontent-le", "close"], ConnectionFailed),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], ConnectionFailed),
        (["close"], ConnectionFailed),
        (["reset"], ConnectionFailed),
    ],
    ids=[
        *("gzip-bomb", "too-long", "too-many-headers", "long-header", "endless-header", "gzip-cut", "no-gzip", "nested", "br"),
        *("cut", "cut-by-reset", "cut-in-chunk", "cut-between-chunks", "bad-chunk", "cut-head", "not-http", "closed", "reset"),
    ],
)
async def test_bad_answers_become_typed_errors(
    serve: Any, opened: Any, call: Any, answer: list[Any], error: type[PingPongError], is_streamed: bool
) -> None:
    """Every broken or oversized answer raises its class, repeats nothing of it or of the request, and leaks no connection."""
    async with serve([*answer, "hang"]) as server:
        async with opened(max_response_bytes=2000) as transport:
            with pytest.raises(PingPongError) as caught:
                await call(transport, server.url, is_streamed=is_streamed)
        assert error is type(caught.value)
        assert not [word for word in ("beta", "secret", "SSH", "messages") if word in str(caught.value)]
        assert await server.open_connections(0) == 0


async def test_gzip_bomb_is_never_held(serve: Any, opened: Any) -> None:
    """A small chunk that would swell to 50 MB is refused without that memory being taken."""
    async with serve(_gzipped(BOMB)) as server, opened(max_response_bytes=2000) as transport:
        tracemalloc.start()
        with pytest.raises(ResponseTooLarge):
            await transport.send(server.url, POST, far())
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 20_000_000


async def test_body_of_exactly_the_cap_is_taken(serve: Any, opened: Any) -> None:
    """The cap is the largest size that passes, compressed or not."""
    async with serve(_gzipped(gzip.compress(bytes(2000)))) as server, opened(max_response_bytes=2000) as transport:
        assert bytes(2000) == (await transport.send(server.url, POST, far())).body


async def test_refused_connection_and_unknown_host(free_port: int, opened: Any) -> None:
    """Nobody listening and no such name are retryable, and the message names host and port."""
    async with opened() as transport:
        for url, where in (
            (f"http://127.0.0.1:{free_port}", f"127.0.0.1:{free_port}"),
            ("https://a.invalid/v1", "a.invalid:443"),
        ):
            with pytest.raises(ConnectionFailed, match=where) as caught:
                await transport.send(url, POST, far())
            assert caught.value.retryable
            assert "beta" not in str(caught.value)


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that nobody listens on while it is held."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


async def test_tls_failure(serve: Any, opened: Any) -> None:
    """A server that does not speak TLS is a failed connection, and the socket is closed."""
    async with serve([b""]) as server:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

        async def greet(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await stream.send(b"220 mail\r\n")

        async with listener, anyio.create_task_group() as tasks, opened() as transport:
            tasks.start_soon(listener.serve, greet)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # anyio, not Django
            with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{port}"):
                await transport.send(f"https://127.0.0.1:{port}", POST, far())
            tasks.cancel_scope.cancel()
        assert server.accepted == 0


async def test_use_after_close_is_a_typed_error(serve: Any) -> None:
    """A closed transport refuses calls; closing is idempotent, also when it was never used."""
    async with serve(HELLO) as server:
        transport = HttpxTransport(clock=CLOCK)
        await transport.send(server.url, POST, far())
        for closed in (transport, HttpxTransport(clock=CLOCK)):
            await closed.aclose()
            await closed.aclose()
            with pytest.raises(InvalidRequestError, match="closed"):
                await closed.send(server.url, POST, far())
        assert await server.open_connections(0) == 0


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


async def test_httpx2_client_of_a_host(serve: Any, read_all: Any, free_port: int) -> None:
    """A client of httpx2 serves as well, streams close cleanly, and its errors are mapped to the same classes."""
    httpx2 = pytest.importorskip("httpx2", reason="httpx2 is the host's choice and not installed here")
    async with serve(HELLO, STREAM, ENDLESS) as server, httpx2.AsyncClient(trust_env=False) as client:
        transport = HttpxTransport(client, clock=CLOCK)
        assert (await transport.send(server.url, POST, far())).body == b"hello"
        assert await read_all(transport, server.url) == b"onetwo"
        stream = await transport.open(server.url, POST, far())
        await stream.read()
        await stream.aclose()
        with pytest.raises(ConnectionFailed):
            await transport.send(f"http://127.0.0.1:{free_port}", POST, far())


@pytest.mark.parametrize("client", [httpx.Client(trust_env=False), object()])
def test_foreign_client_is_refused(client: Any) -> None:
    """Anything but an async client of httpx or httpx2 is a configuration error that names what was given."""
    with pytest.raises(ConfigError, match=type(client).__name__):
        HttpxTransport(client, clock=CLOCK)


@pytest.mark.parametrize(
    ("base_url", "header"),
    [
        ("http://127.0.0.1:1", "sk-\u00e9"),
        ("http://127.0.0.1:1", "sk-secret\n"),
        ("gopher://x", "a"),
        ("http://a:port", "a"),
        ("", "a"),
    ],
)
async def test_unsendable_request_hides_the_header(serve: Any, opened: Any, base_url: str, header: str) -> None:
    """A header or address that HTTP forbids is the caller's error, and the text, chain included, does not repeat it."""
    async with serve(HELLO) as server, opened() as transport:
        url = server.url if base_url == "http://127.0.0.1:1" else base_url
        with pytest.raises(InvalidRequestError) as caught:
            await transport.send(url, WireRequest("POST", "/", {"authorization": header}, b"{}"), far())
        assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
        assert "sk-" not in str(caught.value)


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


async def test_cookies_are_not_kept(serve: Any, opened: Any) -> None:
    """What one answer sets does not go out with another tenant's call."""
    answer = [b"HTTP/1.1 200 OK\r\nset-cookie: who=me\r\ncontent-length: 0\r\n\r\n"]
    async with serve(answer) as server, opened() as transport:
        for _ in range(2):
            await transport.send(server.url, POST, far())
    assert b"who=me" not in server.requests[1]


@either_way
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
