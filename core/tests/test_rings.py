"""The request ring and the call ring: order by slot, refusals, answers from the cache, seats, and broken middleware."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pingpong as pp
import pytest
from attrs import define, evolve, field, frozen
from pingpong.testing import FakeTransport, collect, factory_path, fake_client, fake_plugin, fake_response

pytestmark = pytest.mark.anyio


@define(eq=False)
class Wrap:
    """Middleware of either ring that tells what it saw into one log, and does what it is told."""

    name: str
    log: list[str]
    gives: Any = None
    raises: BaseException | None = None
    raises_after: BaseException | None = None
    told: list[Any] = field(factory=list)

    async def before(self, what: Any) -> Any:
        self.log.append(f"+{self.name}")
        self.told.append(what)
        if self.raises is not None:
            raise self.raises
        return self.gives(what) if callable(self.gives) else self.gives


class CallWrap(Wrap):
    def after(self, reservation: pp.Reservation, attempt: pp.Attempt, response: pp.Response | None) -> None:
        self.log.append(f"-{self.name} {attempt.status}")
        self.told += [attempt, response]
        if self.raises_after is not None:
            raise self.raises_after


class RequestWrap(Wrap):
    async def after(self, request: pp.Request, outcome: Any) -> None:
        self.log.append(f"-{self.name} {outcome.kind if isinstance(outcome, pp.PingPongError) else outcome.text}")
        self.told += [request, outcome]
        if self.raises_after is not None:
            raise self.raises_after


def ring(ring: Any, **slots: Any) -> Any:
    """A plugin whose middleware sit in these slots, named so that name order is not slot order."""
    records = [
        pp.MiddlewareRecord(name=f"{9 - i}-{slot}", ring=ring, slot=slot, factory=factory_path(lambda m=m, **_: m))
        for i, (slot, m) in enumerate(slots.items())
    ]
    return fake_plugin(f"{ring}-ring", middleware=records)


def requests_pass(request: pp.Request) -> pp.Request:
    return request


async def ask(client: pp.Client, is_stream: bool, model: str = "fake:small") -> pp.Outcome:
    if is_stream:
        return await client.stream("hi", model=model).outcome()
    return await client.complete("hi", model=model)


both = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


@both
async def test_both_rings_go_by_slot(is_stream: bool) -> None:
    """`before` runs outermost first, `after` innermost first, whatever the order of names; one call ring an attempt."""
    log: list[str] = []
    request_ring = ring("request", **{s: RequestWrap(s, log, gives=requests_pass) for s in reversed(pp.REQUEST_SLOTS)})
    slots = [s for s in pp.CALL_SLOTS if s != "truncate"]
    call_ring = ring("call", **{s: CallWrap(s, log) for s in reversed(slots)})
    client = fake_client(FakeTransport({"fake:small": [pp.ServerError("down"), "hello"]}), plugins=[request_ring, call_ring])
    await ask(client, is_stream)
    outside = [f"+{s}" for s in pp.REQUEST_SLOTS]
    inside = [f"+{s}" for s in slots]
    failed, done = ([f"-{s} {status}" for s in reversed(slots)] for status in ("failed", "success"))
    assert log == [*outside, *inside, *failed, *inside, *done, *(f"-{s} hello" for s in reversed(pp.REQUEST_SLOTS))]


@both
async def test_the_call_ring_sees_the_attempt(is_stream: bool) -> None:
    """A reservation goes in, the finished attempt and the answer come out, the same as in the outcome."""
    wrap = CallWrap("limits", [])
    client = fake_client(plugins=[ring("call", limits=wrap)])
    outcome = await ask(client, is_stream)
    reservation, attempt, response = wrap.told
    assert (reservation.card.id, reservation.number, reservation.is_stream) == ("fake:small", 1, is_stream)
    assert reservation.attempt_id == attempt.attempt_id
    assert outcome.attempts == (attempt,)
    assert response == outcome.response


@both
async def test_the_cache_answers_without_a_request(is_stream: bool) -> None:
    """What the cache slot gives is the answer: nothing is sent or spent, and the slots inside it do not run."""
    log: list[str] = []
    answer = fake_response("cached")
    call_ring = ring("call", trace=CallWrap("trace", log), cache=CallWrap("cache", log, gives=answer), ledger=CallWrap("in", log))
    transport = FakeTransport()
    client = fake_client(transport, plugins=[call_ring])
    outcome = await ask(client, is_stream)
    assert (outcome.response, transport.requests, client.ledger.entries) == (answer, [], [])
    assert log == ["+trace", "+cache", "-cache success", "-trace success"]
    attempt = outcome.attempts[0]
    assert (attempt.is_cached, attempt.status, attempt.usage, attempt.cost_usd) == (True, "success", None, Decimal(0))


async def test_a_cached_embedding_is_not_sent() -> None:
    """The cache slot answers an embedding as it does a call."""
    vectors = pp.EmbedResponse(provider="fake", model="small", vectors=((9.0,),))
    transport = FakeTransport()
    client = fake_client(transport, plugins=[ring("call", cache=CallWrap("cache", [], gives=vectors))])
    assert await client.embed("hi", model="fake:small") == vectors
    assert transport.requests == []
    assert client.ledger.entries == []


@both
async def test_a_slot_may_refuse(is_stream: bool) -> None:
    """A limit's refusal is the attempt's error: refused, nothing sent, and only those that were entered are left."""
    log: list[str] = []
    refusal = pp.BudgetExceeded("The tenant has nothing left.")
    call_ring = ring("call", trace=CallWrap("trace", log), limits=CallWrap("limits", log, raises=refusal))
    transport = FakeTransport()
    client = fake_client(transport, plugins=[call_ring])
    with pytest.raises(pp.BudgetExceeded, match="nothing left") as caught:
        await ask(client, is_stream)
    assert log == ["+trace", "+limits", "-trace refused"]
    assert (transport.requests, client.ledger.entries) == ([], [])
    attempt = caught.value.attempts[0]
    assert (attempt.status, attempt.error_kind, attempt.cost_usd) == ("refused", "budget_exceeded", Decimal(0))


@both
async def test_broken_call_middleware_is_a_plugin_error(is_stream: bool) -> None:
    """What middleware raises that is no error of ours is the plugin's fault, and nothing is sent."""
    transport = FakeTransport()
    client = fake_client(transport, plugins=[ring("call", breaker=CallWrap("breaker", [], raises=KeyError("bug")))])
    with pytest.raises(pp.PluginError, match="broke: KeyError") as caught:
        await ask(client, is_stream)
    assert caught.value.attempts[0].status == "refused"
    assert transport.requests == []


