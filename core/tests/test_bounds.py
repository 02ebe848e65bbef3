"""Caps and bounds: what may be spent, and what a plan can cost before a cent is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pingpong as pp
import pytest
from attrs import evolve, frozen
from pingpong.testing import FakeTransport, factory_path, fake_card, fake_client, fake_plugin, fake_price

pytestmark = pytest.mark.anyio


@frozen
class Always:
    """A router of one plan."""

    plan: Any

    def prepare(self, cards: Any) -> None:
        return None

    def route(self, query: pp.Query) -> Any:
        return self.plan

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return ()


async def test_the_configurations_cap_holds_unless_the_request_has_its_own() -> None:
    """`max_cost_usd` of the configuration is the request's default."""
    card = fake_card(price=fake_price("0", "1000"))
    client = fake_client(cards=[card], config=pp.Config(max_cost_usd=Decimal("0.5")))
    with pytest.raises(pp.BudgetExceeded, match=r"of the cap of \$0\.5 "):
        await client.complete("hi", model="fake:small")
    assert (await client.complete("hi", model="fake:small", max_cost_usd=Decimal(2))).cost_usd == Decimal("0.005")


async def test_the_cap_holds_for_embeddings() -> None:
    """No call is made beyond the configured cap, whatever the operation."""
    config = pp.Config(max_cost_usd=Decimal("0.000001"))
    client = fake_client(cards=[fake_card(price=fake_price("1000", "0"))], config=config)
    with pytest.raises(pp.BudgetExceeded):
        await client.embed("hello", model="fake:small")


async def test_a_plan_is_priced_and_nothing_is_called() -> None:
    """`plan()` gives decision and bounds, calls nothing and writes no entry."""
    transport = FakeTransport()
    client = fake_client(transport)
    tokens = pp.estimate_text_tokens("hi")
    decision = await client.plan("hi", model="fake:small")
    low, high = Decimal(tokens // 4) / 10**6, (tokens + 2 * Decimal(1000)) / 10**6 * 2
    assert decision.bounds == pp.CostBounds(low, high, 2)
    assert (await client.plan("hi", model="fake:small", max_output_tokens=1)).bounds == pp.CostBounds(
        low, (tokens + Decimal(2)) / 10**6 * 2, 2
    )
    assert transport.requests == []
    assert client.ledger.entries == []


async def test_bounds_that_nobody_knows_are_none() -> None:
    """No price means no bound; no output cap means no upper bound."""
    unpriced, endless = evolve(fake_card("a:one"), price=None), evolve(fake_card("b:two"), max_output_tokens=None)
    client = fake_client(cards=[unpriced, endless])
    assert (await client.plan("hi", model="a:one")).bounds == pp.CostBounds(None, None, 2)
    assert (await client.plan("hi", model="b:two")).bounds == pp.CostBounds(Decimal(0), None, 2)


async def test_a_judges_question_is_priced_with_the_answer_it_reads() -> None:
    """What a step may ask counts, the earlier answer as its input."""
    judged = pp.Check(pp.Call("fake:small", 1), (pp.Step("judge", asks=(pp.Call("fake:small", 1),)),))
    record = pp.PolicyRecord(name="ours", factory=factory_path(lambda: Always(judged)))
    client = fake_client(plugins=[fake_plugin("r", routers=[record])], config=pp.Config(strategy="ours"))
    plain = (await client.plan("hi", model="fake:small")).bounds
    bounds = (await client.plan("hi", strategy="ours")).bounds
    assert plain is not None
    assert plain.high_usd is not None
    assert bounds == pp.CostBounds(plain.low_usd, plain.high_usd + Decimal(1000) / 10**6, 2)


async def test_no_run_costs_more_than_its_bound() -> None:
    """The dearest way through a plan, with every attempt made and every answer as long as it may be, stays below."""
    longest = pp.Usage(uncached_input_tokens=1, visible_output_tokens=1000)
    cut = pp.Response(provider="fake", model="small", finish_reason=pp.FinishReason.length, usage=longest)
    client = fake_client(FakeTransport({"fake:small": [cut]}))
    bounds = (await client.plan("hi", model="fake:small")).bounds
    outcome = await client.complete("hi", model="fake:small")
    assert bounds is not None
    assert bounds.low_usd is not None
    assert bounds.high_usd is not None
    assert outcome.cost_usd is not None
    assert bounds.low_usd <= outcome.cost_usd <= bounds.high_usd / 2


@pytest.mark.parametrize("cap", [Decimal(0), Decimal("0.000001")])
async def test_a_cap_that_nothing_fits_sends_nothing(cap: Decimal) -> None:
    """A cap of 0 is a cap, not none."""
    transport = FakeTransport()
    with pytest.raises(pp.BudgetExceeded):
        await fake_client(transport).complete("hi", model="fake:small", max_cost_usd=cap)
    assert transport.requests == []


async def test_counting_tokens_is_free_under_any_cap() -> None:
    """Counting holds no money, so a cap that no answer fits does not stop it."""
    client = fake_client(config=pp.Config(max_cost_usd=Decimal("0.000001")))
    assert (await client.count_tokens("hi", model="fake:small")).input_tokens == 10
