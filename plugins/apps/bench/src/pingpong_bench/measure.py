"""
Interleaved rounds: every contender does the same work in turn, and CPU time alone is taken.

CPU time is user and system time of this process with all its threads; the scripted provider runs in another one.
The garbage collector stays on, since what a library leaves behind is part of what it costs. But it is emptied before each
measurement, and all that was imported before the first one is taken from its sight, so that nobody pays for another's modules.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from attrs import frozen
from pingpong import PluginError

from pingpong_bench.contenders import Contender
from pingpong_bench.opened import Opened, Work, expected
from pingpong_bench.scenarios import Scenario

LIMIT_S = 120.0
"""The longest that one measurement may take."""

_WARM_UP = 50

_NAP_S, _MAX_NAPS, _IDLE_CPU_S = 0.005, 20, 0.001


@frozen
class Row:
    """One contender in one scenario: CPU microseconds a call or an event, round by round."""

    scenario: str
    contender: str
    rounds_us: tuple[float, ...]

    @property
    def cpu_us(self) -> float:
        """The median."""
        return median(self.rounds_us)


@frozen
class Gap:
    """What was not measured, and why. `is_failure` tells that it was tried."""

    scenario: str
    contender: str
    reason: str
    is_failure: bool = False


def rotated(items: Sequence[Contender], n: int) -> list[Contender]:
    """The items in turn, another one first each time."""
    n %= max(len(items), 1)
    return [*items[n:], *items[:n]]


def reason_of(exc: BaseException) -> str:
    """The first line of what went wrong; of a group, of its first error."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, TimeoutError):
        return f"it took longer than {LIMIT_S:g} s"
    line = next(iter(str(exc).splitlines()), "")
    return f"{type(exc).__name__}: {line[:160]}"


async def spent_s(work: Work, n: int, concurrency: int) -> float:
    """CPU seconds of `n` works, so many at a time."""

    async def worker(share: int) -> None:
        for _ in range(share):
            await work()

    shares = [n // concurrency + (i < n % concurrency) for i in range(concurrency)]
    started_s = time.process_time()
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        for share in shares:
            tasks.create_task(worker(share))
    return time.process_time() - started_s


async def _idle() -> None:
    """Wait until what a contender left running in the background is done, so that the next one does not pay for it."""
    for _ in range(_MAX_NAPS):
        before_s = time.process_time()
        await asyncio.sleep(_NAP_S)
        if time.process_time() - before_s < _IDLE_CPU_S:
            return


@contextmanager
def _fresh_garbage() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Field:
    """The contenders of one scenario, with their figures and what is missing."""

    def __init__(self, scenario: Scenario, url: str) -> None:
        self._scenario, self._base_url = scenario, f"{url}{scenario.path}"
        self.able: list[Contender] = []
        self.seen: dict[str, list[float]] = {}
        self.gaps: list[Gap] = []

    async def enter(self, contender: Contender) -> None:
        """Look once at its answer, which imports whatever it needs."""
        scenario = self._scenario
        if contender.missing:
            self.gaps.append(Gap(scenario.name, contender.name, contender.missing))
            return
        try:
            async with contender.open(self._base_url) as opened:
                if (work := _work(opened, scenario)) is None:
                    return
                answer = opened.told(await work())
            if answer != expected(scenario.words):
                raise PluginError(f"its answer differs: {answer}")
        except Exception as exc:
            self._fail(contender, exc)
        else:
            self.able.append(contender)

    async def measure(self, contender: Contender) -> None:
        """
        One round of one contender, opened anew and with its connections made.

        Many HTTP clients drop a connection after some seconds without use, and spend a lot on it. While the others have their
        turn these seconds pass, so that whoever is kept open would be measured at tidying up.
        """
        scenario = self._scenario
        try:
            async with contender.open(self._base_url) as opened:
                work = _work(opened, scenario)
                assert work is not None  # noqa: S101  # looked at on entering
                gc.collect()
                await spent_s(opened.call or work, max(scenario.concurrency, _WARM_UP), scenario.concurrency)
                await _idle()
                cpu_s = await spent_s(work, scenario.n, scenario.concurrency)
            await _idle()
        except Exception as exc:
            self._fail(contender, exc)
        else:
            self.seen.setdefault(contender.name, []).append(cpu_s / scenario.n / scenario.events * 1e6)

    def _fail(self, contender: Contender, exc: Exception) -> None:
        """Leave it out, figures and all."""
        self.able = [other for other in self.able if other is not contender]
        self.seen.pop(contender.name, None)
        self.gaps.append(Gap(self._scenario.name, contender.name, reason_of(exc), is_failure=True))


def _work(opened: Opened, scenario: Scenario) -> Work | None:
    return opened.call if scenario.kind == "call" else opened.stream


async def measured(
    scenario: Scenario, contenders: Sequence[Contender], url: str, rounds: int, tell: Callable[[str], None]
) -> tuple[list[Row], list[Gap]]:
    """One scenario, in rounds; each begins with another contender. `tell` hears what is being done, between measurements."""
    field = Field(scenario, url)
    for contender in contenders:
        tell(f"{scenario.title}: {contender.title} answers")
        await field.enter(contender)
    with _fresh_garbage():
        for n in range(rounds):
            for contender in rotated(field.able, n):
                tell(f"{scenario.title}: round {n + 1} of {rounds}, {contender.title}")
                await field.measure(contender)
    return [Row(scenario.name, name, tuple(figures)) for name, figures in field.seen.items()], field.gaps
