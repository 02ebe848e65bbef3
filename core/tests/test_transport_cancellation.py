"""The system's clock, and cancellation where it is the httpx transport's own; the rest of it contract_tests tries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from pingpong import DeadlineExceeded, HttpxTransport, SystemClock, TransportOptions, WireRequest

pytestmark = pytest.mark.anyio

CLOCK = SystemClock()
POST = WireRequest("POST", "/v1/messages?beta=true", {"content-type": "application/json", "x-api-key": "sk-secret"}, b'{"a":1}')
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM = [CHUNKED + b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


def far() -> float:
    """A deadline that no test should reach."""
    return time.monotonic() + 30


class _SlowlyClosing(httpx.AsyncBaseTransport, httpx.AsyncByteStream):
    """A host's own httpx transport, which waits while it closes a body."""

    is_body_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=self)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await anyio.sleep_forever()
        return b""

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.is_body_closed = True


async def test_closing_is_shielded_whatever_the_host_uses() -> None:
    """A read that is cancelled closes the body of a host's own httpx transport too, though its closing waits."""
    slow = _SlowlyClosing()
    transport = HttpxTransport(httpx.AsyncClient(transport=slow), clock=CLOCK)
    stream = await transport.open("http://a.invalid", POST, far())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await stream.read()
    assert (scope.cancelled_caught, slow.is_body_closed) == (True, True)


async def test_clock_passes_outer_cancellation_on() -> None:
    """A cancellation from outside leaves the deadline as cancellation, even when the deadline has passed as well."""
    for at_s in (far(), time.monotonic() - 1):
        with anyio.CancelScope() as scope:
            scope.cancel()
            with CLOCK.deadline(at_s):
                await CLOCK.sleep(30)
        assert scope.cancelled_caught


async def test_clock_deadline_and_readings() -> None:
    """A passed deadline raises at the first wait, other errors go through it, and the readings have zone and order."""
    with pytest.raises(DeadlineExceeded), CLOCK.deadline(CLOCK.monotonic_s() - 1):
        await CLOCK.sleep(0)
    with pytest.raises(KeyError), CLOCK.deadline(float("inf")):
        raise KeyError
    assert UTC is CLOCK.utc_now().tzinfo
    assert CLOCK.monotonic_s() <= CLOCK.monotonic_s()


async def test_a_deadline_inside_a_deadline() -> None:
    """Each ends its own block; one that is swallowed leaves the outer one standing, even where both pass at one moment."""

    async def work(at_s: float, inner_at_s: float) -> None:
        with CLOCK.deadline(at_s):
            for _ in range(2):
                with suppress(DeadlineExceeded), CLOCK.deadline(inner_at_s):
                    await CLOCK.sleep(30)
            with CLOCK.deadline(far()):
                await CLOCK.sleep(30)

    soon_s = CLOCK.monotonic_s() + 0.02
    for inner_at_s in (CLOCK.monotonic_s(), soon_s):
        with pytest.raises(DeadlineExceeded):
            await work(soon_s, inner_at_s)
    await CLOCK.sleep(0)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("is_passed", [False, True])
async def test_asyncios_own_cancellations_stay_what_they_are(is_passed: bool) -> None:
    """A task's cancel() and asyncio.timeout go through a deadline as themselves, and the task is as it was."""

    async def work() -> None:
        with CLOCK.deadline(CLOCK.monotonic_s() + (0.005 if is_passed else 30)):
            await CLOCK.sleep(30)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(DeadlineExceeded if is_passed else TimeoutError):
        async with asyncio.timeout(0.03):
            await work()
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_deadline_and_a_scope_that_end_in_one_turn() -> None:
    """Of a deadline and an anyio scope around it that end in the same turn of the loop neither is lost, whichever is first."""
    loop = asyncio.get_running_loop()
    for is_scope_first in (False, True):
        with anyio.CancelScope() as scope:
            if is_scope_first:
                loop.call_soon(scope.cancel)
            with suppress(DeadlineExceeded), CLOCK.deadline(CLOCK.monotonic_s()):
                if not is_scope_first:
                    loop.call_soon(scope.cancel)
                await CLOCK.sleep(30)
            await CLOCK.sleep(30)
        assert scope.cancelled_caught
    await CLOCK.sleep(0)


async def test_a_passed_deadline_lets_a_shielded_clean_up_end() -> None:
    """What the code inside does about its cancellation, shielded, is not cancelled a second time."""
    steps: list[str] = []

    async def work() -> None:
        with CLOCK.deadline(CLOCK.monotonic_s()):
            try:
                await CLOCK.sleep(30)
            finally:
                with anyio.CancelScope(shield=True):
                    for _ in range(3):
                        await CLOCK.sleep(0)
                    steps.append("cleaned up")

    with pytest.raises(DeadlineExceeded):
        await work()
    assert steps == ["cleaned up"]


async def test_an_error_that_a_passed_deadline_caused_is_passed_on() -> None:
    """What the code inside makes of its cancellation is not replaced, and nothing is left to cancel what follows."""

    async def work() -> None:
        with CLOCK.deadline(CLOCK.monotonic_s()):
            try:
                await CLOCK.sleep(30)
            finally:
                raise KeyError

    with pytest.raises(KeyError):
        await work()
    await CLOCK.sleep(0)


@pytest.mark.parametrize("owner", ["own", "host"])
async def test_promise_ten_thousand_cancelled_calls(serve: Any, closing: Any, call: Any, is_full: bool, owner: str) -> None:
    """
    After thousands of calls cancelled at random points the next 100 all succeed and no connection has leaked.

    Calls go in waves of three a slot and are cancelled some first, then all: where a call leaves the queue of httpx's own
    pool just as the closing of another gives it a connection, that connection is lost to the pool (adr/0005).
    """
    n_calls, n_slots, rng = 10_000 if is_full else 1_000, 10, random.Random(7)  # no secret
    limits = httpx.Limits(max_connections=n_slots)
    client = None if owner == "own" else httpx.AsyncClient(trust_env=False, limits=limits)
    transport = HttpxTransport(client, clock=CLOCK, options=TransportOptions(max_connections=n_slots))
    n_cancelled = 0

    async def cancellable_call(scope: anyio.CancelScope, url: str, is_streamed: bool) -> None:
        nonlocal n_cancelled
        with scope:
            await call(transport, url, is_streamed=is_streamed)
        n_cancelled += scope.cancelled_caught

    async def wait_up_to(n_checkpoints: int) -> None:
        for _ in range(rng.randrange(n_checkpoints)):
            await anyio.lowlevel.checkpoint()

    async with serve(STREAM) as server, closing(transport):
        while n_cancelled < n_calls:
            async with anyio.create_task_group() as wave:
                scopes = [anyio.CancelScope() for _ in range(3 * n_slots)]
                for scope in scopes:
                    wave.start_soon(cancellable_call, scope, server.url, rng.random() < 0.5)
                await wait_up_to(60)
                for part in (rng.sample(scopes, n_slots), scopes):
                    for scope in part:
                        scope.cancel()
                    await wait_up_to(8)
        bodies = [await call(transport, server.url, is_streamed=i % 2 == 1) for i in range(100)]
        assert bodies == [b"onetwo"] * 100
        await transport.aclose()
        if client is not None:
            await client.aclose()
        assert await server.open_connections(0) == 0
