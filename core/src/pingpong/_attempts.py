"""
One attempt: exactly one request to one model endpoint, inside the call ring, with its reservation and its entry.

Everything that may fail between reservation and entry fails here, so that no attempt goes unrecorded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, Literal

from attrs import define, evolve, field, frozen

from pingpong._cards import cost_bound_usd, cost_usd
from pingpong._clock import Clock
from pingpong._drivers import Operation
from pingpong._endpoints import Target, choose_endpoint
from pingpong._errors import (
    BudgetExceeded,
    ConnectionFailed,
    DeadlineExceeded,
    PingPongError,
    PluginError,
    ProviderTimeout,
    StructuredOutputTruncated,
    UnsupportedCapability,
    blamed,
)
from pingpong._events import Event, StreamEnd, StreamError, StreamStart, response_from_events
from pingpong._outcomes import Attempt, Decision, Outcome, Purpose, Report, Reservation, Verdict
from pingpong._plans import Call
from pingpong._policies import CallMiddleware, Ledger
from pingpong._requests import EmbedRequest, Request, estimate_text_tokens
from pingpong._responses import FinishReason, Response, Usage
from pingpong._wire import WireRequest, WireResponse, WireStream

MIN_KEY_CHARS = 8
"""A shorter key is no secret, and masking it would garble the message."""

DRAIN_S = 0.2
"""How long a finished stream may take to end its body, so that its connection can be used again."""


@frozen
class Whole:
    """An answer that came whole: no events to pass on."""

    response: Response


Item = Event | Whole


@define(eq=False)
class Run:
    """One request on its way: its limits and what was done for it. Nested runs (`Ask`) share all but depth and purpose."""

    request_id: str
    decision: Decision
    deadline_s: float
    draw: Random
    new_id: Callable[[], str]
    max_cost_usd: Decimal | None = None
    depth: int = 0
    purpose: Purpose = "answer"
    attempts: list[Attempt] = field(factory=list)
    verdicts: list[Verdict] = field(factory=list)
    reports: list[Report] = field(factory=list)
    held: dict[str, Decimal] = field(factory=dict)
    dropped: dict[str, None] = field(factory=dict)
    truncated: list[int] = field(factory=list)
    confidence: float | None = None
    is_committed: bool = False
    start: StreamStart | None = None

    def outcome(self, response: Response, started_at: datetime, latency_ms: float, first: int = 0) -> Outcome:
        """What came of the run; `first` is the number of attempts made before it."""
        return Outcome(
            request_id=self.request_id, response=response, decision=self.decision, attempts=tuple(self.attempts[first:]),
            verdicts=tuple(self.verdicts), confidence=self.confidence, dropped=tuple(self.dropped),
            truncated=tuple(self.truncated), started_at=started_at, latency_ms=latency_ms,
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


@frozen
class CallRing:
    """Middleware of the call ring, outermost first, split at the runner's own truncate slot."""

    before_truncate: tuple[CallMiddleware, ...] = ()
    after_truncate: tuple[CallMiddleware, ...] = ()


@define(eq=False)
class Trip:
    """An attempt under way."""

    target: Target
    endpoint: Any
    info: Reservation
    run: Run
    started_s: float
    entered: list[CallMiddleware] = field(factory=list)
    events: list[Event] = field(factory=list)
    content_at_s: float | None = None
    response: Any = None
    error: PingPongError | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_sent: bool = False
    is_billed: bool = False
    is_cached: bool = False


Truncate = Callable[[Trip, Request, str], Awaitable[Request]]


