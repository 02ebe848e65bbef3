"""Deadlines, idle limits and connect limits, at every point of a call."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from pingpong import ConnectionFailed, DeadlineExceeded, ProviderTimeout, WireRequest

from pingpong_contract.transports._lab import CHUNKED, FAR_S, FIRST_PIECE, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._server import Server
from pingpong_contract.transports._steps import hang, held
from pingpong_contract.transports._verdict import check, expect, expect_that

LARGE = WireRequest("POST", "/v1/files", {}, bytes(32 * 1024 * 1024))
"""More than the sockets' buffers of both sides hold."""


@contextmanager
def black_hole() -> Iterator[str]:
    """A base URL whose TCP handshake is never answered: a listener that accepts nobody and whose queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def _exceeds(lab: Lab, work: Any, server: Server | None, reached: Any, case: str) -> None:
    """Begin, put the clock past the deadline once the point is reached, and expect DeadlineExceeded."""
    async with lab.beside(work) as call:
        if server is not None:
            await server.until(f"the point is reached ({case})", reached)
        await lab.turns()
        lab.clock.put_forward(FAR_S + 1)
        outcome = await call.outcome()
    expect(case, expected=DeadlineExceeded, seen=type(outcome))
    if server is not None:
        server.release(100)
        await server.no_connection(case)


@check("T-deadline-connect")
async def at_connect(lab: Lab) -> None:
    """A deadline that passes while nobody answers the connection ends the call as DeadlineExceeded."""
    for way, is_streamed in PLAIN_OR_STREAMED:
        async with lab.transport(connect_timeout_s=1000) as transport:
            with black_hole() as url:
                deadline_s = lab.clock.monotonic_s() + 0.1
                where = f"connecting, {way}"
                await lab.fails_as(DeadlineExceeded, transport, url, case=where, is_streamed=is_streamed, deadline_s=deadline_s)


@check("T-deadline-tls")
async def in_handshake(lab: Lab) -> None:
    """A deadline that passes in a silent TLS handshake ends the call as DeadlineExceeded and closes the connection."""
    server = lab.serve([hang])
    url = server.url.replace("http", "https")
    async with lab.transport(connect_timeout_s=1000) as transport:
        await _exceeds(lab, lambda: lab.call(transport, url), server, lambda: server.received_bytes > 0, "in the handshake")


@check("T-deadline-send")
async def while_sending(lab: Lab) -> None:
    """A deadline that passes while the server does not take the body ends the call as DeadlineExceeded."""
    server = lab.serve([OK], is_body_held=True)
    async with lab.transport() as transport:
        await _exceeds(
            lab, lambda: lab.call(transport, server.url, LARGE), server, lambda: server.n_heads == 1, "sending the body"
        )


@check("T-deadline-head")
async def before_head(lab: Lab) -> None:
    """A deadline that passes before the head ends the call as DeadlineExceeded, closes upstream and returns the slot."""
    for way, is_streamed in PLAIN_OR_STREAMED:
        server = lab.serve([hang], [OK])
        async with lab.transport(max_connections=1) as transport:
            call = partial(lab.call, transport, server.url, is_streamed=is_streamed)
            await _exceeds(lab, call, server, partial(_has_requests, server, 1), f"before the head, {way}")
            await lab.still_works(transport, server.url, f"after a deadline, {way}")


@check("T-deadline-body")
async def in_body(lab: Lab) -> None:
    """A deadline that passes in the body ends the call as DeadlineExceeded, closes upstream and returns the slot."""
    for way, is_streamed in PLAIN_OR_STREAMED:
        server = lab.serve([FIRST_PIECE, hang], [OK])
        async with lab.transport(max_connections=1) as transport:
            call = partial(lab.call, transport, server.url, is_streamed=is_streamed)
            await _exceeds(lab, call, server, partial(_has_sent, server, 1), f"in the body, {way}")
            await lab.still_works(transport, server.url, f"after a deadline, {way}")


@check("T-deadline-drip")
async def dripping(lab: Lab) -> None:
    """The deadline is total: one byte that comes again and again, in the head or in the body, does not put it off."""
    drips = {"head": (b"HTTP/1.1 200 OK\r\nx: ", b"y"), "body": (CHUNKED, b"1\r\nx\r\n")}
    for case, (before, one_byte) in drips.items():
        for way, is_streamed in PLAIN_OR_STREAMED:
            server = lab.serve([before, *[step for _ in range(10) for step in (one_byte, held)], hang])
            async with lab.transport(idle_timeout_s=10 * FAR_S) as transport:
                async with lab.beside(partial(lab.call, transport, server.url, is_streamed=is_streamed)) as call:
                    for n in range(1, 7):
                        sent = partial(_has_sent, server, len(before) + n * len(one_byte))
                        await server.until(f"byte {n} of the {case} is sent", sent)
                        lab.clock.put_forward(FAR_S / 5.5)
                        server.release()
                    outcome = await call.outcome()
                expect(f"{case}, {way}", expected=DeadlineExceeded, seen=type(outcome))
                await server.no_connection(f"{case}, {way}")


def _has_sent(server: Server, sent_bytes: int) -> bool:
    return server.sent_bytes >= sent_bytes


def _has_requests(server: Server, n_requests: int) -> bool:
    return len(server.requests) == n_requests


@check("T-deadline-none")
async def none_at_all(lab: Lab) -> None:
    """A deadline of infinity is none."""
    server = lab.serve([OK])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            got = await lab.call(transport, server.url, is_streamed=is_streamed, deadline_s=float("inf"))
            expect(way, expected=b"hello", seen=got.body)


@check("T-deadline-past")
async def already_past(lab: Lab) -> None:
    """With a deadline that is past nothing is sent, on a new connection or a used one."""
    server = lab.serve([OK])
    async with lab.transport() as transport:
        for case in ("new connection", "used connection"):
            for way, is_streamed in PLAIN_OR_STREAMED:
                before = server.n_heads
                past_s = lab.clock.monotonic_s() - 1
                where = f"{case}, {way}"
                await lab.fails_as(
                    DeadlineExceeded, transport, server.url, case=where, is_streamed=is_streamed, deadline_s=past_s
                )
                expect(f"requests, {where}", expected=before, seen=server.n_heads)
            await lab.still_works(transport, server.url, case)


@check("T-deadline-between-reads")
async def between_reads(lab: Lab) -> None:
    """A deadline that passes between two reads of a stream ends the next one that has to wait as DeadlineExceeded."""
    server = lab.serve([FIRST_PIECE, hang])
    async with lab.transport() as transport:
        stream = await transport.open(server.url, POST, lab.far())
        expect("first read", expected=b"one", seen=await stream.read())
        lab.clock.put_forward(FAR_S + 1)
        try:
            seen: object = await stream.read()
        except Exception as error:
            seen = type(error)
        expect("second read", expected=DeadlineExceeded, seen=seen)
        await server.no_connection()
        await stream.aclose()


@check("T-deadline-queued")
async def queued(lab: Lab) -> None:
    """Waiting for a slot counts against the call's own deadline, and costs the calls under way nothing."""
    server = lab.serve([FIRST_PIECE, held, b"3\r\ntwo\r\n0\r\n\r\n"], [OK])
    async with lab.transport(max_connections=1) as transport:
        stream = await transport.open(server.url, POST, lab.clock.monotonic_s() + 10 * FAR_S)
        deadline_s = lab.far()
        await _exceeds(lab, lambda: lab.call(transport, server.url, deadline_s=deadline_s), None, None, "queued")
        expect("requests", expected=1, seen=server.n_heads)
        server.release()
        expect("the stream", expected=[b"one", b"two", b""], seen=[await stream.read() for _ in range(3)])
        await lab.still_works(transport, server.url, "after one that waited in vain")
        await stream.aclose()


