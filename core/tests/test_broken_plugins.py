"""Whatever a plugin does, what leaves the client is one of our errors, and it names who is to blame."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pingpong as pp
import pytest
from attrs import evolve, frozen
from pingpong.testing import (
    FAKE_ENDPOINTS,
    FAKE_RECORDS,
    FakeClock,
    FakeTransport,
    factory_path,
    fake_card,
    fake_client,
    fake_driver,
    fake_plugin,
    fake_registry,
)

pytestmark = pytest.mark.anyio


@frozen
class Fixed:
    """A router of one plan."""

    plan: Any

    def prepare(self, cards: Any) -> None:
        return None

    def route(self, query: pp.Query) -> Any:
        return self.plan

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return ()


@frozen
class Gives:
    """A step of any kind that gives the same whatever it is asked."""

    value: Any

    def step(self, *args: Any) -> Any:
        return self.value


def raises(*args: Any, **kwargs: Any) -> Any:
    raise KeyError("bug")


def policy(name: str, factory: Callable[..., Any]) -> pp.PolicyRecord:
    return pp.PolicyRecord(name=name, factory=factory_path(factory))


CALL = pp.Call("fake:small", 1)
PLANS: dict[str, Any] = {
    "validators": pp.Check(CALL, [pp.Step("broken")]),
    "detectors": pp.Cascade([CALL], pp.Step("broken")),
    "fusers": pp.Ensemble([CALL, CALL], pp.Step("broken")),
}


async def expect_each_way(
    client: pp.Client, request: pp.Request, match: str, error: type[pp.PingPongError] = pp.PluginError
) -> None:
    """Whole and streamed, the error is of this class and names what is to blame."""
    for ask in (client.complete, lambda r: client.stream(r).outcome()):
        with pytest.raises(error, match=match):
            await ask(request)


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("value", [None, "fine", 0.5, pp.Request("x")])
async def test_a_step_that_gives_something_else_is_named(kind: str, value: Any) -> None:
    """A verdict or a fusion is what a step has to give, or a question."""
    plugin = fake_plugin(
        "p",
        routers=[policy("fixed", lambda: Fixed(PLANS[kind]))],
        **{kind.replace("detectors", "validators"): [policy("broken", lambda: Gives(value))]},
    )
    client = fake_client(plugins=[plugin], config=pp.Config(strategy="fixed"))
    await expect_each_way(client, pp.Request("hi"), f"'broken' gave {type(value).__name__}")


async def test_a_truncator_that_gives_something_else_is_named() -> None:
    """So is a truncator."""
    plugin = fake_plugin("p", truncators=[policy("broken", lambda: Gives(None))])
    client = fake_client(cards=[fake_card(context_tokens=1)], plugins=[plugin])
    await expect_each_way(client, pp.Request("hi", model="fake:small", truncator="broken"), "'broken' gave NoneType")


@pytest.mark.parametrize("kind", ["validators", "detectors", "fusers"])
async def test_a_factory_that_breaks_is_named(kind: str) -> None:
    """What a factory raises leaves as a `PluginError` with its kind and name."""
    family = kind.replace("detectors", "validators")
    plugin = fake_plugin("p", routers=[policy("fixed", lambda: Fixed(PLANS[kind]))], **{family: [policy("broken", raises)]})
    client = fake_client(plugins=[plugin], config=pp.Config(strategy="fixed"))
    await expect_each_way(client, pp.Request("hi"), f"The {family.removesuffix('s')} 'broken' broke: KeyError")


async def test_a_router_without_a_plan_is_the_plugins_fault() -> None:
    """What is no plan cannot be run."""
    plugin = fake_plugin("p", routers=[policy("fixed", lambda: Fixed(None))])
    client = fake_client(plugins=[plugin], config=pp.Config(strategy="fixed"))
    await expect_each_way(client, pp.Request("hi"), "'fixed' gave NoneType, which is no plan")
    with pytest.raises(pp.PluginError, match="which is no plan"):
        await client.plan("hi")


async def test_a_signal_that_breaks_is_named() -> None:
    """Extractors are plugins too."""
    signals = [pp.SignalRecord(name="odd", factory=factory_path(raises))]
    plugin = fake_plugin("p", routers=[policy("fixed", lambda: Fixed(CALL))], signals=signals)
    client = fake_client(plugins=[plugin], config=pp.Config(strategy="fixed"))
    await expect_each_way(client, pp.Request("hi"), "The signal 'odd' broke: KeyError")


@frozen
class Eager:
    """A retry policy that breaks."""

    clock: Any

    def next(self, *args: Any, **kwargs: Any) -> float | None:
        raise KeyError("bug")


async def test_a_retry_policy_that_breaks_is_named() -> None:
    """The seat of the retry policy is a plugin's."""
    record = pp.MiddlewareRecord(name="eager", ring="retry", factory=factory_path(Eager))
    client = fake_client(FakeTransport({"fake:small": [pp.ServerError("x")]}), plugins=[fake_plugin("p", middleware=[record])])
    await expect_each_way(client, pp.Request("hi", model="fake:small"), "Eager broke: KeyError")
    with pytest.raises(pp.PluginError, match="Eager broke: KeyError"):
        await client.embed("hi", model="fake:small")