@frozen
class Attempts:
    """Makes attempts. `truncate` is the runner's own step between the two halves of the ring."""

    clock: Clock
    ledger: Ledger
    ring: CallRing
    truncate: Truncate
    is_simulated: bool

    async def run(
        self, call: Call, target: Target, number: int, request: Request, run: Run, *, is_stream: bool
    ) -> AsyncGenerator[Item, None]:
        """
        What one attempt gives: events up to a `StreamEnd`, or one `Whole`.

        The entry is written before the last item is given out. Raises `PingPongError`s only, and cancellation.
        """
        with blamed(f"Driver {target.driver.name!r}"):
            trip = self._trip(call, target, number, request, run, is_stream=is_stream)
        last: Item
        try:
            trip.response = await self._enter(trip)
            if trip.response is not None or not is_stream:
                trip.response = trip.response or await self._exchange(trip)
                last = Whole(trip.response)
            else:
                async with aclosing(self._events(trip, await self._wire(trip))) as events:
                    async for event in events:
                        trip.events.append(event)
                        if isinstance(event, StreamError):
                            raise event.error
                        if isinstance(event, StreamEnd):
                            last = event
                            break
                        if trip.content_at_s is None and not isinstance(event, StreamStart):
                            trip.content_at_s = self.clock.monotonic_s()
                        yield event
                trip.response = response_from_events(trip.events)
            _check_whole(trip.response, request)
        except Exception as exc:
            error = self._blame(exc, trip)
            raise error from (exc.__cause__ if error is exc else exc)
        finally:
            self._leave(trip)
        yield last

    async def single(self, operation: Operation, target: Target, number: int, request: Any, run: Run) -> Any:
        """One embedding or token count: an attempt like any other, never streamed."""
        found = target.endpoints(operation)
        if not found:
            raise UnsupportedCapability(f"{target.card.id} has no endpoint to {operation}.", provider=target.card.provider)
        endpoint = found[0].endpoint
        with blamed(f"Driver {target.driver.name!r}"):
            info = self._info(endpoint.record.name, target, number, request, run, run.deadline_s, is_stream=False)
        if operation == "count_tokens":
            # Counting is free at every provider, whatever the model writes for.
            info = evolve(info, held_usd=Decimal(0))
        trip = Trip(target, endpoint, info, run, self.clock.monotonic_s())
        try:
            trip.response = await self._enter(trip) or await self._exchange(trip)
            return trip.response
        except Exception as exc:
            error = self._blame(exc, trip)
            raise error from (exc.__cause__ if error is exc else exc)
        finally:
            self._leave(trip)

    async def _exchange(self, trip: Trip) -> Any:
        driver = trip.target.driver
        answer = await trip.target.transport.send(driver.base_url, await self._wire(trip), trip.info.deadline_s)
        self._raise_refusal(trip, answer)
        return trip.endpoint.codec.decode(answer)

    async def _events(self, trip: Trip, wire: WireRequest) -> AsyncGenerator[Event, None]:
        """Every driver's decoder ends what it is fed with one terminal event; what follows it is not read."""
        stream = await trip.target.transport.open(trip.target.driver.base_url, wire, trip.info.deadline_s)
        try:
            if stream.status >= 300:
                body = bytearray()
                while chunk := await stream.read():
                    body += chunk
                self._raise_refusal(trip, WireResponse(stream.status, stream.headers, bytes(body)))
            decoder = trip.endpoint.codec.stream_decoder(stream.headers)
            while chunk := await stream.read():
                for event in decoder.feed(chunk):
                    if isinstance(event, StreamEnd):
                        await self._drain(stream)
                    yield event
            for event in decoder.close():
                yield event
        finally:
            await stream.aclose()

    async def _drain(self, stream: WireStream) -> None:
        """Read to the end of a body whose answer is whole, so that the connection serves again; not for long."""
        with suppress(PingPongError), self.clock.deadline(self.clock.monotonic_s() + DRAIN_S):
            while await stream.read():
                pass

    def _trip(self, call: Call, target: Target, number: int, request: Request, run: Run, *, is_stream: bool) -> Trip:
        choice = choose_endpoint(target, request, is_stream=is_stream)
        run.dropped |= dict.fromkeys(choice.dropped)
        now_s = self.clock.monotonic_s()
        deadline_s = run.deadline_s if call.timeout_s is None else min(run.deadline_s, now_s + call.timeout_s)
        endpoint = choice.endpoint
        info = self._info(endpoint.record.name, target, number, choice.request, run, deadline_s, is_stream=is_stream)
        return Trip(target, endpoint, info, run, now_s)

    def _info(
        self, endpoint: str, target: Target, number: int, request: Any, run: Run, deadline_s: float, *, is_stream: bool
    ) -> Reservation:
        return Reservation(
            attempt_id=run.new_id(), request_id=run.request_id, number=number, purpose=run.purpose, card=target.card,
            endpoint=endpoint, is_stream=is_stream, at=self.clock.utc_now(), is_simulated=self.is_simulated,
            deadline_s=deadline_s, **_sized(target, request),
        )  # fmt: skip

    async def _enter(self, trip: Trip) -> Response | None:
        """Go through the ring. An answer is the cache slot's."""
        for middleware in self.ring.before_truncate:
            cached = await middleware.before(trip.info)
            trip.entered.append(middleware)
            if cached is not None:
                trip.is_cached = True
                return cached
        if isinstance(trip.info.request, Request) and trip.info.request.truncator is not None:
            shorter = await self.truncate(trip, trip.info.request, trip.info.request.truncator)
            trip.info = evolve(trip.info, **_sized(trip.target, shorter))
        for middleware in self.ring.after_truncate:
            await middleware.before(trip.info)
            trip.entered.append(middleware)
        return None

    async def _wire(self, trip: Trip) -> WireRequest:
        """The request as it leaves; its money is held, and its reservation written, right before."""
        info = trip.info
        wire: WireRequest = trip.endpoint.codec.encode(info.request, info.card, is_stream=info.is_stream)
        if not self.is_simulated:
            keys = await trip.target.driver.credentials.headers()
            trip.secrets = tuple(value.rpartition(" ")[2] for value in keys.values())
            wire = WireRequest(wire.method, wire.target, {**wire.headers, **keys}, wire.body)
        trip.run.reserve(info)
        self.ledger.record(info)
        trip.is_sent = True
        trip.is_billed = trip.endpoint.record.operation != "count_tokens"
        return wire

    def _raise_refusal(self, trip: Trip, answer: WireResponse) -> None:
        if answer.status >= 300:
            trip.is_billed = False
            raise trip.endpoint.codec.error(answer)

    def _blame(self, exc: Exception, trip: Trip) -> PingPongError:
        """The error of this attempt, naming provider and model; what is no error of ours is the plugin's fault."""
        card = trip.info.card
        if isinstance(exc, PingPongError) and exc.partial is None and trip.events:
            exc.partial = response_from_events(trip.events)
        if not isinstance(exc, PingPongError):
            error: PingPongError = PluginError(f"Driver {card.provider!r} or its middleware broke: {type(exc).__name__}.")
        elif isinstance(exc, DeadlineExceeded) and self.clock.monotonic_s() < trip.run.deadline_s:
            error = ProviderTimeout(f"{card.id} gave no whole answer in the time of one attempt.", partial=exc.partial)
        else:
            error = exc
        if isinstance(error, ConnectionFailed) and not trip.events:
            trip.is_billed = False
        error.provider, error.model = error.provider or card.provider, error.model or card.model
        for secret in (s for s in trip.secrets if len(s) >= MIN_KEY_CHARS):
            # Some providers repeat the key that they refuse.
            if secret and secret in error.message:
                error.args = (error.message.replace(secret, "***"), *error.args[1:])
        trip.response, trip.error = None, error
        return error

    def _leave(self, trip: Trip) -> None:
        """
        Write the entry, then tell the ring, innermost first. Synchronous, so that cancellation cannot skip it.

        What breaks here stops no other, and is raised where nothing else is under way to the caller.
        """
        attempt = self._attempt(trip)
        trip.run.settle(attempt)
        ring = reversed(trip.entered)
        calls = [(type(m).__name__, partial(m.after, trip.info, attempt, trip.response)) for m in ring]
        if trip.is_sent:
            calls.insert(0, ("The ledger", partial(self.ledger.record, attempt)))
        broken: PingPongError | None = None
        for name, call in calls:
            try:
                with blamed(name):
                    call()
            except PingPongError as error:
                broken = broken or error
        if broken is not None and trip.response is not None:
            raise broken

    def _attempt(self, trip: Trip) -> Attempt:
        error, info, request = trip.error, trip.info, trip.info.request
        told = trip.response or (error.partial if error else None)
        usage = _usage(trip, told)
        failed: Literal["failed", "refused"] = "failed" if trip.is_sent else "refused"
        return Attempt(
            attempt_id=info.attempt_id, request_id=info.request_id, number=info.number, purpose=info.purpose,
            model=info.card.id, endpoint=info.endpoint, started_at=info.at,
            status="success" if trip.response else failed if error else "cancelled",
            latency_ms=(self.clock.monotonic_s() - trip.started_s) * 1000,
            first_content_ms=None if trip.content_at_s is None else (trip.content_at_s - trip.started_s) * 1000,
            usage=usage, cost_usd=cost_usd(usage, info.card.price) if usage else Decimal(0), held_usd=info.held_usd,
            error_kind=error.kind if error else None, error_message=str(error) if error else None,
            response_id=getattr(told, "response_id", None),
            provider_request_id=getattr(told, "request_id", None) or (error.request_id if error else None),
            tenant=request.tenant, user=request.user, tags=request.tags,
            is_cached=trip.is_cached, is_simulated=self.is_simulated,
        )  # fmt: skip


