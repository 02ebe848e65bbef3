"""A report without a measurement, and contenders that need no server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from attrs import evolve
from pingpong_bench.contenders import Contender
from pingpong_bench.kernel import Figure
from pingpong_bench.machine import Machine
from pingpong_bench.measure import Gap, Row
from pingpong_bench.opened import Answer, Opened, Work
from pingpong_bench.report import Report
from pingpong_bench.scenarios import QUICK, scenarios
from pingpong_bench.verdicts import verdicts


@pytest.fixture
def anyio_backend() -> str:
    """The measurement runs on asyncio, as most of the libraries it compares do."""
    return "asyncio"


MACHINE = Machine(
    python="CPython 3.11.7", platform="Linux x86_64", processor="a processor", cores=2, versions={"httpx": "0.28.1"}
)
CPU_US = {"raw": 25.0, "httpx": 500.0, "relay": 2.0, "pingpong-aiohttp": 140.0, "pingpong-host": 560.0, "litellm": 2500.0}
CALLS, STREAMS = {"relay"}, {"raw"}


@pytest.fixture
def report() -> Report:
    """A whole run: one budget missed, one contender not installed, one failed."""
    shown = scenarios(QUICK)
    left_out = {"call": CALLS, "stream": STREAMS}
    rows = [
        Row(s.name, name, (cpu_us, cpu_us, cpu_us + 1000))
        for s in shown
        for name, cpu_us in CPU_US.items()
        if name not in left_out[s.kind]
    ]
    gaps = [Gap(s.name, "openai", "openai is not installed") for s in shown]
    gaps.append(Gap("paced", "pydantic-ai", "ValueError: no", is_failure=True))
    figures = [Figure("import", 0.5), Figure("listing", 70.0), Figure("deciding", 60.0), Figure("share", 39.0)]
    return Report(
        machine=MACHINE,
        rounds=3,
        is_quick=False,
        scenarios=shown,
        rows=tuple(rows),
        gaps=tuple(gaps),
        budgets=verdicts(figures, rows, gaps),
    )


@pytest.fixture
def kept(report: Report) -> Report:
    """The same run with every budget met."""
    met = [evolve(v, measured=None if v.measured is None else v.budget) for v in report.budgets]
    return evolve(report, budgets=tuple(met))


@pytest.fixture(scope="session")
def contender() -> Callable[..., Contender]:
    """A contender that does what it is told to in place of a call; what it gives is its answer."""

    def make(name: str, call: Work | None, **more: Any) -> Contender:
        @asynccontextmanager
        async def opened(base_url: str) -> AsyncIterator[Opened]:
            yield Opened(call=call, told=told)

        def told(answer: Any) -> Answer:
            assert isinstance(answer, Answer)
            return answer

        opening: Callable[[str], AbstractAsyncContextManager[Opened]] = opened
        return Contender(name=name, title=name, open=more.pop("open", opening), **more)

    return make
