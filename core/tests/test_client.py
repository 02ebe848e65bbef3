"""The client: which model, which strategy, which defaults, what it costs, and what it says when it cannot."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pingpong as pp
import pytest
from attrs import define, field, frozen
from pingpong.testing import (
    FakeClock,
    FakeTransport,
    Silence,
    factory_path,
    fake_card,
    fake_client,
    fake_plugin,
    fake_registry,
    fake_response,
)

pytestmark = pytest.mark.anyio


@define
class FirstOf:
    """A router that calls the first available card, and remembers what it was asked."""

    prepared: list[tuple[str, ...]] = field(factory=list)
    queries: list[pp.Query] = field(factory=list)

    def prepare(self, cards: tuple[pp.Card, ...]) -> Any:
        self.prepared.append(tuple(c.id for c in cards))
        return "prepared"

    def route(self, query: pp.Query) -> pp.Plan:
        self.queries.append(query)
        usable = [c.id for c in query.cards if c.id not in query.state.unavailable]
        return pp.Call(usable[0]) if usable else pp.Refuse("no_route", "No model may be called.")

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return tuple(pp.Candidate(c.id, False, query.state.unavailable.get(c.id, "usable")) for c in query.cards)


def strategies(**routers: Any) -> Any:
    """A plugin of routers by name; each value is what its factory returns."""

    def made(router: Any) -> Any:
        return lambda **options: router(**options) if isinstance(router, type) else router

    return fake_plugin("mine", routers=[pp.PolicyRecord(name=n, factory=factory_path(made(r))) for n, r in routers.items()])


async def test_a_pinned_model_is_called() -> None:
    """`model` names what is called; strategy, reasons and outcome say that the caller chose."""
    transport = FakeTransport()
    client = fake_client(transport, cards=[fake_card("a:one"), fake_card("b:two")])
    outcome = await client.complete("hi", model="b:two")
    assert (outcome.text, str(outcome), outcome.attempts[0].model) == ("hi", "hi", "b:two")
    assert (outcome.decision.strategy, outcome.decision.plan) == ("model", pp.Call("b:two"))
    reasons = [(c.model, c.is_chosen, c.reason) for c in outcome.decision.candidates]
    assert reasons == [("a:one", False, "the request names another model"), ("b:two", True, "the request names it")]
    assert [model for model, _ in transport.requests] == ["b:two"]


async def test_an_alias_is_the_model_it_stands_for() -> None:
    """An alias is resolved to the card's own id in plan, attempt and reasons."""
    client = fake_client(cards=[fake_card("a:one-2026", aliases=("one",)), fake_card("a:other")])
    outcome = await client.complete("hi", model="a:one")
    assert (outcome.decision.plan, outcome.attempts[0].model) == (pp.Call("a:one-2026"), "a:one-2026")
    assert [c.model for c in outcome.decision.candidates if c.is_chosen] == ["a:one-2026"]


async def test_a_models_own_name_wins_over_an_alias() -> None:
    """Where one card's alias is another card's name, the name holds; of two aliases, the first card's."""
    cards = [fake_card("a:x", aliases=("y", "z")), fake_card("a:y", aliases=("z",))]
    client = fake_client(cards=cards)
    assert (await client.complete("hi", model="a:y")).attempts[0].model == "a:y"
    assert (await client.complete("hi", model="a:z")).attempts[0].model == "a:x"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("fake:smal", "Did you mean fake:small"),
        ("nobody:at-all-like-it", "Known providers: fake"),
        ("small", "write provider:model"),
        ("fake:", "write provider:model"),
        (":small", "write provider:model"),
    ],
)
async def test_an_unknown_model_is_the_callers_error_with_a_hint(model: str, message: str) -> None:
    """Every way to ask suggests what was meant, and no request leaves."""
    transport = FakeTransport()
    client = fake_client(transport)
    for ask in (client.complete, client.plan, client.embed, client.count_tokens):
        with pytest.raises(pp.InvalidRequestError, match=message):
            await ask("hi", model=model)
    assert transport.requests == []


async def test_without_drivers_the_hint_says_so() -> None:
    """No driver installed is told as such."""
    with pytest.raises(pp.UnknownModelError, match="Known providers: none"):
        await fake_client(cards=[]).complete("hi", model="a:one")