def _sized(target: Target, request: Request | EmbedRequest) -> dict[str, Any]:
    """The request with its size and the most it can cost at this target; an embedding has no output."""
    output_tokens: int | None = 0
    if isinstance(request, EmbedRequest):
        input_tokens = sum(map(estimate_text_tokens, request.inputs))
    else:
        input_tokens = target.driver.estimate_tokens(request, target.card)
        output_tokens = request.max_output_tokens or target.card.max_output_tokens
    held_usd = None if output_tokens is None else cost_bound_usd(input_tokens, output_tokens, target.card.price)
    return {"request": request, "input_tokens": input_tokens, "held_usd": held_usd}


def _check_whole(response: Response, request: Request) -> None:
    if request.output_schema is not None and response.finish_reason is FinishReason.length:
        message = "The answer was cut by its token limit, so it is not whole JSON; raise max_output_tokens."
        raise StructuredOutputTruncated(message, partial=response)


def _usage(trip: Trip, told: Any) -> Usage | None:
    """The provider's count; our upper estimate where it may bill and did not say; None where nothing was billed."""
    if trip.is_cached or not trip.is_billed:
        return None
    if told is not None and told.usage is not None:
        usage: Usage = told.usage
        return usage
    known = told if isinstance(told, Response) else response_from_events(trip.events)
    written = known.text + known.reasoning + "".join(c.arguments for c in known.tool_calls)
    return Usage(
        uncached_input_tokens=trip.info.input_tokens,
        visible_output_tokens=estimate_text_tokens(written) if written else 0,
        is_estimated=True,
    )
