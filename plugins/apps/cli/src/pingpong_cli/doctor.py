"""`pingpong plugins doctor`: everything that could be wrong before a request is sent."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import click
from attrs import frozen
from pingpong import Client, DriverRecord, PingPongError, PluginStatus, Registry, to_json

from pingpong_cli.app import App, json_option, verbose_option
from pingpong_cli.reports import table_of

_LIBRARIES = ("pingpong-core", "httpx", "httpcore", "anyio", "pluggy", "attrs", "cattrs", "click", "rich")


@frozen
class Finding:
    """One thing that was looked at: `ok`, `note` (works without), or `broken`, with what to do."""

    name: str
    state: Literal["ok", "note", "broken"]
    text: str


def make() -> click.Command:
    """The command."""
    return doctor


@click.command("doctor")
@json_option
@verbose_option
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Import every plugin's parts, read cards and configuration, look for keys. Exit code 1 if something is broken."""
    app: App = ctx.obj
    findings = [*_of_plugins(app.registry), *_of_client(app), *_of_libraries()]
    is_ok = all(f.state != "broken" for f in findings)
    if app.is_json:
        app.print_json({"is_ok": is_ok, "findings": [to_json(f) for f in findings]})
    else:
        table = table_of("checked", "state", "")
        for f in findings:
            table.add_row(f.name, f.state, f.text, style={"broken": "red", "note": "yellow"}.get(f.state))
        app.console().print(table)
    ctx.exit(0 if is_ok else 1)


def _of_plugins(registry: Registry) -> Iterator[Finding]:
    for plugin in registry.plugins:
        name = f"plugin {plugin.name}"
        if plugin.state == "failed":
            yield Finding(name, "broken", f"{plugin.origin}: {plugin.reason} Update or uninstall it, or block it.")
        elif plugin.state == "blocked":
            yield Finding(name, "note", f"{plugin.origin}: {plugin.reason}")
        else:
            problems = [*_unloadable(registry, plugin)]
            yield Finding(name, "broken" if problems else "ok", " ".join(problems) or plugin.origin)


def _unloadable(registry: Registry, plugin: PluginStatus) -> Iterator[str]:
    """Import what each record names, as its first use would."""
    for kind, names in plugin.records.items():
        for name in names:
            record = registry.record(kind, name)
            for target in (record.factory, *((record.options,) if isinstance(record, DriverRecord) else ())):
                try:
                    registry.resolve(kind, name, target)
                except PingPongError as exc:
                    yield str(exc)


def _of_client(app: App) -> Iterator[Finding]:
    try:
        client = app.client_factory()
    except PingPongError as exc:
        yield Finding("configuration", "broken", str(exc))
        return
    yield Finding("configuration", "ok", client.config.path or "none; defaults and environment")
    for problem in client.models.problems:
        yield Finding("cards", "broken", str(problem))
    for record in client.registry.records("drivers").values():
        yield _of_driver(client, record)
    yield from _of_policies(client)
    answers = "from the simulator, no provider is called" if client.is_simulated else "from providers"
    yield Finding("answers", "note" if client.is_simulated else "ok", answers)


def _of_driver(client: Client, record: DriverRecord) -> Finding:
    name = f"driver {record.name}"
    cards = sum(c.provider == record.name for c in client.models.cards)
    try:
        client.models.driver(record.name)
    except PingPongError as exc:
        return Finding(name, "broken", str(exc))
    if client.models.has_key(record):
        return Finding(name, "ok", f"{cards} models, a key is set")
    where = f" Keys: {record.key_url}" if record.key_url else ""
    return Finding(name, "note", f"{cards} models, no key: set {' or '.join(record.env_vars) or 'one'}.{where}")


def _of_policies(client: Client) -> Iterator[Finding]:
    """What the configuration names or gives a table to, made as the first request would."""
    config = client.config
    named: dict[str, Iterable[str]] = {
        "routers": (config.strategy, *config.routers),
        "fusers": config.fusers,
        "validators": config.validators,
        "truncators": (config.truncator,) if config.truncator else (),
    }
    for kind, name in ((kind, name) for kind, names in named.items() for name in dict.fromkeys(names)):
        what = f"{kind.removesuffix('s')} {name}"
        try:
            client.models.plugins.make(kind, name, {})
        except PingPongError as exc:
            yield Finding(what, "broken", str(exc))
        else:
            yield Finding(what, "ok", "can be made")


def _of_libraries() -> Iterator[Finding]:
    yield Finding("Python", "ok", platform.python_version())
    yield Finding("SQLite", "ok", sqlite3.sqlite_version)
    for name in _LIBRARIES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "broken", f"its metadata is missing; install {name} again.")
