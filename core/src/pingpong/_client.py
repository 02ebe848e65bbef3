"""The client: a request goes in, an outcome or a stream comes out, with the proof of what was done."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Collection, Mapping
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from pingpong._attempts import Attempts
from pingpong._clock import Clock
from pingpong._config import Config, config_from_file, find_config
from pingpong._errors import InvalidRequestError, PingPongError, RequestCancelled, UnsupportedParameter, blamed
from pingpong._events import Event, StreamError, StreamStart, events_from_response, stream_end
from pingpong._outcomes import Attempt, Decision, Outcome, Report, Reservation
from pingpong._policies import CALL_SLOTS, REQUEST_SLOTS, Ledger, RequestMiddleware
from pingpong._requests import EmbedRequest, Request, check_request, check_texts
from pingpong._responses import EmbedResponse, Response, TokenCount
from pingpong._retries import FullJitter
from pingpong._runs import Run, new_id
from pingpong._wire import Transport

if TYPE_CHECKING:
    from pingpong._registry import Registry


# The most that telling the request ring may hold up a cancelled task.
GIVE_UP_S = 2.0


@frozen
class MemoryLedger:
    """Keeps every entry in this process, in order: the default, and what tests read."""

    entries: list[Reservation | Attempt] = field(factory=list)

    def record(self, entry: Reservation | Attempt) -> None:
        """Append."""
        self.entries.append(entry)

    async def settled(self, attempt_ids: Collection[str]) -> None:
        """Nothing to wait for."""


class Stream:
    """
    A streamed answer: an async context manager and an async iterator of events.

    Iteration raises nothing: a failure is the last event. Leaving the context closes the upstream connection.

    Attributes:
        reports: Attempts and verdicts so far, in the order they came.
    """

    def __init__(self, client: Client, request: Request) -> None:
        self._client = client
        self._request = request
        self._events = self._tell()
        self._run: Run | None = None
        self._result: Outcome | PingPongError | None = None

    @property
    def reports(self) -> tuple[Report, ...]:
        """Attempts and verdicts so far, in the order they came."""
        return tuple(self._run.reports) if self._run else ()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        await self._events.aclose()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    def __anext__(self) -> Awaitable[Event]:
        return self._events.__anext__()

    async def outcome(self) -> Outcome:
        """
        What came of it, after reading the stream to its end.

        Raises:
            PingPongError: The error that the stream ended with.
        """
        async for _ in self._events:
            pass
        if isinstance(self._result, Outcome):
            return self._result
        raise self._result or InvalidRequestError("The stream was closed before it ended, so there is no outcome.")

    async def _tell(self) -> AsyncGenerator[Event, None]:
        client = self._client
        last: Event | None = None
        has_begun = False
        try:
            self._run = run = await client.start(self._request, is_stream=True)
            answer = await client.runner.open(run.decision.plan, run, is_stream=True)
            has_begun = True
            if isinstance(answer, Response):
                *content, last = events_from_response(answer)
                for event in content:
                    yield event
            else:
                async with aclosing(answer.rest) as rest:
                    for event in answer.head:
                        yield event
                    async for event in rest:
                        yield event
                answer = run.streamed
                last = stream_end(answer)
            self._result = run.outcome(answer, client.clock.monotonic_s())
        except PingPongError as error:
            self._result = error
        except BaseException:
            if self._run is not None:
                await client.give_up(self._run)
            raise
        if self._run is not None:
            self._result = await client.finish(self._run, self._result)
        if isinstance(self._result, PingPongError):
            if not has_begun:
                yield (self._run and self._run.start) or StreamStart(self._result.provider or "", self._result.model or "")
            last = StreamError(self._result, self._result.partial)
        if last is not None:
            yield last


class Client:
    """
    Sends requests. Use it as an async context manager, or call `aclose()`.

    Args:
        config: How to behave, as `Config(strategy=…, drivers={…}, …)`; `from_file` and `from_env` read one.
        env: The environment; keys are read from it when a driver is made.
        transport: The way to every provider, instead of the configured one; it is not closed by the client.
        http_client: Your own `httpx.AsyncClient`, used instead of one of ours and not closed.
        registry, ledger, clock, seed: Seams for hosts and tests.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        env: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        http_client: Any = None,
        registry: Registry | None = None,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        # Imported here so that `import pingpong` stays cheap: they bring pluggy, importlib.metadata and anyio along.
        from pingpong._deciding import Decider
        from pingpong._models import Models
        from pingpong._plugins import Plugins
        from pingpong._registry import Registry
        from pingpong._runner import Runner
        from pingpong._transport import SystemClock

        self.config = config or Config()
        self.env = os.environ if env is None else env
        self.clock = clock or SystemClock()
        filters = self.config.plugins
        self.registry = registry or Registry(allow=filters.allow, block=filters.block, env=self.env)
        self._draw = Random(seed)  # noqa: S311  # spreads retries and makes ids; nothing secret hangs on it
        plugins, seed = Plugins(self.registry, self.config, self.clock), self._draw.getrandbits(32)
        plugins.check_tables()
        self.models = Models(plugins, self.env, seed, transport, http_client)
        self.ledger: Ledger = ledger or plugins.seat("ledger") or MemoryLedger()
        retries = plugins.seat("retry") or FullJitter()
        self._ring: tuple[RequestMiddleware, ...] = plugins.ring("request", REQUEST_SLOTS)
        at = CALL_SLOTS.index("truncate")
        outer, inner = plugins.ring("call", CALL_SLOTS[:at]), plugins.ring("call", CALL_SLOTS[at:])
        waits = any(r.ring == "call" and r.waits for r in self.registry.records("middleware").values())
        attempts = Attempts(self.clock, self.ledger, outer, inner, waits, self.models.is_simulated)
        self.runner = Runner(
            attempts=attempts, retries=retries, target=self.models.target, make=plugins.make, record=self.registry.record
        )
        self.decider = Decider(self.models, seed)
        named = ("max_cost_usd", "validators", "truncator")
        self._defaults = {name: value for name in named if (value := getattr(self.config, name)) not in (None, ())}

    @classmethod
    def from_file(cls, path: str | Path, **seams: Any) -> Client:
        """A client configured by one TOML file. Raises `ConfigError`."""
        return cls(config_from_file(Path(path)), **seams)

    @classmethod
    def from_env(cls, *, env: Mapping[str, str] | None = None, folder: Path | None = None, **seams: Any) -> Client:
        """A client configured by `PINGPONG_CONFIG`, or the nearest `pingpong.toml`, and the `PINGPONG_…` variables."""
        env = os.environ if env is None else env
        return cls(find_config(env, folder or Path.cwd()), env=env, **seams)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that the client opened; idempotent."""
        await self.models.aclose()

    @property
    def is_simulated(self) -> bool:
        """Whether answers come from the simulator."""
        return self.models.is_simulated

    async def complete(self, request: Request | str, **options: Any) -> Outcome:
        """
        The answer to a request, or to a prompt with `Request`'s fields as keywords.

        Raises:
            PingPongError: No answer; carries `attempts` and `decision`.
        """
        run = await self.start(_request(request, options), is_stream=False)
        outcome: Outcome = await self._finished(run)
        return outcome

    def stream(self, request: Request | str, **options: Any) -> Stream:
        """The answer as events; use it in `async with`."""
        return Stream(self, _request(request, options))

    async def plan(self, request: Request | str, **options: Any) -> Decision:
        """The decision and its cost bounds; nothing is called."""
        run = await self.start(_request(request, options), is_stream=False)
        return self.decider.with_bounds(run.decision)

    async def embed(self, request: EmbedRequest | str, **options: Any) -> EmbedResponse:
        """Vectors for texts; `model` is needed. Raises `PingPongError`."""
        asked = EmbedRequest(request, **options) if isinstance(request, str) else evolve(request, **options)
        response: EmbedResponse = await self._single("embed", asked)
        return response

    async def count_tokens(self, request: Request | str, **options: Any) -> TokenCount:
        """Input tokens of a request as its provider counts them; `model` is needed. Raises `PingPongError`."""
        response: TokenCount = await self._single("count_tokens", _request(request, options))
        return response

    async def _single(self, operation: Any, request: Any) -> Any:
        if isinstance(request, EmbedRequest):
            check_texts(request.inputs)
        else:
            request = evolve(request, validators=())
            check_request(request)
        if request.model is None:
            raise InvalidRequestError(f'{operation} needs a model: model="provider:model".')
        started_s, now = self.clock.monotonic_s(), self.clock.utc_now()
        decision = self.decider.decide(request, now, is_stream=False)
        result = await self._finished(self._run(request, decision, started_s, now, operation=operation))
        return result if result.model else evolve(result, model=self.models.card(request.model).model)

    async def start(self, request: Request, *, is_stream: bool) -> Run:
        """Through the request ring to a plan. For `Stream`."""
        check_request(request)
        named = request.provider_options
        if named and (unknown := sorted(set(named) - set(self.registry.records("drivers")))):
            raise UnsupportedParameter(f"provider_options names {', '.join(unknown)}, which is no driver here.")
        if self._defaults:
            unset = {name: value for name, value in self._defaults.items() if getattr(request, name) in (None, ())}
            request = evolve(request, **unset)
        started_s, now, n_entered = self.clock.monotonic_s(), self.clock.utc_now(), 0
        try:
            for middleware in self._ring:
                with blamed(type(middleware).__name__):
                    request = await middleware.before(request)
                n_entered += 1
            decision = self.decider.decide(request, now, is_stream=is_stream)
            return self._run(request, decision, started_s, now, ring=self._ring)
        except PingPongError as error:
            await _leave(self._ring[:n_entered], request, error, None)
            raise

    def _run(self, request: Any, decision: Decision, started_s: float, now: datetime, **more: Any) -> Run:
        timeout_s = self.config.timeout_s if request.timeout_s is None else request.timeout_s
        if not timeout_s > 0:
            raise InvalidRequestError(f"timeout_s must be a number of seconds above 0, not {timeout_s}.")
        cap_usd = getattr(request, "max_cost_usd", None)
        return Run(
            request=request, request_id=new_id(self._draw), decision=decision, started_s=started_s, started_at=now,
            deadline_s=self.clock.monotonic_s() + timeout_s, draw=self._draw,
            max_cost_usd=self.config.max_cost_usd if cap_usd is None else cap_usd, **more,
        )  # fmt: skip

    async def _finished(self, run: Run) -> Any:
        """What the run's plan gives, not streamed: an outcome, or what one embedding or token count gives."""
        try:
            result = await self.runner.open(run.decision.plan, run, is_stream=False)
            if run.operation == "chat":
                result = run.outcome(result, self.clock.monotonic_s())
        except PingPongError as error:
            result = error
        except BaseException:
            await self.give_up(run)
            raise
        result = await self.finish(run, result)
        if isinstance(result, PingPongError):
            raise result
        return result

    async def give_up(self, run: Run) -> None:
        """Tell the request ring that the caller went away, in spite of the cancellation and not for long. For `Stream`."""
        if run.ring:
            from anyio import move_on_after

            error = RequestCancelled("The caller gave the request up.")
            with move_on_after(GIVE_UP_S, shield=True):
                await _leave(run.ring, run.request, _spoiled(error, error, run), run)

    async def finish(self, run: Run, result: Any) -> Any:
        """Wait for the ledger and tell the request ring; gives the result, or the error that came of it. For `Stream`."""
        if isinstance(result, PingPongError):
            result = _spoiled(result, result, run)
        try:
            with blamed("The ledger"):
                await self.ledger.settled([a.attempt_id for a in run.attempts])
        except PingPongError as error:
            result = _spoiled(result, error, run)
        return await _leave(run.ring, run.request, result, run) if run.ring else result


async def _leave(ring: tuple[RequestMiddleware, ...], request: Request, result: Any, run: Run | None) -> Any:
    """Tell the ring, innermost first; what breaks stops no other and hides no earlier error."""
    for middleware in reversed(ring):
        try:
            with blamed(type(middleware).__name__):
                await middleware.after(request, result)
        except PingPongError as error:
            result = _spoiled(result, error, run)
    return result


def _spoiled(result: Any, error: PingPongError, run: Run | None) -> PingPongError:
    """The earlier error of the two, with what was done; an answer that is not given out is kept as `partial`."""
    if isinstance(result, PingPongError):
        error = result
    else:
        error.partial = getattr(result, "response", None)
    if run is not None:
        error.attempts, error.decision = tuple(run.attempts), run.decision
    return error


def _request(request: Request | str, options: Mapping[str, Any]) -> Request:
    return Request(request, **options) if isinstance(request, str) else evolve(request, **options) if options else request