async def test_strategies_go_by_name() -> None:
    """The request's strategy is used, else the configuration's; both are in the decision."""
    ours, other = FirstOf(), FirstOf()
    config = pp.Config(strategy="ours")
    client = fake_client(plugins=[strategies(ours=ours, other=other)], config=config)
    assert (await client.complete("hi")).decision.strategy == "ours"
    assert (await client.complete("hi", strategy="other")).decision.strategy == "other"
    assert (len(ours.queries), len(other.queries)) == (1, 1)


async def test_a_router_prepares_once_and_gets_it_back() -> None:
    """`prepare` sees all cards once per client; every query carries what it gave, the state, the time and one seed."""
    router, clock = FirstOf(), FakeClock()
    client = fake_client(plugins=[strategies(ours=router)], config=pp.Config(strategy="ours"), clock=clock)
    await client.complete("hi")
    await clock.sleep(5)
    await client.complete("ho")
    assert router.prepared == [("fake:small",)]
    assert [q.prepared for q in router.queries] == ["prepared", "prepared"]
    assert (router.queries[1].now - router.queries[0].now).total_seconds() == 5
    assert router.queries[0].seed == router.queries[1].seed
    assert router.queries[1].request.messages == (pp.user("ho"),)


async def test_an_unknown_strategy_is_a_configuration_error() -> None:
    """The nearest strategy is suggested."""
    client = fake_client(plugins=[strategies(cheapest=FirstOf())])
    with pytest.raises(pp.ConfigError, match="Did you mean 'cheapest'"):
        await client.complete("hi", strategy="cheapst")


@frozen
class Limited:
    """A router with one option."""

    size: int = 1

    def prepare(self, cards: Any) -> None:
        return None

    def route(self, query: pp.Query) -> pp.Plan:
        return pp.Fallback([pp.Call(c.id, 1) for c in query.cards[: self.size]])

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return ()


async def test_a_routers_table_gives_its_options() -> None:
    """`[routers.<name>]` are the factory's arguments; a wrong one is a configuration error."""
    cards = [fake_card("a:one"), fake_card("b:two")]
    config = pp.Config(strategy="ours", routers={"ours": {"size": 2}})
    decision = await fake_client(cards=cards, plugins=[strategies(ours=Limited)], config=config).plan("hi")
    assert decision.plan == pp.Fallback([pp.Call("a:one", 1), pp.Call("b:two", 1)])
    wrong = pp.Config(strategy="ours", routers={"ours": {"sise": 2}})
    with pytest.raises(pp.ConfigError, match=r"router 'ours' does not take these parameters.*sise"):
        await fake_client(plugins=[strategies(ours=Limited)], config=wrong).plan("hi")


@frozen
class Broken:
    """A router that breaks where it is told to."""

    where: str

    def prepare(self, cards: Any) -> None:
        if self.where == "prepare":
            raise KeyError("bug")

    def route(self, query: pp.Query) -> pp.Plan:
        raise KeyError("bug")

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return ()


@pytest.mark.parametrize("where", ["prepare", "route"])
async def test_a_broken_router_is_named(where: str) -> None:
    """What a router raises leaves as a `PluginError` that names it, streamed or not."""
    client = fake_client(plugins=[strategies(ours=Broken(where))], config=pp.Config(strategy="ours"))
    for ask in (client.complete, client.plan, lambda text: client.stream(text).outcome()):
        with pytest.raises(pp.PluginError, match="'ours' broke: KeyError"):
            await ask("hi")


async def test_signals_reach_the_router() -> None:
    """Extractors run once a request; the router sees what they found, the needs, and an upper estimate of size."""
    router, seen = FirstOf(), list[pp.Request]()

    def extract(request: pp.Request) -> int:
        seen.append(request)
        return len(request.messages)

    plugin = fake_plugin("signals", signals=[pp.SignalRecord(name="turns", factory=factory_path(extract))])
    client = fake_client(plugins=[strategies(ours=router), plugin], config=pp.Config(strategy="ours"))
    await client.complete("hi", tools=[pp.Tool("clock")], temperature=0.5)
    signals = router.queries[0].signals
    assert signals.more == {"turns": 1}
    assert signals.needs == {pp.Capability.tools, pp.Capability.temperature}
    assert signals.input_tokens == pp.estimate_text_tokens("hi")
    assert not signals.is_stream
    assert len(seen) == 1
    await client.stream("hi", temperature=0.5, on_unsupported="drop").outcome()
    assert router.queries[1].signals.needs == {pp.Capability.streaming}
    assert router.queries[1].signals.is_stream


