"""Promises of the kernel that plugins and callers can try to break, each on asyncio and trio."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import anyio
import pingpong as pp
import pytest
from attrs import evolve, frozen
from pingpong.testing import (
    FAKE_RECORDS,
    FakeClock,
    FakeTransport,
    Silence,
    factory_path,
    fake_card,
    fake_client,
    fake_driver_record,
    fake_plugin,
)

pytestmark = pytest.mark.anyio


async def never() -> Any:
    """A wait that only a deadline or a cancellation ends."""
    await anyio.sleep_forever()


class Hanging:
    """Middleware whose `before` never comes back."""

    def __init__(self, clock: pp.Clock) -> None:
        self.clock = clock

    async def before(self, info: pp.Reservation) -> None:
        await never()

    def after(self, info: pp.Reservation, attempt: pp.Attempt, response: pp.Response | None) -> None:
        return None


async def test_a_key_source_that_hangs_is_held_to_the_deadline() -> None:
    """`timeout_s` is total: waiting for a key counts, and what is cancelled there stays a cancellation."""
    config = pp.Config(drivers={"fake": {"api_key": never}})
    client = fake_client(config=config, clock=pp.SystemClock())
    with pytest.raises(pp.DeadlineExceeded) as caught:
        await client.complete("hi", model="fake:small", timeout_s=0.05)
    assert [a.status for a in caught.value.attempts] == ["refused"]
    with anyio.move_on_after(0.05) as scope:
        await client.complete("hi", model="fake:small", timeout_s=60)
    assert scope.cancelled_caught


async def test_middleware_that_hangs_is_held_to_the_deadline() -> None:
    """A slot of the call ring cannot hold a request longer than its deadline."""
    record = pp.MiddlewareRecord(name="hanging", ring="call", slot="limits", factory=factory_path(Hanging))
    client = fake_client(plugins=[fake_plugin("hanging", middleware=[record])], clock=pp.SystemClock())
    with pytest.raises(pp.DeadlineExceeded):
        await client.complete("hi", model="fake:small", timeout_s=0.05)


class Telling:
    """Request middleware that remembers what it was told."""

    told: list[Any]

    def __init__(self, clock: pp.Clock) -> None:
        Telling.told = []

    async def before(self, request: pp.Request) -> pp.Request:
        return request

    async def after(self, request: pp.Request, outcome: pp.Outcome | pp.PingPongError) -> None:
        await anyio.lowlevel.checkpoint()
        Telling.told.append(outcome)


async def test_the_request_ring_hears_of_every_end() -> None:
    """A stream left early and a cancelled call reach `after` too, as a `RequestCancelled` with what was tried."""
    record = pp.MiddlewareRecord(name="telling", ring="request", slot="session", factory=factory_path(Telling))
    plugin = fake_plugin("telling", middleware=[record])
    client = fake_client(FakeTransport({"fake:small": ["hello"]}), plugins=[plugin])
    async with client.stream("hi", model="fake:small") as stream:
        async for event in stream:
            if event.kind == "text":
                break
    assert [type(t) for t in Telling.told] == [pp.RequestCancelled]
    assert [a.status for a in Telling.told[0].attempts] == ["cancelled"]

    class Waiting(FakeTransport):
        async def send(self, base_url: str, request: pp.WireRequest, deadline_s: float) -> pp.WireResponse:
            await never()
            raise AssertionError

    client = fake_client(Waiting(), plugins=[plugin])
    with anyio.move_on_after(0.05):
        await client.complete("hi", model="fake:small")
    assert [type(t) for t in Telling.told] == [pp.RequestCancelled]


async def test_an_outcome_and_a_decision_are_json() -> None:
    """What a client gives back goes through `json.dumps`; a decision tells its reasons, not the conversation."""
    client = fake_client()
    outcome = await client.complete("a private prompt", model="fake:small")
    data = json.loads(json.dumps(pp.to_json(outcome)))
    assert data["decision"]["candidates"][0] == {
        "model": "fake:small", "is_chosen": True, "reason": "the request names it", "cost_high_usd": None,
    }  # fmt: skip
    assert "a private prompt" not in json.dumps(data["decision"])
    planned = json.loads(json.dumps(pp.to_json(await client.plan("hi", model="fake:small"))))
    assert planned["bounds"]["max_attempts"] == 2


class Echoing(FakeTransport):
    """A provider that repeats the key wherever it can."""

    async def send(self, base_url: str, request: pp.WireRequest, deadline_s: float) -> pp.WireResponse:
        key = request.headers["authorization"]
        raise pp.AuthenticationError(f"no: {key}", code=f"bad {key}", request_id=f"req {key}")


async def test_a_key_is_masked_wherever_the_provider_repeats_it() -> None:
    """Message, code and request id of an error, and the attempt's row, are free of the key."""
    client = fake_client(Echoing())
    with pytest.raises(pp.AuthenticationError) as caught:
        await client.complete("hi", model="fake:small")
    shown = json.dumps(pp.to_json(caught.value)) + repr(caught.value.attempts) + repr(vars(caught.value))
    assert "fake-secret" not in shown
    assert caught.value.code == "bad Bearer ***"