def client_of(driver: Callable[..., Any], cards: Any = None, options: str = "pingpong:DriverOptions") -> pp.Client:
    record = pp.DriverRecord(
        name="fake", factory=factory_path(driver), cards=cards or (fake_card(),), endpoints=FAKE_RECORDS,
        env_vars=("FAKE_KEY",), options=options,
    )  # fmt: skip
    registry = pp.Registry(found=[fake_plugin("d", drivers=[record])])
    return pp.Client(registry=registry, env={"FAKE_KEY": "k"}, clock=FakeClock(), transport=FakeTransport())


class _Mute:
    """A decoder that never says how a stream ended."""

    def feed(self, chunk: bytes) -> tuple[pp.Event, ...]:
        return ()

    close = tuple


class _MuteCodec:
    """The fake wire's, but for its decoder."""

    encode = FAKE_ENDPOINTS[0].codec.encode

    def stream_decoder(self, headers: Mapping[str, str]) -> _Mute:
        return _Mute()


async def test_a_decoder_without_a_terminal_event_is_named() -> None:
    """A driver that lets a stream end unsaid breaks its contract: an error, and never an invented end."""
    codec: Any = _MuteCodec()

    def driver(record: pp.DriverRecord, options: pp.DriverOptions, env: Mapping[str, str]) -> pp.Driver:
        return evolve(fake_driver(record, options, env), endpoints=(evolve(FAKE_ENDPOINTS[0], codec=codec),))

    async with client_of(driver).stream("hi", model="fake:small") as stream:
        start, last = [event async for event in stream]
    assert (start.kind, last.kind) == ("start", "error")
    with pytest.raises(pp.PluginError, match="Driver 'fake' ended a stream without a terminal event") as caught:
        await stream.outcome()
    assert [a.status for a in caught.value.attempts] == ["failed"]


async def test_a_driver_whose_estimate_breaks_is_named() -> None:
    """Sizing the request is the driver's code; breaking there is no raw exception, in a plan neither."""

    def driver(record: pp.DriverRecord, options: pp.DriverOptions, env: Mapping[str, str]) -> pp.Driver:
        return evolve(fake_driver(record, options, env), estimate_tokens=raises)

    client = client_of(driver)
    await expect_each_way(client, pp.Request("hi", model="fake:small"), "Driver 'fake' broke: KeyError")
    for ask in (client.plan, client.count_tokens):
        with pytest.raises(pp.PluginError, match="Driver 'fake' broke: KeyError"):
            await ask("hi", model="fake:small")


@pytest.mark.parametrize(
    ("driver", "match", "error"),
    [
        (raises, "Driver 'fake' cannot be made: KeyError", pp.PluginError),
        (Gives, "Driver 'fake' cannot be made: TypeError", pp.PluginError),
    ],
)
async def test_a_driver_that_cannot_be_made_is_named(driver: Any, match: str, error: Any) -> None:
    """A factory that breaks is told with the driver's name."""
    await expect_each_way(client_of(driver), pp.Request("hi", model="fake:small"), match, error)


async def test_a_drivers_own_error_is_not_wrapped() -> None:
    """What a factory says in our words is passed on."""

    def driver(*args: Any) -> pp.Driver:
        raise pp.ConfigError("base_url is needed.")

    await expect_each_way(client_of(driver), pp.Request("hi", model="fake:small"), "^base_url is needed", pp.ConfigError)


