"""One run, from first to last: the kernel over its fakes, then every scenario against the scripted provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from attrs import evolve

from pingpong_bench.contenders import CONTENDERS, REFERENCE, Contender
from pingpong_bench.kernel import KERNEL
from pingpong_bench.loopback import serving
from pingpong_bench.machine import machine_of
from pingpong_bench.measure import Gap, Row, measured
from pingpong_bench.report import Report
from pingpong_bench.scenarios import FULL, QUICK, Scenario, Size, scenarios
from pingpong_bench.verdicts import verdicts

KERNEL_NAME = "kernel"

CHOICES = (KERNEL_NAME, *(c.name for c in CONTENDERS if c.name != REFERENCE))
"""What `--only` takes. The reference is always measured, since every ratio is to it."""


def run(only: Sequence[str], rounds: int | None, *, is_quick: bool, tell: Callable[[str], None]) -> Report:
    """Measure what is chosen, or everything; `tell` hears what is being done, between measurements."""
    size = QUICK if is_quick else FULL
    size = size if rounds is None else evolve(size, rounds=rounds)
    chosen = [c for c in CONTENDERS if not only or c.name in only or c.name == REFERENCE]
    machine = machine_of(["pingpong-core", *dict.fromkeys(c.distribution for c in chosen if c.distribution)])
    figures = []
    for title, measure in KERNEL if not only or KERNEL_NAME in only else ():
        tell(f"kernel: {title}")
        figures.append(measure(size))
    todo = scenarios(size) if set(only) != {KERNEL_NAME} else ()
    rows, gaps = asyncio.run(_all(todo, chosen, size, tell)) if todo else ([], [])
    return Report(
        machine=machine,
        rounds=size.rounds,
        is_quick=is_quick,
        scenarios=scenarios(size),
        rows=tuple(rows),
        gaps=tuple(gaps),
        budgets=verdicts(figures, rows, gaps),
    )


async def _all(
    todo: Sequence[Scenario], chosen: Sequence[Contender], size: Size, tell: Callable[[str], None]
) -> tuple[list[Row], list[Gap]]:
    rows: list[Row] = []
    gaps: list[Gap] = []
    with serving(size) as url:
        for scenario in todo:
            found, missing = await measured(scenario, chosen, url, size.rounds, tell)
            rows += found
            gaps += missing
    return rows, gaps
