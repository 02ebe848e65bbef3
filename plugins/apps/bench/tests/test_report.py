"""What is made of figures: medians, ratios, verdicts, tables, JSON, the page and the plot's data."""

from __future__ import annotations

import io
import json

import pytest
from attrs import evolve
from pingpong_bench.measure import Gap, Row
from pingpong_bench.page import page
from pingpong_bench.plot import OTHERS, OURS, panels
from pingpong_bench.report import Report, budgets_table, costs_table, reasons, report_json
from pingpong_bench.verdicts import COMPARISONS, KERNEL, UNMEASURED, Verdict, verdicts
from rich.console import Console
from rich.table import Table


def printed(table: Table, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def test_a_row_is_told_by_its_median() -> None:
    """One slow round changes nothing."""
    assert Row("call-1", "httpx", (3.0, 1.0, 900.0)).cpu_us == 3.0


def test_ratios_are_to_bare_httpx_of_the_same_scenario(report: Report) -> None:
    """A ratio is the quotient of two medians, and unknown where one is."""
    assert report.ratio("call-1", "pingpong-aiohttp") == pytest.approx(0.28)
    assert report.ratio("burst", "httpx") == 1.0
    assert report.ratio("call-1", "openai") is None
    assert evolve(report, rows=(Row("call-1", "litellm", (1.0,)),)).ratio("call-1", "litellm") is None


def test_every_budget_is_shown_measured_or_with_its_reason(report: Report) -> None:
    """There are as many verdicts as budgets, and one without a figure says why."""
    assert len(report.budgets) == len(KERNEL) + len(COMPARISONS) + len(UNMEASURED)
    assert all(v.reason for v in report.budgets if v.measured is None)
    assert not any(v.reason for v in report.budgets if v.measured is not None)


def test_a_budget_compares_by_quotient_or_by_difference(report: Report) -> None:
    """A whole call is a share of bare httpx; an event's cost is what it adds to the relay's."""
    found = {v.name: (round(v.measured or 0, 3), v.unit, v.is_met) for v in report.budgets}
    assert found["fast-1"] == (0.28, "×", True)
    assert found["fast-32"] == (0.28, "×", False)
    assert found["host-1"] == (1.12, "×", False)
    assert found["event-burst"] == (138.0, "µs", False)
    assert found["stream-paced"] == (0.28, "×", True)


def test_a_budget_without_its_contender_says_which() -> None:
    """The reason is the contender's own, or that nobody chose it."""
    rows = [Row("call-1", "httpx", (500.0,))]
    gap = Gap("call-1", "pingpong-aiohttp", "pingpong_aiohttp is not installed")
    found = {v.name: v.reason for v in verdicts([], rows, [gap])}
    assert found["fast-1"] == "pingpong-aiohttp: pingpong_aiohttp is not installed"
    assert found["host-1"] == "pingpong-host was not chosen"
    assert found["import"] == "the kernel was not chosen"


@pytest.mark.parametrize(("measured", "is_met"), [(39.9, True), (40.0, True), (40.1, False), (None, None)])
def test_a_budget_is_met_up_to_its_figure(measured: float | None, is_met: bool | None) -> None:
    """The budget itself is still within; what is unknown is neither."""
    assert Verdict(name="share", what="", budget=40, unit="µs", measured=measured).is_met is is_met


def test_what_is_kept(report: Report, kept: Report) -> None:
    """A missed budget and a failure of our own count; a failure of another library and what is not installed do not."""
    assert (report.is_kept, kept.is_kept) == (False, True)
    assert evolve(kept, gaps=(Gap("call-1", "pingpong-host", "PluginError: no", is_failure=True),)).is_kept is False


def test_tables_fit_a_hundred_columns(report: Report) -> None:
    """No row is folded or cut, even with figures as large as they come."""
    large = [evolve(row, rounds_us=(12345.6,)) if row.contender == "litellm" else row for row in report.rows]
    costs = printed(costs_table(evolve(report, rows=tuple(large))))
    assert max(map(len, costs)) <= 100
    assert [line for line in costs if "LiteLLM" in line] == [line for line in costs if "12346  24.69×" in line]
    assert len([line for line in costs if "×" in line]) == len(report.contenders)
    budgets = printed(budgets_table(report))
    assert max(map(len, budgets)) <= 100
    assert len([line for line in budgets if line.rstrip().endswith(("yes", "NO", "not measured"))]) == len(report.budgets)


def test_reasons_are_told_once(report: Report) -> None:
    """A contender that is missing everywhere has one line; one missing somewhere names where."""
    assert reasons(report)[:2] == ["OpenAI SDK: openai is not installed.", "pydantic-ai (paced): ValueError: no."]
    assert len(reasons(report)) == len(set(reasons(report)))


def test_json_is_whole(report: Report) -> None:
    """The object survives JSON, has a row a figure, and null where nobody knows."""
    data = json.loads(json.dumps(report_json(report), allow_nan=False))
    assert sorted(data) == ["budgets", "is_kept", "is_quick", "machine", "not_measured", "rounds", "rows", "scenarios"]
    assert len(data["rows"]) == len(report.rows)
    row = next(r for r in data["rows"] if (r["scenario"], r["contender"]) == ("burst", "pingpong-aiohttp"))
    assert row == {
        "scenario": "burst",
        "contender": "pingpong-aiohttp",
        "title": "Ping-Pong over aiohttp",
        "unit": "event",
        "cpu_us": 140.0,
        "ratio": 0.28,
        "rounds_us": [140.0, 140.0, 1140.0],
    }
    unknown = data["budgets"][-1]
    assert (unknown["measured"], unknown["is_met"], bool(unknown["reason"])) == (None, None, True)
    assert data["machine"]["versions"] == {"httpx": "0.28.1"}


def test_the_page_holds_the_tables(report: Report) -> None:
    """Machine, versions, budgets, figures, picture and reasons stand on it; a quick run says that it is one."""
    text = page(report, "calls.svg")
    assert "CPython 3.11.7 on Linux x86_64, a processor, 2 cores" in text
    assert "| decide over 500 cards | 60.0 µs | 200.0 µs | yes |" in text
    assert "| Ping-Pong over aiohttp | 140  0.28× |" in text
    assert "](calls.svg)" in text
    assert "- OpenAI SDK: openai is not installed." in text
    assert "quick run" not in text
    assert "quick run" in page(evolve(report, is_quick=True), "")
    assert "![" not in page(report, "")


def test_the_plot_shows_ratios_dearest_first(report: Report) -> None:
    """One panel a scenario, its bars from the dearest to the cheapest; the relay, which parses nothing, is not among them."""
    drawn = panels(report)
    titles = ["1 call at a time", "32 calls at a time", "100 calls at a time"]
    assert [p.title for p in drawn] == [*titles, "streamed burst, an event", "paced streams, an event"]
    burst = drawn[3]
    assert [b.label for b in burst.bars] == ["LiteLLM", "Ping-Pong, host's httpx", "bare httpx", "Ping-Pong over aiohttp"]
    assert [b.ratio for b in burst.bars] == pytest.approx([5.0, 1.12, 1.0, 0.28])
    assert (burst.bars[0].colour, burst.bars[-1].colour) == (OTHERS, OURS)
