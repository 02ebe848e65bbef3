"""Where a check runs: scripted servers, transports, a clock that can be put forward, and a look at what was left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
from attrs import define, field
from pingpong import Clock, DeadlineExceeded, PingPongError, SystemClock, Transport, TransportOptions, WireRequest, WireResponse

from pingpong_contract.transports._server import Server, Servers
from pingpong_contract.transports._verdict import Broken, Check, expect, expect_that

Maker = Callable[[Clock, TransportOptions], Transport]
"""A new transport; called inside the event loop that it will run in."""

POST = WireRequest("POST", "/v1/messages", {"content-type": "application/json"}, b'{"a":1}')
GET = WireRequest("GET", "/v1/models")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
FIRST_PIECE = CHUNKED + b"3\r\none\r\n"
PLAIN_OR_STREAMED = (("plain", False), ("streamed", True))

FAR_S = 60.0
"""A deadline that no check waits for: the clock is put forward."""


class LabClock:
    """The machine's clock, which a check can put forward; what waits inside a deadline that is past then, ends."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._forward_s = 0.0
        self._scopes: set[anyio.CancelScope] = set()

    def monotonic_s(self) -> float:
        """The machine's time, and what it was put forward by."""
        return time.monotonic() + self._forward_s

    def utc_now(self) -> datetime:
        """The machine's time of day."""
        return self._system.utc_now()

    async def sleep(self, seconds: float) -> None:
        """Wait by the machine's time."""
        await self._system.sleep(seconds)

    @contextmanager
    def deadline(self, at_s: float) -> Iterator[None]:
        """As `Clock.deadline`."""
        with anyio.CancelScope(deadline=anyio.current_time() + at_s - self.monotonic_s()) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise DeadlineExceeded("The request's time is used up.")

    def put_forward(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._forward_s += seconds
        for scope in self._scopes:
            scope.deadline -= seconds


@define
class Call:
    """A call that runs beside the check; `wait_s` as in `Server`."""

    wait_s: float
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    result: WireResponse | None = None
    error: BaseException | None = None
    is_over: anyio.Event = field(factory=anyio.Event)

    async def outcome(self) -> WireResponse | BaseException:
        """The answer, or what was raised; waits."""
        with anyio.move_on_after(self.wait_s):
            await self.is_over.wait()
            return self.result or self.error or Broken("a call", expected="an answer or an error", seen="a cancelled call")
        raise Broken("a call", expected="an end", seen=f"it waits after {self.wait_s:g} s")

    async def body(self) -> bytes:
        """The answer's body; what was raised instead is raised here."""
        outcome = await self.outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome.body


@define
class Lab:
    """What one check works with."""

    make: Maker
    servers: Servers
    is_asyncio: bool
    clock: LabClock = field(factory=LabClock)

    def serve(self, *answers: Any, **how: Any) -> Server:
        """A scripted server, see `Servers.start`."""
        return self.servers.start(*answers, **how)

    @asynccontextmanager
    async def transport(self, **options: Any) -> AsyncIterator[Transport]:
        """A transport under test, closed with the block."""
        transport = self.make(self.clock, TransportOptions(**options))
        try:
            yield transport
        finally:
            await transport.aclose()

    @property
    def wait_s(self) -> float:
        """How long to wait for what must happen."""
        return self.servers.wait_s

    def tasks(self) -> set[asyncio.Task[Any]]:
        """The event loop's tasks; none on trio, where no task outlives its nursery."""
        return asyncio.all_tasks() if self.is_asyncio else set()

    def far(self) -> float:
        """A deadline far off."""
        return self.clock.monotonic_s() + FAR_S

    async def turns(self, n_turns: int = 10) -> None:
        """Let everything else that can run do so for some turns of the event loop."""
        for _ in range(n_turns):
            await anyio.lowlevel.checkpoint()

    async def call(
        self,
        transport: Transport,
        url: str,
        request: WireRequest = POST,
        *,
        is_streamed: bool = False,
        deadline_s: float | None = None,
    ) -> WireResponse:
        """One whole answer, plain or out of a stream that is read to its end and closed."""
        deadline_s = self.far() if deadline_s is None else deadline_s
        if not is_streamed:
            return await transport.send(url, request, deadline_s)
        stream = await transport.open(url, request, deadline_s)
        pieces = []
        try:
            while piece := await stream.read():
                pieces.append(piece)
        finally:
            await stream.aclose()
        return WireResponse(stream.status, stream.headers, b"".join(pieces))

    async def error(self, transport: Transport, url: str, request: WireRequest = POST, *, case: str, **how: Any) -> PingPongError:
        """The typed error that a call must end with, soon."""
        seen = f"it waits after {self.wait_s:g} s"
        with anyio.move_on_after(self.wait_s):
            try:
                answer = await self.call(transport, url, request, **how)
                seen = f"status {answer.status} and a body of {len(answer.body)} bytes"
            except PingPongError as error:
                return error
            except Exception as exc:
                raise Broken(case, expected="an error of pingpong's tree", seen=f"{type(exc).__name__}: {exc}") from exc
        raise Broken(case, expected="an error", seen=seen)

    async def fails_as(
        self, kinds: type[PingPongError] | tuple[type[PingPongError], ...], transport: Transport, url: str,
        request: WireRequest = POST, *, case: str, **how: Any,
    ) -> PingPongError:  # fmt: skip
        """The error that a call must end with, of one of these classes."""
        error = await self.error(transport, url, request, case=case, **how)
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        names = " or ".join(kind.__name__ for kind in wanted)
        expect_that(isinstance(error, wanted), case, expected=names, seen=f"{type(error).__name__}: {error}")
        return error

    @asynccontextmanager
    async def many(self, n_calls: int, work: Callable[[int], Awaitable[WireResponse]]) -> AsyncIterator[list[Call]]:
        """Run calls beside the block; those that the block does not wait for are cancelled at its end."""

        async def run(call: Call, n: int) -> None:
            try:
                with call.scope:
                    call.result = await work(n)
            except Exception as exc:
                call.error = exc
            finally:
                call.is_over.set()

        calls = [Call(self.wait_s) for _ in range(n_calls)]
        async with anyio.create_task_group() as tasks:
            for n, call in enumerate(calls):
                tasks.start_soon(run, call, n)
            yield calls
            tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def beside(self, work: Callable[[], Awaitable[WireResponse]]) -> AsyncIterator[Call]:
        """Run one call beside the block."""
        async with self.many(1, lambda _: work()) as calls:
            yield calls[0]

    async def still_works(self, transport: Transport, url: str, case: str) -> None:
        """One more call succeeds: no slot and no connection was lost."""
        with anyio.move_on_after(self.wait_s) as scope:
            try:
                answer = await self.call(transport, url)
            except PingPongError as error:
                raise Broken(f"the next call, {case}", expected="b'hello'", seen=f"{type(error).__name__}: {error}") from error
            expect(f"the next call, {case}", expected=b"hello", seen=answer.body)
        if scope.cancelled_caught:
            raise Broken(f"the next call, {case}", expected="an answer", seen=f"it waits after {self.wait_s:g} s")


def run_check(check: Check, make: Maker, backend: str, *, wait_s: float = 5.0) -> None:
    """
    Try one rule on a transport, in an event loop of its own.

    Args:
        wait_s: How long to wait for what must happen before the rule counts as broken.

    Raises:
        AssertionError: The rule does not hold; the message names the check, the rule, what was expected and what was seen.
    """
    try:
        with _left_behind(), Servers(wait_s) as servers:
            anyio.run(partial(_bounded, check, Lab(make, servers, backend == "asyncio")), backend=backend)
    except BaseException as exc:
        cause = _first(exc)
        if not isinstance(cause, Exception):
            raise
        seen = str(cause) if isinstance(cause, Broken) else f"seen: {type(cause).__name__}: {cause}"
        raise AssertionError(f"{check.id}: {check.rule}\n{seen}") from cause


def _first(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup):
        broken, others = exc.split(Broken)
        exc = (broken or others or exc).exceptions[0]
    return exc


async def _bounded(check: Check, lab: Lab) -> None:
    reported: list[str] = []
    before = lab.tasks()
    if lab.is_asyncio:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context.get("message"))))
    with anyio.move_on_after(check.bound_s) as scope:
        await check.run(lab)
        await lab.turns()
        gc.collect()
        names = sorted(str(task.get_coro()) for task in lab.tasks() - before)
        expect("tasks left after the check", expected=[], seen=names)
        expect("reported to the event loop", expected=[], seen=reported)
    if scope.cancelled_caught:
        raise Broken("the whole check", expected=f"an end within {check.bound_s:g} s", seen="it hung")


