"""The options that make a request, shared by `ask` and `plan`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
from pingpong import InvalidRequestError, Message, OutputSchema, Request, system, user

MAX_PROMPT_BYTES = 32 * 2**20
"""No model reads more; a larger file is most likely the wrong one."""


class Number(click.ParamType[Any]):
    """A finite number, at least 0, or above it; as `kind`, exact for money."""

    name = "number"

    def __init__(self, kind: Callable[[str], Any], *, is_zero_allowed: bool) -> None:
        self.kind, self.is_zero_allowed = kind, is_zero_allowed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error that says what would do."""
        try:
            number = self.kind(str(value).removeprefix("$"))
        except (ValueError, InvalidOperation):
            number = math.nan
        if not math.isfinite(number) or number < 0 or (number == 0 and not self.is_zero_allowed):
            self.fail(f"{value!r} is not a number {'of at least' if self.is_zero_allowed else 'above'} 0.", param, ctx)
        return number


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.argument("prompt", required=False),
    click.option("--file", "-f", "file", type=click.Path(path_type=Path), help="Read the prompt from a file."),
    click.option("--system", help="Instructions that go before the prompt."),
    click.option("--strategy", help="How to choose models: cheapest, fallback, ensemble, or a plugin's."),
    click.option("--model", metavar="PROVIDER:MODEL", help="Ask this model and no other."),
    click.option("--max-cost", type=Number(Decimal, is_zero_allowed=True), metavar="USD", help="Most it may cost, US dollars."),
    click.option("--timeout", type=Number(float, is_zero_allowed=False), metavar="SECONDS", help="Total time, retries and all."),
    click.option("--max-output-tokens", type=click.IntRange(1), help="Most tokens to write, reasoning included."),
    click.option("--temperature", type=Number(float, is_zero_allowed=True), help="0 and up; the upper end is the provider's."),
    click.option("--validator", "validators", multiple=True, metavar="NAME", help="Check the answer; may be repeated."),
    click.option("--schema", "schema", type=click.Path(path_type=Path), help="The answer must be JSON of this JSON Schema file."),
    click.option("--simulate/--no-simulate", default=None, help="Answer from the simulator, or never; else when no key is set."),
)


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def request_from(params: Mapping[str, Any]) -> Request:
    """
    The request that the options ask for.

    Raises:
        click.UsageError: No prompt, or options that exclude each other.
        InvalidRequestError: A prompt that cannot be read.
    """
    if params["model"] and params["strategy"]:
        raise click.UsageError("Give --model or --strategy, not both: a named model leaves nothing to choose.")
    messages: list[Message] = [system(params["system"])] if params["system"] else []
    messages.append(user(_prompt(params["prompt"], params["file"])))
    schema = params["schema"]
    return Request(
        messages,
        model=params["model"],
        strategy=params["strategy"],
        max_cost_usd=params["max_cost"],
        timeout_s=params["timeout"],
        max_output_tokens=params["max_output_tokens"],
        temperature=params["temperature"],
        validators=params["validators"],
        output_schema=OutputSchema(_schema(schema)) if schema else None,
    )


def overrides_from(params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the client that the options change."""
    return {} if params["simulate"] is None else {"simulate": params["simulate"]}


def _prompt(prompt: str | None, file: Path | None) -> str:
    if prompt is not None and file is not None:
        raise click.UsageError("Give the prompt as an argument or with --file, not both.")
    if file is not None and str(file) != "-":
        return _text(_bytes(file), str(file))
    if prompt is not None and prompt != "-":
        return prompt
    if sys.stdin is None or (prompt is None and file is None and sys.stdin.isatty()):
        raise click.UsageError("There is no prompt. Give one as an argument, with --file, or on stdin.")
    return _text(sys.stdin.buffer.read(MAX_PROMPT_BYTES + 1), "stdin")


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_PROMPT_BYTES + 1)
    except OSError as exc:
        raise InvalidRequestError(f"{file} cannot be read ({exc.strerror}). Give the path of a text file.") from exc


def _text(data: bytes, source: str) -> str:
    if len(data) > MAX_PROMPT_BYTES:
        raise InvalidRequestError(f"The prompt in {source} is larger than {MAX_PROMPT_BYTES:,} bytes; give a smaller one.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(
            f"The prompt in {source} is not UTF-8: byte 0x{data[exc.start]:02x} at position {exc.start}. "
            "Convert it first, for example with `iconv -f latin1 -t utf-8`."
        ) from exc


def _schema(file: Path) -> Mapping[str, Any]:
    try:
        schema = json.loads(_text(_bytes(file), str(file)))
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(f"{file} is not JSON: {exc}. Give a JSON Schema file.") from exc
    if not isinstance(schema, dict):
        raise InvalidRequestError(f"{file} holds no JSON object. Give a JSON Schema file.")
    return schema