@both
async def test_middleware_that_breaks_on_leaving_stops_no_other(is_stream: bool) -> None:
    """Every `before` that returned gets its `after`, the entry is written, and the break is a `PluginError`."""
    log: list[str] = []
    inner = CallWrap("breaker", log, raises_after=KeyError("bug"))
    client = fake_client(plugins=[ring("call", trace=CallWrap("trace", log), breaker=inner)])
    with pytest.raises(pp.PluginError, match="KeyError") as caught:
        await ask(client, is_stream)
    assert log == ["+trace", "+breaker", "-breaker success", "-trace success"]
    assert [type(e) for e in client.ledger.entries] == [pp.Reservation, pp.Attempt]
    assert len(caught.value.attempts) == 1


@both
async def test_the_request_ring_may_change_the_request(is_stream: bool) -> None:
    """What `before` returns is what is routed, sent, and told to `after`; success or not."""
    wrap = RequestWrap("session", [], gives=lambda r: evolve(r, messages=(pp.user("before"), *r.messages)))
    transport = FakeTransport({"fake:small": ["ok", pp.InvalidRequestError("no")]})
    client = fake_client(transport, plugins=[ring("request", session=wrap)])
    await ask(client, is_stream)
    with pytest.raises(pp.InvalidRequestError):
        await ask(client, is_stream)
    assert b'"before"' in transport.requests[0][1].body
    changed = [m.text for m in wrap.told[1].messages]
    assert changed == ["before", "hi"]
    assert [m.text for m in wrap.told[4].messages] == ["before", "hi"]


@both
async def test_the_request_ring_may_refuse(is_stream: bool) -> None:
    """A question back to the user ends the request before routing; the rings that were entered are told."""
    log: list[str] = []
    question = RequestWrap("clarification", log, raises=pp.NeedsClarification("Which one?"))
    outer = RequestWrap("trace", log, gives=requests_pass)
    transport = FakeTransport()
    client = fake_client(transport, plugins=[ring("request", trace=outer, clarification=question)])
    with pytest.raises(pp.NeedsClarification, match="Which one"):
        await ask(client, is_stream)
    assert log == ["+trace", "+clarification", "-trace needs_clarification"]
    assert transport.requests == []


@both
async def test_a_request_without_a_route_still_leaves_the_ring(is_stream: bool) -> None:
    """Whoever was entered is told, though no plan was made."""
    log: list[str] = []
    client = fake_client(plugins=[ring("request", trace=RequestWrap("trace", log, gives=requests_pass))])
    with pytest.raises(pp.UnknownModelError):
        await ask(client, is_stream, model="fake:none")
    assert log == ["+trace", "-trace unknown_model"]


