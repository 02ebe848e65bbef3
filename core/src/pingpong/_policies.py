"""Protocols and records of the policy plugins: routers, validators, truncators, fusers, signals, retry and middleware."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, Protocol

from attrs import frozen

from pingpong._cards import Card
from pingpong._errors import PingPongError
from pingpong._outcomes import Ask, Attempt, Candidate, Fusion, Outcome, Query, Reservation, Truncation, Verdict
from pingpong._plans import Plan
from pingpong._requests import Request
from pingpong._responses import Response


class Router(Protocol):
    """Chooses. Pure: same query, same plan."""

    def prepare(self, cards: tuple[Card, ...]) -> Any:
        """What it wants to work out once per table of models; comes back as `Query.prepared`."""

    def route(self, query: Query) -> Plan:
        """The plan; `Refuse` where no model will do."""

    def explain(self, query: Query) -> tuple[Candidate, ...]:
        """Every card of the query, with the reason why it was, or was not, chosen."""


class Validator(Protocol):
    """Looks at an answer. Pure: what it needs of a model it asks for. A detector is a validator whose score is confidence."""

    def step(self, request: Request, response: Response, answers: tuple[Outcome, ...]) -> Verdict | Ask:
        """The verdict, or a question first; `answers` are the outcomes of its questions so far, in order."""


class Fuser(Protocol):
    """Makes one answer of several. Pure, as a validator is."""

    def step(self, request: Request, responses: tuple[Response, ...], answers: tuple[Outcome, ...]) -> Fusion | Ask:
        """The one answer, or a question first."""


CountTokens = Callable[[Request], int]


class Truncator(Protocol):
    """Makes a request fit. Pure; it returns messages, never an answer."""

    def step(self, request: Request, limit_tokens: int, count: CountTokens, answers: tuple[Outcome, ...]) -> Truncation | Ask:
        """
        A request of at most `limit_tokens` input by `count`, or a question first.

        Raises:
            CannotFit: What must stay does not fit.
        """


class RetryPolicy(Protocol):
    """Says whether to try the same model again. Pure."""

    def next(self, attempts: int, error: PingPongError, *, left_s: float, draw: float) -> float | None:
        """Seconds to wait before the next attempt, None to give up. `left_s` is until the deadline, `draw` in [0, 1)."""


class CallMiddleware(Protocol):
    """
    Wraps one attempt in a slot of the call ring.

    `before` runs outermost first; `after` runs innermost first, exactly once for each `before` that returned,
    in the attempt's own `finally`: it is synchronous, so that cancellation cannot skip it.
    """

    async def before(self, reservation: Reservation) -> Response | None:
        """None to go on, a response to answer from here (the cache slot), or raise a `LimitError` to refuse."""

    def after(self, reservation: Reservation, attempt: Attempt, response: Response | None) -> None:
        """What became of it."""


class RequestMiddleware(Protocol):
    """Wraps one request in a slot of the request ring."""

    async def before(self, request: Request) -> Request:
        """The request to go on with, or raise a `LimitError` (`NeedsClarification`, say)."""

    async def after(self, request: Request, outcome: Outcome | PingPongError) -> None:
        """What became of it."""


class Ledger(Protocol):
    """Append-only spend. Every attempt appends a reservation before its request leaves and its entry when it ended."""

    def record(self, entry: Reservation | Attempt) -> None:
        """Append; never blocks beyond one unflushed append to a local file."""

    async def settled(self, attempt_ids: Collection[str]) -> None:
        """Wait until these attempts' entries are safe."""


RequestSlot = Literal["trace", "session", "queue", "clarification"]
CallSlot = Literal["trace", "cache", "truncate", "limits", "breaker", "ledger"]
REQUEST_SLOTS: tuple[RequestSlot, ...] = ("trace", "session", "queue", "clarification")
CALL_SLOTS: tuple[CallSlot, ...] = ("trace", "cache", "truncate", "limits", "breaker", "ledger")


@frozen(kw_only=True)
class PolicyRecord:
    """
    A policy plugin, declared. `factory` is `package.module:callable`; its keyword arguments are the options.

    Attributes:
        help: One line for `pingpong plugins` and `--strategy`.
        may_replace: Validators: a verdict may carry a replacement, so content is held back.
        rewrites: Truncators: kept messages may be reworded.
    """

    name: str
    factory: str
    help: str = ""
    may_replace: bool = False
    rewrites: bool = False


@frozen(kw_only=True)
class SignalRecord:
    """A pure extractor, run once a request: `factory` names a callable of the request that returns a JSON value."""

    name: str
    factory: str
    help: str = ""


@frozen(kw_only=True)
class MiddlewareRecord:
    """
    A middleware, declared: which ring and which slot it takes. `factory(clock, **options)` returns it.

    The seats `retry` and `ledger` are filled by one record each, else by the kernel's default.

    `waits` says whether `before` may wait for anything; what never does saves each call a deadline's cost.
    """

    name: str
    ring: Literal["request", "call", "retry", "ledger"]
    slot: str = ""
    factory: str
    waits: bool = True
    help: str = ""

    def __attrs_post_init__(self) -> None:
        slots: Mapping[str, tuple[str, ...]] = {"request": REQUEST_SLOTS, "call": CALL_SLOTS, "retry": ("",), "ledger": ("",)}
        if self.slot not in slots[self.ring]:
            raise ValueError(f"{self.name!r}: the {self.ring} ring has no slot {self.slot!r}")


@frozen(kw_only=True)
class TransportRecord:
    """
    A transport, declared. `factory(context)` returns it.

    Attributes:
        is_simulator: It answers by itself; used only when no credential is found or when it is named.
        backends: Event loops it runs on; naming it on another is a `ConfigError` before anything is sent.
    """

    name: str
    factory: str
    help: str = ""
    is_simulator: bool = False
    backends: tuple[str, ...] = ("asyncio", "trio")


@frozen(kw_only=True)
class StoreRecord:
    """A store, declared: `factory(**options)` returns an object with `journal`, `counters` and `blobs`."""

    name: str
    factory: str
    help: str = ""
    backends: tuple[str, ...] = ("asyncio", "trio")


@frozen(kw_only=True)
class CommandRecord:
    """A command, declared. `name` is its full path (`router train`); `factory()` returns a `click.Command`."""

    name: str
    factory: str
    help: str
