"""`pingpong completion`: shell completion by click's own support."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


def make() -> click.Command:
    """The command."""
    return completion


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """
    Print the script that completes commands and options in a SHELL.

    For bash: eval "$(pingpong completion bash)" in ~/.bashrc; zsh likewise; fish: pingpong completion fish | source.
    """
    support = get_completion_class(shell)
    if support is None:
        raise click.UsageError(f"click has no completion for {shell}.")
    click.echo(support(ctx.find_root().command, {}, "pingpong", "_PINGPONG_COMPLETE").source())
