"""Outcomes and plans in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pingpong import (
    Attempt,
    Call,
    Cascade,
    Check,
    Decision,
    Ensemble,
    Fallback,
    Finding,
    Outcome,
    Plan,
    Query,
    Refuse,
    Request,
    State,
    Step,
    Verdict,
)
from pingpong.testing import fake_response
from pingpong_cli.reports import children_of, model_used, models_under, node_text, total_line, verdict_lines

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C = Call("a:1"), Call("b:1", 1, 2.5), Call("c:1")


def outcome(*attempts: tuple[str, str | None], plan: Plan = A, **more: Any) -> Outcome:
    """An outcome of successful attempts, each a model and a response id."""
    query = Query(request=Request("hi"), cards=(), state=State(), now=NOW)
    made = tuple(
        Attempt(
            attempt_id=str(i), request_id="r", number=1, purpose="answer", model=model, endpoint="chat", status="success",
            started_at=NOW, latency_ms=1.0, response_id=response_id,
        )
        for i, (model, response_id) in enumerate(attempts)
    )  # fmt: skip
    more.setdefault("response", fake_response())
    decision = Decision(strategy="s", plan=plan, query=query, explain=lambda q: ())
    return Outcome(request_id="r", decision=decision, attempts=made, started_at=NOW, latency_ms=2000.0, **more)


@pytest.mark.parametrize(
    ("attempts", "response", "expected"),
    [
        ((("a:1", "x"), ("a:2", "y")), fake_response(provider="a", model="1-dated", response_id="x"), "a:1"),
        ((("a:1", None), ("b:1", None)), fake_response(provider="a", model="1"), "a:1"),
        ((("a:1", None), ("b:1", None)), fake_response(provider="b", model="1-2026-01-01"), "b:1"),
        ((), fake_response(provider="b", model="1"), "b:1"),
    ],
)
def test_model_used(attempts: Any, response: Any, expected: str) -> None:
    """It is the model of the attempt whose answer this is: by response id, else by name, else by provider."""
    assert model_used(outcome(*attempts, response=response)) == expected


@pytest.mark.parametrize(
    ("plan", "chain", "members"),
    [
        (A, [], []),
        (Check(Fallback((A, B)), (Step("v"),)), ["a:1", "b:1"], []),
        (Fallback((Ensemble((A, B), Step("f")), C)), ["a:1", "b:1", "c:1"], ["a:1", "b:1"]),
        (Refuse("policy", "no"), [], []),
    ],
)
def test_models_under(plan: Plan, chain: list[str], members: list[str]) -> None:
    """Chain and members are found wherever the plan holds them, checks included."""
    assert (models_under(plan, Fallback), models_under(plan, Ensemble)) == (chain, members)


@pytest.mark.parametrize(
    ("node", "text", "children"),
    [
        (A, "call a:1 (at most 2 attempts)", ()),
        (B, "call b:1 (at most 1 attempt, 2.5 s each)", ()),
        (Fallback((A, B)), "fallback: the first that answers", (A, B)),
        (Cascade((A, B), Step("sure"), 0.7), "cascade: the first that sure scores 0.7 or more", (A, B)),
        (Ensemble((A, B), Step("majority")), "ensemble: all at once, fused by majority", (A, B)),
        (Check(A, (Step("x"), Step("y"))), "check by x, y", (A,)),
        (Refuse("budget", "Too dear."), "refuse (budget): Too dear.", ()),
    ],
)
def test_every_node_has_words(node: Plan, text: str, children: tuple[Plan, ...]) -> None:
    """Each kind of node is told, and its children are drawn below it."""
    assert (node_text(node), children_of(node)) == (text, children)


def test_total_line_tells_what_is_known() -> None:
    """Confidence and options left out are told where there are any; an unknown cost is unknown."""
    assert total_line(outcome(("a:1", None))) == "Total unknown, 2.0 s, 1 attempt, strategy s"
    assert total_line(outcome(confidence=0.5, dropped=("seed",))) == (
        "Total $0, 2.0 s, 0 attempts, strategy s, confidence 0.50, left out: seed"
    )


def test_verdict_lines() -> None:
    """A verdict is its validator, score, and reasons."""
    verdicts = [Verdict(validator="a", score=1), Verdict(validator="b", score=0, is_rejected=True, findings=(Finding("bad"),))]
    assert [*verdict_lines(verdicts)] == ["a: 1.00", "b: 0.00, rejected: bad"]
