"""The budgets of DESIGN.md §6, and whether what was measured keeps them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from pingpong_bench.contenders import REFERENCE
from pingpong_bench.kernel import Figure
from pingpong_bench.measure import Gap, Row


@frozen(kw_only=True)
class Verdict:
    """
    One budget.

    Attributes:
        measured: In `unit`; None where it was not measured, for `reason`.
    """

    name: str
    what: str
    budget: float
    unit: str
    measured: float | None = None
    reason: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether it was kept; None where nobody knows."""
        return None if self.measured is None else self.measured <= self.budget


KERNEL = (
    Verdict(name="import", what="import pingpong, touching Client and Request / import httpx", budget=1.3, unit="×"),
    Verdict(name="listing", what="list all plugins and models, 25 drivers with 500 cards", budget=100, unit="ms"),
    Verdict(name="deciding", what="decide over 500 cards", budget=200, unit="µs"),
    Verdict(name="share", what="the framework's own share of a call, OpenAI codec, fake transport", budget=40, unit="µs"),
)


@frozen
class Comparison:
    """A budget on one contender against another in a scenario: their quotient, or with `is_gap` their difference."""

    name: str
    what: str
    scenario: str
    contender: str
    to: str
    budget: float
    is_gap: bool = False

    @property
    def empty(self) -> Verdict:
        """The budget, not yet measured."""
        return Verdict(name=self.name, what=self.what, budget=self.budget, unit="µs" if self.is_gap else "×")


_FAST, _HOST = "pingpong-aiohttp", "pingpong-host"

COMPARISONS = (
    Comparison("fast-1", "whole call, fast transport, 1 at a time / bare httpx", "call-1", _FAST, REFERENCE, 0.30),
    Comparison("fast-32", "whole call, fast transport, 32 at a time / bare httpx", "call-32", _FAST, REFERENCE, 0.15),
    Comparison("host-1", "whole call, host's httpx, 1 at a time / bare httpx", "call-1", _HOST, REFERENCE, 1.10),
    Comparison("host-32", "whole call, host's httpx, 32 at a time / bare httpx", "call-32", _HOST, REFERENCE, 1.10),
    Comparison("event-burst", "streamed event, burst, over relaying the raw bytes", "burst", _FAST, "relay", 5, is_gap=True),
    Comparison("event-paced", "streamed event, paced, over relaying the raw bytes", "paced", _FAST, "relay", 5, is_gap=True),
    Comparison("stream-burst", "whole stream, burst / bare httpx parsing the same bytes", "burst", _FAST, REFERENCE, 0.70),
    Comparison("stream-paced", "whole stream, paced / bare httpx parsing the same bytes", "paced", _FAST, REFERENCE, 0.70),
)

_NO_SUITE = "the contract suite's runs are not timed here yet"

UNMEASURED = (
    Verdict(name="contract-native", what="contract suite, native driver, both backends", budget=20, unit="s", reason=_NO_SUITE),
    Verdict(name="contract-like", what="contract suite, OpenAI-compatible driver", budget=6, unit="s", reason=_NO_SUITE),
)


def verdicts(figures: Sequence[Figure], rows: Sequence[Row], gaps: Sequence[Gap]) -> tuple[Verdict, ...]:
    """Every budget, in DESIGN's order, measured or with the reason why not."""
    values = {figure.name: figure.value for figure in figures}
    kernel = [
        evolve(v, measured=values.get(v.name), reason="" if v.name in values else "the kernel was not chosen") for v in KERNEL
    ]
    cpu_us = {(row.scenario, row.contender): row.cpu_us for row in rows}
    reasons = {(gap.scenario, gap.contender): f"{gap.contender}: {gap.reason}" for gap in gaps}
    return (*kernel, *(_compared(c, cpu_us, reasons) for c in COMPARISONS), *UNMEASURED)


def _compared(comparison: Comparison, cpu_us: dict[tuple[str, str], float], reasons: dict[tuple[str, str], str]) -> Verdict:
    keys = [(comparison.scenario, name) for name in (comparison.contender, comparison.to)]
    for key in keys:
        if key not in cpu_us:
            return evolve(comparison.empty, reason=reasons.get(key, f"{key[1]} was not chosen"))
    ours, other = (cpu_us[key] for key in keys)
    return evolve(comparison.empty, measured=ours - other if comparison.is_gap else ours / other)
