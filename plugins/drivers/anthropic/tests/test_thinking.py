"""How much to think: what goes out for an effort or a budget, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from attrs import evolve
from pingpong import Card, ReasoningEffort, Request, UnsupportedParameter

Body = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("effort", "max_tokens", "budget"),
    [("low", 64000, 1024), ("medium", 64000, 4096), ("high", 64000, 16384), ("max", 64000, 63999), ("high", 2000, 1999)],
)
def test_effort_becomes_a_budget_where_models_know_no_other(
    body_of: Body, effort: ReasoningEffort, max_tokens: int, budget: int
) -> None:
    """Models before 4.6 think by budget alone, and the budget stays below max_tokens."""
    old = Card(provider="anthropic", model="claude-haiku-4-5-20251001", endpoints=("messages",))
    body = body_of(Request("q", reasoning_effort=effort, max_output_tokens=max_tokens), old)
    assert {"type": "enabled", "budget_tokens": budget} == body["thinking"]
    assert "output_config" not in body


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("claude-opus-4-8", {"reasoning_budget_tokens": 2048}),
        ("claude-opus-4-8", {"reasoning_effort": "minimal"}),
        ("claude-opus-4-8", {"reasoning_effort": "minimal", "reasoning_budget_tokens": 2048}),
        ("claude-haiku-4-5", {"reasoning_effort": "minimal"}),
        ("claude-haiku-4-5", {"reasoning_effort": "low"}),
    ],
)
@pytest.mark.parametrize("on_unsupported", ["raise", "drop"])
def test_thinking_that_a_model_has_no_form_of_is_refused_by_name(
    body_of: Body, model: str, options: dict[str, Any], on_unsupported: Literal["raise", "drop"]
) -> None:
    """A value that cannot be honoured raises with the options to leave out, dropping allowed or not; without them it works."""
    card = Card(provider="anthropic", model=model, endpoints=("messages",))
    with pytest.raises(UnsupportedParameter, match=r"on_unsupported") as caught:
        body_of(Request("q", max_output_tokens=1024, on_unsupported=on_unsupported, **options), card)
    assert caught.value.options == tuple(options)
    assert "thinking" not in body_of(Request("q", max_output_tokens=1024), card)


@pytest.mark.parametrize(("model", "effort"), [("claude-haiku-4-5", "low"), ("claude-opus-4-6", "none")])
def test_an_effort_that_a_budget_overrules_is_refused_by_name(body_of: Body, model: str, effort: ReasoningEffort) -> None:
    """Where both would fill one field, the effort is named as what to leave out, and the budget stays."""
    card = Card(provider="anthropic", model=model, endpoints=("messages",), max_output_tokens=9000)
    with pytest.raises(UnsupportedParameter, match="give one of them") as caught:
        body_of(Request("q", reasoning_effort=effort, reasoning_budget_tokens=2048), card)
    assert caught.value.options == ("reasoning_effort",)
    newer = Request("q", reasoning_effort="none", reasoning_budget_tokens=2048)
    with pytest.raises(UnsupportedParameter, match="takes no budget") as caught:
        body_of(newer, evolve(card, model="claude-opus-4-8"))
    assert caught.value.options == ("reasoning_budget_tokens",)
    both = body_of(Request("q", reasoning_effort="low", reasoning_budget_tokens=2048), evolve(card, model="claude-opus-4-6"))
    assert (both["thinking"]["budget_tokens"], both["output_config"]) == (2048, {"effort": "low"})
