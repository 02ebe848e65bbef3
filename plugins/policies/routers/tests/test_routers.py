"""What the three routers choose, why, and how they refuse."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pingpong import (
    Call,
    Capability,
    Ensemble,
    Fallback,
    Plan,
    Price,
    PriceTier,
    Refuse,
    Request,
    Router,
    Signals,
    State,
    Step,
    calls_of,
    cost_bound_usd,
    from_json,
    to_json,
)
from pingpong_routers.cheapest import Cheapest
from pingpong_routers.preference import EnsembleRouter, FallbackRouter

ROUTERS: tuple[Router, ...] = (Cheapest(), FallbackRouter(), EnsembleRouter())
every_router = pytest.mark.parametrize("router", ROUTERS, ids=lambda r: type(r).__name__)
property_test = settings(max_examples=100, deadline=None)


def models_of(plan: Plan) -> list[str]:
    """The models of a plan, in order."""
    return [call.model for call in calls_of(plan)]


def test_cheapest_orders_by_highest_cost(card: Any, query: Any) -> None:
    """The least input price loses to the least cost of this request, output included."""
    price = Price(input_usd_per_mtok=Decimal("0.1"), output_usd_per_mtok=Decimal(90), source_url="", as_of=date(2026, 1, 1))
    cards = (card("a:dear", "9"), card("a:trap", price=price), card("b:mid", "3"), card("c:cheap", "1"))
    plan = Cheapest().route(query(Cheapest(), cards))
    assert plan == Fallback((Call("c:cheap"), Call("b:mid"), Call("a:dear")))


def test_cheapest_uses_the_tier_of_the_input(card: Any, query: Any) -> None:
    """A model that gets dearer for long inputs is passed over once the input is long."""
    base = card("a:tiered", "1")
    tier = {"above_input_tokens": 500, "input_usd_per_mtok": "8", "output_usd_per_mtok": "8"}
    tiered = from_json(type(base), {**to_json(base), "price": {**to_json(base.price), "tiers": [tier]}})
    cards = (tiered, card("b:flat", "2"))
    short, long = (Signals(input_tokens=n) for n in (500, 501))
    assert models_of(Cheapest().route(query(Cheapest(), cards, signals=short)))[0] == "a:tiered"
    assert models_of(Cheapest().route(query(Cheapest(), cards, signals=long)))[0] == "b:flat"


def test_cheapest_puts_unknown_prices_last(card: Any, query: Any) -> None:
    """A model without a price is named only behind those with one."""
    cards = (card("a:free?", None), card("b:dear", "50"))
    assert models_of(Cheapest().route(query(Cheapest(), cards))) == ["b:dear", "a:free?"]


def test_fallback_mixes_providers(card: Any, query: Any) -> None:
    """The first model of each provider comes before a second one of any."""
    cards = tuple(card(m) for m in ("a:1", "a:2", "b:1", "a:3"))
    assert FallbackRouter().route(query(FallbackRouter(), cards)) == Fallback((Call("a:1"), Call("b:1"), Call("a:2")))


def test_a_single_model_is_a_plain_call(card: Any, query: Any) -> None:
    """With one model there is nothing to fall back to."""
    for router in (Cheapest(), FallbackRouter()):
        assert router.route(query(router, (card("a:1"),))) == Call("a:1")


def test_ensemble_asks_three_and_fuses(card: Any, query: Any) -> None:
    """Members come from different providers first; the fuser is named in the plan."""
    cards = tuple(card(m) for m in ("a:1", "a:2", "b:1", "c:1"))
    plan = EnsembleRouter().route(query(EnsembleRouter(), cards))
    assert plan == Ensemble((Call("a:1"), Call("b:1"), Call("c:1")), Step("majority"))


def test_ensemble_takes_as_many_members_as_the_cap_pays_for(card: Any, query: Any) -> None:
    """The members' highest costs together stay within the cap."""
    cards = tuple(card(m) for m in ("a:1", "b:1", "c:1"))
    cap = Decimal("0.0022")
    plan = EnsembleRouter().route(query(EnsembleRouter(), cards, Request("hi", max_cost_usd=cap)))
    assert models_of(plan) == ["a:1", "b:1"]


def test_ensemble_needs_no_streaming(card: Any, query: Any) -> None:
    """Members are never streamed, so a model without streaming may be one."""
    cards = (card("a:1", capabilities=frozenset()),)
    signals = Signals(needs=frozenset({Capability.streaming}), input_tokens=1, is_stream=True)
    assert isinstance(EnsembleRouter().route(query(EnsembleRouter(), cards, signals=signals)), Ensemble)
    assert isinstance(FallbackRouter().route(query(FallbackRouter(), cards, signals=signals)), Refuse)


