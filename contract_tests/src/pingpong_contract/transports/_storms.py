"""The promise about cancellation, for a transport: after many calls cancelled at random points the next ones all succeed."""

from __future__ import annotations

import os
from functools import partial
from random import Random

import anyio
from attrs import define
from pingpong import Transport, WireResponse

from pingpong_contract.transports._lab import CHUNKED, Lab
from pingpong_contract.transports._verdict import Broken, Check, check, expect, expect_that

_N_CALLS = 10_000 if os.environ.get("PINGPONG_FULL") == "1" else 1_000
_N_AFTER = 100


@define
class _Storm:
    """Calls in waves, each of them cancelled after a random time or a random number of turns of the event loop."""

    lab: Lab
    transport: Transport
    url: str
    draw: Random
    n_cancelled: int = 0
    patience: float = 1.0
    span_s: float = 0.0
    n_turns: int = 0

    async def wave(self, n_calls: int) -> None:
        """So many calls at a time. The pace follows the transport's, so that most are cancelled: in queues calls get lost."""
        self.span_s, self.n_turns = 0.001 * self.patience * max(1.0, 0.3 * n_calls), round(2 + 60 * self.patience)
        before = self.n_cancelled
        async with self.lab.many(n_calls, self._cut_short) as calls:
            for call in calls:
                await call.body()
        self.patience *= 1.3 if self.n_cancelled - before > 0.7 * n_calls else 0.5

    async def _cut_short(self, _: int) -> WireResponse:
        call = partial(self.lab.call, self.transport, self.url, is_streamed=self.draw.random() < 0.5)
        with anyio.CancelScope() as scope:
            if self.draw.random() < 0.5:
                scope.deadline = anyio.current_time() + self.draw.random() * self.span_s
                return await call()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                await self.lab.turns(self.draw.randrange(self.n_turns))
                scope.cancel()
        self.n_cancelled += scope.cancelled_caught
        return WireResponse(0)

    async def calm(self) -> None:
        """Calls that nobody cancels."""
        for n in range(_N_AFTER):
            case = f"call {n + 1} of {_N_AFTER} after {self.n_cancelled} cancelled ones"
            with anyio.move_on_after(self.lab.wait_s) as scope:
                got = await self.lab.call(self.transport, self.url, is_streamed=n % 2 == 1)
                expect(case, expected=b"onetwo", seen=got.body)
            if scope.cancelled_caught:
                raise Broken(case, expected="an answer", seen="it hung")


def _storm(n_at_a_time: int) -> Check:
    async def run(lab: Lab) -> None:
        server = lab.serve([CHUNKED + b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"])
        async with lab.transport() as transport:
            storm = _Storm(lab, transport, server.url, Random(n_at_a_time))  # noqa: S311  # where to cancel, no secret
            for start in range(0, _N_CALLS, n_at_a_time):
                await storm.wave(min(n_at_a_time, _N_CALLS - start))
            await storm.calm()
        n_cancelled = storm.n_cancelled
        expect_that(n_cancelled >= _N_CALLS // 10, "the check itself", expected="a tenth cancelled", seen=f"{n_cancelled}")
        await server.no_connection("after it all")

    run.__doc__ = f"After {_N_CALLS} calls, {n_at_a_time} at a time, cancelled at random points, the next {_N_AFTER} all succeed."
    return check(f"T-cancel-storm-{n_at_a_time}", bound_s=60 + _N_CALLS / 50)(run)


storm_1, storm_50, storm_150 = _storm(1), _storm(50), _storm(150)
