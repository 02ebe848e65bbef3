"""Decisions and outcomes as JSON, and as tables for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pingpong import (
    Attempt,
    Call,
    Candidate,
    Cascade,
    Check,
    Decision,
    Ensemble,
    Fallback,
    Outcome,
    Plan,
    Refuse,
    Verdict,
    calls_of,
    to_json,
)

from pingpong_cli.text import count_text, exact_usd, time_text, usd_text

if TYPE_CHECKING:
    from rich.table import Table

MAX_NAMES = 2
"""How many models of one reason the table names."""

_FIGURES = re.compile(r"\$?\d[\d.,-]*")


def decision_json(decision: Decision) -> dict[str, Any]:
    """The choice: plan, and every model with its reason."""
    return {
        "strategy": decision.strategy,
        "plan": to_json(decision.plan),
        "bounds": to_json(decision.bounds),
        "is_simulated": decision.is_simulated,
        "candidates": [to_json(c) for c in decision.candidates],
    }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What `ask --json` prints: money as decimal text or null, times in RFC 3339."""
    response, cost, usage = outcome.response, outcome.cost_usd, outcome.usage
    plan = outcome.decision.plan
    return {
        "response": outcome.text,
        "model_used": model_used(outcome),
        "cost_usd": None if cost is None else f"{cost:f}",
        "latency_ms": outcome.latency_ms,
        "confidence": outcome.confidence,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "strategy": outcome.decision.strategy,
        "fallback_chain": models_under(plan, Fallback),
        "ensemble_models": models_under(plan, Ensemble),
        "decision": decision_json(outcome.decision),
        "attempts": [to_json(a) for a in outcome.attempts],
        "metadata": {
            "request_id": outcome.request_id,
            "is_simulated": outcome.is_simulated,
            "finish_reason": response.finish_reason,
            "usage": to_json(usage),
            "verdicts": [to_json(v) for v in outcome.verdicts],
            "dropped": list(outcome.dropped),
            "truncated": list(outcome.truncated),
        },
        "timestamp": outcome.started_at.isoformat(),
    }


def model_used(outcome: Outcome) -> str:
    """The full id of the model whose answer this is."""
    response = outcome.response
    answers = [a for a in outcome.attempts if a.status == "success" and a.purpose == "answer"]
    same = [a for a in answers if response.response_id is not None and a.response_id == response.response_id]
    same = same or [a for a in answers if a.model == f"{response.provider}:{response.model}"]
    same = same or [a for a in answers if a.model.startswith(f"{response.provider}:")]
    return same[-1].model if same else f"{response.provider}:{response.model}"


def models_under(plan: Plan, kind: type[Fallback] | type[Ensemble]) -> list[str]:
    """Models of the plan's first node of this kind, in order; none where it has no such node."""
    if isinstance(plan, kind):
        return [call.model for node in plan.nodes for call in calls_of(node)]
    inner = (plan.node,) if isinstance(plan, Check) else plan.nodes if isinstance(plan, Fallback | Ensemble | Cascade) else ()
    return next((models for node in inner if (models := models_under(node, kind))), [])


def grouped(candidates: Iterable[Candidate]) -> list[tuple[str, str, str]]:
    """
    Rows of mark, models and reason: chosen models one a row, the others by reason, the commonest last.

    Reasons that differ by their figures only share a row, which tells the first one's.
    """
    candidates = list(candidates)
    rows = [("*", c.model, f"{c.reason}; at most {usd_text(c.cost_high_usd)}") for c in candidates if c.is_chosen]
    rest = sorted((c for c in candidates if not c.is_chosen), key=lambda c: _FIGURES.sub("#", c.reason))
    groups = [list(group) for _, group in groupby(rest, key=lambda c: _FIGURES.sub("#", c.reason))]
    for group in sorted(groups, key=len):
        names = ", ".join(c.model for c in group[:MAX_NAMES])
        more = f" and {len(group) - MAX_NAMES} more" if len(group) > MAX_NAMES else ""
        others = "" if len({c.reason for c in group}) == 1 else ", and the like"
        rows.append(("", names + more, group[0].reason + others))
    return rows


def decision_table(decision: Decision) -> Table:
    """Why each model was, or was not, chosen."""
    table = table_of("", "model", "why")
    order = {call.model: i for i, call in enumerate(calls_of(decision.plan))}
    for row in grouped(sorted(decision.candidates, key=lambda c: order.get(c.model, len(order)))):
        table.add_row(*row, style="bold" if row[0] else "dim")
    return table


def attempts_table(attempts: Iterable[Attempt]) -> Table:
    """What each attempt took and cost."""
    table = table_of("attempt", "status", *(f">{name}" for name in ("time", "first token", "in", "out", "cost")))
    for a in attempts:
        purpose = "" if a.purpose == "answer" else f" ({a.purpose})"
        table.add_row(
            f"{a.model} #{a.number}{purpose}",
            a.status if a.error_kind is None else f"{a.status}: {a.error_kind}",
            time_text(a.latency_ms),
            time_text(a.first_content_ms),
            count_text(a.usage.input_tokens if a.usage else None),
            count_text(a.usage.output_tokens if a.usage else None),
            usd_text(a.cost_usd),
            style="dim" if a.status != "success" else None,
        )
    return table


def total_line(outcome: Outcome) -> str:
    """The exact cost, and what else describes the whole."""
    n = len(outcome.attempts)
    parts = [
        f"Total {exact_usd(outcome.cost_usd)}",
        time_text(outcome.latency_ms),
        f"{n} attempt{'s' * (n != 1)}",
        f"strategy {outcome.decision.strategy}",
    ]
    if outcome.confidence is not None:
        parts.append(f"confidence {outcome.confidence:.2f}")
    if outcome.dropped:
        parts.append(f"left out: {', '.join(outcome.dropped)}")
    return ", ".join(parts)


def verdict_lines(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """What each validator said."""
    for v in verdicts:
        reasons = "; ".join(f.reason for f in v.findings)
        yield f"{v.validator}: {v.score:.2f}{', rejected' if v.is_rejected else ''}{f': {reasons}' if reasons else ''}"


def node_text(node: Plan) -> str:
    """One node of a plan in words."""
    match node:
        case Call():
            limit = f", {node.timeout_s:g} s each" if node.timeout_s is not None else ""
            return f"call {node.model} (at most {node.max_attempts} attempt{'s' * (node.max_attempts != 1)}{limit})"
        case Fallback():
            return "fallback: the first that answers"
        case Cascade():
            return f"cascade: the first that {node.detector.name} scores {node.threshold:g} or more"
        case Ensemble():
            return f"ensemble: all at once, fused by {node.fuser.name}"
        case Check():
            return f"check by {', '.join(v.name for v in node.validators)}"
        case Refuse():
            return f"refuse ({node.reason}): {node.message}"


def children_of(node: Plan) -> tuple[Plan, ...]:
    """The nodes right below."""
    match node:
        case Fallback() | Cascade() | Ensemble():
            return node.nodes
        case Check():
            return (node.node,)
        case _:
            return ()


def table_of(*columns: str) -> Table:
    """An empty table with these columns; those whose name begins with `>` hold figures."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        is_figure = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if is_figure else "left", no_wrap=is_figure, overflow="fold")
    return table
