"""The command `pingpong`: global options, groups, and the one place where errors are shown and exit codes set."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from pingpong_cli.app import App, config_option, json_option, plain_option, verbose_option
from pingpong_cli.failures import EXIT_CODES, Failure, failure_from
from pingpong_cli.groups import CommandGroup

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())


class Root(CommandGroup):
    """The outermost group; whatever happens inside becomes a failure shown in one paragraph, or one JSON object."""

    def main(  # type: ignore[override]  # exits like click's in standalone mode, and returns the exit code without it
        self, args: Sequence[str] | None = None, prog_name: str | None = "pingpong", standalone_mode: bool = True, **extra: Any
    ) -> int:
        """Run; exit with one of `EXIT_CODES`, or return it when not standalone."""
        app = extra.setdefault("obj", App())
        code = 0
        try:
            result = super().main(args, prog_name, standalone_mode=False, **extra)
            code = result if isinstance(result, int) else 0
            sys.stdout.flush()
        except Exception as exc:
            code = self._shown(failure_from(exc), app)
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click would end on a closed pipe by itself, with a code of its own."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            _discard_stdout()
            raise click.exceptions.Exit(failure_from(exc).exit_code) from exc

    def _shown(self, failure: Failure, app: App) -> int:
        if failure.kind in ("closed_pipe", "output"):
            _discard_stdout()
        try:
            if not failure.is_quiet:
                _show(failure, app)
            sys.stdout.flush()
        except OSError as exc:
            _discard_stdout()
            with suppress(OSError):
                _show(failure_from(exc), app)
        return failure.exit_code


def _show(failure: Failure, app: App) -> None:
    if app.is_json and failure.kind != "output":
        app.print_json(failure.to_json())
    else:
        app.note(f"Error: {failure.message}")
    if app.is_verbose:
        app.note("\n".join(failure.more))


def _discard_stdout() -> None:
    """Send what is still buffered nowhere, so that Python does not complain of it at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@click.command("pingpong", cls=Root, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@json_option
@verbose_option
@plain_option
@click.version_option(package_name="pingpong-cli", prog_name="pingpong")
def root() -> None:
    """Send each prompt to the right model, check the answer, and see what was done."""


def main() -> None:
    """The script's entry point."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # started with it closed: writing an answer fails then, writing a note does not
            access = os.O_RDONLY if name == "stdout" else os.O_WRONLY
            setattr(sys, name, os.fdopen(os.open(os.devnull, access), "w", encoding="utf-8"))
        stream = getattr(sys, name)
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows "?"
    root()
