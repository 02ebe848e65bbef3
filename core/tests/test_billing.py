"""What an attempt is taken to have cost when the provider does not say, and what the time limit leaves of a plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pingpong as pp
import pytest
from attrs import evolve, frozen
from pingpong.testing import (
    FAKE_ENDPOINTS,
    Cut,
    FakeClock,
    FakeTransport,
    Silence,
    factory_path,
    fake_card,
    fake_client,
    fake_plugin,
    fake_response,
)

pytestmark = pytest.mark.anyio

both = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


async def failed(client: pp.Client, is_stream: bool, **options: Any) -> tuple[pp.PingPongError, pp.Attempt]:
    """The error of one request to the fake model, and its only attempt."""
    request = pp.Request("hi", model="fake:small", **options)
    with pytest.raises(pp.PingPongError) as caught:
        await (client.stream(request).outcome() if is_stream else client.complete(request))
    (attempt, *more) = caught.value.attempts
    assert more == []
    return caught.value, attempt


def failing(error: pp.PingPongError) -> pp.Client:
    def fail(request: pp.Request) -> str:
        raise error

    return fake_client(FakeTransport({"fake:small": [fail]}))


@both
async def test_no_connection_costs_nothing(is_stream: bool) -> None:
    """Where no answer came at all, nothing was billed."""
    _, attempt = await failed(failing(pp.ConnectionFailed("refused", retryable=False)), is_stream)
    assert (attempt.usage, attempt.cost_usd, attempt.status) == (None, Decimal(0), "failed")


@both
async def test_a_refusal_costs_nothing(is_stream: bool) -> None:
    """A status that is no success is not billed."""
    _, attempt = await failed(fake_client(FakeTransport({"fake:small": [pp.InvalidRequestError("no")]})), is_stream)
    assert (attempt.usage, attempt.cost_usd) == (None, Decimal(0))


@both
async def test_silence_may_be_billed(is_stream: bool) -> None:
    """A request that was sent and never answered counts with its input, as an estimate."""
    clock = FakeClock()
    client = fake_client(FakeTransport({"fake:small": [Silence()]}, clock), clock=clock)
    _, attempt = await failed(client, is_stream, timeout_s=1)
    tokens = pp.estimate_text_tokens("hi")
    assert attempt.usage == pp.Usage(uncached_input_tokens=tokens, is_estimated=True)
    assert attempt.cost_usd == Decimal(tokens) / 10**6


async def test_a_cut_stream_is_billed_for_what_arrived() -> None:
    """Input and the words that came count, as an estimate; the error holds them."""
    cut = Cut(fake_response("hello world"), 2)
    error, attempt = await failed(fake_client(FakeTransport({"fake:small": [cut]})), True)
    expected = pp.estimate_text_tokens("hello world")
    assert attempt.usage is not None
    assert (attempt.usage.visible_output_tokens, attempt.usage.is_estimated) == (expected, True)
    assert error.partial is not None
    assert error.partial.text == "hello world"


@both
async def test_an_answer_without_usage_is_estimated(is_stream: bool) -> None:
    """Text, reasoning and arguments count; what the provider says it did not, and the response keeps its None."""
    parts = (pp.Reasoning("think"), pp.Text("hello"), pp.ToolCall("1", "t", '{"a": 1}'))
    client = fake_client(FakeTransport({"fake:small": [fake_response(parts=parts, usage=None)]}))
    request = pp.Request("hi", model="fake:small")
    outcome = await (client.stream(request).outcome() if is_stream else client.complete(request))
    assert outcome.response.usage is None
    assert outcome.attempts[0].usage == pp.Usage(
        uncached_input_tokens=pp.estimate_text_tokens("hi"),
        visible_output_tokens=pp.estimate_text_tokens('hellothink{"a": 1}'),
        is_estimated=True,
    )


async def test_an_embedding_without_usage_is_estimated() -> None:
    """Its input counts."""
    vectors = pp.EmbedResponse(provider="fake", model="small", vectors=((1.0,),))

    class Fixed(FakeTransport):
        async def send(self, *args: Any) -> pp.WireResponse:
            await super().send(*args)
            wire: pp.WireResponse = FAKE_ENDPOINTS[1].dialect.render(vectors)
            return wire

    client = fake_client(Fixed())
    assert await client.embed(pp.EmbedRequest(["a", "bc"], model="fake:small")) == vectors
    entry = client.ledger.entries[-1]
    assert isinstance(entry, pp.Attempt)
    assert entry.usage == pp.Usage(
        uncached_input_tokens=pp.estimate_text_tokens("a") + pp.estimate_text_tokens("bc"), is_estimated=True
    )


async def test_an_unpriced_answer_has_no_known_cost() -> None:
    """Usage is known, the price is not: the cost is None, never 0."""
    client = fake_client(cards=[evolve(fake_card(), price=None)])
    outcome = await client.complete("hi", model="fake:small")
    assert (outcome.cost_usd, outcome.attempts[0].held_usd) == (None, None)
    assert outcome.usage.input_tokens == 10


async def test_what_an_attempt_held_is_kept_where_its_cost_is_unknown() -> None:
    """Under a cap, an attempt whose cost nobody knows counts with all that was held for it."""
    searched = fake_response(usage=pp.Usage(uncached_input_tokens=1, other_units={"search": 1}))
    cut = fake_response("x", finish_reason=pp.FinishReason.length, usage=searched.usage)

    class Always:
        def next(self, attempts: int, error: pp.PingPongError, *, left_s: float, draw: float) -> float:
            return 0.0

    record = pp.MiddlewareRecord(name="always", ring="retry", factory=factory_path(lambda clock: Always()))
    client = fake_client(FakeTransport({"fake:small": [cut]}), plugins=[fake_plugin("r", middleware=[record])])
    held = Decimal(pp.estimate_text_tokens("hi") + 2 * 1000) / 10**6
    with pytest.raises(pp.BudgetExceeded, match=f"{held:f} of the cap"):
        await client.complete("hi", model="fake:small", output_schema=pp.OutputSchema({}), max_cost_usd=held * Decimal("1.5"))


@frozen
class Plans:
    """A router of one plan."""

    plan: Any

    def prepare(self, cards: Any) -> None:
        return None

    def route(self, query: pp.Query) -> Any:
        return self.plan

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return ()


async def test_a_cascade_ends_at_the_deadline() -> None:
    """Time that is used up is no doubt: the next model is not called, and the error says so."""
    plan = pp.Cascade([pp.Call("a:one"), pp.Call("b:two")], pp.Step("any"))
    record = pp.PolicyRecord(name="plans", factory=factory_path(lambda: Plans(plan)))
    clock = FakeClock()
    transport = FakeTransport({"a:one": [Silence()]}, clock)
    cards = [fake_card("a:one"), fake_card("b:two")]
    plugins = [fake_plugin("p", routers=[record])]
    client = fake_client(transport, cards=cards, plugins=plugins, clock=clock, config=pp.Config(strategy="plans"))
    with pytest.raises(pp.DeadlineExceeded):
        await client.complete("hi", timeout_s=7)
    assert [m for m, _ in transport.requests] == ["a:one"]
    assert clock.monotonic_s() == 7