async def test_state_tells_why_models_cannot_be_called() -> None:
    """No key, retired, not configured, does not chat: each with its reason; a model that retires later is still there."""
    cards = [
        fake_card("a:good"),
        fake_card("a:later", retired=date(2026, 1, 2)),
        fake_card("a:gone", retired=date(2026, 1, 1)),
        fake_card("a:vectors", endpoints=("embed",)),
        fake_card("a:other"),
    ]
    router = FirstOf()
    models = tuple(c.id for c in cards[:-1])
    config = pp.Config(strategy="ours", models=models)
    client = fake_client(cards=cards, plugins=[strategies(ours=router)], config=config)
    await client.complete("hi")
    assert router.queries[0].state.unavailable == {
        "a:gone": "retired on 2026-01-01",
        "a:vectors": "does not chat",
        "a:other": "not among the configured models",
    }
    without_key = fake_client(cards=cards[:1], plugins=[strategies(ours=router)], config=pp.Config(strategy="ours"), env={})
    with pytest.raises(pp.NoRoute) as caught:
        await without_key.complete("hi")
    assert router.queries[1].state.unavailable == {"a:good": "no key: set FAKE_KEY"}
    assert caught.value.decision is not None
    assert caught.value.decision.candidates[0].reason == "no key: set FAKE_KEY"


async def test_a_model_that_retires_while_the_client_lives_becomes_unavailable() -> None:
    """The state follows the clock's date."""
    clock, router = FakeClock(), FirstOf()
    cards = [fake_card("a:one", retired=date(2026, 1, 2)), fake_card("a:two")]
    client = fake_client(cards=cards, plugins=[strategies(ours=router)], config=pp.Config(strategy="ours"), clock=clock)
    assert (await client.complete("hi")).attempts[0].model == "a:one"
    await clock.sleep(86_400)
    assert (await client.complete("hi")).attempts[0].model == "a:two"


async def test_pinned_reasons_tell_why_others_could_not_serve() -> None:
    """Where the caller names a model, the others' reasons are still those of the state."""
    client = fake_client(cards=[fake_card("a:one"), fake_card("a:gone", retired=date(2020, 1, 1))])
    reasons = {c.model: c.reason for c in (await client.plan("hi", model="a:one")).candidates}
    assert reasons == {"a:one": "the request names it", "a:gone": "retired on 2020-01-01"}


async def test_the_configurations_timeout_holds_unless_the_request_has_its_own() -> None:
    """The total time is the configuration's, or the request's."""
    clock = FakeClock()
    client = fake_client(FakeTransport({"fake:small": [Silence()]}, clock), config=pp.Config(timeout_s=9), clock=clock)
    for options, end_s in (({}, 9), ({"timeout_s": 1.5}, 10.5)):
        with pytest.raises(pp.DeadlineExceeded):
            await client.complete("hi", model="fake:small", **options)
        assert clock.monotonic_s() == end_s


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
async def test_a_timeout_that_is_no_time_is_refused(timeout_s: float) -> None:
    """Seconds above 0 are needed; nothing is sent."""
    transport = FakeTransport()
    with pytest.raises(pp.InvalidRequestError, match="timeout_s"):
        await fake_client(transport).complete("hi", model="fake:small", timeout_s=timeout_s)
    assert transport.requests == []


async def test_cost_and_usage_are_exact_sums() -> None:
    """A failed attempt that was not billed costs nothing; the answer costs what its usage says."""
    client = fake_client(FakeTransport({"fake:small": [pp.ServerError("down"), "hello"]}))
    outcome = await client.complete("hi", model="fake:small")
    assert [a.cost_usd for a in outcome.attempts] == [Decimal(0), Decimal("0.00002")]
    assert (outcome.cost_usd, outcome.usage) == (Decimal("0.00002"), pp.Usage(uncached_input_tokens=10, visible_output_tokens=5))
    assert outcome.latency_ms == pytest.approx(client.clock.monotonic_s() * 1000)


