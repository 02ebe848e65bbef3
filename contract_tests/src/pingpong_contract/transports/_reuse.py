"""Connections that serve more than one call, and those that must not."""

from __future__ import annotations

import anyio.lowlevel
from pingpong import ConnectionFailed, PingPongError, WireRequest

from pingpong_contract.transports._lab import CHUNKED, FIRST_PIECE, GET, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._server import Answer, Server
from pingpong_contract.transports._steps import close, half_close, hang, held, reset
from pingpong_contract.transports._verdict import Broken, check, expect, expect_that


@check("T-reuse-kept")
async def kept(lab: Lab) -> None:
    """Calls one after the other share one connection, plain or streamed, whatever the status and the framing."""
    answers: list[Answer] = [
        [OK], [CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"], [b"HTTP/1.1 204 No Content\r\n\r\n"],
        [b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops"], [b"HTTP/1.1 304 Not Modified\r\n\r\n"],
        [b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"], [OK],
    ]  # fmt: skip
    for way, is_streamed in PLAIN_OR_STREAMED:
        server = lab.serve(*answers)
        async with lab.transport() as transport:
            for n in range(len(answers)):
                await lab.call(transport, server.url, POST if n % 2 else GET, is_streamed=is_streamed)
        expect(f"{way}: connections for {len(answers)} calls", expected=1, seen=server.n_accepted)
        await server.no_connection(f"{way}, after aclose")


@check("T-reuse-not-wanted")
async def not_wanted(lab: Lab) -> None:
    """After `connection: close`, after HTTP/1.0 and after the connection's end, the next call opens another connection."""
    answers: dict[str, Answer] = {
        "connection: close": [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello"],
        "HTTP/1.0": [b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello"],
        "half-closed": [OK, half_close],
        "EOF-delimited": [b"HTTP/1.1 200 OK\r\n\r\nhello", close],
    }
    async with lab.transport() as transport:
        for case, answer in answers.items():
            server = lab.serve(answer)
            for way, is_streamed in PLAIN_OR_STREAMED:
                got = await lab.call(transport, server.url, is_streamed=is_streamed)
                expect(f"{case}, {way}", expected=b"hello", seen=got.body)
                if case == "half-closed":
                    # A transport sees this in a turn of its event loop, or when it is about to use the connection again.
                    await server.all_half_closed()
                    for _ in range(3):
                        await anyio.lowlevel.checkpoint()
                else:
                    await server.no_connection(f"{case}, {way}")
            expect(f"connections for two calls, {case}", expected=2, seen=server.n_accepted)


async def _next_call(lab: Lab, server: Server, request: WireRequest, way: str, case: str) -> None:
    """A first call, then one that works or fails typed, and arrives once at most."""
    async with lab.transport() as transport:
        await lab.call(transport, server.url, GET)
        if server.answers[0][-1] in (close, reset):
            await server.until("the connection ends", lambda: server.n_open == 0)
        before = server.n_heads
        try:
            got = await lab.call(transport, server.url, request, is_streamed=way == "streamed")
            expect(f"{case}, {way}", expected=b"hello", seen=got.body)
        except ConnectionFailed:
            pass
        except PingPongError as error:
            raise Broken(f"{case}, {way}", expected="an answer or ConnectionFailed", seen=repr(error)) from error
        expect_that(
            server.n_heads - before <= 1, f"{case}, {way}", expected="one arrival", seen=f"{server.n_heads - before} arrivals"
        )
        await lab.still_works(transport, server.url, f"{case}, {way}")


@check("T-reuse-dead")
async def dead(lab: Lab) -> None:
    """A connection that the server closed while it was idle costs no call more than a typed error, and no second arrival."""
    for case, end in (("closed", close), ("reset", reset)):
        for request in (GET, POST):
            for way, _ in PLAIN_OR_STREAMED:
                await _next_call(lab, lab.serve([OK, end], [OK]), request, way, f"{request.method} after {case}")


@check("T-reuse-no-retry")
async def no_retry(lab: Lab) -> None:
    """A request that reached the server on a used connection is never sent again, whatever its method."""
    for case, end in (("closed", close), ("reset", reset)):
        for method in ("GET", "HEAD", "PUT", "DELETE", "POST"):
            for way, is_streamed in PLAIN_OR_STREAMED:
                server = lab.serve([OK], [end], [OK])
                request = WireRequest(method, "/v1/once", {}, b"" if method in ("GET", "HEAD") else b"{}")
                async with lab.transport() as transport:
                    await lab.call(transport, server.url)
                    where = f"{method}, {case}, {way}"
                    await lab.fails_as(ConnectionFailed, transport, server.url, request, case=where, is_streamed=is_streamed)
                    arrivals = [got for got in server.requests if got.target == b"/v1/once"]
                    expect(f"arrivals: {where}", expected=1, seen=len(arrivals))


@check("T-reuse-left-early")
async def left_early(lab: Lab) -> None:
    """A connection whose answer was not read to its end is closed, and the next call does not see the rest of it."""
    endings: dict[str, Answer] = {
        "the rest not sent": [FIRST_PIECE, hang],
        "the rest on its way": [b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\none" + bytes(2_999_997), hang],
    }
    async with lab.transport(max_connections=1) as transport:
        for case, answer in endings.items():
            server = lab.serve(answer, [OK])
            stream = await transport.open(server.url, POST, lab.far())
            piece = await stream.read()
            expect(f"{case}, first bytes", expected=b"one", seen=piece[:3])
            await stream.aclose()
            await lab.still_works(transport, server.url, f"after a stream that was left, {case}")
            await server.until(f"one connection is open, {case}", lambda server=server: server.n_open == 1)  # type: ignore[misc]
            expect(f"connections, {case}", expected=2, seen=server.n_accepted)


@check("T-reuse-unread")
async def unread(lab: Lab) -> None:
    """A stream that was left before its first read gives its slot back, and the next call has its own answer."""
    server = lab.serve([FIRST_PIECE, hang], [OK])
    async with lab.transport(max_connections=1) as transport:
        stream = await transport.open(server.url, POST, lab.far())
        await stream.aclose()
        await lab.still_works(transport, server.url, "after a stream that was never read")
        await server.until("one connection is open", lambda: server.n_open == 1)


@check("T-reuse-surplus")
async def surplus(lab: Lab) -> None:
    """What a server sends beyond its answer is nobody's: the next call does not take it as its own answer."""
    stale = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstale"
    for way, is_streamed in PLAIN_OR_STREAMED:
        for case, answer in (
            ("in one write", [OK + stale]), ("in another write", [OK, stale]), ("while idle", [OK, held, stale]),
        ):  # fmt: skip
            server = lab.serve(answer, [OK])
            async with lab.transport() as transport:
                first = await lab.call(transport, server.url, is_streamed=is_streamed)
                expect(f"{case}, {way}, first", expected=b"hello", seen=first.body)
                server.release()
                await server.until("the surplus is sent", lambda server=server: server.sent_bytes >= len(OK + stale))  # type: ignore[misc]
                for _ in range(3):
                    await anyio.lowlevel.checkpoint()
                try:
                    second = (await lab.call(transport, server.url, is_streamed=is_streamed)).body
                except ConnectionFailed:
                    continue
                expect(f"{case}, {way}, second", expected=b"hello", seen=second)
