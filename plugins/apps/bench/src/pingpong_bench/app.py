"""What the commands share: the context object that the command line gives them, `--json`, and files to be written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
from pingpong import ConfigError

if TYPE_CHECKING:
    from rich.console import Console


class App(Protocol):
    """What this needs of the command line's context object."""

    flags: dict[str, Any]

    @property
    def is_json(self) -> bool:
        """Whether stdout is one JSON object."""

    def console(self, *, is_stderr: bool = False) -> Console:
        """Where tables and notes go."""

    def print_json(self, value: Any) -> None:
        """The one object."""


def _json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj.flags["is_json"] = True


as_json = click.option(
    "--json", is_flag=True, is_eager=True, expose_value=False, callback=_json, help="Print exactly one JSON object on stdout."
)


def check_writable(path: Path) -> None:
    """Raise `ConfigError` now, rather than after minutes of measuring; a file that was not there is not left behind."""
    is_new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written ({exc.strerror}); name another file.") from exc