async def test_options_that_cannot_be_imported_name_the_distribution() -> None:
    """The options class of a record is imported on use."""
    client = client_of(fake_driver, options="pingpong.testing:NoSuchOptions")
    await expect_each_way(client, pp.Request("hi", model="fake:small"), r"driver 'fake' of pingpong-d 1\.0: cannot load")


CARD_FILES = [
    ("no_such_package_under_test:cards.json", "ModuleNotFoundError|No module"),
    ("cards_under_test:none.json", "none.json"),
    ("cards_under_test:text.json", "Expecting value"),
    ("cards_under_test:list.json", "indices"),
    ("cards_under_test:empty.json", "cards"),
    ("cards_under_test:wrong.json", "endpoints"),
]


@pytest.fixture
def card_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with card files: one that is right, others that are not."""
    package = tmp_path / "cards_under_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    files = {"text": "cards", "list": "[]", "empty": "{}", "wrong": '{"cards": [{"provider": "fake", "model": "m"}]}'}
    good = '{"cards": [{"provider": "fake", "model": "filed", "endpoints": ["chat"], "capabilities": ["stop"]}]}'
    for name, text in (files | {"good": good}).items():
        (package / f"{name}.json").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("card_files")
async def test_cards_are_package_data() -> None:
    """A driver's cards are read from its package's JSON file."""
    client = client_of(fake_driver, "cards_under_test:good.json")
    assert (await client.complete("hi", model="fake:filed")).text == "hi"


@pytest.mark.usefixtures("card_files")
@pytest.mark.parametrize(("cards", "match"), CARD_FILES)
async def test_a_driver_whose_cards_cannot_be_read_is_named_and_the_rest_work(cards: str, match: str) -> None:
    """Its models are unknown, the problem is kept with driver and file, and other drivers answer."""
    broken = pp.DriverRecord(name="bad", factory="pingpong.testing:fake_driver", cards=cards, endpoints=FAKE_RECORDS)
    registry = fake_registry([fake_card()], [fake_plugin("bad", drivers=[broken])])
    client = pp.Client(registry=registry, env={"FAKE_KEY": "k"}, transport=FakeTransport())
    assert (await client.complete("hi", model="fake:small")).text == "hi"
    (problem,) = client.models.problems
    assert isinstance(problem, pp.PluginError)
    assert cards in str(problem)
    assert re.search(match, str(problem))


async def test_a_simulator_that_cannot_be_made_is_named() -> None:
    """A transport's factory is a plugin's as well."""
    record = pp.TransportRecord(name="sim", factory=factory_path(raises), is_simulator=True)
    client = pp.Client(registry=fake_registry([fake_card()], [fake_plugin("s", transports=[record])]), env={})
    await expect_each_way(client, pp.Request("hi", model="fake:small"), "The transport 'sim' broke: KeyError")


async def test_a_transport_option_nobody_knows_is_a_configuration_error() -> None:
    """`[transport]` is checked when the client is made."""
    with pytest.raises(pp.ConfigError, match=r"\[transport\].*retires"):
        pp.Client(pp.Config(transport={"retires": 3}), registry=fake_registry([fake_card()]), env={"FAKE_KEY": "k"})


@frozen
class AsksTwice:
    """A validator that asks the second of its plans, twice."""

    def step(self, request: pp.Request, response: pp.Response, answers: tuple[pp.Outcome, ...]) -> Any:
        return pp.Ask(request, CALL) if len(answers) < 2 else pp.Verdict(validator="twice", score=1)


async def test_a_step_asks_each_of_its_plans_once() -> None:
    """Asking the dear one of two plans twice would break the cost bounds, so it is refused before it is sent."""
    step = pp.Step("twice", asks=(pp.Refuse("policy", "cheap"), CALL))
    plugin = fake_plugin(
        "p", routers=[policy("fixed", lambda: Fixed(pp.Check(CALL, [step])))], validators=[policy("twice", AsksTwice)]
    )
    transport = FakeTransport()
    client = fake_client(transport, plugins=[plugin], config=pp.Config(strategy="fixed"))
    with pytest.raises(pp.PluginError, match="'twice' asks for what the plan did not allow"):
        await client.complete("hi")
    assert len(transport.requests) == 2
