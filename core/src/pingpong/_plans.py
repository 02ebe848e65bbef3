"""Plans: what a router returns and the runner executes. A plan is data: it prints, prices, replays and diffs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from attrs import field, frozen
from attrs.validators import ge, min_len

RefuseReason = Literal["no_route", "budget", "policy", "clarification"]


def _steps(value: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(value)


def _nodes(value: Iterable[Plan]) -> tuple[Plan, ...]:
    return tuple(value)


@frozen
class Step:
    """
    A detector, fuser or validator, by name.

    Attributes:
        params: Keyword arguments of its factory, JSON values.
        asks: The plans it may `Ask`, each at most once, so that cost bounds hold.
    """

    name: str
    params: Mapping[str, Any] = field(factory=dict)
    asks: tuple[Plan, ...] = field(default=(), converter=_nodes)


@frozen
class Call:
    """
    Call one model.

    Attributes:
        model: `provider:model`.
        max_attempts: Requests to send at most, retries included, >= 1.
        timeout_s: Time for one attempt, seconds; None leaves it to the request's deadline.
    """

    model: str
    max_attempts: int = field(default=2, validator=ge(1))
    timeout_s: float | None = None


@frozen
class Fallback:
    """The first of `nodes` that answers; the next one on error."""

    nodes: tuple[Plan, ...] = field(converter=_nodes, validator=min_len(1))


@frozen
class Cascade:
    """The first of `nodes` whose answer the detector scores at least `threshold` (0..1); the last one as it comes."""

    nodes: tuple[Plan, ...] = field(converter=_nodes, validator=min_len(1))
    detector: Step
    threshold: float = 0.5


@frozen
class Ensemble:
    """All of `nodes` at once; `fuser` makes one answer of theirs."""

    nodes: tuple[Plan, ...] = field(converter=_nodes, validator=min_len(1))
    fuser: Step


@frozen
class Check:
    """The answer of `node`, seen by validators in order."""

    node: Plan
    validators: tuple[Step, ...] = field(converter=_steps, validator=min_len(1))


@frozen
class Refuse:
    """No call at all. `message` is for the user; `queue` names a review queue that takes the request instead."""

    reason: RefuseReason
    message: str
    queue: str | None = None


Plan = Call | Fallback | Cascade | Ensemble | Check | Refuse


@frozen
class CostBounds:
    """
    What a plan can cost, US dollars.

    Attributes:
        low_usd: Less than any run that answers; None where a price is unknown.
        high_usd: No run costs more, as long as providers keep their output caps; None where a price or cap is unknown.
        max_attempts: No run sends more requests.
    """

    low_usd: Decimal | None
    high_usd: Decimal | None
    max_attempts: int


PriceRange = tuple[Decimal | None, Decimal | None]
AttemptPrice = Callable[[str, bool], PriceRange]
"""Low and high cost of one attempt by model id; True where the attempt also reads an earlier answer (an `Ask`)."""


def cost_bounds(plan: Plan, attempt_price: AttemptPrice, *, reads_answer: bool = False) -> CostBounds:
    """Bounds of a plan, by addition and choice over its nodes."""
    match plan:
        case Call():
            low, high = attempt_price(plan.model, reads_answer)
            return CostBounds(low, None if high is None else high * plan.max_attempts, plan.max_attempts)
        case Refuse():
            return CostBounds(Decimal(0), Decimal(0), 0)
        case Check():
            inner = cost_bounds(plan.node, attempt_price, reads_answer=reads_answer)
            return _with_asks(inner, plan.validators, attempt_price)
        case Ensemble():
            every = [cost_bounds(n, attempt_price, reads_answer=reads_answer) for n in plan.nodes]
            # One member's answer is enough to go on, so the cheapest alone is the floor.
            return _with_asks(_sum(every, low=_least([b.low_usd for b in every])), (plan.fuser,), attempt_price)
        case Fallback() | Cascade():
            every = [cost_bounds(n, attempt_price, reads_answer=reads_answer) for n in plan.nodes]
            bounds = _sum(every, low=_least([b.low_usd for b in every]))
            detectors = (plan.detector,) * len(plan.nodes) if isinstance(plan, Cascade) else ()
            return _with_asks(bounds, detectors, attempt_price)


def _least(values: list[Decimal | None]) -> Decimal | None:
    known = [v for v in values if v is not None]
    return min(known) if len(known) == len(values) else None


def _sum(bounds: list[CostBounds], *, low: Decimal | None) -> CostBounds:
    highs = [b.high_usd for b in bounds if b.high_usd is not None]
    high = sum(highs, Decimal(0)) if len(highs) == len(bounds) else None
    return CostBounds(low, high, sum(b.max_attempts for b in bounds))


def _with_asks(inner: CostBounds, steps: tuple[Step, ...], attempt_price: AttemptPrice) -> CostBounds:
    asked = [cost_bounds(plan, attempt_price, reads_answer=True) for step in steps for plan in step.asks]
    return _sum([inner, *asked], low=inner.low_usd)


def calls_of(plan: Plan) -> Iterator[Call]:
    """Every `Call` of a plan, in order, those that steps may ask included."""
    match plan:
        case Call():
            yield plan
        case Refuse():
            return
        case Check():
            yield from calls_of(plan.node)
            yield from _asked_calls(plan.validators)
        case Fallback() | Cascade() | Ensemble():
            for node in plan.nodes:
                yield from calls_of(node)
            if isinstance(plan, Cascade):
                yield from _asked_calls((plan.detector,))
            elif isinstance(plan, Ensemble):
                yield from _asked_calls((plan.fuser,))


def _asked_calls(steps: tuple[Step, ...]) -> Iterator[Call]:
    for step in steps:
        for plan in step.asks:
            yield from calls_of(plan)