async def test_requests_side_by_side_do_not_mix() -> None:
    """Many requests of one client at once keep their answers, attempts, costs and request ids apart."""
    client = fake_client(FakeTransport({"fake:small": [lambda r: r.messages[0].text]}))
    outcomes: dict[int, pp.Outcome] = {}

    async def ask(i: int) -> None:
        tags = {"i": str(i)}
        if i % 2:
            outcomes[i] = await client.complete(f"prompt {i}", model="fake:small", tags=tags, tenant=f"t{i}", user=f"u{i}")
        else:
            outcomes[i] = await client.stream(f"prompt {i}", model="fake:small", tags=tags, tenant=f"t{i}").outcome()

    async with anyio.create_task_group() as group:
        for i in range(20):
            group.start_soon(ask, i)
    assert {i: o.text for i, o in outcomes.items()} == {i: f"prompt {i}" for i in range(20)}
    assert all(len(o.attempts) == 1 and o.attempts[0].tags == {"i": str(i)} for i, o in outcomes.items())
    assert all(o.attempts[0].tenant == f"t{i}" for i, o in outcomes.items())
    assert len({o.request_id for o in outcomes.values()}) == 20
    assert len({e.attempt_id for e in client.ledger.entries}) == 20


async def test_a_request_can_be_changed_by_keyword() -> None:
    """Options beside a `Request` take precedence over its own."""
    client = fake_client()
    outcome = await client.complete(pp.Request("hi", model="fake:none", seed=1), model="fake:small", seed=2)
    assert (outcome.decision.query.request.model, outcome.decision.query.request.seed) == ("fake:small", 2)


async def test_the_same_seed_makes_the_same_ids() -> None:
    """Ids and waits come from the client's seed only."""
    ids = []
    for _ in range(2):
        client = fake_client(FakeTransport({"fake:small": [pp.ServerError("x"), "y"]}))
        outcome = await client.complete("hi", model="fake:small")
        ids.append((outcome.request_id, [a.attempt_id for a in outcome.attempts], client.clock.naps))
    assert ids[0] == ids[1]
    assert len({ids[0][0], *ids[0][1]}) == 3


async def test_closing_leaves_a_given_transport_open() -> None:
    """The client closes only what it opened, any number of times."""
    transport = FakeTransport()
    async with fake_client(transport) as client:
        await client.complete("hi", model="fake:small")
    await client.aclose()
    assert not transport.is_closed
    unused = pp.Client(registry=fake_registry([fake_card()]), env={})
    await unused.aclose()
    await unused.aclose()


async def test_the_whole_answer_is_checked_by_the_configurations_validators() -> None:
    """Validators and truncator of the configuration hold where the request names none."""

    @frozen
    class Fine:
        def step(self, request: Any, response: Any, answers: Any) -> pp.Verdict:
            return pp.Verdict(validator="fine", score=1)

    records = [pp.PolicyRecord(name=n, factory=factory_path(Fine)) for n in ("fine", "other")]
    client = fake_client(plugins=[fake_plugin("v", validators=records)], config=pp.Config(validators=("fine",), truncator="none"))
    decision = await client.plan("hi", model="fake:small")
    assert decision.plan == pp.Check(pp.Call("fake:small"), [pp.Step("fine")])
    assert decision.query.request.truncator == "none"
    other = await client.plan("hi", model="fake:small", validators="other", truncator="mine")
    assert other.plan == pp.Check(pp.Call("fake:small"), [pp.Step("other")])
    assert other.query.request.truncator == "mine"


async def test_an_answer_of_any_shape_reaches_the_outcome() -> None:
    """Finish reason, raw reason and parts come through as the driver decoded them."""
    answer = fake_response("", parts=(pp.ToolCall("1", "clock", "{}"),), finish_reason=pp.FinishReason.tool_calls)
    outcome = await fake_client(FakeTransport({"fake:small": [answer]})).complete("hi", model="fake:small")
    assert outcome.response == answer
    assert outcome.text == ""


def test_from_file_opens_a_client(tmp_path: Path) -> None:
    """A file that names a model which no card has fails at once."""
    path = tmp_path / "pingpong.toml"
    path.write_text('models = ["fake:small"]\ntimeout_s = 3\n')
    client = pp.Client.from_file(path, registry=fake_registry([fake_card()]), env={})
    assert (client.config.timeout_s, client.config.path) == (3.0, str(path))