async def test_an_option_without_a_price_is_refused_under_a_cap() -> None:
    """An option that changes the price in a way no card tells makes the bound unknown, so no cap is passed."""
    record = evolve(FAKE_RECORDS[0], unpriced_options=frozenset({"flavour"}))
    from pingpong import testing

    kept = testing.FAKE_ENDPOINTS
    try:
        testing.FAKE_ENDPOINTS = (evolve(kept[0], record=record), *kept[1:])
        client = fake_client()
        options: Any = {"provider_options": {"fake": {"flavour": "strong"}}, "model": "fake:small"}
        with pytest.raises(pp.BudgetExceeded, match="no known price"):
            await client.complete("hi", max_cost_usd=Decimal(1), **options)
        assert (await client.complete("hi", **options)).text == "hi"
    finally:
        testing.FAKE_ENDPOINTS = kept


async def test_parts_of_another_provider_are_dropped_aloud() -> None:
    """A standalone part only another provider understands is refused, or left out and reported."""
    messages = [pp.user("hi"), pp.assistant((pp.Opaque("other", "{}"), pp.Text("yes"))), pp.user("and?")]
    client = fake_client()
    with pytest.raises(pp.UnsupportedParameter, match="parts that only other understands"):
        await client.complete(pp.Request(messages, model="fake:small"))
    outcome = await client.complete(pp.Request(messages, model="fake:small", on_unsupported="drop"))
    assert outcome.dropped == ("parts of other",)


@frozen
class Picky:
    """A codec that does not take the value of an option."""

    inner: Any

    def encode(self, request: pp.Request, card: pp.Card, *, is_stream: bool) -> pp.WireRequest:
        if request.seed is not None:
            raise pp.UnsupportedParameter("seed must be even", options=("seed",))
        wire: pp.WireRequest = self.inner.encode(request, card, is_stream=is_stream)
        return wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


async def test_a_value_no_wire_can_tell_is_dropped_aloud() -> None:
    """A codec names the options whose values it cannot tell; they are refused, or dropped and reported."""
    from pingpong import testing

    kept = testing.FAKE_ENDPOINTS
    try:
        testing.FAKE_ENDPOINTS = (evolve(kept[0], codec=Picky(kept[0].codec)), *kept[1:])
        client = fake_client()
        with pytest.raises(pp.UnsupportedParameter, match="seed must be even"):
            await client.complete("hi", model="fake:small", seed=3)
        outcome = await client.complete("hi", model="fake:small", seed=3, on_unsupported="drop")
        assert (outcome.text, outcome.dropped) == ("hi", ("seed",))
    finally:
        testing.FAKE_ENDPOINTS = kept


@frozen
class Doubt:
    """A detector that doubts every answer, or breaks."""

    is_broken: bool = False

    def step(self, request: pp.Request, response: pp.Response, answers: Any) -> pp.Verdict:
        if self.is_broken:
            raise KeyError("bug")
        return pp.Verdict(validator="doubt", score=0.25, findings=(pp.Finding("too short"),))


@frozen
class Cascading:
    """A router that cascades over every card."""

    params: Any

    def prepare(self, cards: Any) -> None:
        return None

    def route(self, query: pp.Query) -> pp.Plan:
        return pp.Cascade([pp.Call(c.id, 1) for c in query.cards], pp.Step("doubt", self.params), 0.9)

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return ()


