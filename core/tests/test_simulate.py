"""When the simulator answers instead of providers, and that everything says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pingpong as pp
import pytest
from attrs import frozen
from pingpong.testing import FakeTransport, factory_path, fake_card, fake_client, fake_plugin, fake_registry

CARDS = [fake_card("a:one"), fake_card("a:two", endpoints=("embed",))]


@frozen
class Simulated:
    """A client over a registry that has a simulator, which keeps what it was given and sent."""

    client: pp.Client
    contexts: list[Any]
    transport: FakeTransport


def simulated(env: dict[str, str] | None = None, config: pp.Config | None = None, **seams: Any) -> Simulated:
    transport, contexts = FakeTransport(), list[Any]()

    def simulator(context: Any) -> FakeTransport:
        contexts.append(context)
        return transport

    record = pp.TransportRecord(name="simulator", factory=factory_path(simulator), is_simulator=True)
    registry = fake_registry(CARDS, [fake_plugin("sim", transports=[record])])
    client = pp.Client(config, registry=registry, env=env or {}, seed=7, **seams)
    return Simulated(client, contexts, transport)


@pytest.mark.parametrize(
    ("env", "config", "is_simulated"),
    [
        ({}, {}, True),
        ({"FAKE_KEY": " "}, {}, True),
        ({}, {"simulate": True}, True),
        ({"FAKE_KEY": "k"}, {"simulate": True}, True),
        ({"FAKE_KEY": "k"}, {}, False),
        ({}, {"simulate": False}, False),
        ({}, {"drivers": {"a": {"api_key": "k"}}}, False),
        ({}, {"drivers": {"a": {"api_key_file": "key"}}}, False),
    ],
)
def test_the_simulator_stands_in_where_no_key_is_found_or_it_is_named(env: Any, config: Any, is_simulated: bool) -> None:
    """Any key means real calls; `simulate` decides otherwise."""
    assert simulated(env, pp.Config(**config)).client.is_simulated is is_simulated


def test_a_transport_or_client_given_by_the_host_is_never_simulated() -> None:
    """Where the host says how to reach providers, no simulator comes between."""
    assert not simulated(transport=FakeTransport()).client.is_simulated
    assert not simulated(http_client=object()).client.is_simulated


def test_simulate_without_a_simulator_says_what_to_install() -> None:
    """Naming what is not installed is a configuration error."""
    with pytest.raises(pp.ConfigError, match="install pingpong-simulator"):
        pp.Client(pp.Config(simulate=True), registry=fake_registry(CARDS), env={})


def test_without_key_and_simulator_nothing_is_simulated() -> None:
    """No simulator installed leaves the client real."""
    assert not pp.Client(registry=fake_registry(CARDS), env={}).is_simulated


@pytest.mark.anyio
@pytest.mark.parametrize("is_stream", [False, True])
async def test_everything_says_that_it_is_simulated(is_stream: bool) -> None:
    """Outcome, decision, attempts and ledger entries carry the mark, and no credentials are asked for or sent."""
    sim = simulated()
    stream = sim.client.stream("hi", model="a:one")
    outcome = await (stream.outcome() if is_stream else sim.client.complete("hi", model="a:one"))
    assert outcome.text == "hi"
    assert outcome.is_simulated
    assert outcome.decision.is_simulated
    assert [a.is_simulated for a in outcome.attempts] == [True]
    assert isinstance(sim.client.ledger, pp.MemoryLedger)
    assert [e.is_simulated for e in sim.client.ledger.entries] == [True, True]
    assert [set(r.headers) for _, r in sim.transport.requests] == [{"content-type"}]


@pytest.mark.anyio
async def test_real_calls_carry_no_mark() -> None:
    """With a key nothing says simulated."""
    client = fake_client()
    outcome = await client.complete("hi", model="fake:small")
    marks = [outcome.is_simulated, outcome.decision.is_simulated, *(e.is_simulated for e in client.ledger.entries)]
    assert marks == [False] * 4


@pytest.mark.anyio
async def test_the_simulator_is_made_once_from_drivers_and_cards() -> None:
    """Its factory gets clock, seed, options, cards and drivers, at the first call, and the client closes what it made."""
    sim = simulated(config=pp.Config(simulator={"latency": "none"}))
    assert sim.contexts == []
    await sim.client.complete("hi", model="a:one")
    await sim.client.embed("hi", model="a:two")
    (context,) = sim.contexts
    assert (context.clock, context.options, context.cards) == (sim.client.clock, {"latency": "none"}, tuple(CARDS))
    assert isinstance(context.seed, int)
    assert [d.name for d in context.drivers()] == ["a"]
    await sim.client.aclose()
    await sim.client.aclose()
    assert sim.transport.is_closed


@pytest.mark.anyio
async def test_without_keys_simulated_models_are_available() -> None:
    """The lack of a key keeps no simulated model away; other reasons do."""
    decision = await simulated().client.plan("hi", model="a:one")
    assert decision.query.state.unavailable == {"a:two": "does not chat"}


PLUGIN = """
from pingpong import TransportRecord
from pingpong.hookspecs import hookimpl
from pingpong.testing import FakeTransport, fake_card, fake_driver_record

@hookimpl
def pingpong_drivers():
    return [fake_driver_record("fake", [fake_card()])]

@hookimpl
def pingpong_transports():
    return [TransportRecord(name="sim", factory="ask_plugin_under_test:made", is_simulator=True)]

def made(context):
    return FakeTransport()
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation with one plugin, its simulator and no key, as a script would find it."""
    (tmp_path / "ask_plugin_under_test.py").write_text(PLUGIN)
    info = tmp_path / "ask_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ask-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pingpong]\nask = ask_plugin_under_test\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINGPONG_PLUGINS", "ask")
    monkeypatch.delenv("FAKE_KEY", raising=False)
    monkeypatch.delenv("PINGPONG_CONFIG", raising=False)


@pytest.mark.usefixtures("script")
def test_a_script_asks_in_one_line() -> None:
    """`ask` finds plugins and configuration by itself, and gives the outcome."""
    outcome = pp.ask("hi", model="fake:small", tags={"k": "v"})
    assert (outcome.text, outcome.is_simulated, outcome.attempts[0].tags) == ("hi", True, {"k": "v"})
    assert pp.ask(pp.Request("ho", model="fake:small")).text == "ho"


@pytest.mark.usefixtures("script")
def test_a_scripts_errors_are_ours() -> None:
    """A failure is raised as from a client."""
    with pytest.raises(pp.UnknownModelError, match="fake:small"):
        pp.ask("hi", model="fake:smal")


@pytest.mark.anyio
async def test_ask_inside_a_running_loop_says_what_to_do() -> None:
    """On both event loops the error names the client to use instead."""
    with pytest.raises(pp.InvalidRequestError, match=r"async with Client\.from_env"):
        pp.ask("hi", model="fake:small")


def test_what_is_no_error_of_the_loop_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another `RuntimeError` is not taken for a running loop."""

    def broken(**options: Any) -> pp.Client:
        raise RuntimeError("something else")

    monkeypatch.setattr(pp.Client, "from_env", broken)
    with pytest.raises(RuntimeError, match="something else"):
        pp.ask("hi", model="fake:small")
