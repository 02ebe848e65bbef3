"""`pingpong simulate`: the wire APIs of all providers on 127.0.0.1."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import click
from pingpong import Client, Config, ConfigError

from pingpong_simulator.http import listening, server_of, url_of
from pingpong_simulator.options import options_from_table
from pingpong_simulator.service import Service


def make() -> click.Command:
    """The command."""
    return simulate


@click.command("simulate")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0, the default, takes a free one.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every answer.")
@click.option("--latency", type=click.FloatRange(0), default=1.0, show_default=True, help="Scale of the pace; 0 answers at once.")
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(path_type=Path),
    help='TOML file with a table [faults]: "openai:gpt-5.4-mini" = ["429;retry_after=2", "ok"].',
)
@click.option("--json", "is_json", is_flag=True, help='Print one line {"url": …} in place of the text.')
@click.pass_context
def simulate(ctx: click.Context, port: int, seed: int, latency: float, faults_file: Path | None, is_json: bool) -> None:
    """
    Serve the simulated wire APIs of all providers over HTTP on 127.0.0.1, until Ctrl-C.

    Point a provider's own client at the printed address. Any key is accepted, except one that holds the word "invalid".
    The request header x-pingpong-fault asks for a fault: 429;retry_after=2, error_event=overloaded, cut=120, cut_events=3,
    reset=120, garbage or silence.
    """
    client = ctx.obj.client_factory() if ctx.obj is not None else Client(Config(simulate=True))
    models = client.models
    if not models.cards:
        raise ConfigError("No driver is installed, so there is no wire to simulate; install pingpong-openai, for one.")
    table = {"seed": seed, "latency": latency, "faults": _faults_from(faults_file)}
    options = options_from_table(table, str(faults_file or "--latency"), [card.id for card in models.cards])
    service = Service(drivers=models.drivers, cards=models.cards, seed=seed, latency=latency, script=options.faults)
    try:
        listener = listening(port)
    except OSError as exc:
        raise ConfigError(
            f"Port {port} on 127.0.0.1 cannot be used ({exc.strerror}); leave --port out to take a free one."
        ) from exc
    with listener:
        url = url_of(listener)
        click.echo(json.dumps({"url": url}) if is_json else _welcome(url, [d.name for d in models.drivers()]))
        try:
            server_of(service).run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _faults_from(path: Path | None) -> Any:
    if path is None:
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: the faults cannot be read ({exc.strerror}).") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: this is not TOML: {exc}.") from exc
    if other := set(document) - {"faults"}:
        raise ConfigError(f"{path}: {min(other)} is no table of faults; put the models below a line [faults].")
    return document.get("faults", {})


def _welcome(url: str, drivers: list[str]) -> str:
    bases = {
        "openai": ("OPENAI_BASE_URL", "/v1"),
        "anthropic": ("ANTHROPIC_BASE_URL", ""),
        "gemini": ("GOOGLE_GEMINI_BASE_URL", ""),
    }
    lines = [f"  export {bases[name][0]}={url}{bases[name][1]}" for name in drivers if name in bases]
    return "\n".join([f"Simulated answers for {', '.join(drivers)} at {url} (Ctrl-C ends it).", *lines])