@check("T-idle-stream")
async def idle(lab: Lab) -> None:
    """A stream that is silent for idle_timeout_s, before its head or after, ends as ProviderTimeout, naming host and port."""
    for case, answer in (("before the head", [hang]), ("in the body", [FIRST_PIECE, hang])):
        server = lab.serve(answer, [OK])
        async with lab.transport(idle_timeout_s=0.15, max_connections=1) as transport:
            error = await lab.fails_as(ProviderTimeout, transport, server.url, case=case, is_streamed=True)
            where = f"127.0.0.1:{server.port}"
            expect_that(where in str(error), case, expected=f"a message with {where}", seen=str(error))
            await server.no_connection(case)
            await lab.still_works(transport, server.url, f"after silence {case}")


@check("T-idle-plain")
async def idle_plain(lab: Lab) -> None:
    """A plain answer may be silent for longer than idle_timeout_s: the model thinks, and only the deadline bounds it."""
    thinking, silent = lab.serve([held, FIRST_PIECE, held, b"0\r\n\r\n"]), lab.serve([hang])
    async with lab.transport(idle_timeout_s=0.15) as transport, lab.beside(lambda: lab.call(transport, thinking.url)) as call:
        for point in ("head", "body"):
            await thinking.until("the request arrives", lambda: len(thinking.requests) == 1)
            # Begun later than the silence of the plain call, it ends at its idle limit, so the other is past it.
            await lab.fails_as(ProviderTimeout, transport, silent.url, case=f"a stream beside it, {point}", is_streamed=True)
            thinking.release()
        expect("the plain answer", expected=b"one", seen=await call.body())


@check("T-idle-slow-reader")
async def slow_reader(lab: Lab) -> None:
    """Idle is the server's silence in a read: time in which nobody reads does not count, nor does that between two pieces."""
    pieces = [b"3\r\n%b\r\n" % name for name in (b"two", b"thr", b"fou")]
    server = lab.serve([FIRST_PIECE, held, pieces[0], held, pieces[1], held, pieces[2], held, b"0\r\n\r\n"])
    async with lab.transport(idle_timeout_s=10) as transport:
        stream = await transport.open(server.url, POST, lab.clock.monotonic_s() + 10 * FAR_S)
        seen = [await stream.read()]
        for n in range(3):
            server.release()
            await server.until("a piece is sent", lambda: server.sent_bytes >= len(FIRST_PIECE) + (n + 1) * len(pieces[0]))  # noqa: B023
            lab.clock.put_forward(FAR_S)
            seen.append(await stream.read())
        server.release()
        expect("pieces", expected=[b"one", b"two", b"thr", b"fou", b""], seen=[*seen, await stream.read()])
        await stream.aclose()


@check("T-connect-timeout")
async def connect_timeout(lab: Lab) -> None:
    """A connection or a TLS handshake that takes longer than connect_timeout_s is ConnectionFailed, long before the deadline."""
    mute = lab.serve([hang])
    async with lab.transport(connect_timeout_s=0.15) as transport:
        with black_hole() as url:
            for way, is_streamed in PLAIN_OR_STREAMED:
                await lab.fails_as(ConnectionFailed, transport, url, case=f"connecting, {way}", is_streamed=is_streamed)
        await lab.fails_as(ConnectionFailed, transport, mute.url.replace("http", "https"), case="in the TLS handshake")
        await mute.no_connection("after a TLS handshake that took too long")
