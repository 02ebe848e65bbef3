"""The ends of things: of a stream, of a transport, and what they leave behind."""

from __future__ import annotations

from functools import partial

import anyio
from pingpong import InvalidRequestError, PingPongError

from pingpong_contract.transports._lab import FIRST_PIECE, OK, PLAIN_OR_STREAMED, POST, Lab, descriptors, threads
from pingpong_contract.transports._steps import close, hang, held
from pingpong_contract.transports._verdict import Broken, check, expect, expect_that


async def _read_fails(lab: Lab, stream: object, case: str, kind: type[PingPongError] = PingPongError) -> None:
    """A read must end soon, with a typed error."""
    with anyio.move_on_after(lab.wait_s) as scope:
        try:
            piece = await stream.read()  # type: ignore[attr-defined]  # a WireStream
        except PingPongError as error:
            expect_that(isinstance(error, kind), case, expected=kind.__name__, seen=f"{type(error).__name__}: {error}")
            return
        except Exception as exc:
            raise Broken(case, expected="an error of pingpong's tree", seen=f"{type(exc).__name__}: {exc}") from exc
        raise Broken(case, expected="an error", seen=f"{len(piece)} bytes")
    if scope.cancelled_caught:
        raise Broken(case, expected="an error", seen="it hung")


@check("T-stream-head")
async def head_first(lab: Lab) -> None:
    """A stream is there with status and headers while its body is still to come, and gives each piece as it comes."""
    server = lab.serve(
        [
            b"HTTP/1.1 203 Hm\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n",
            held,
            b"3\r\none\r\n",
            held,
            b"3\r\ntwo\r\n0\r\n\r\n",
        ]
    )
    async with lab.transport() as transport:
        stream = await transport.open(server.url, POST, lab.far())
        expect("the head", expected=(203, "b"), seen=(stream.status, stream.headers.get("x-a")))
        for piece in (b"one", b"two", b"", b"", b""):
            server.release()
            expect("pieces in order, then nothing for ever", expected=piece, seen=await stream.read())
        await stream.aclose()


@check("T-stream-closed")
async def read_after_close(lab: Lab) -> None:
    """A read after aclose is the caller's error, whether or not the body had ended; aclose may come again."""
    server = lab.serve([FIRST_PIECE, hang], [OK])
    async with lab.transport() as transport:
        stream = await transport.open(server.url, POST, lab.far())
        await stream.read()
        for _ in range(3):
            await stream.aclose()
        await _read_fails(lab, stream, "closed in the body", InvalidRequestError)
        await lab.still_works(transport, server.url, "after it")


@check("T-stream-failed")
async def read_after_failure(lab: Lab) -> None:
    """A stream that failed goes on failing: it never says that its body ended."""
    server = lab.serve([FIRST_PIECE, close])
    async with lab.transport() as transport:
        stream = await transport.open(server.url, POST, lab.far())
        expect("first read", expected=b"one", seen=await stream.read())
        for n in range(3):
            await _read_fails(lab, stream, f"read {n + 1} after the cut")
        await stream.aclose()


@check("T-close-twice")
async def close_twice(lab: Lab) -> None:
    """Closing a transport closes every connection, also twice, at once, or never used; after that a call is refused."""
    server = lab.serve([OK])
    for case in ("used", "never used"):
        async with lab.transport() as transport:
            if case == "used":
                await lab.call(transport, server.url)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(transport.aclose)
                tasks.start_soon(transport.aclose)
            await transport.aclose()
            await server.no_connection(case)
            before = server.n_heads
            for way, is_streamed in PLAIN_OR_STREAMED:
                where = f"a call after aclose, {case}, {way}"
                await lab.fails_as(InvalidRequestError, transport, server.url, case=where, is_streamed=is_streamed)
            expect(f"requests after aclose, {case}", expected=before, seen=server.n_heads)


@check("T-close-open-streams")
async def close_open_streams(lab: Lab) -> None:
    """Streams that are open when the transport closes end with a typed error, and their connections are closed."""
    server = lab.serve([FIRST_PIECE, hang])
    async with lab.transport() as transport:
        streams = [await transport.open(server.url, POST, lab.far()) for _ in range(3)]
        expect("first read", expected=b"one", seen=await streams[0].read())
        await transport.aclose()
        await server.no_connection("streams open at aclose")
        await _read_fails(lab, streams[0], "a read after the transport's aclose")
        for stream in streams:
            await stream.aclose()


@check("T-close-under-way")
async def close_under_way(lab: Lab) -> None:
    """Calls under way when the transport closes end with a typed error, and so do those that wait for a slot."""
    server = lab.serve([hang])
    async with lab.transport(max_connections=2) as transport:
        work = partial(lab.call, transport, server.url)
        async with lab.many(4, lambda n: work(is_streamed=n % 2 == 1)) as calls:
            await server.until("two requests arrive", lambda: len(server.requests) == 2)
            await lab.turns()
            await transport.aclose()
            for n, call in enumerate(calls):
                with anyio.move_on_after(lab.wait_s):
                    await call.is_over.wait()
                case = f"call {n + 1} of 4, two of them waiting"
                seen = repr(call.error) if call.error else "an answer" if call.result else "it hung"
                expect_that(isinstance(call.error, PingPongError), case, expected="an error of pingpong's tree", seen=seen)
            await server.no_connection("calls under way at aclose")


@check("T-close-leaks")
async def leaks(lab: Lab) -> None:
    """After calls that succeed, fail, are cancelled and are left, aclose leaves no socket, task, thread or connection."""
    server, hanging = lab.serve([OK]), lab.serve([FIRST_PIECE, hang])
    for n in range(2):
        if n == 1:  # the first turn loads modules
            before = (descriptors(), threads(), lab.tasks())
        async with lab.transport() as transport:
            async with lab.many(10, lambda n: lab.call(transport, server.url, is_streamed=n % 2 == 0)) as calls:
                for call in calls:
                    await call.body()
            for _ in range(3):
                stream = await transport.open(hanging.url, POST, lab.far())
                await stream.read()
                await stream.aclose()
            async with lab.many(5, lambda n: lab.call(transport, hanging.url, is_streamed=n % 2 == 0)):
                await lab.turns(40)
        await server.no_connection()
        await hanging.no_connection()
        await lab.turns()
    expect("threads and tasks more than before", expected=(set(), set()), seen=(threads() - before[1], lab.tasks() - before[2]))
    await hanging.until("no descriptor more than before", lambda: len(descriptors()) <= len(before[0]))
