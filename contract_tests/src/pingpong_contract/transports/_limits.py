"""What a server may send before it is stopped: bodies, heads, trailers, interim answers, and data that nobody reads."""

from __future__ import annotations

import tracemalloc

from pingpong import ConnectionFailed, DeadlineExceeded, MalformedResponse, ResponseTooLarge

from pingpong_contract.transports._lab import CHUNKED, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._server import Answer
from pingpong_contract.transports._steps import endless, hang, held
from pingpong_contract.transports._verdict import check, expect, expect_that

_ENOUGH_BYTES = 16 * 1024 * 1024
"""What a stopped server may have got rid of: the sockets' buffers on both sides can hold 10 MB."""


@check("T-limit-body")
async def body(lab: Lab) -> None:
    """A body over max_response_bytes ends as ResponseTooLarge in bounded bytes, and one of exactly the cap is taken."""
    head = b"HTTP/1.1 200 OK\r\n"
    too_long: dict[str, Answer] = {
        "content-length": [head + b"content-length: 9999\r\n\r\n" + bytes(2001), hang],
        "content-length, endless": [head + b"content-length: 999999999\r\n\r\n", endless(bytes(65536))],
        "chunked": [CHUNKED + b"3e8\r\n" + bytes(1000) + b"\r\n3e9\r\n" + bytes(1001) + b"\r\n", hang],
        "chunked, endless": [CHUNKED, endless(b"3e8\r\n" + bytes(1000) + b"\r\n")],
        "EOF-delimited, endless": [head + b"\r\n", endless(bytes(65536))],
    }
    async with lab.transport(max_response_bytes=2000) as transport:
        for case, answer in too_long.items():
            server = lab.serve(answer)
            for way, is_streamed in PLAIN_OR_STREAMED:
                await lab.fails_as(ResponseTooLarge, transport, server.url, case=f"{case}, {way}", is_streamed=is_streamed)
                await server.no_connection(f"{case}, {way}")
            expect_that(server.sent_bytes < 2 * _ENOUGH_BYTES, case, expected="bounded", seen=f"{server.sent_bytes} bytes sent")
        exact = lab.serve([head + b"content-length: 2000\r\n\r\n" + bytes(2000)])
        for way, is_streamed in PLAIN_OR_STREAMED:
            got = await lab.call(transport, exact.url, is_streamed=is_streamed)
            expect(f"exactly the cap, {way}", expected=2000, seen=len(got.body))