def descriptors() -> frozenset[str]:
    """The open file descriptors of this process; empty where the system does not show them."""
    folder = Path("/proc/self/fd")
    return frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()


def threads() -> set[threading.Thread]:
    """The threads that live; those of trio's and asyncio's own pools apart, which end by themselves."""
    return {thread for thread in threading.enumerate() if not thread.name.lower().startswith(("trio", "asyncio", "anyio"))}


@contextmanager
def _left_behind() -> Iterator[None]:
    """
    Fails where what ran inside leaves a descriptor, a thread, an open generator or an unclosed resource.

    Raises:
        Broken: It did, unless another failure is on its way.
    """
    found: list[str] = []
    gc.collect(1)
    gc.freeze()  # so that a collection looks at what the check made and nothing else
    before, n_threads, hook = descriptors(), threads(), sys.unraisablehook
    sys.unraisablehook = lambda unraisable: found.append(f"{unraisable.exc_value!r} in {unraisable.object!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResourceWarning)
            warnings.simplefilter("error", RuntimeWarning)
            yield
            gc.collect()
    finally:
        sys.unraisablehook = hook
        gc.unfreeze()
    found += [f"thread {thread.name}" for thread in threads() - n_threads]
    n_left = len(descriptors()) - len(before)
    if n_left > 0:
        found.append(f"{n_left} file descriptors")
    if found:
        raise Broken("after the check", expected="nothing left behind", seen="; ".join(found))
