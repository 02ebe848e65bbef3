"""`pingpong models`: the table of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from pingpong import Capability, Card, ConfigError, to_json

from pingpong_cli.app import App, json_option, verbose_option
from pingpong_cli.text import count_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SHORT = {
    Capability.tools: "tools",
    Capability.json_schema: "json",
    Capability.reasoning: "reasoning",
    Capability.image_input: "images",
    Capability.audio_input: "audio",
    Capability.video_input: "video",
    Capability.file_input: "files",
    Capability.image_output: "draws",
    Capability.audio_output: "speaks",
}
"""Capabilities worth a word in the table; `--json` has all."""

_COLUMNS = ("model", ">context", ">output", ">$ in", ">$ out", "can", "usable")
_FIRST_TO_GO = ("can", ">output", ">context", ">$ out", ">$ in", "usable")
"""Columns in the order in which a narrow terminal loses them."""

_ENDLESS = 100_000


def make() -> click.Command:
    """The command."""
    return models


@click.command("models")
@click.option("--provider", help="Only this provider's.")
@click.option("--all", "is_all", is_flag=True, help="Retired ones too.")
@json_option
@verbose_option
@click.pass_obj
def models(app: App, provider: str | None, is_all: bool) -> None:
    """List models: context and output in tokens, prices in US dollars per million tokens, and what keeps one from use."""
    client = app.client_factory()
    today = client.clock.utc_now().date()
    why_not = client.models.state(today).unavailable
    providers = sorted({c.provider for c in client.models.cards})
    if provider is not None and provider not in providers:
        raise ConfigError(f"There is no provider {provider!r}. Known: {', '.join(providers) or 'none'}.")
    cards = [
        c
        for c in client.models.cards
        if provider in (None, c.provider) and (is_all or c.retired is None or c.retired > today)
    ]  # fmt: skip
    if app.is_json:
        told = [{"id": c.id, "is_available": c.id not in why_not, "why_not": why_not.get(c.id), **to_json(c)} for c in cards]
        app.print_json({"is_simulated": client.is_simulated, "models": told})
    else:
        _show(app, [_row(c, why_not.get(c.id), "simulated" if client.is_simulated else "yes") for c in cards])
    for problem in client.models.problems:
        app.note(f"Skipped: {problem}")


def _row(card: Card, why_not: str | None, usable: str) -> tuple[str, ...]:
    price = card.price
    return (
        card.id,
        count_text(card.context_tokens),
        count_text(card.max_output_tokens),
        f"{price.input_usd_per_mtok:f}" if price else "",
        f"{price.output_usd_per_mtok:f}" if price else "",
        " ".join(word for capability, word in _SHORT.items() if capability in card.capabilities),
        why_not or usable,
    )


def _show(app: App, rows: list[tuple[str, ...]]) -> None:
    console, names = app.console(), list(_COLUMNS)
    table = _table(names, rows)
    for name in _FIRST_TO_GO:
        if _least_width(console, table) <= console.width:
            break
        names.remove(name)
        table = _table(names, rows)
    console.print(table)


def _table(names: list[str], rows: list[tuple[str, ...]]) -> Table:
    """The table of some columns; ids are folded only where they stand alone."""
    from pingpong_cli.reports import table_of

    table = table_of(*names)
    table.columns[0].no_wrap = len(names) > 1
    at = [_COLUMNS.index(name) for name in names]
    for row in rows:
        table.add_row(*(row[i] for i in at))
    return table


def _least_width(console: Console, table: Table) -> int:
    """Characters that the table needs with every word whole."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=_ENDLESS), table).minimum
