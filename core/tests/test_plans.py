"""Plans as data: JSON, bounds, and the calls in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pingpong as pp
import pytest
from hypothesis import given
from hypothesis import strategies as st

calls = st.builds(pp.Call, st.sampled_from(["a:cheap", "b:dear"]), st.integers(1, 3), st.none() | st.floats(0.1, 100))
steps = st.builds(pp.Step, st.text("abc", min_size=1), st.dictionaries(st.text("k"), st.integers()), st.lists(calls, max_size=2))
plans: Any = st.recursive(
    calls | st.builds(pp.Refuse, st.sampled_from(["no_route", "budget"]), st.text()),
    lambda inner: (
        st.builds(pp.Fallback, st.lists(inner, min_size=1, max_size=3))
        | st.builds(pp.Cascade, st.lists(inner, min_size=1, max_size=3), steps, st.floats(0, 1))
        | st.builds(pp.Ensemble, st.lists(inner, min_size=1, max_size=3), steps)
        | st.builds(pp.Check, inner, st.lists(steps, min_size=1, max_size=2))
    ),
    max_leaves=6,
)
PRICES = {"a:cheap": (Decimal("0.001"), Decimal("0.01")), "b:dear": (Decimal("0.1"), Decimal("1"))}


def price(model: str, reads_answer: bool) -> Any:
    low, high = PRICES[model]
    return low, high * 2 if reads_answer else high


@given(plans)
def test_a_plan_survives_json(plan: Any) -> None:
    """A plan round-trips through its JSON form."""
    assert pp.from_json(pp.Plan, pp.to_json(plan)) == plan


@given(plans)
def test_bounds_hold_for_every_way_through(plan: Any) -> None:
    """Low is at most high, and every call the plan names is counted in its attempts."""
    bounds = pp.cost_bounds(plan, price)
    assert bounds.low_usd is not None
    assert bounds.high_usd is not None
    assert 0 <= bounds.low_usd <= bounds.high_usd
    assert bounds.max_attempts >= sum(c.max_attempts for c in pp.calls_of(plan))


def test_the_figures_of_a_call() -> None:
    """A call costs at least one attempt and at most all of them."""
    assert pp.cost_bounds(pp.Call("a:cheap", 3), price) == pp.CostBounds(Decimal("0.001"), Decimal("0.03"), 3)


def test_the_figures_of_choices() -> None:
    """A fallback may end at its cheapest member and may pay for all; a cascade also pays its detector between members."""
    nodes = (pp.Call("a:cheap", 1), pp.Call("b:dear", 1))
    assert pp.cost_bounds(pp.Fallback(nodes), price) == pp.CostBounds(Decimal("0.001"), Decimal("1.01"), 2)
    judge = pp.Step("judge", asks=(pp.Call("b:dear", 1),))
    assert pp.cost_bounds(pp.Cascade(nodes, judge), price) == pp.CostBounds(Decimal("0.001"), Decimal("5.01"), 4)
    assert pp.cost_bounds(pp.Ensemble(nodes, judge), price) == pp.CostBounds(Decimal("0.001"), Decimal("3.01"), 3)
    assert pp.cost_bounds(pp.Check(nodes[0], (judge,)), price) == pp.CostBounds(Decimal("0.001"), Decimal("2.01"), 2)


def test_a_refusal_costs_nothing() -> None:
    """No call, no cost."""
    assert pp.cost_bounds(pp.Refuse("policy", "no"), price) == pp.CostBounds(Decimal(0), Decimal(0), 0)


def test_an_unknown_price_makes_the_bound_unknown() -> None:
    """One unpriced member leaves the sum unknown, never smaller."""
    plan = pp.Fallback((pp.Call("a:cheap"), pp.Call("x:free?")))
    bounds = pp.cost_bounds(plan, lambda m, r: price(m, r) if m in PRICES else (None, None))
    assert (bounds.low_usd, bounds.high_usd) == (None, None)


def test_calls_are_listed_with_those_asked() -> None:
    """`calls_of` names every model a plan can reach, asked ones included, in order."""
    judge = pp.Step("judge", asks=(pp.Call("j:1"),))
    plan = pp.Check(
        pp.Cascade((pp.Call("a:1"), pp.Ensemble((pp.Call("b:1"),), pp.Step("f", asks=(pp.Call("f:1"),)))), judge), (judge,)
    )
    assert [c.model for c in pp.calls_of(plan)] == ["a:1", "b:1", "f:1", "j:1", "j:1"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "cal", "model": "a:b"}, "needs a type"),
        ({"type": "call", "modell": "a:b"}, r"modell.*@ \$"),
        ({"type": "fallback", "nodes": [{"type": "call"}]}, r"\$\.nodes\[0\]"),
        ({"type": "fallback", "nodes": []}, "nodes"),
    ],
)
def test_wrong_json_names_the_path(data: Any, message: str) -> None:
    """What is wrong in a plan's JSON is told with its path."""
    with pytest.raises(pp.InvalidRequestError, match=message):
        pp.from_json(pp.Plan, data)
