"""`pingpong bench counts`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pingpong_bench.app import App, as_json, check_writable

if TYPE_CHECKING:
    from rich.table import Table

    from pingpong_bench.counts import Counted


def make() -> click.Command:
    """The command."""
    return counts


@click.command("counts")
@click.option("--check", "checked", type=click.Path(path_type=Path), help="Compare with what this file recorded.")
@click.option("--write", "written", type=click.Path(path_type=Path), help="Record the counts in this file.")
@as_json
@click.pass_context
def counts(ctx: click.Context, checked: Path | None, written: Path | None) -> None:
    """
    Count what one call and one streamed event do, in instructions of Python and calls into C, for every driver installed.

    The same on every machine with the same minor version of Python, so that a comparison never depends on the load.

    Exit codes: 0 nothing is over its ceiling; 1 something is, or is so far under it that the gain should be recorded, or
    cannot be counted.
    """
    from pingpong_bench.counts import count_all, differences, python_version, record, recorded

    app: App = ctx.obj
    if written is not None:
        check_writable(written)
    ceilings = recorded(checked) if checked is not None else None
    found, broken = asyncio.run(count_all())
    if written is not None:
        written.write_text(record(found), encoding="utf-8")
    told = [] if ceilings is None else differences(found, ceilings)
    if app.is_json:
        figures = {c.name: c.figures for c in found}
        app.print_json({"python": python_version(), "counts": figures, "not_counted": broken, "differences": told})
    else:
        app.console().print(_table(found), *broken, *told, sep="\n")
        if checked is not None and ceilings is None:
            app.console(is_stderr=True).print(f"{checked} is of another Python than {python_version()}: nothing was compared.")
    ctx.exit(1 if told or broken else 0)


def _table(found: tuple[Counted, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="Instructions (calls into C)", title_justify="left")
    table.add_column("endpoint")
    table.add_column("a call", justify="right")
    table.add_column("a streamed event", justify="right")
    for one in found:
        event = f"{one.event.instructions:,} ({one.event.c_calls})" if one.event else "does not stream"
        table.add_row(one.name, f"{one.call.instructions:,} ({one.call.c_calls})", event)
    return table