_HEADS: dict[str, Answer] = {
    "300 headers": [b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"content-length: 9\r\n\r\n", hang],
    "10,000 headers": [b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000 + b"content-length: 9\r\n\r\n", hang],
    "one of 70 kB": [b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\ncontent-length: 9\r\n\r\n", hang],
    "many, 140 kB together": [b"HTTP/1.1 200 OK\r\n" + b"a: %b\r\n" % (b"b" * 7000) * 20 + b"content-length: 9\r\n\r\n", hang],
    "an endless line": [b"HTTP/1.1 200 OK\r\na: ", endless(b"b" * 65536)],
    "endless headers": [b"HTTP/1.1 200 OK\r\n", endless(b"a: b\r\n" * 1000)],
    "an endless status line": [b"HTTP/1.1 200 ", endless(b"b" * 65536)],
}


@check("T-limit-head")
async def head(lab: Lab) -> None:
    """A head over 256 headers or 64 kB ends as a typed error in bounded bytes, and its connection is closed."""
    async with lab.transport() as transport:
        for case, answer in _HEADS.items():
            server = lab.serve(answer)
            # An HTTP library has a limit of its own, of 64 kB at least, and may come first with an error of its own.
            kinds = (ResponseTooLarge,) if case == "300 headers" else (ResponseTooLarge, ConnectionFailed)
            for way, is_streamed in PLAIN_OR_STREAMED:
                await lab.fails_as(kinds, transport, server.url, case=f"{case}, {way}", is_streamed=is_streamed)
                await server.no_connection(f"{case}, {way}")
            expect_that(server.sent_bytes < 2 * _ENOUGH_BYTES, case, expected="bounded", seen=f"{server.sent_bytes} bytes sent")


@check("T-limit-head-option")
async def head_option(lab: Lab) -> None:
    """A head over max_header_bytes ends as ResponseTooLarge, and one just below it is taken."""
    async with lab.transport(max_header_bytes=2000) as transport:
        for n_bytes, is_taken in ((1900, True), (2100, False)):
            server = lab.serve([b"HTTP/1.1 200 OK\r\na: %b\r\ncontent-length: 5\r\n\r\nhello" % (b"b" * n_bytes)])
            for way, is_streamed in PLAIN_OR_STREAMED:
                if is_taken:
                    got = await lab.call(transport, server.url, is_streamed=is_streamed)
                    expect(f"{n_bytes} bytes, {way}", expected=b"hello", seen=got.body)
                else:
                    case = f"{n_bytes} bytes, {way}"
                    await lab.fails_as(ResponseTooLarge, transport, server.url, case=case, is_streamed=is_streamed)


@check("T-limit-framing")
async def framing(lab: Lab) -> None:
    """Endless chunk extensions, trailers and interim answers take little memory and end typed, at the deadline at the latest."""
    hostile: dict[str, Answer] = {
        "a chunk extension": [CHUNKED + b"3;", endless(b"x" * 65536)],
        "a trailer": [CHUNKED + b"0\r\nx: ", endless(b"x" * 65536)],
        "trailers": [CHUNKED + b"0\r\n", endless(b"x: y\r\n" * 1000)],
        "interim answers": [endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)],
    }
    async with lab.transport() as transport:
        for case, answer in hostile.items():
            server = lab.serve(answer)
            kinds = (ConnectionFailed, MalformedResponse, ResponseTooLarge, DeadlineExceeded)
            tracemalloc.start()
            try:
                deadline_s = lab.clock.monotonic_s() + 0.3
                await lab.fails_as(kinds, transport, server.url, case=case, deadline_s=deadline_s)
                _, peak_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            expect_that(peak_bytes < 8_000_000, case, expected="under 8 MB taken", seen=f"{peak_bytes} bytes")
            await server.no_connection(case)


@check("T-backpressure")
async def backpressure(lab: Lab) -> None:
    """A stream that is not read stops the server within bounded bytes, flows on when it is, and ends when it is left."""
    server = lab.serve([CHUNKED, endless(b"10000\r\n" + bytes(65536) + b"\r\n", 256 * 1024 * 1024)])
    async with lab.transport(max_response_bytes=2**40) as transport:
        stream = await transport.open(server.url, POST, lab.far())
        expect_that(len(await stream.read()) > 0, "first read", expected="a piece", seen="nothing")
        await server.until("the server cannot send on", lambda: server.is_stalled)
        stalled_bytes = server.sent_bytes
        expect_that(
            stalled_bytes < _ENOUGH_BYTES, "while nobody reads", expected="under 16 MB sent", seen=f"{stalled_bytes} bytes"
        )
        read_bytes = 0
        while read_bytes <= stalled_bytes + 1_000_000:
            read_bytes += len(await stream.read())
        await stream.aclose()
        await server.no_connection()


@check("T-limit-connections")
async def connections(lab: Lab) -> None:
    """Never more than max_connections calls and open streams at a time; further ones wait, and are served in the end."""
    n_slots, n_calls = 4, 20
    server = lab.serve([held, OK])
    async with lab.transport(max_connections=n_slots) as transport:
        async with lab.many(n_calls, lambda n: lab.call(transport, server.url, is_streamed=n % 2 == 0)) as calls:
            await server.until(f"{n_slots} requests arrive", lambda: len(server.requests) == n_slots)
            server.release(n_calls)
            bodies = [await call.body() for call in calls]
        expect("answers", expected=[b"hello"] * n_calls, seen=bodies)
        expect("connections at a time", expected=n_slots, seen=server.n_most_open)
