"""What every command finds in `ctx.obj`: the way to a configured client, and how to show things."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from pingpong import Client, Config, Registry
    from rich.console import Console

PIPE_COLUMNS = 120
"""Width of tables that go to no terminal, unless COLUMNS says otherwise."""


@frozen(kw_only=True, slots=False)
class App:
    """
    The context object of every command, contributed ones included.

    Attributes:
        env, folder: Where configuration and keys are looked for.
        seams: Further arguments of `Client`, for tests and hosts.
        flags: What global options said, as they were parsed.
    """

    env: Mapping[str, str] = field(factory=lambda: dict(os.environ), repr=False)
    folder: Path = field(factory=Path.cwd)
    seams: Mapping[str, Any] = field(factory=dict)
    flags: dict[str, Any] = field(factory=dict)

    @property
    def is_json(self) -> bool:
        """Whether the one thing on stdout is a JSON object."""
        return bool(self.flags.get("is_json"))

    @property
    def is_verbose(self) -> bool:
        """Whether to show more: causes, attempts, reasoning."""
        return bool(self.flags.get("is_verbose"))

    @property
    def is_plain(self) -> bool:
        """Whether to leave out colours and styles: asked for, NO_COLOR, or a dumb terminal."""
        return bool(self.flags.get("is_plain") or self.env.get("NO_COLOR") or self.env.get("TERM") == "dumb")

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The environment, with `--config` in the place of `PINGPONG_CONFIG`."""
        path = self.flags.get("config_path")
        return {**self.env, "PINGPONG_CONFIG": path} if path else self.env

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises `ConfigError`."""
        from pingpong import find_config

        return find_config(self.environment, self.folder)

    @cached_property
    def registry(self) -> Registry:
        """The plugins; a broken configuration leaves the environment's filters, so that help and doctor still work."""
        from pingpong import ConfigError, Registry

        if "registry" in self.seams:
            given: Registry = self.seams["registry"]
            return given
        try:
            plugins = self.config.plugins
        except ConfigError:
            return Registry(env=self.environment)
        return Registry(allow=plugins.allow, block=plugins.block, env=self.environment)

    def client_factory(self, **overrides: Any) -> Client:
        """
        A client configured as the environment and `--config` say; `overrides` are settings of `Config`.

        Raises:
            PingPongError: Configuration or plugins do not allow one.
        """
        from pingpong import Client

        config = evolve(self.config, **overrides)
        return Client(config, **{"env": self.environment, "registry": self.registry, **self.seams})

    def console(self, *, is_stderr: bool = False) -> Console:
        """A console for tables on stdout, or for notes on stderr; what it prints is never read as markup."""
        from rich.console import Console

        stream = sys.stderr if is_stderr else sys.stdout
        columns = self.env.get("COLUMNS", "")
        width = int(columns) if columns.isdecimal() and int(columns) else None if stream.isatty() else PIPE_COLUMNS
        return Console(
            file=stream, width=width, color_system=None if self.is_plain else "auto", markup=False, emoji=False, highlight=False
        )  # fmt: skip

    def print_json(self, value: Any) -> None:
        """One JSON object on stdout, exact."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def note(self, text: str) -> None:
        """One line on stderr."""
        click.echo(text, err=True)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    app = ctx.find_object(App)
    if app is not None and param.name and value:
        app.flags[param.name] = value


def _flag(*names: str, text: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(*names, is_eager=True, expose_value=False, callback=_remember, help=text, **more)


json_option = _flag("--json", "is_json", is_flag=True, text="Print exactly one JSON object on stdout.")
verbose_option = _flag("--verbose", "-v", "is_verbose", is_flag=True, text="Show more: causes, attempts, reasoning.")
plain_option = _flag("--no-color", "is_plain", is_flag=True, text="No colours; NO_COLOR and TERM=dumb say the same.")
config_option = _flag(
    "--config", "config_path", metavar="FILE", text="Configuration file, instead of the nearest pingpong.toml upwards."
)
