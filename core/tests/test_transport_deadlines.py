"""A deadline of the system's clock beside a host's own scopes on asyncio."""

from __future__ import annotations

import asyncio
import time

import anyio
import pytest
from pingpong import DeadlineExceeded, SystemClock


async def _ends_slowly(is_unwinding: asyncio.Event, may_end: asyncio.Event) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        is_unwinding.set()
        with anyio.CancelScope(shield=True):
            await may_end.wait()


async def _late(is_unwinding: asyncio.Event, may_end: asyncio.Event) -> None:
    with SystemClock().deadline(time.monotonic() + 0.01):
        async with anyio.create_task_group() as group:
            group.start_soon(_ends_slowly, is_unwinding, may_end)
            await anyio.sleep_forever()


def test_a_scope_cancelled_while_a_deadline_unwinds_cancels_no_task_of_the_host() -> None:
    """
    The host's scope sees DeadlineExceeded pass, not a cancellation that nobody asked for.

    httpx waits for a task group of its own when it is cancelled while it connects; what a task group raises then is
    the deadline's CancelledError, which the host's scope would let through and so end the host's task.
    """

    async def run() -> None:
        is_unwinding, may_end = asyncio.Event(), asyncio.Event()

        async def leave(scope: anyio.CancelScope) -> None:
            await is_unwinding.wait()
            scope.cancel()
            asyncio.get_running_loop().call_later(0, may_end.set)

        with anyio.fail_after(10), anyio.CancelScope() as scope:
            leaving = asyncio.create_task(leave(scope))
            with pytest.raises(DeadlineExceeded):
                await _late(is_unwinding, may_end)
            await anyio.sleep_forever()
        await leaving
        task = asyncio.current_task()
        assert task is not None
        assert (scope.cancelled_caught, task.cancelling()) == (True, 0)

    asyncio.run(run())
