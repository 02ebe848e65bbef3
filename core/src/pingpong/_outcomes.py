"""What was known, what was chosen, what was done: query, decision, attempt, verdict, outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from attrs import field, frozen
from attrs.validators import ge, le

from pingpong._cards import Card
from pingpong._plans import CostBounds, Plan
from pingpong._requests import Capability, EmbedRequest, Request
from pingpong._responses import Response, Usage


@frozen(kw_only=True)
class Signals:
    """
    What is known of a request before a model is chosen.

    Attributes:
        needs: Capabilities that content, streaming and options need; options that may be dropped left out.
        input_tokens: Upper estimate.
        more: What signal plugins found, by name.
    """

    needs: frozenset[Capability] = frozenset()
    input_tokens: int = 0
    is_stream: bool = False
    more: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class State:
    """
    A frozen snapshot of what the process knows of its models.

    Attributes:
        unavailable: By model id, why it cannot be called now (no key, retired, not allowed).
        budget_left_usd: What may still be spent, None where no cap is set.
    """

    unavailable: Mapping[str, str] = field(factory=dict)
    budget_left_usd: Decimal | None = None


@frozen(kw_only=True)
class Query:
    """
    All that a router may know. It is a pure function of this record.

    Attributes:
        cards: The models in question, in the table's order.
        prepared: What the router's own `prepare(cards)` gave.
        seed: For routers that draw lots.
    """

    request: Request
    signals: Signals = Signals()
    cards: tuple[Card, ...] = field(repr=False)
    state: State
    now: datetime
    seed: int = 0
    prepared: Any = field(default=None, repr=False, eq=False)


@frozen
class Candidate:
    """One model as a router saw it: chosen or not, and why, in one clause."""

    model: str
    is_chosen: bool
    reason: str
    cost_high_usd: Decimal | None = None


@frozen(kw_only=True)
class Decision:
    """
    The choice and its inputs. Reasons are rebuilt from the recorded query when they are read.

    Attributes:
        strategy: The router's name; "model" where the request names the model.
        bounds: What the plan can cost; worked out by `Client.plan` only.
    """

    strategy: str
    plan: Plan
    query: Query = field(repr=False)
    is_simulated: bool = False
    bounds: CostBounds | None = None
    explain: Callable[[Query], tuple[Candidate, ...]] = field(repr=False, eq=False)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every model of the query with the reason why it was, or was not, chosen."""
        return self.explain(self.query)


Purpose = Literal["answer", "judge", "fuse", "summary"]


@frozen(kw_only=True)
class Reservation:
    """
    An attempt about to be made: what the call ring sees, and what the ledger holds money by until its entry comes.

    Attributes:
        number: 1 for the first attempt at this `Call`.
        input_tokens: Upper estimate.
        held_usd: The most it can cost; None where the price or the output cap is unknown.
        deadline_s: On the client's monotonic clock.
    """

    attempt_id: str
    request_id: str
    number: int
    purpose: Purpose
    card: Card
    endpoint: str
    request: Request | EmbedRequest = field(repr=False)
    is_stream: bool
    input_tokens: int
    held_usd: Decimal | None
    deadline_s: float
    at: datetime
    is_simulated: bool


@frozen(kw_only=True)
class Attempt:
    """
    One request to one model endpoint, as it went: a row of the outcome and an entry of the ledger.

    Attributes:
        status: `success`, `failed` (the request left), `refused` (it did not leave) or `cancelled`.
        first_content_ms: Until the first content event, streams only.
        usage: As the provider counted, or our estimate (`is_estimated`) where it may bill and did not say.
        cost_usd: Exact; 0 where nothing was billed, None where usage or price is unknown.
        is_cached: Answered by the cache slot; no request left.
    """

    attempt_id: str
    request_id: str
    number: int
    purpose: Purpose
    model: str
    endpoint: str
    status: Literal["success", "failed", "refused", "cancelled"]
    started_at: datetime
    latency_ms: float
    first_content_ms: float | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    held_usd: Decimal | None = None
    error_kind: str | None = None
    error_message: str | None = None
    response_id: str | None = None
    provider_request_id: str | None = None
    tenant: str | None = None
    user: str | None = None
    tags: Mapping[str, str] = field(factory=dict)
    is_cached: bool = False
    is_simulated: bool = False


@frozen
class Finding:
    """One thing a validator saw. `start` and `end` are character offsets into `Response.text`, where it has a place."""

    reason: str
    start: int | None = None
    end: int | None = None


@frozen(kw_only=True)
class Verdict:
    """
    What a validator says of an answer.

    Attributes:
        score: 0 (wrong) to 1 (right).
        is_rejected: The answer must not be given out.
        diff_score: How far a second answer is from the first, 0..1; None where no second one was asked for.
        replacement: The answer to give instead; only a validator whose record says `may_replace` sets it.
    """

    validator: str
    score: float = field(validator=[ge(0), le(1)])
    findings: tuple[Finding, ...] = ()
    is_rejected: bool = False
    diff_score: float | None = None
    replacement: Response | None = None


@frozen(kw_only=True)
class Fusion:
    """What a fuser makes of several answers. `agreement` is 0..1, None where it did not measure."""

    response: Response
    agreement: float | None = None


@frozen(kw_only=True)
class Truncation:
    """
    What a truncator made of a request.

    Attributes:
        request: The same request with fewer or shorter messages.
        dropped: Indices into the original messages that are gone; with the kept ones they are all of them.
    """

    request: Request
    dropped: tuple[int, ...] = ()


@frozen
class Ask:
    """A step needs an answer first: run `plan` on `request` and step me again with the outcome."""

    request: Request
    plan: Plan


@frozen(kw_only=True)
class Outcome:
    """
    The end of a request: the answer and the proof of what was done for it.

    Attributes:
        attempts: Every attempt in the order they ended, judges and lost ones included.
        cost_usd: Sum over the attempts, exact; None where one of them is unknown.
        confidence: 0..1 from a detector or fuser; None until one measured it.
        dropped: Options that were left out because no endpoint honours them.
        truncated: Indices of messages that were left out to fit the model.
    """

    request_id: str
    response: Response
    decision: Decision
    attempts: tuple[Attempt, ...]
    verdicts: tuple[Verdict, ...] = ()
    confidence: float | None = None
    dropped: tuple[str, ...] = ()
    truncated: tuple[int, ...] = ()
    started_at: datetime
    latency_ms: float
    is_simulated: bool = False

    @property
    def text(self) -> str:
        """The answer's visible text."""
        return self.response.text

    def __str__(self) -> str:
        return self.text

    @property
    def cost_usd(self) -> Decimal | None:
        """Exact sum of the attempts' costs, None where one is unknown."""
        return total_cost_usd(self.attempts)

    @property
    def usage(self) -> Usage:
        """Sum of the attempts' usage, as far as known."""
        return sum((a.usage for a in self.attempts if a.usage is not None), Usage())


def total_cost_usd(attempts: tuple[Attempt, ...]) -> Decimal | None:
    """Exact sum, None where one cost is unknown; 0 for no attempt."""
    total = Decimal(0)
    for attempt in attempts:
        if attempt.cost_usd is None:
            return None
        total += attempt.cost_usd
    return total


Report = Attempt | Verdict
"""What arrives beside a stream."""
