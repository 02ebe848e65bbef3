"""What is this transport's own: its event loop, its session, and the writing of small bodies."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import sys
import time
import warnings
from collections import Counter
from typing import Any

import aiohttp
import anyio
import pytest
from pingpong import (
    ConfigError,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidRequestError,
    SystemClock,
    TransportOptions,
    WireRequest,
)
from pingpong_aiohttp.requests import MAX_BYTES, EagerRequest
from pingpong_aiohttp.transport import AiohttpTransport
from yarl import URL

CLOCK = SystemClock()
HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
POST = WireRequest("POST", "/v1/messages", {"content-type": "application/json"}, b"{}")


def far() -> float:
    return time.monotonic() + 30


class ForwardClock(SystemClock):
    """A clock that a test puts forward."""

    forward_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.forward_s


async def call(transport: AiohttpTransport, url: str) -> bytes:
    return (await transport.send(url, POST, far())).body


@pytest.mark.parametrize("is_closed_first", [False, True])
def test_a_transport_outlives_its_event_loop(serve: Any, is_closed_first: bool) -> None:
    """A second event loop, after the first has ended, gets a session of its own, and nothing warns of the first one."""
    transport = AiohttpTransport(clock=CLOCK)

    async def once() -> bytes:
        async with serve() as server:
            return await call(transport, server.url)

    assert asyncio.run(once()) == b"hello"

    async def again() -> bytes:
        if is_closed_first:
            await transport.aclose()
            with pytest.raises(InvalidRequestError, match="closed"):
                await once()
            return b"hello"
        body = await once()
        await transport.aclose()
        return body

    assert asyncio.run(again()) == b"hello"
    gc.collect()


def test_calls_that_begin_a_second_event_loop_together_share_its_slots(serve: Any) -> None:
    """All go out, over one session, and each gives its slot back; more calls than slots hang on that."""
    transport = AiohttpTransport(clock=CLOCK, options=TransportOptions(max_connections=4))

    async def together() -> list[bytes]:
        async with serve() as server:
            with anyio.fail_after(10):
                return await asyncio.gather(*(call(transport, server.url) for _ in range(20)))

    async def again() -> list[bytes]:
        bodies = await together()
        await transport.aclose()
        return bodies

    assert asyncio.run(together()) == [b"hello"] * 20
    assert asyncio.run(again()) == [b"hello"] * 20
    assert transport._slots.value == 4
    gc.collect()


async def slots_after(serve: Any, closed: str, calls_first: bool) -> tuple[int, int]:
    """In a thread's event loop a stream is begun; here, when that loop is gone, it is closed. The free slots before and after."""
    transport = AiohttpTransport(clock=CLOCK)
    async with serve(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello") as half, serve() as whole:
        stream = await asyncio.to_thread(lambda: asyncio.run(transport.open(half.url, POST, far())))
        before = transport._slots.value
        if calls_first:
            await call(transport, whole.url)
        await (stream if closed == "stream" else transport).aclose()
        after = transport._slots.value
        await transport.aclose()
        return before, after


@pytest.mark.parametrize("calls_first", [False, True])
@pytest.mark.parametrize("closed", ["stream", "transport"])
def test_a_stream_can_be_closed_after_its_event_loop(serve: Any, closed: str, calls_first: bool) -> None:
    """Nothing is raised, and the slot of a loop that is gone is not given to the next one's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio's own, of a socket that outlives its event loop
        before, after = asyncio.run(slots_after(serve, closed, calls_first))
        gc.collect()
    assert before == 99
    assert after == (100 if calls_first or closed == "stream" else 99)


@pytest.mark.anyio
async def test_two_event_loops_at_a_time_are_refused(serve: Any) -> None:
    """A transport in use on a running loop says so to a call from another one."""
    transport = AiohttpTransport(clock=CLOCK)
    async with serve() as server:
        assert await call(transport, server.url) == b"hello"
        with pytest.raises(InvalidRequestError, match="a client for each"):
            await anyio.to_thread.run_sync(lambda: asyncio.run(call(transport, server.url)))
        await transport.aclose()


def test_trio_is_refused_in_one_typed_error() -> None:
    """Handed to a client on trio it says what to do."""
    transport = AiohttpTransport(clock=CLOCK)
    with pytest.raises(ConfigError, match="name httpx"):
        anyio.run(call, transport, "http://127.0.0.1:1", backend="trio")


def test_a_transport_of_asyncio_can_be_closed_on_trio(serve: Any) -> None:
    """Its event loop has ended; closing raises and leaves nothing."""
    transport = AiohttpTransport(clock=CLOCK)

    async def once() -> bytes:
        async with serve() as server:
            return await call(transport, server.url)

    assert asyncio.run(once()) == b"hello"
    anyio.run(transport.aclose, backend="trio")
    with pytest.raises(InvalidRequestError, match="closed"):
        asyncio.run(call(transport, "http://127.0.0.1:1"))
    gc.collect()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "127.0.0.1:1", "http://", "http://[", "http://a:port"])
def test_a_proxy_that_aiohttp_cannot_use_is_refused_at_once(proxy: str) -> None:
    """SOCKS and what is no URL are configuration errors when the transport is made, without the address."""
    with pytest.raises(ConfigError, match="aiohttp can use"):
        AiohttpTransport(clock=CLOCK, options=TransportOptions(proxy=proxy))


@pytest.mark.anyio
async def test_asyncios_own_cancellations_and_deadlines_cost_no_slot(serve: Any) -> None:
    """After waves of calls that tasks' cancel() and short deadlines end anywhere, every slot and no connection is left."""
    draw = random.Random(5)
    async with serve() as server:
        transport = AiohttpTransport(clock=CLOCK, options=TransportOptions(max_connections=5))

        async def one(timeout_s: float) -> bytes:
            return (await transport.send(server.url, POST, time.monotonic() + timeout_s)).body

        ended: Counter[str] = Counter()
        for _ in range(40):
            tasks = [asyncio.create_task(one(draw.choice((30, draw.random() * 0.005)))) for _ in range(20)]
            for task in draw.sample(tasks, 10):
                for _ in range(draw.randrange(3)):
                    await asyncio.sleep(0)
                task.cancel()
            ended.update(type(result).__name__ for result in await asyncio.gather(*tasks, return_exceptions=True))
        assert set(ended) == {"CancelledError", "DeadlineExceeded", "bytes"}
        bodies = await asyncio.gather(*(one(30) for _ in range(20)))
        assert bodies == [b"hello"] * 20
        await transport.aclose()


FORGETFUL = """
import asyncio, sys, time
from pingpong import SystemClock, WireRequest
from pingpong_aiohttp.transport import AiohttpTransport

async def main():
    transport = AiohttpTransport(clock=SystemClock())
    if sys.argv[2] == "global":
        globals()["kept"] = transport
    async def handle(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n")
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    answer = await transport.send(url, WireRequest("GET", "/"), time.monotonic() + 30)
    assert answer.status == 200
    if sys.argv[1] == "closed":
        await transport.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize("kept", ["global", "local"])
@pytest.mark.parametrize("ending", ["closed", "forgotten"])
def test_nothing_is_said_at_exit(kept: str, ending: str) -> None:
    """A program ends without a word, whether the transport was closed or forgotten."""
    run = subprocess.run([sys.executable, "-c", FORGETFUL, ending, kept], capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.anyio
async def test_what_came_before_a_connection_broke_is_read(serve: Any) -> None:
    """A reader that is slow loses none of the bytes that had arrived, and then hears of the failure."""
    async with serve(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n", closes=True) as server:
        transport = AiohttpTransport(clock=CLOCK)
        stream = await transport.open(server.url, POST, far())
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream._response.content.wait_eof()
        assert await stream.read() == b"one"
        with pytest.raises(ConnectionFailed):
            await stream.read()
        await transport.aclose()


@pytest.mark.anyio
async def test_a_deadline_that_passes_between_reads_is_kept(serve: Any) -> None:
    """Bytes that have arrived are not given out once the request's time is used up."""
    clock = ForwardClock()
    async with serve() as server:
        transport = AiohttpTransport(clock=clock)
        stream = await transport.open(server.url, POST, far())
        clock.forward_s = 60
        with pytest.raises(DeadlineExceeded):
            await stream.read()
        await transport.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_whose_connection_dies_is_sent_once(serve: Any, method: str) -> None:
    """aiohttp would send idempotent ones again; an attempt is exactly one request."""
    async with serve(b"", closes=True) as server:
        transport = AiohttpTransport(clock=CLOCK)
        with pytest.raises(ConnectionFailed):
            await transport.send(server.url, WireRequest(method, "/"), far())
        await transport.aclose()
    assert len(server.requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("is_eager", [True, False])
async def test_what_came_while_idle_is_nobodys_answer(monkeypatch: pytest.MonkeyPatch, is_eager: bool) -> None:
    """A second answer that a server sends while its connection is idle is not taken for the next call's."""
    if not is_eager:
        monkeypatch.setattr("pingpong_aiohttp.requests.MAX_BYTES", -1)
    is_idle, is_sent = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(HELLO)
        await is_idle.wait()
        writer.write(HELLO.replace(b"hello", b"stale"))
        is_sent.set()
        await reader.read()
        writer.close()

    transport = AiohttpTransport(clock=CLOCK)
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        assert await call(transport, url) == b"hello"
        is_idle.set()
        await is_sent.wait()
        for _ in range(3):
            await asyncio.sleep(0)
        with pytest.raises(ConnectionFailed):
            await call(transport, url)
        await transport.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("size", [0, 1, MAX_BYTES, MAX_BYTES + 1, 3_000_000])
@pytest.mark.parametrize("is_eager", [True, False])
async def test_bodies_of_every_size_arrive(serve: Any, monkeypatch: pytest.MonkeyPatch, size: int, is_eager: bool) -> None:
    """Written at once, by aiohttp's task, or in pieces: the server gets each body whole, with its length, once."""
    if not is_eager:
        monkeypatch.setattr("pingpong_aiohttp.requests.MAX_BYTES", -1)
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with serve() as server:
        transport = AiohttpTransport(clock=CLOCK)
        await transport.send(server.url, WireRequest("POST", "/", {"content-type": "x/y"}, body), far())
        await transport.aclose()
    head, _, received = server.requests[0].partition(b"\r\n\r\n")
    assert (received == body, head.lower().count(b"content-length: %d" % size)) == (True, 1)


@pytest.mark.anyio
async def test_small_bodies_start_no_task(serve: Any) -> None:
    """What the eager request is for: one write, in the call's own task."""
    tasks: list[Any] = []
    loop = asyncio.get_running_loop()

    def counted(loop: Any, coro: Any, **how: Any) -> Any:
        tasks.append(coro)
        return asyncio.Task(coro, loop=loop, **how)

    async with serve() as server, aiohttp.ClientSession(request_class=EagerRequest) as session:
        await (await session.post(server.url, data=b"{}")).read()  # connects
        loop.set_task_factory(counted)
        try:
            answer = await session.post(URL(server.url), data=b"{}")
            assert await answer.read() == b"hello"
        finally:
            loop.set_task_factory(None)
    assert tasks == []