def cascading(**params: Any) -> pp.Client:
    router = pp.PolicyRecord(name="cascading", factory=factory_path(lambda: Cascading(params)))
    detector = pp.PolicyRecord(name="doubt", factory=factory_path(Doubt))
    plugin = fake_plugin("cascading", routers=[router], validators=[detector])
    cards = [fake_card("a:one"), fake_card("b:two")]
    return fake_client(cards=cards, plugins=[plugin], config=pp.Config(strategy="cascading"))


async def test_a_cascade_tells_why_it_went_on() -> None:
    """The detector's verdicts are in the outcome."""
    outcome = await cascading().complete("hi")
    assert [(v.validator, v.score) for v in outcome.verdicts] == [("doubt", 0.25), ("doubt", 0.25)]


async def test_a_broken_detector_is_no_failed_model() -> None:
    """A detector that breaks is blamed itself, after one answer."""
    with pytest.raises(pp.PluginError, match="doubt") as caught:
        await cascading(is_broken=True).complete("hi")
    assert [a.status for a in caught.value.attempts] == ["success"]


@pytest.mark.parametrize(
    "options",
    [{"max_cost_usd": 0.5}, {"max_cost_usd": "much"}, {"max_cost_usd": Decimal("NaN")}, {"max_cost_usd": -1},
     {"temperature": "hot"}, {"timeout_s": "5"}, {"max_output_tokens": "5"}],
)  # fmt: skip
async def test_a_value_of_the_wrong_kind_is_the_callers_error(options: Any) -> None:
    """What is not a number, or no exact amount of money, raises `InvalidRequestError`, never a bare `TypeError`."""
    with pytest.raises(pp.InvalidRequestError, match=next(iter(options))):
        await fake_client().complete("hi", model="fake:small", **options)


async def test_a_cap_may_be_written_as_text_or_int() -> None:
    """Exact forms of an amount are taken."""
    assert pp.Request("hi", max_cost_usd="0.05").max_cost_usd == Decimal("0.05")
    assert pp.Request("hi", max_cost_usd=1).max_cost_usd == Decimal(1)


@pytest.mark.parametrize("kind", ["drivers", "routers", "middleware"])
async def test_a_table_that_nobody_reads_is_refused(kind: str) -> None:
    """A misspelt plugin table names its section and the plugins there are."""
    table: dict[str, Any] = {kind: {"opnai": {}}}
    with pytest.raises(pp.ConfigError, match=rf"\[{kind}\.opnai\] is read by no plugin"):
        fake_client(config=pp.Config(**table))


async def test_a_conflict_blames_those_who_claim() -> None:
    """Two distributions with one entry-point name are told apart: only the one that claims a taken name is failed."""
    router = pp.PolicyRecord(name="mine", factory="x:y")
    honest = fake_plugin("same", drivers=[fake_driver_record("fake", [fake_card()])])
    rival = fake_plugin("same", routers=[router])
    rival.value = "rival:plugin"
    registry = pp.Registry(found=[honest, rival, fake_plugin("other", routers=[router])])
    assert {(p.name, bool(p.records.get("drivers")), p.state) for p in registry.plugins} == {
        ("other", False, "failed"), ("same", False, "failed"), ("same", True, "loaded"),
    }  # fmt: skip


async def test_silence_before_the_first_event_is_held_to_the_deadline() -> None:
    """A stream that never begins ends in an error at its deadline."""
    clock = FakeClock()
    client = fake_client(FakeTransport({"fake:small": [Silence()]}, clock), clock=clock)
    async with client.stream("hi", model="fake:small", timeout_s=9) as stream:
        kinds = [event.kind async for event in stream]
    assert (kinds, clock.monotonic_s()) == (["start", "error"], 9)


async def test_a_count_names_its_model() -> None:
    """Where a wire does not say which model counted, the card's name stands in for it."""

    class Nameless(FakeTransport):
        async def send(self, base_url: str, request: pp.WireRequest, deadline_s: float) -> pp.WireResponse:
            body = {"provider": "fake", "model": "", "input_tokens": 7}
            return pp.WireResponse(200, {}, json.dumps(body).encode())

    count = await fake_client(Nameless()).count_tokens("hi", model="fake:small")
    assert (count.model, count.input_tokens) == ("small", 7)
