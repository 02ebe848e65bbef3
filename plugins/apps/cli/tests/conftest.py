"""An app over fake drivers, and a way to run commands on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen
from click.testing import CliRunner, Result
from pingpong import (
    Call,
    Candidate,
    Card,
    Fallback,
    Finding,
    Plan,
    PolicyRecord,
    Query,
    Refuse,
    Request,
    Response,
    TransportRecord,
    Verdict,
)
from pingpong.testing import FakeClock, FakeTransport, factory_path, fake_card, fake_plugin, fake_registry
from pingpong_cli import plugin as cli_plugin
from pingpong_cli.app import App
from pingpong_cli.main import root


@frozen
class InOrder:
    """Every available card, the next one on error."""

    def prepare(self, cards: tuple[Card, ...]) -> None:
        """Nothing."""

    def route(self, query: Query) -> Plan:
        """A fallback over all, or a refusal."""
        calls = [Call(c.id) for c in query.cards if c.id not in query.state.unavailable]
        return Fallback(calls) if calls else Refuse("no_route", "No model is left; set FAKE_KEY.")

    def explain(self, query: Query) -> tuple[Candidate, ...]:
        """Chosen unless unavailable."""
        why = query.state.unavailable
        return tuple(Candidate(c.id, c.id not in why, why.get(c.id, "in order")) for c in query.cards)


@frozen
class Unclear:
    """Asks back, whatever it is asked."""

    def prepare(self, cards: tuple[Card, ...]) -> None:
        """Nothing."""

    def route(self, query: Query) -> Plan:
        """A question."""
        return Refuse("clarification", "Which city do you mean?")

    def explain(self, query: Query) -> tuple[Candidate, ...]:
        """Nobody was asked."""
        return tuple(Candidate(c.id, False, "the request is unclear") for c in query.cards)


@frozen
class Grumpy:
    """Rejects every answer."""

    def step(self, request: Request, response: Response, answers: Sequence[Any]) -> Verdict:
        """No."""
        return Verdict(validator="grumpy", score=0.0, is_rejected=True)


@frozen
class Kind:
    """Likes every answer."""

    def step(self, request: Request, response: Response, answers: Sequence[Any]) -> Verdict:
        """Yes."""
        return Verdict(validator="kind", score=0.9, findings=(Finding("polite"),))


def policy(name: str, factory: Any) -> PolicyRecord:
    """A record of a policy of these tests."""
    return PolicyRecord(name=name, factory=factory_path(factory))


POLICIES = fake_plugin(
    "policies",
    routers=[policy("fallback", InOrder), policy("unclear", Unclear)],
    validators=[policy("grumpy", Grumpy), policy("kind", Kind)],
)
SIMULATOR = fake_plugin(
    "simulator",
    transports=[TransportRecord(name="sim", factory=factory_path(lambda context: FakeTransport()), is_simulator=True)],
)
CLI = fake_plugin("cli", commands=cli_plugin.pingpong_commands())


@define
class World:
    """What a command runs in: an environment, a folder, fakes; `transport` remembers what was sent."""

    folder: Path
    cards: Sequence[Card] = field(factory=lambda: (fake_card("fake:small"), fake_card("other:big")))
    script: Mapping[str, Sequence[Any]] = field(factory=dict)
    env: dict[str, str] = field(factory=lambda: {"FAKE_KEY": "secret-key", "COLUMNS": "120"})
    plugins: Sequence[Any] = (POLICIES, CLI)
    is_offline: bool = True
    transport: FakeTransport = field(init=False)

    def app(self) -> App:
        """The context object of this world."""
        clock = FakeClock()
        self.transport = FakeTransport(self.script, clock)
        seams: dict[str, Any] = {"registry": fake_registry(self.cards, self.plugins), "clock": clock, "seed": 1}
        if self.is_offline:
            seams["transport"] = self.transport
        return App(env=self.env, folder=self.folder, seams=seams)

    def run(self, *args: str, stdin: bytes | str | None = None) -> Result:
        """Run `pingpong` with these arguments."""
        return CliRunner().invoke(root, args, input=stdin, obj=self.app())

    def sent(self) -> dict[str, Any]:
        """The first request that reached a provider."""
        body: dict[str, Any] = json.loads(self.transport.requests[0][1].body)["request"]
        return body


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with two models of two providers, and a key."""
    return World(tmp_path)


@pytest.fixture
def simulated(tmp_path: Path) -> World:
    """A world without a key, where the simulator answers."""
    return World(tmp_path, env={"COLUMNS": "120"}, plugins=(POLICIES, CLI, SIMULATOR), is_offline=False)


@pytest.fixture(scope="session")
def command_world() -> Callable[..., World]:
    """A world with further plugins."""

    def make(folder: Path, *plugins: Any) -> World:
        return World(folder, plugins=(POLICIES, CLI, *plugins))

    return make
