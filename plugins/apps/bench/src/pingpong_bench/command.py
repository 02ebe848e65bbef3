"""`pingpong bench calls`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pingpong_bench.app import App, as_json, check_writable
from pingpong_bench.run import CHOICES, KERNEL_NAME, run

if TYPE_CHECKING:
    from rich.console import Console


def make() -> click.Command:
    """The command."""
    return calls


@click.command("calls")
@click.option(
    "--only",
    type=click.Choice(CHOICES),
    multiple=True,
    metavar="NAME",
    help=f"Measure this beside bare httpx; may be repeated. `kernel` is what is measured over fakes; {', '.join(CHOICES[1:])}.",
)
@click.option("--rounds", type=click.IntRange(1), help="Interleaved rounds; 9 unless --quick.")
@click.option("--quick", "is_quick", is_flag=True, help="Run everything once and small; the figures say nothing.")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Draw the ratios, as .svg or .png; needs matplotlib.")
@click.option("--write", "page_file", type=click.Path(path_type=Path), help="Write the tables as a page in Markdown.")
@as_json
@click.pass_context
def calls(
    ctx: click.Context, only: tuple[str, ...], rounds: int | None, is_quick: bool, plot_file: Path | None, page_file: Path | None
) -> None:
    """
    Measure what a call and a streamed event cost in CPU time on this machine.

    Ping-Pong by each of its transports, bare HTTP clients, and other libraries where they are installed make the same
    calls in turn, to a scripted server on 127.0.0.1 in a process of its own. Nothing else of the network is used.

    Exit codes: 0 every budget that was measured is met; 1 one is not, or a measurement of Ping-Pong itself failed.
    """
    from pingpong_bench import plot, report
    from pingpong_bench.page import page

    app: App = ctx.obj
    if plot_file is not None:
        if set(only) == {KERNEL_NAME}:
            raise click.UsageError("--plot draws calls, and --only kernel makes none; leave one of them out.")
        plot.check_plot(plot_file)
    for path in filter(None, (plot_file, page_file)):
        check_writable(path)
    with _progress(app.console(is_stderr=True)) as tell:
        done = run(only, rounds, is_quick=is_quick, tell=tell)
    if plot_file is not None:
        plot.draw(done, plot_file)
    if page_file is not None:
        picture = Path(relpath(plot_file, page_file.parent)).as_posix() if plot_file else ""
        page_file.write_text(page(done, picture), encoding="utf-8")
    if app.is_json:
        app.print_json(report.report_json(done))
    else:
        console = app.console()
        console.print(f"{done.machine}; medians of {done.rounds} rounds.", "A quick run says nothing." * is_quick)
        for part in (report.costs_table(done) if done.rows else "", report.budgets_table(done), "Not measured:"):
            console.print(part)
        for reason in report.reasons(done):
            console.print(f"  {reason}")
    ctx.exit(0 if done.is_kept else 1)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """
    A line on a terminal that tells what is being done.

    It is drawn only when told: a thread that redraws it would cost CPU time that is measured.
    """
    from rich.live import Live
    from rich.text import Text

    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda text: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(text), refresh=True)
