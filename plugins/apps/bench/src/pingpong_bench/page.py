"""The page that `--write` writes, in Markdown, one sentence a line. Pure."""

from __future__ import annotations

from pingpong_bench.report import TITLES, Report, cells, figure, heading, met, reasons

_PAGE = """# The budgets, measured

This page is written by `pingpong bench calls --write`; [how to run it](../how-to/benchmark.md) says what each row does.
The figures are CPU time, user and system, of the calling process: medians of {rounds} interleaved rounds.
They were taken with {machine}.
Versions: {versions}.

## Budgets

{budgets}

## What a call and an event cost

In microseconds, with the ratio to bare httpx in the same column.
Calls are made 1, 32 and 100 at a time.
An event's figure is that of the whole stream divided by its events: {burst}, and {paced}.

{costs}
{plot}{gaps}"""

QUICK = "\nThis was a quick run: its figures say nothing.\n"


def page(report: Report, plot: str) -> str:
    """The page of a report; `plot` is the path of its picture as the page sees it, "" for none."""
    burst, paced = (next(s for s in report.scenarios if s.name == name) for name in ("burst", "paced"))
    costs = [["CPU time", *(heading(s).replace("\n", ", ") for s in report.scenarios)]]
    costs += [[TITLES[name], *cells(report, name)] for name in report.contenders]
    budgets = [["what", "measured", "budget", "met"]]
    for v in report.budgets:
        measured = "–" if v.measured is None else figure(v.measured, v.unit)
        budgets.append([v.what, measured, figure(v.budget, v.unit), met(v)])
    text = _PAGE.format(
        rounds=report.rounds,
        machine=report.machine,
        versions=", ".join(f"{name} {version}" for name, version in report.machine.versions.items()),
        budgets=_markdown(budgets, left={0, 3}),
        burst=f"a burst of {burst.events} events that come at once",
        paced=f"{paced.concurrency} streams at a time of {paced.events} events each, one every {paced.interval_ms:g} ms",
        costs=_markdown(costs, left={0}),
        plot=f"\n![CPU time against bare httpx, a bar a library]({plot})\n" if plot else "",
        gaps="\nNot measured:\n\n" + "".join(f"- {line}\n" for line in reasons(report)) if reasons(report) else "",
    )
    return text + (QUICK if report.is_quick else "")


def _markdown(rows: list[list[str]], left: set[int]) -> str:
    rule = ["---" if i in left else "--:" for i in range(len(rows[0]))]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (rows[0], rule, *rows[1:]))
