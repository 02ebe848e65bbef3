"""Cards, queries and their Hypothesis strategies for the router tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st
from pingpong import Capability, Card, Price, PriceTier, Query, Request, Router, Signals, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_card(model: str = "a:x", usd: str | None = "1", **more: Any) -> Card:
    """A card that can do everything, whose input and output cost `usd` a million tokens."""
    provider, _, name = model.partition(":")
    price = None
    if usd is not None:
        amount = Decimal(usd)
        price = Price(input_usd_per_mtok=amount, output_usd_per_mtok=amount, source_url="", as_of=NOW.date())
    more.setdefault("price", price)
    defaults: dict[str, Any] = {"capabilities": frozenset(Capability), "context_tokens": 100_000, "max_output_tokens": 1000}
    return Card(provider=provider, model=name, endpoints=("chat",), **{**defaults, **more})


def make_query(router: Router, cards: tuple[Card, ...], request: Request | None = None, **more: Any) -> Query:
    """A query as the client makes it."""
    signals = more.pop("signals", None) or Signals(input_tokens=100)
    state = more.pop("state", None) or State()
    asked = request or Request("hi")
    return Query(
        request=asked, signals=signals, cards=cards, state=state, now=NOW, prepared=router.prepare(cards), **more
    )  # fmt: skip


def _price(amounts: tuple[int, int], tier: int | None) -> Price:
    input_usd, output_usd = (Decimal(n) / 1000 for n in amounts)
    dearer = (PriceTier(above_input_tokens=tier or 1, input_usd_per_mtok=2 * input_usd, output_usd_per_mtok=output_usd),)
    return Price(
        input_usd_per_mtok=input_usd, output_usd_per_mtok=output_usd, tiers=dearer if tier else (),
        source_url="", as_of=date(2026, 1, 1),
    )  # fmt: skip


_amounts = st.tuples(st.integers(0, 90_000), st.integers(0, 90_000))
_sizes = st.none() | st.integers(1, 5000)
_capabilities = st.frozensets(st.sampled_from(sorted(Capability)), max_size=18) | st.just(frozenset(Capability))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Card, ...]:
    """Up to twelve cards of up to three providers, in any order."""
    ids = draw(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), unique=True, max_size=12))
    prices = st.none() | st.builds(_price, _amounts, st.none() | st.integers(1, 3000))
    return tuple(
        make_card(
            f"{provider}:m{n}", capabilities=draw(_capabilities), context_tokens=draw(_sizes), max_output_tokens=draw(_sizes),
            price=draw(prices),
        )
        for provider, n in ids
    )  # fmt: skip


@st.composite
def situations(draw: st.DrawFn) -> tuple[tuple[Card, ...], dict[str, Any]]:
    """Cards and what `make_query` takes beside them."""
    cards: tuple[Card, ...] = draw(tables())
    request = Request(
        "hi",
        max_output_tokens=draw(st.none() | st.integers(1, 6000)),
        max_cost_usd=draw(st.none() | st.decimals(0, 1, places=5)),
        truncator=draw(st.none() | st.just("drop-oldest")),
    )
    signals = Signals(
        needs=draw(st.frozensets(st.sampled_from(sorted(Capability)), max_size=2)),
        input_tokens=draw(st.integers(0, 6000)),
        is_stream=draw(st.booleans()),
    )
    out: list[str] = draw(st.lists(st.sampled_from([c.id for c in cards] or ["none:here"]), max_size=12))
    budget = draw(st.none() | st.decimals(0, 1, places=5))
    state = State(unavailable=dict.fromkeys(out, "no key: set A_KEY"), budget_left_usd=budget)
    return cards, {"request": request, "signals": signals, "state": state}


@pytest.fixture(scope="session")
def card() -> Callable[..., Card]:
    """`make_card`."""
    return make_card


@pytest.fixture(scope="session")
def query() -> Callable[..., Query]:
    """`make_query`."""
    return make_query


@pytest.fixture(scope="session")
def any_situation() -> st.SearchStrategy[tuple[tuple[Card, ...], dict[str, Any]]]:
    """`situations`, for `data.draw`."""
    return situations()
