"""
One attempt: exactly one request to one model endpoint, inside the call ring, with its reservation and its entry.

Everything that may fail between reservation and entry fails here, so that no attempt goes unrecorded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, nullcontext, suppress
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal

from attrs import define, evolve, field, frozen

from pingpong import _errors as errors
from pingpong._cards import cost_bound_usd, cost_usd
from pingpong._clock import Clock
from pingpong._drivers import EndpointRecord
from pingpong._endpoints import Target, choose_endpoint
from pingpong._errors import PingPongError, blamed
from pingpong._events import MARKS, Event, StreamEnd, StreamError, events_from_response, response_from_events
from pingpong._outcomes import Attempt, Reservation
from pingpong._plans import Call
from pingpong._policies import CallMiddleware, Ledger
from pingpong._requests import EmbedRequest, Request, estimate_text_tokens, options_set, without_options
from pingpong._responses import FinishReason, Response, Usage
from pingpong._runs import Run, new_id
from pingpong._wire import WireRequest, WireResponse, WireStream

# A shorter key is no secret, and masking it would garble the message.
MIN_KEY_CHARS = 8

# How long a finished stream may take to end its body, so that its connection can be used again.
DRAIN_S = 0.2


@frozen
class Attempts:
    """
    Makes attempts.

    Attributes:
        outer, inner: Middleware of the call ring, outermost first, before and after the runner's own truncate slot.
        waits: Whether one of them may wait.
    """

    clock: Clock
    ledger: Ledger
    outer: tuple[CallMiddleware, ...]
    inner: tuple[CallMiddleware, ...]
    waits: bool
    is_simulated: bool

    def begin(self, call: Call, target: Target, number: int, run: Run, *, is_stream: bool) -> Trip:
        """One attempt, its endpoint chosen and its size told. Raises `PingPongError`."""
        with blamed(f"Driver {target.driver.name!r}"):
            choice = choose_endpoint(target, run.operation, run.request, is_stream=is_stream)
            if choice.dropped:
                run.dropped |= dict.fromkeys(choice.dropped)
            now_s = self.clock.monotonic_s()
            info = Reservation(
                attempt_id=new_id(run.draw), request_id=run.request_id, number=number, purpose=run.purpose, card=target.card,
                endpoint=choice.endpoint.record.name, is_stream=is_stream, at=self.clock.utc_now(),
                is_simulated=self.is_simulated,
                deadline_s=run.deadline_s if call.timeout_s is None else min(run.deadline_s, now_s + call.timeout_s),
                **_sized(target, choice.endpoint.record, choice.request),
            )  # fmt: skip
        return Trip(self, run, target, choice.endpoint, info, now_s)


def _sized(target: Target, endpoint: EndpointRecord, request: Any) -> dict[str, Any]:
    """The request with its size and the most it can cost at this endpoint; only a chat has output, and counting is free."""
    card = target.card
    output_tokens: int | None = 0
    if isinstance(request, EmbedRequest):
        input_tokens = sum(map(estimate_text_tokens, request.inputs))
    else:
        input_tokens = target.driver.estimate_tokens(request, card)
        output_tokens = request.max_output_tokens or card.max_output_tokens
    is_unpriced = not endpoint.unpriced_options.isdisjoint(request.provider_options.get(target.driver.name, ()))
    is_unknown = output_tokens is None or is_unpriced
    held_usd = None if is_unknown else cost_bound_usd(input_tokens, output_tokens or 0, card.price)
    if endpoint.operation == "count_tokens":
        held_usd = Decimal(0)
    return {"request": request, "input_tokens": input_tokens, "held_usd": held_usd}


@define(eq=False)
class Trip:
    """
    An attempt under way. As a context manager it keeps the attempt's promises: whatever happens inside, one entry is
    written, every middleware that was entered is told, and nothing but a `PingPongError` or a cancellation leaves.
    """

    kit: Attempts
    run: Run
    target: Target
    endpoint: Any
    info: Reservation
    started_s: float
    entered: list[CallMiddleware] = field(factory=list)
    seen: list[Event] = field(factory=list)
    content_at_s: float | None = None
    response: Any = None
    error: PingPongError | None = None
    keys: Mapping[str, str] = field(default={}, repr=False)
    is_sent: bool = False
    is_billed: bool = False
    is_cached: bool = False

    async def whole(self, truncate: Truncate) -> Any:
        """The answer in one piece."""
        with self:
            ready = await self._ready(truncate)
            self.response = ready if self.is_cached else await self._exchange(ready)
            self._check_whole()
        return self.response

    async def events(self, truncate: Truncate) -> AsyncGenerator[Event, None]:
        """The answer as it comes, without its end: when this is over, the entry is written and `run.streamed` is the answer."""
        with self:
            ready = await self._ready(truncate)
            if self.is_cached:
                self.response = ready
            else:
                async with aclosing(self._batches(ready)) as batches:
                    async for batch in batches:
                        for event in batch:
                            self.seen.append(event)
                            if not isinstance(event, MARKS):
                                if self.content_at_s is None:
                                    self.content_at_s = self.kit.clock.monotonic_s()
                                yield event
                            elif isinstance(event, StreamError):
                                raise event.error
                            elif isinstance(event, StreamEnd):
                                self.response = response_from_events(self.seen)
                                break
                            elif self.content_at_s is None:
                                yield event
                        if self.response is not None:
                            break
                if self.response is None:
                    raise errors.PluginError(f"Driver {self.target.driver.name!r} ended a stream without a terminal event.")
            self._check_whole()
        if self.is_cached:
            *content, _ = events_from_response(self.response)
            for event in content:
                yield event
        self.run.streamed = self.response

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if isinstance(exc, Exception):
            self.response, self.error = None, self._blame(exc)
        broken = self._leave()
        if self.error is not None and self.error is not exc:
            raise self.error from exc
        if broken is not None and exc is None:
            raise broken

    async def _ready(self, truncate: Truncate) -> Any:
        """What is to be sent, or what the cache slot answers; plugins that may wait are held to the deadline."""
        is_timed = self.kit.waits or self.target.driver.credentials.waits
        with self.kit.clock.deadline(self.info.deadline_s) if is_timed else nullcontext():
            return await self._enter(truncate) or await self._wire()

    async def _enter(self, truncate: Truncate) -> Response | None:
        """Go through the ring. An answer is the cache slot's."""
        for middleware in self.kit.outer:
            cached = await middleware.before(self.info)
            self.entered.append(middleware)
            if cached is not None:
                self.is_cached = True
                return cached
        request = self.info.request
        if isinstance(request, Request) and request.truncator is not None:
            shorter = await truncate(self, request, request.truncator)
            self.info = evolve(self.info, **_sized(self.target, self.endpoint.record, shorter))
        for middleware in self.kit.inner:
            await middleware.before(self.info)
            self.entered.append(middleware)
        return None

    async def _wire(self) -> WireRequest:
        """The request as it leaves; its money is held, and its reservation written, right before."""
        wire = self._encoded()
        info = self.info
        if not self.kit.is_simulated:
            self.keys = await self.target.driver.credentials.headers()
            wire = WireRequest(wire.method, wire.target, {**wire.headers, **self.keys}, wire.body)
        self.run.reserve(info)
        self.kit.ledger.record(info)
        self.is_sent = True
        self.is_billed = self.run.operation != "count_tokens"
        return wire

    def _encoded(self) -> WireRequest:
        """The request on this wire, without the options whose values it cannot tell, where the caller lets them be dropped."""
        while True:
            info = self.info
            try:
                wire: WireRequest = self.endpoint.codec.encode(info.request, info.card, is_stream=info.is_stream)
                return wire
            except errors.UnsupportedParameter as error:
                request = info.request
                if not isinstance(request, Request) or request.on_unsupported == "raise":
                    raise
                options = [name for name in error.options if name in options_set(request)]
                if not options:
                    raise
                self.run.dropped |= dict.fromkeys(options)
                self.info = evolve(info, request=without_options(request, options))

    async def _exchange(self, wire: WireRequest) -> Any:
        target = self.target
        answer = await target.transport.send(target.driver.base_url, wire, self.info.deadline_s)
        self._raise_refusal(answer)
        return self.endpoint.codec.decode(answer)

    async def _batches(self, wire: WireRequest) -> AsyncGenerator[Sequence[Event], None]:
        """The events of each read. Every driver's decoder ends what it is fed with one terminal event."""
        stream = await self.target.transport.open(self.target.driver.base_url, wire, self.info.deadline_s)
        try:
            if stream.status >= 300:
                body = bytearray()
                while chunk := await stream.read():
                    body += chunk
                self._raise_refusal(WireResponse(stream.status, stream.headers, bytes(body)))
            decoder = self.endpoint.codec.stream_decoder(stream.headers)
            while chunk := await stream.read():
                events = decoder.feed(chunk)
                if events and isinstance(events[-1], StreamEnd):
                    await self._drain(stream)
                yield events
            yield decoder.close()
        finally:
            await stream.aclose()

    async def _drain(self, stream: WireStream) -> None:
        """Read to the end of a body whose answer is whole, so that the connection serves again; not for long."""
        clock = self.kit.clock
        with suppress(PingPongError), clock.deadline(clock.monotonic_s() + DRAIN_S):
            while await stream.read():
                pass

    def _raise_refusal(self, answer: WireResponse) -> None:
        if answer.status >= 300:
            self.is_billed = False
            raise self.endpoint.codec.error(answer)

    def _check_whole(self) -> None:
        schema = getattr(self.info.request, "output_schema", None)
        if schema is not None and getattr(self.response, "finish_reason", None) is FinishReason.length:
            message = "The answer was cut by its token limit, so it is not whole JSON; raise max_output_tokens."
            raise errors.StructuredOutputTruncated(message, partial=self.response)

    def _blame(self, exc: Exception) -> PingPongError:
        """The error of this attempt, naming provider and model; what is no error of ours is the plugin's fault."""
        card = self.info.card
        if isinstance(exc, PingPongError) and exc.partial is None and self.seen:
            exc.partial = response_from_events(self.seen)
        if not isinstance(exc, PingPongError):
            error: PingPongError = errors.PluginError(f"Driver {card.provider!r} or its middleware broke: {type(exc).__name__}.")
        elif isinstance(exc, errors.DeadlineExceeded) and self.kit.clock.monotonic_s() < self.run.deadline_s:
            message = f"{card.id} gave no whole answer in the time of one attempt."
            error = errors.ProviderTimeout(message, partial=exc.partial)
        else:
            error = exc
        if isinstance(error, errors.ConnectionFailed) and not self.seen:
            self.is_billed = False
        error.provider, error.model = error.provider or card.provider, error.model or card.model
        error.args = (self._masked(error.message), *error.args[1:])
        error.code, error.request_id = self._masked(error.code), self._masked(error.request_id)
        return error

    def _masked(self, text: Any) -> Any:
        """What a provider said, without the key: some repeat the key that they refuse."""
        if text:
            for value in self.keys.values():
                secret = value.rpartition(" ")[2]
                if len(secret) >= MIN_KEY_CHARS:
                    text = text.replace(secret, "***")
        return text

    def _leave(self) -> PingPongError | None:
        """
        Write the entry, then tell the ring, innermost first. Synchronous, so that cancellation cannot skip it.

        What breaks here stops no other; the first of it is given back.
        """
        attempt = self._attempt()
        self.run.settle(attempt)
        broken = None
        if self.is_sent:
            broken = errors.broken_by("The ledger", self.kit.ledger.record, attempt)
        for middleware in reversed(self.entered):
            error = errors.broken_by(type(middleware).__name__, middleware.after, self.info, attempt, self.response)
            broken = broken or error
        return broken

    def _attempt(self) -> Attempt:
        error, info, request = self.error, self.info, self.info.request
        told = self.response or (error.partial if error else None)
        usage = self._usage(told)
        failed: Literal["failed", "refused"] = "failed" if self.is_sent else "refused"
        response_id, provider_request_id = getattr(told, "response_id", None), getattr(told, "request_id", None)
        if error is not None:
            response_id, provider_request_id = self._masked(response_id), self._masked(provider_request_id) or error.request_id
        return Attempt(
            attempt_id=info.attempt_id, request_id=info.request_id, number=info.number, purpose=info.purpose,
            model=info.card.id, endpoint=info.endpoint, started_at=info.at,
            status="success" if self.response else failed if error else "cancelled",
            latency_ms=(self.kit.clock.monotonic_s() - self.started_s) * 1000,
            first_content_ms=None if self.content_at_s is None else (self.content_at_s - self.started_s) * 1000,
            usage=usage, cost_usd=cost_usd(usage, info.card.price) if usage else Decimal(0), held_usd=info.held_usd,
            error_kind=error.kind if error else None, error_message=str(error) if error else None,
            response_id=response_id, provider_request_id=provider_request_id,
            tenant=request.tenant, user=request.user, tags=request.tags,
            is_cached=self.is_cached, is_simulated=self.kit.is_simulated,
        )  # fmt: skip

    def _usage(self, told: Any) -> Usage | None:
        """The provider's count; our upper estimate where it may bill and did not say; None where nothing was billed."""
        if not self.is_billed:
            return None
        if told is not None and told.usage is not None:
            usage: Usage = told.usage
            return usage
        known = told if isinstance(told, Response) else response_from_events(self.seen)
        written = known.text + known.reasoning + "".join(c.arguments for c in known.tool_calls)
        return Usage(
            uncached_input_tokens=self.info.input_tokens,
            visible_output_tokens=estimate_text_tokens(written) if written else 0,
            is_estimated=True,
        )


# The truncate slot, the runner's own step: the request made to fit by the truncator of this name.
Truncate = Callable[[Trip, Request, str], Awaitable[Request]]
