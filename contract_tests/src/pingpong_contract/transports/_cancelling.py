"""Cancellation at any point: the connection is closed, the slot comes back, the next call works."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import anyio

from pingpong_contract.transports._lab import FIRST_PIECE, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._server import Server
from pingpong_contract.transports._steps import hang, held
from pingpong_contract.transports._times import LARGE, black_hole
from pingpong_contract.transports._verdict import check, expect, expect_that


async def _cancelled(lab: Lab, server: Server, reached: Callable[[], bool], case: str, call: Any) -> None:
    """Begin a call, cancel it once a point is reached, and expect a cancellation and no connection."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await server.until(f"the point is reached ({case})", reached)
            await lab.turns()
            scope.cancel()
    expect_that(scope.cancelled_caught, case, expected="a cancellation", seen="the call ended otherwise")
    server.release(100)
    await server.no_connection(case)


@check("T-cancel-start")
async def before_start(lab: Lab) -> None:
    """A call that is cancelled before it begins sends nothing and holds nothing."""
    server = lab.serve([OK])
    async with lab.transport(max_connections=1) as transport:
        for case in ("new", "used"):
            before = server.n_heads
            for _, is_streamed in PLAIN_OR_STREAMED:
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    await lab.call(transport, server.url, is_streamed=is_streamed)
                expect_that(scope.cancelled_caught, case, expected="a cancellation", seen="an answer")
            await lab.still_works(transport, server.url, f"on a {case} connection")
            expect(f"requests, {case}", expected=before + 1, seen=server.n_heads)


@check("T-cancel-connect")
async def in_connect(lab: Lab) -> None:
    """A call that is cancelled while it connects gives its slot back and leaves no socket."""
    server = lab.serve([OK])
    async with lab.transport(max_connections=1) as transport:
        with black_hole() as url:
            async with lab.beside(lambda: lab.call(transport, url)) as call:
                await lab.turns(30)
                call.scope.cancel()
                await call.is_over.wait()
                expect_that(call.scope.cancelled_caught, "connecting", expected="a cancellation", seen=repr(call.error))
        await lab.still_works(transport, server.url, "after a call cancelled while connecting")


@check("T-cancel-tls")
async def in_handshake(lab: Lab) -> None:
    """A call that is cancelled in a silent TLS handshake closes its connection and gives its slot back."""
    mute, server = lab.serve([hang]), lab.serve([OK])
    url = mute.url.replace("http", "https")
    async with lab.transport(max_connections=1) as transport:
        await _cancelled(lab, mute, lambda: mute.received_bytes > 0, "in the handshake", partial(lab.call, transport, url))
        await lab.still_works(transport, server.url, "after a call cancelled in the TLS handshake")


@check("T-cancel-send")
async def while_sending(lab: Lab) -> None:
    """A call that is cancelled while the server does not take its body closes its connection and gives its slot back."""
    stuck, server = lab.serve([OK], is_body_held=True), lab.serve([OK])
    async with lab.transport(max_connections=1) as transport:
        call = partial(lab.call, transport, stuck.url, LARGE)
        await _cancelled(lab, stuck, lambda: stuck.n_heads == 1, "sending the body", call)
        expect("whole requests", expected=0, seen=len(stuck.requests))
        await lab.still_works(transport, server.url, "after a call cancelled while sending")


@check("T-cancel-head")
async def before_head(lab: Lab) -> None:
    """A call that is cancelled before the head comes closes its connection, new or used, and gives its slot back."""
    for way, is_streamed in PLAIN_OR_STREAMED:
        server = lab.serve([hang], [OK], [hang], [OK])
        async with lab.transport(max_connections=1) as transport:
            for case, n_requests in (("new connection", 1), ("used connection", 3)):
                where = f"before the head, {case}, {way}"
                reached = partial(_has_requests, server, n_requests)
                await _cancelled(lab, server, reached, where, partial(lab.call, transport, server.url, is_streamed=is_streamed))
                await lab.still_works(transport, server.url, where)


def _has_requests(server: Server, n_requests: int) -> bool:
    return len(server.requests) == n_requests


