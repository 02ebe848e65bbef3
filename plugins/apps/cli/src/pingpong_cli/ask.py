"""`pingpong ask`: the answer on stdout as it comes, all else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
import click
from pingpong import Attempt, Client, Decision, Event, Outcome, PingPongError, ReasoningDelta, Request, TextDelta

from pingpong_cli.app import App, json_option, verbose_option
from pingpong_cli.prompts import overrides_from, request_from, request_options
from pingpong_cli.text import harmless

if TYPE_CHECKING:
    from rich.status import Status


def make() -> click.Command:
    """The command."""
    return ask


@click.command("ask")
@request_options
@click.option("--no-stream", is_flag=True, help="Print the answer when it is whole.")
@click.option("--explain", is_flag=True, help="Show why each model was or was not chosen, and what each attempt cost and took.")
@json_option
@verbose_option
@click.pass_obj
def ask(app: App, /, no_stream: bool, explain: bool, **params: Any) -> None:
    """
    Ask a question. PROMPT is the argument, a --file, or what comes on stdin (also as -).

    The answer goes to stdout as it is written; notes, tables and errors go to stderr.
    """
    request = request_from(params)
    try:
        outcome = anyio.run(_answered, app, request, overrides_from(params), no_stream or app.is_json)
    except PingPongError as error:
        if explain and error.decision is not None:
            _explain(app, error.decision, error.attempts)
        raise
    if app.is_json:
        from pingpong_cli.reports import outcome_json

        app.print_json(outcome_json(outcome))
    if explain or app.is_verbose:
        from pingpong_cli.reports import total_line, verdict_lines

        _explain(app, outcome.decision, outcome.attempts)
        for line in (*verdict_lines(outcome.verdicts), total_line(outcome)):
            app.note(line)


async def _answered(app: App, request: Request, overrides: dict[str, Any], is_whole: bool) -> Outcome:
    async with app.client_factory(**overrides) as client:
        screen = Screen(app, _simulated_note(client) if client.is_simulated else "")
        try:
            outcome = await (client.complete(request) if is_whole else _streamed(client, request, screen))
            if is_whole and not app.is_json:
                screen.show(TextDelta(0, outcome.text))
            screen.announce()
            return outcome
        finally:
            screen.close()


async def _streamed(client: Client, request: Request, screen: Screen) -> Outcome:
    async with client.stream(request) as stream:
        async for event in stream:
            screen.show(event)
        return await stream.outcome()


class Screen:
    """
    Where the answer appears: a spinner until the first words, then the words, then the end of the line.

    Args:
        notice: One line for stderr, ahead of the first words.
    """

    def __init__(self, app: App, notice: str = "") -> None:
        self._app = app
        self._notice = notice
        self._is_terminal = sys.stdout.isatty()
        self._last = "\n"
        self._status: Status | None = None
        if sys.stderr.isatty() and not app.is_plain:
            self._status = app.console(is_stderr=True).status("Waiting for the answer")
            self._status.start()

    def show(self, event: Event) -> None:
        """Write what an event says: text to stdout, reasoning to stderr with --verbose."""
        if isinstance(event, TextDelta) and event.text:
            self.announce()
            self._last = event.text[-1]
            sys.stdout.write(harmless(event.text) if self._is_terminal else event.text)
            sys.stdout.flush()
        elif isinstance(event, ReasoningDelta) and self._app.is_verbose:
            self.announce()
            click.secho(harmless(event.text), err=True, nl=False, dim=not self._app.is_plain)

    def announce(self) -> None:
        """End the spinner, and say once what has to be said."""
        self._stop()
        if self._notice:
            self._app.note(self._notice)
            self._notice = ""

    def close(self) -> None:
        """End the spinner and the line."""
        self._stop()
        if self._last != "\n":
            sys.stdout.write("\n")
            sys.stdout.flush()

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _simulated_note(client: Client) -> str:
    records = client.registry.records("drivers").values()
    names = sorted({name for record in records for name in record.env_vars[:1]})
    either = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
    cure = f"For real answers set {either}." if names else "For real answers install a driver and set its key."
    if any(client.models.has_key(record) for record in records):
        cure = "A key is set: leave out --simulate, or `simulate` in the configuration, for real answers."
    return f"Simulated: the built-in simulator answers, no provider is called. {cure}"


def _explain(app: App, decision: Decision, attempts: Sequence[Attempt]) -> None:
    from pingpong_cli.reports import attempts_table, decision_table

    console = app.console(is_stderr=True)
    console.print(decision_table(decision))
    if attempts:
        console.print(attempts_table(attempts))
