"""`pingpong plugins`: what was found, and what became of it."""

from __future__ import annotations

import click
from pingpong import PluginStatus, to_json

from pingpong_cli.app import App, json_option, verbose_option
from pingpong_cli.reports import table_of


def make() -> click.Command:
    """The command."""
    return plugins


@click.command("plugins")
@json_option
@verbose_option
@click.pass_obj
def plugins(app: App) -> None:
    """List plugins: what installed each, what it brings, and why one is not loaded."""
    found = app.registry.plugins
    if app.is_json:
        app.print_json({"plugins": [to_json(p) for p in found]})
        return
    table = table_of("plugin", "distribution", "state", ">load", "brings")
    for p in found:
        table.add_row(p.name, p.origin, p.state, f"{p.load_ms:.0f} ms", p.reason or brought(p), style=_STYLES.get(p.state))
    app.console().print(table)


_STYLES = {"failed": "red", "blocked": "dim"}


def brought(plugin: PluginStatus) -> str:
    """Its records by kind, in words."""
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in plugin.records.items())