def _has_sent(server: Server, sent_bytes: int) -> bool:
    return server.sent_bytes >= sent_bytes


@check("T-cancel-body")
async def in_body(lab: Lab) -> None:
    """A call that is cancelled in the body closes its connection and gives its slot back."""
    for way, is_streamed in PLAIN_OR_STREAMED:
        server = lab.serve([FIRST_PIECE, hang], [OK])
        async with lab.transport(max_connections=1) as transport:
            call = partial(lab.call, transport, server.url, is_streamed=is_streamed)
            await _cancelled(lab, server, partial(_has_sent, server, len(FIRST_PIECE)), f"in the body, {way}", call)
            await lab.still_works(transport, server.url, f"after a call cancelled in the body, {way}")


@check("T-cancel-between-reads")
async def between_reads(lab: Lab) -> None:
    """A stream that is closed in a cancelled task, between two reads, closes its connection and gives its slot back."""
    server = lab.serve([FIRST_PIECE, hang], [OK])
    async with lab.transport(max_connections=1) as transport:
        with anyio.CancelScope() as scope:
            stream = await transport.open(server.url, POST, lab.far())
            expect("first read", expected=b"one", seen=await stream.read())
            scope.cancel()
            await stream.aclose()
        await lab.still_works(transport, server.url, "after a stream closed under cancellation")
        await server.until("one connection is open", lambda: server.n_open == 1)


@check("T-cancel-read")
async def in_read(lab: Lab) -> None:
    """A read that is cancelled from outside stays a cancellation, and the stream can be closed afterwards."""
    server = lab.serve([FIRST_PIECE, hang], [OK])
    async with lab.transport(max_connections=1) as transport:
        stream = await transport.open(server.url, POST, lab.far())
        expect("first read", expected=b"one", seen=await stream.read())
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stream.read)
                await lab.turns()
                scope.cancel()
        expect_that(scope.cancelled_caught, "a read", expected="a cancellation", seen="it ended otherwise")
        await stream.aclose()
        await lab.still_works(transport, server.url, "after a read that was cancelled")


@check("T-cancel-queued")
async def queued(lab: Lab) -> None:
    """A call that is cancelled while it waits for a slot sends nothing, and takes nothing from those before and after it."""
    server = lab.serve([FIRST_PIECE, held, b"0\r\n\r\n"], [OK])
    async with lab.transport(max_connections=1) as transport:
        stream = await transport.open(server.url, POST, lab.far())
        async with lab.many(6, lambda n: lab.call(transport, server.url)) as calls:
            await lab.turns()
            for call in calls[::2]:
                call.scope.cancel()
            server.release()
            expect("the stream", expected=[b"one", b""], seen=[await stream.read(), await stream.read()])
            expect("those not cancelled", expected=[b"hello"] * 3, seen=[await call.body() for call in calls[1::2]])
        expect("requests", expected=4, seen=server.n_heads)


@check("T-cancel-handover")
async def handover(lab: Lab) -> None:
    """A waiting call that is cancelled in the turn in which it is given a slot hands the slot on."""
    server = lab.serve([FIRST_PIECE, hang], [OK])
    async with lab.transport(max_connections=1) as transport:
        for n_turns in range(4):
            server.requests.clear()
            stream = await transport.open(server.url, POST, lab.far())
            async with lab.many(3, lambda n: lab.call(transport, server.url)) as calls:
                await lab.turns()
                await stream.aclose()
                await lab.turns(n_turns)
                for call in calls:
                    call.scope.cancel()
            await lab.still_works(transport, server.url, f"after a slot handed to a cancelled call, {n_turns} turns later")


@check("T-cancel-close")
async def in_close(lab: Lab) -> None:
    """Closing the transport in a cancelled task still closes every connection, in use and idle."""
    server = lab.serve([OK], [FIRST_PIECE, hang])
    async with lab.transport() as transport:
        await lab.call(transport, server.url)
        stream = await transport.open(server.url, POST, lab.far())
        await stream.read()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await transport.aclose()
        await server.no_connection("after aclose in a cancelled task")
        await stream.aclose()