@both
async def test_broken_request_middleware_is_a_plugin_error(is_stream: bool) -> None:
    """An exception of a plugin never leaves raw."""
    client = fake_client(plugins=[ring("request", queue=RequestWrap("queue", [], raises=KeyError("bug")))])
    with pytest.raises(pp.PluginError, match="RequestWrap broke: KeyError"):
        await ask(client, is_stream)


@both
async def test_request_middleware_that_breaks_on_leaving_runs_once(is_stream: bool) -> None:
    """Each `after` runs exactly once, also where another one breaks; the break is a `PluginError` with the attempts."""
    log: list[str] = []
    inner = RequestWrap("session", log, gives=requests_pass, raises_after=KeyError("bug"))
    client = fake_client(plugins=[ring("request", trace=RequestWrap("trace", log, gives=requests_pass), session=inner)])
    with pytest.raises(pp.PluginError, match="KeyError") as caught:
        await ask(client, is_stream)
    assert log == ["+trace", "+session", "-session hi", "-trace plugin_error"]
    assert len(caught.value.attempts) == 1


async def test_iteration_raises_nothing_where_middleware_breaks_at_the_end() -> None:
    """A stream tells such a break as its last event, an error with the answer so far."""
    inner = RequestWrap("session", [], gives=requests_pass, raises_after=pp.LimitError("full"))
    client = fake_client(plugins=[ring("request", session=inner)])
    async with client.stream("hi", model="fake:small") as stream:
        events = await collect(stream)
    assert [e.kind for e in events] == ["start", "text", "part_end", "error"]


@frozen
class Seat:
    """A retry policy that never waits and never gives up; or a ledger."""

    clock: Any = None
    wait_s: float = 0.25
    entries: list[Any] = field(factory=list)

    def next(self, attempts: int, error: pp.PingPongError, *, left_s: float, draw: float) -> float | None:
        return self.wait_s

    def record(self, entry: Any) -> None:
        self.entries.append(entry)

    async def settled(self, attempt_ids: Any) -> None:
        return None


def seat(*rings: Any) -> Any:
    records = [pp.MiddlewareRecord(name=f"{r}-{i}", ring=r, factory=factory_path(Seat)) for i, r in enumerate(rings)]
    return fake_plugin("seats", middleware=records)


async def test_seats_are_filled_by_records() -> None:
    """A record takes the seat of the ledger or of the retry policy, made with the clock and its table."""
    config = pp.Config(middleware={"retry-1": {"wait_s": 0.75}})
    client = fake_client(
        FakeTransport({"fake:small": [pp.ServerError("x"), "y"]}), plugins=[seat("ledger", "retry")], config=config
    )
    await client.complete("hi", model="fake:small")
    assert isinstance(client.ledger, Seat)
    assert client.ledger.clock is client.clock
    assert len(client.ledger.entries) == 4
    assert client.clock.naps == [0.75]


async def test_a_ledger_given_outright_wins_over_the_seat() -> None:
    """The host's own ledger is used though a plugin offers one."""
    ledger = pp.MemoryLedger()
    client = fake_client(plugins=[seat("ledger")], ledger=ledger)
    await client.complete("hi", model="fake:small")
    assert len(ledger.entries) == 2


@pytest.mark.parametrize("name", ["ledger", "retry"])
async def test_one_seat_takes_one_record(name: str) -> None:
    """Two plugins for one seat are refused by name."""
    with pytest.raises(pp.ConfigError, match=f"{name}-0 and {name}-1 both take the {name} seat"):
        fake_client(plugins=[seat(name, name)])


async def test_a_wrong_option_of_middleware_is_a_configuration_error() -> None:
    """`[middleware.<name>]` is checked by its factory, and the error names it."""
    with pytest.raises(pp.ConfigError, match="'retry-0' does not take these parameters"):
        fake_client(plugins=[seat("retry")], config=pp.Config(middleware={"retry-0": {"wait": 1}}))


async def test_a_slot_nobody_knows_is_refused() -> None:
    """Slots are a closed list: a plugin that names another one is named and skipped, not silently out of work."""
    places: list[dict[str, Any]] = [
        {"ring": "call", "slot": "limit"}, {"ring": "request", "slot": "cache"}, {"ring": "retry", "slot": "trace"},
    ]  # fmt: skip
    for wrong in places:
        with pytest.raises(ValueError, match="has no slot"):
            pp.MiddlewareRecord(name="mine", factory="x:y", **wrong)
