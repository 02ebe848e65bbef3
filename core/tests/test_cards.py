"""Prices and cards: money is exact, adds up, and never falls when tokens rise."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from pingpong import TOKEN_CLASSES, Card, InvalidRequestError, Price, PriceTier, Usage, cost_bound_usd, cost_usd, split_model_id

D = Decimal
BASE: dict[str, Any] = {"source_url": "https://example.com/prices", "as_of": date(2026, 11, 1)}
FULL = Price(
    input_usd_per_mtok=D("3"),
    output_usd_per_mtok=D("15"),
    cache_read_usd_per_mtok=D("0.3"),
    cache_write_usd_per_mtok=D("3.75"),
    cache_write_1h_usd_per_mtok=D("6"),
    input_audio_usd_per_mtok=D("40"),
    output_audio_usd_per_mtok=D("80"),
    reasoning_usd_per_mtok=D("20"),
    other_usd_per_unit={"web_search": D("0.01")},
    **BASE,
)
BARE = Price(input_usd_per_mtok=D("1"), output_usd_per_mtok=D("2"), **BASE)
TIERED = evolve(
    BARE,
    cache_read_usd_per_mtok=D("0.1"),
    tiers=(
        PriceTier(
            above_input_tokens=100, input_usd_per_mtok=D("2"), output_usd_per_mtok=D("4"), cache_read_usd_per_mtok=D("0.2")
        ),
        PriceTier(above_input_tokens=1000, input_usd_per_mtok=D("3"), output_usd_per_mtok=D("6")),
    ),
)

tokens = st.integers(0, 10**9)
usages = st.builds(Usage, **dict.fromkeys(TOKEN_CLASSES, tokens), other_units=st.builds(dict, web_search=st.integers(0, 1000)))
rates = st.decimals(0, 1000, places=4, allow_nan=False)


@pytest.mark.parametrize(
    ("usage", "price", "usd"),
    [
        (Usage(uncached_input_tokens=1_000_000), FULL, "3"),
        (Usage(uncached_input_tokens=1), FULL, "0.000003"),
        (Usage(cache_read_tokens=10, cache_write_tokens=10, cache_write_1h_tokens=10), FULL, "0.0001005"),
        (Usage(input_audio_tokens=1, output_audio_tokens=1), FULL, "0.00012"),
        (Usage(visible_output_tokens=1, reasoning_tokens=1), FULL, "0.000035"),
        (Usage(visible_output_tokens=1, reasoning_tokens=1), BARE, "0.000004"),
        (Usage(other_units={"web_search": 3, "unheard_of": 0}), FULL, "0.03"),
        (Usage(uncached_input_tokens=100, visible_output_tokens=1), TIERED, "0.000102"),
        (Usage(uncached_input_tokens=101, visible_output_tokens=1), TIERED, "0.000206"),
        (Usage(uncached_input_tokens=51, cache_read_tokens=50), TIERED, "0.000112"),
        (Usage(uncached_input_tokens=1001, reasoning_tokens=1), TIERED, "0.003009"),
        (Usage(), FULL, "0"),
    ],
)
def test_cost_table(usage: Usage, price: Price, usd: str) -> None:
    """Each class has its own rate, reasoning falls back to output, and a tier holds above its bound, not at it."""
    assert D(usd) == cost_usd(usage, price)


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (None, FULL),
        (Usage(), None),
        (Usage(cache_read_tokens=1), BARE),
        (Usage(input_audio_tokens=1), BARE),
        (Usage(other_units={"web_search": 1}), BARE),
        (Usage(uncached_input_tokens=1001, cache_read_tokens=1), TIERED),
    ],
)
def test_unknown_cost_is_none(usage: Usage | None, price: Price | None) -> None:
    """A class, unit, usage or price without a figure makes the cost unknown, never zero."""
    assert cost_usd(usage, price) is None


@given(usages, rates, rates)
def test_cost_is_exact(usage: Usage, rate_in: Decimal, rate_out: Decimal) -> None:
    """The cost equals the sum in fractions: nothing is rounded on the way."""
    price = evolve(FULL, input_usd_per_mtok=rate_in, output_usd_per_mtok=rate_out)
    rate_of = {
        **{name: Fraction(getattr(price, name.replace("_tokens", "_usd_per_mtok"), 0) or 0) for name in TOKEN_CLASSES},
        "uncached_input_tokens": Fraction(rate_in),
        "visible_output_tokens": Fraction(rate_out),
    }
    exact = sum(getattr(usage, name) * rate_of[name] for name in TOKEN_CLASSES) / 1_000_000
    cost = cost_usd(usage, price)
    assert cost is not None
    assert exact + usage.other_units["web_search"] * Fraction(1, 100) == Fraction(cost)


@given(usages, usages)
def test_cost_is_additive(one: Usage, other: Usage) -> None:
    """Two attempts cost together what they cost apart."""
    costs = [cost_usd(usage, FULL) for usage in (one, other, one + other)]
    assert None not in costs
    assert costs[0] + costs[1] == costs[2]  # type: ignore[operator]  # none of them is None


@given(usages, st.sampled_from(TOKEN_CLASSES), st.integers(1, 1000), st.sampled_from([FULL, TIERED]))
def test_cost_never_falls_when_tokens_rise(usage: Usage, name: str, more: int, price: Price) -> None:
    """More tokens of any class cost at least as much, across tiers too."""
    missing: dict[str, Any] = {name: rate for name, rate in rates_of(FULL).items() if getattr(price, name) is None}
    price = evolve(price, **missing)
    tiers = tuple(evolve(tier, cache_read_usd_per_mtok=D("0.3"), cache_write_usd_per_mtok=D("4")) for tier in price.tiers)
    price = evolve(price, tiers=tuple(evolve(tier, cache_write_1h_usd_per_mtok=D("7")) for tier in tiers))
    usage = evolve(usage, other_units={})
    before, after = cost_usd(usage, price), cost_usd(evolve(usage, **{name: getattr(usage, name) + more}), price)
    if price.tiers and (usage.input_audio_tokens or usage.output_audio_tokens or "audio" in name):
        assert after is None
    else:
        assert before is not None
        assert after is not None
        assert before < after


def rates_of(price: Price) -> dict[str, Decimal]:
    """The rates of a price by field name."""
    return {name: getattr(price, name) for name in dir(price) if name.endswith("_usd_per_mtok")}


@given(tokens, tokens, st.sampled_from([FULL, BARE, TIERED]))
def test_bound_holds_for_any_split(tokens_in: int, tokens_out: int, price: Price) -> None:
    """No split of so many tokens into text classes costs more than the bound."""
    bound = cost_bound_usd(tokens_in, tokens_out, price)
    assert bound is not None
    splits = [
        Usage(uncached_input_tokens=tokens_in, visible_output_tokens=tokens_out),
        Usage(cache_write_1h_tokens=tokens_in, reasoning_tokens=tokens_out),
        Usage(cache_write_tokens=tokens_in - tokens_in // 2, cache_read_tokens=tokens_in // 2),
    ]
    assert all(cost is None or cost <= bound for cost in (cost_usd(usage, price) for usage in splits))


def test_bound_of_an_unknown_price_is_none() -> None:
    """Without a price there is no bound."""
    assert cost_bound_usd(1, 1, None) is None


def test_split_model_id() -> None:
    """The first colon splits; later colons and slashes belong to the model; the card joins them again."""
    assert split_model_id("openai:ft:gpt-5/x:y") == ("openai", "ft:gpt-5/x:y")
    assert Card(provider="openai", model="ft:gpt-5/x:y", endpoints=()).id == "openai:ft:gpt-5/x:y"


@pytest.mark.parametrize("model_id", ["", "gpt-5", ":gpt-5", "openai:", ":"])
def test_bad_model_id(model_id: str) -> None:
    """Anything else is the caller's error, and the message shows the right form."""
    with pytest.raises(InvalidRequestError, match="provider:model"):
        split_model_id(model_id)