@pytest.mark.parametrize(
    ("changed", "request_", "reason"),
    [
        ({"capabilities": frozenset()}, Request("hi"), "cannot do this: tools"),
        ({"context_tokens": 50}, Request("hi"), "context too small: 50 of about 100 tokens"),
        ({"max_output_tokens": 5}, Request("hi", max_output_tokens=6), "writes at most 5 of 6 tokens"),
        ({}, Request("hi", max_cost_usd=Decimal("0.0001")), "could cost $0.0011, above the cap of $0.0001"),
        ({"price": None}, Request("hi", max_cost_usd=Decimal(1)), "its highest cost is unknown"),
    ],
)
@every_router
def test_reasons_name_the_rule(
    router: Router, changed: dict[str, Any], request_: Request, reason: str, card: Any, query: Any
) -> None:
    """Each rule that leaves a model out is the reason given for it, and the model is not called."""
    cards = (card("a:bad", **changed), card("b:good", "0.00001"))
    asked = query(router, cards, request_, signals=Signals(needs=frozenset({Capability.tools}), input_tokens=100))
    bad, good = router.explain(asked)
    assert reason in bad.reason
    assert (bad.is_chosen, good.is_chosen) == (False, True)
    assert models_of(router.route(asked)) == ["b:good"]


@every_router
def test_truncator_lifts_the_context_rule(router: Router, card: Any, query: Any) -> None:
    """A request that a truncator will shorten is not too long for a small context."""
    asked = query(router, (card("a:1", context_tokens=50),), Request("hi", truncator="drop-oldest"))
    assert models_of(router.route(asked)) == ["a:1"]


@every_router
def test_missing_keys_are_named(router: Router, card: Any, query: Any) -> None:
    """Where every model lacks its key, the refusal names the variables to set."""
    cards = (card("a:1"), card("b:1"))
    state = State(unavailable={"a:1": "no key: set A_KEY", "b:1": "no key: set B_KEY"})
    plan = router.route(query(router, cards, state=state))
    assert isinstance(plan, Refuse)
    assert plan.reason == "no_route"
    assert "set A_KEY" in plan.message
    assert "set B_KEY" in plan.message


@every_router
def test_no_card_at_all(router: Router, query: Any) -> None:
    """Without drivers the refusal says to install one."""
    plan = router.route(query(router, ()))
    assert isinstance(plan, Refuse)
    assert "Install a driver" in plan.message


@every_router
def test_cap_alone_refuses_by_budget(router: Router, card: Any, query: Any) -> None:
    """Where only the cap is in the way, the refusal is one of budget and names the cheapest model and its cost."""
    plan = router.route(query(router, (card("a:1", "5"), card("b:1", "1")), Request("hi", max_cost_usd=Decimal("0.0001"))))
    assert isinstance(plan, Refuse)
    assert plan.reason == "budget"
    assert "b:1, could cost $0.0011" in plan.message


@every_router
def test_cap_over_unknown_prices_refuses_by_budget(router: Router, card: Any, query: Any) -> None:
    """Models of unknown price cannot be called under a cap, and the refusal says so."""
    plan = router.route(query(router, (card("a:1", None),), Request("hi", max_cost_usd=Decimal(1))))
    assert isinstance(plan, Refuse)
    assert (plan.reason, "known highest cost" in plan.message) == ("budget", True)


@pytest.mark.parametrize("factory", [Cheapest, FallbackRouter, EnsembleRouter])
def test_options_are_checked_when_it_is_made(factory: Any) -> None:
    """A count of models beyond 5 or below 1 is refused at construction."""
    for count in (0, 6):
        with pytest.raises(ValueError, match="models"):
            factory(models=count)


@every_router
@given(data=st.data())
@property_test
def test_route_is_total_and_agrees_with_its_reasons(router: Router, any_situation: Any, query: Any, data: Any) -> None:
    """Any query gives a plan whose models are exactly those explained as chosen; every card has a reason (ROU-01, 14)."""
    cards, more = data.draw(any_situation)
    asked = query(router, cards, **more)
    plan, candidates = router.route(asked), router.explain(asked)
    assert [c.model for c in candidates] == [c.id for c in cards]
    assert all(c.reason for c in candidates)
    assert {c.model for c in candidates if c.is_chosen} == set(models_of(plan))
    assert isinstance(plan, Refuse) == (not models_of(plan))
    assert plan == from_json(Plan, to_json(plan))


