"""One request on its way: its limits, the money it holds, and what was done for it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

from attrs import define, field

from pingpong._drivers import Operation
from pingpong._errors import BudgetExceeded
from pingpong._events import StreamStart
from pingpong._outcomes import Attempt, Decision, Outcome, Purpose, Report, Reservation, Verdict
from pingpong._policies import RequestMiddleware
from pingpong._responses import Response


@define(eq=False, kw_only=True)
class Run:
    """
    One request on its way: its limits and what was done for it.

    `start` is the last attempt's first event, `streamed` the answer of a stream that was told to its end.
    A nested run (`Ask`) has a request, purpose, depth and beginning of its own and shares the rest.
    """

    request: Any
    request_id: str
    decision: Decision
    operation: Operation = "chat"
    ring: tuple[RequestMiddleware, ...] = ()
    started_s: float
    started_at: datetime
    deadline_s: float
    draw: Random
    max_cost_usd: Decimal | None = None
    depth: int = 0
    purpose: Purpose = "answer"
    n_before: int = 0
    attempts: list[Attempt] = field(factory=list)
    verdicts: list[Verdict] = field(factory=list)
    reports: list[Report] = field(factory=list)
    held: dict[str, Decimal] = field(factory=dict)
    dropped: dict[str, None] = field(factory=dict)
    truncated: list[int] = field(factory=list)
    confidence: float | None = None
    start: StreamStart | None = None
    streamed: Any = None

    def outcome(self, response: Response, now_s: float) -> Outcome:
        """What came of the run; a nested one counts its own attempts."""
        return Outcome(
            request_id=self.request_id, response=response, decision=self.decision, attempts=tuple(self.attempts[self.n_before :]),
            verdicts=tuple(self.verdicts), confidence=self.confidence, dropped=tuple(self.dropped),
            truncated=tuple(self.truncated), started_at=self.started_at, latency_ms=(now_s - self.started_s) * 1000,
            is_simulated=self.decision.is_simulated,
        )  # fmt: skip

    def reserve(self, info: Reservation) -> None:
        """Hold money for an attempt, or raise `BudgetExceeded`."""
        if self.max_cost_usd is None:
            return
        if info.held_usd is None:
            message = f"{info.card.id} has no known price or output cap, so it cannot be called under a cost cap."
            raise BudgetExceeded(message)
        spent = sum(self.held.values(), Decimal(0))
        if spent + info.held_usd > self.max_cost_usd:
            message = (
                f"{info.card.id} could cost ${info.held_usd:f} and ${spent:f} of the cap of ${self.max_cost_usd:f} is taken; "
                "raise the cap, lower max_output_tokens, or choose a cheaper model."
            )
            raise BudgetExceeded(message)
        self.held[info.attempt_id] = info.held_usd

    def settle(self, attempt: Attempt) -> None:
        """Keep what an attempt cost, or all that was held for it where nobody knows."""
        self.attempts.append(attempt)
        self.reports.append(attempt)
        if attempt.attempt_id in self.held and attempt.cost_usd is not None:
            self.held[attempt.attempt_id] = attempt.cost_usd


def new_id(draw: Random) -> str:
    """An id of 96 random bits, in hexadecimal."""
    return f"{draw.getrandbits(96):024x}"
