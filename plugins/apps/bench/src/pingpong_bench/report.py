"""What was measured, as one value: for people, for programs, and as a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

from pingpong_bench.contenders import CONTENDERS, REFERENCE
from pingpong_bench.machine import Machine
from pingpong_bench.measure import Gap, Row
from pingpong_bench.scenarios import Scenario
from pingpong_bench.verdicts import Verdict

if TYPE_CHECKING:
    from rich.table import Table

TITLES = {c.name: c.title for c in CONTENDERS}


@frozen(kw_only=True)
class Report:
    """One run. `is_quick` figures say nothing."""

    machine: Machine
    rounds: int
    is_quick: bool
    scenarios: tuple[Scenario, ...]
    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...]
    budgets: tuple[Verdict, ...]

    @property
    def is_kept(self) -> bool:
        """Whether every budget that was measured is met, and none is unknown because one of our own contenders failed."""
        ours = {c.name for c in CONTENDERS if c.is_ours}
        is_unknown = any(gap.is_failure and gap.contender in ours for gap in self.gaps)
        return not is_unknown and all(budget.is_met is not False for budget in self.budgets)

    @property
    def contenders(self) -> list[str]:
        """Those with at least one figure, in the order of the table of contenders."""
        seen = {row.contender for row in self.rows}
        return [name for name in TITLES if name in seen]

    def cpu_us(self, scenario: str, contender: str) -> float | None:
        """The median, None where it was not measured."""
        return next((r.cpu_us for r in self.rows if (r.scenario, r.contender) == (scenario, contender)), None)

    def ratio(self, scenario: str, contender: str) -> float | None:
        """The median against bare httpx in the same scenario, None where one of them was not measured."""
        ours, reference = self.cpu_us(scenario, contender), self.cpu_us(scenario, REFERENCE)
        return None if ours is None or not reference else ours / reference


def report_json(report: Report) -> dict[str, Any]:
    """One object: machine, method, rows, gaps, budgets; what is unknown is null."""
    units = {s.name: s for s in report.scenarios}
    return {
        "machine": asdict(report.machine),
        "rounds": report.rounds,
        "is_quick": report.is_quick,
        "scenarios": [
            {"name": s.name, "unit": s.unit, "concurrency": s.concurrency, "calls_per_round": s.n, "events_per_call": s.events}
            for s in report.scenarios
        ],
        "rows": [
            {
                "scenario": row.scenario,
                "contender": row.contender,
                "title": TITLES[row.contender],
                "unit": units[row.scenario].unit,
                "cpu_us": row.cpu_us,
                "ratio": report.ratio(row.scenario, row.contender),
                "rounds_us": list(row.rounds_us),
            }
            for row in report.rows
        ],
        "not_measured": [asdict(gap) for gap in report.gaps],
        "budgets": [{**asdict(v), "is_met": v.is_met} for v in report.budgets],
        "is_kept": report.is_kept,
    }


def figure(value: float, unit: str) -> str:
    """A figure in its unit, in the digits that matter."""
    return f"{value:.2f} {unit}" if unit == "×" else f"{value:.1f} {unit}"


def met(verdict: Verdict) -> str:
    """Yes, NO, or not measured."""
    return {True: "yes", False: "NO", None: "not measured"}[verdict.is_met]


def reasons(report: Report) -> list[str]:
    """Each contender and budget that was not measured and why, each told once."""
    told: dict[tuple[str, str], list[str]] = {}
    titles = {s.name: s.title for s in report.scenarios}
    for gap in report.gaps:
        told.setdefault((gap.contender, gap.reason), []).append(titles[gap.scenario])
    lines = []
    for (name, reason), where in told.items():
        only = "" if len(where) == len(report.scenarios) else f" ({', '.join(where)})"
        lines.append(f"{TITLES[name]}{only}: {reason}.")
    unknown = dict.fromkeys(v.reason for v in report.budgets if v.measured is None)
    return [*lines, *(f"Budgets: {reason}." for reason in unknown)]


def cells(report: Report, name: str) -> Iterator[str]:
    """One contender's figures, one a scenario."""
    for scenario in report.scenarios:
        cpu_us, ratio = report.cpu_us(scenario.name, name), report.ratio(scenario.name, name)
        if cpu_us is None:
            yield "–"
        else:
            digits = f"{cpu_us:.0f}" if scenario.kind == "call" else f"{cpu_us:.1f}"
            yield digits if ratio is None else f"{digits}  {ratio:.2f}×"


def heading(scenario: Scenario) -> str:
    """A scenario in two short lines."""
    return f"{scenario.title}\nµs/{scenario.unit}"


def costs_table(report: Report) -> Table:
    """CPU microseconds and the ratio to bare httpx, a row a contender."""
    table = _table("CPU time")
    for scenario in report.scenarios:
        table.add_column(heading(scenario), justify="right", no_wrap=True)
    ours = {c.name for c in CONTENDERS if c.is_ours}
    for name in report.contenders:
        style = "bold cyan" if name in ours else "bold" if name == REFERENCE else None
        table.add_row(TITLES[name], *cells(report, name), style=style)
    return table


def budgets_table(report: Report) -> Table:
    """Every budget, measured or with the reason why not."""
    table = _table("budget")
    for name in ("measured", "allowed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for v in report.budgets:
        style = {True: None, False: "bold red", None: "dim"}[v.is_met]
        measured = "–" if v.measured is None else figure(v.measured, v.unit)
        table.add_row(v.what, measured, figure(v.budget, v.unit), met(v), style=style)
    return table


def _table(first: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    return table