@every_router
@given(data=st.data())
@property_test
def test_only_models_that_may_serve(router: Router, any_situation: Any, query: Any, data: Any) -> None:
    """Chosen models are available, capable, large enough, priced under a cap, and named once (ROU-02, 03, 07, 09)."""
    cards, more = data.draw(any_situation)
    request, signals, state = more["request"], more["signals"], more["state"]
    models = models_of(router.route(query(router, cards, **more)))
    caps = [usd for usd in (request.max_cost_usd, state.budget_left_usd) if usd is not None]
    by_id = {card.id: card for card in cards}
    excused = {Capability.streaming} if isinstance(router, EnsembleRouter) else frozenset()
    assert len(models) == len(set(models)) <= 3
    for card in (by_id[model] for model in models):
        output = request.max_output_tokens or card.max_output_tokens
        assert card.id not in state.unavailable
        assert signals.needs - excused <= card.capabilities
        if card.context_tokens and not request.truncator:
            assert signals.input_tokens + (request.max_output_tokens or 0) <= card.context_tokens
        if caps:
            assert output is not None
            bound = cost_bound_usd(signals.input_tokens, output, card.price)
            assert bound is not None
            assert bound <= min(caps)


@every_router
@given(data=st.data())
@property_test
def test_same_query_same_plan(router: Router, any_situation: Any, query: Any, data: Any) -> None:
    """Routing twice gives equal plans and reasons and leaves the query as it was (ROU-04, 05)."""
    cards, more = data.draw(any_situation)
    asked, again = query(router, cards, **more), query(type(router)(), cards, **more)
    assert router.route(asked) == router.route(asked) == router.route(again)
    assert router.explain(asked) == router.explain(again)
    assert asked == again


@given(data=st.data())
@property_test
def test_cheapest_ignores_card_order(any_situation: Any, query: Any, data: Any) -> None:
    """Any order of the cards gives the same plan (ROU-06); `fallback` and `ensemble` declare theirs."""
    cards, more = data.draw(any_situation)
    shuffled = tuple(data.draw(st.permutations(cards)))
    plans = [Cheapest().route(query(Cheapest(), table, **more)) for table in (cards, shuffled)]
    assert isinstance(plans[0], Refuse) or plans[0] == plans[1]
    assert models_of(plans[0]) == models_of(plans[1])


@given(data=st.data())
@property_test
def test_a_worse_model_never_changes_the_choice(any_situation: Any, query: Any, card: Any, data: Any) -> None:
    """Adding a dearer model leaves the cheapest first choice of known cost as it was (ROU-10)."""
    cards, more = data.draw(any_situation)
    asked = query(Cheapest(), cards, **more)
    before = models_of(Cheapest().route(asked))
    costs = {c.model: c.cost_high_usd for c in Cheapest().explain(asked)}
    after = models_of(Cheapest().route(query(Cheapest(), (card("z:worse", "9999"), *cards), **more)))
    assert not before or costs[before[0]] is None or after[0] == before[0]


def test_cost_at_a_tier_of_one_token(card: Any, query: Any) -> None:
    """The lowest band has its own price even where it is a single token wide."""
    price = Price(
        input_usd_per_mtok=Decimal(1),
        output_usd_per_mtok=Decimal(0),
        tiers=(PriceTier(above_input_tokens=1, input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(0)),),
        source_url="",
        as_of=date(2026, 1, 1),
    )
    asked = query(Cheapest(), (card(price=price),), signals=Signals(input_tokens=1))
    assert Cheapest().explain(asked)[0].cost_high_usd == Decimal("0.000001")


@given(data=st.data())
@property_test
def test_candidate_costs_are_exact(any_situation: Any, query: Any, data: Any) -> None:
    """The cost shown for a model is the kernel's own bound, to the last digit."""
    cards, more = data.draw(any_situation)
    request, signals = more["request"], more["signals"]
    for card, seen in zip(cards, Cheapest().explain(query(Cheapest(), cards, **more)), strict=True):
        output = request.max_output_tokens or card.max_output_tokens
        bound = None if output is None else cost_bound_usd(signals.input_tokens, output, card.price)
        assert seen.cost_high_usd == bound


@every_router
def test_deciding_makes_no_call_a_card(router: Router, card: Any, query: Any) -> None:
    """Deciding over 500 cards makes fewer function calls than there are cards, counted, so that no clock can flake (ROU-13)."""
    cards = tuple(card(f"p{i % 9}:m{i}", str(i * 37 % 89 + 1)) for i in range(500))
    asked = query(router, cards, Request("hi", max_cost_usd=Decimal(1)))
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        router.route(asked)
    finally:
        sys.setprofile(None)
    assert 0 < calls < len(cards)
