"""Command groups out of the records of the `commands` hook; a command is imported when it is run or asked for its help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click
from pingpong import CommandRecord, ConfigError, PluginError, Registry

from pingpong_cli.app import App

Path = tuple[str, ...]


def loaded_command(registry: Registry, record: CommandRecord) -> click.Command:
    """
    The command of a record, imported now.

    Raises:
        PluginError: Its plugin breaks; names the distribution and version.
    """
    factory = registry.resolve("commands", record.name, record.factory)
    try:
        command = factory()
    except (Exception, SystemExit) as exc:
        raise PluginError(f"Command {record.name!r} of {_origin(registry, record)} cannot be made: {exc!r}.") from exc
    if not isinstance(command, click.Command):
        kind = type(command).__name__
        raise PluginError(f"Command {record.name!r} of {_origin(registry, record)}: its factory gave a {kind}, not a command.")
    command.name = record.name.split()[-1]
    return command


def _origin(registry: Registry, record: CommandRecord) -> str:
    return next((p.origin for p in registry.plugins if record.name in p.records.get("commands", ())), "?")


class CommandGroup(click.Group):
    """The commands whose paths begin with `path`; with a command of that very path, it runs when none of them is named."""

    def __init__(self, name: str | None = None, *, path: Path = (), own: click.Command | None = None, **more: Any) -> None:
        if own is not None:
            more = {
                "params": own.params,
                "callback": _alone(own.callback),
                "help": own.help,
                "invoke_without_command": True,
                **more,
            }
        super().__init__(name, **more)
        self._path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The next words of every path below, by name."""
        return sorted({path[len(self._path)] for path in self._below(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """
        The command or group of one more word.

        Raises:
            PluginError: Its plugin is broken.
            ConfigError: Several plugins claim its name, so that none has it.
        """
        path, below = (*self._path, cmd_name), self._below(ctx)
        own = loaded_command(_registry(ctx), below[path]) if path in below else None
        if any(len(other) > len(path) and other[: len(path)] == path for other in below):
            return CommandGroup(cmd_name, path=path, own=own)
        if own is None:
            _check_claims(_registry(ctx), " ".join(path))
        return own

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from their records alone."""
        below = self._below(ctx)
        rows = [(name, self._help_of(below, (*self._path, name))) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _help_of(self, below: Mapping[Path, CommandRecord], path: Path) -> str:
        if path in below:
            return below[path].help
        return f"Commands: {', '.join(sorted(p[len(path)] for p in below if p[: len(path)] == path))}."

    def _below(self, ctx: click.Context) -> dict[Path, CommandRecord]:
        records = {tuple(name.split()): record for name, record in _registry(ctx).records("commands").items()}
        n = len(self._path)
        return {path: record for path, record in records.items() if path[:n] == self._path and len(path) > n}


def _check_claims(registry: Registry, name: str) -> None:
    claims = [p for p in registry.plugins if p.state == "failed" for n in p.records.get("commands", ()) if n == name]
    if claims:
        both = " and ".join(f"{p.name} ({p.origin})" for p in claims)
        raise ConfigError(f"The command {name!r} is claimed by {both}; block or uninstall one.")


def _registry(ctx: click.Context) -> Registry:
    app = ctx.find_object(App)
    return app.registry if app is not None else App().registry


def _alone(callback: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """The callback, run only where no command below was named: click runs a group's before its command's."""
    if callback is None:
        return None

    @wraps(callback)
    def run(*args: Any, **params: Any) -> Any:
        if click.get_current_context().invoked_subcommand is None:
            return callback(*args, **params)
        return None

    return run
