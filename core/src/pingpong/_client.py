"""The client: a request goes in, an outcome or a stream comes out, with the proof of what was done."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from pingpong._attempts import CallRing, Item, Run, Whole
from pingpong._cards import cost_bound_usd
from pingpong._clock import Clock
from pingpong._config import Config, config_from_file, find_config
from pingpong._errors import ConfigError, InvalidRequestError, PingPongError, PluginError, blamed
from pingpong._events import Event, StreamError, StreamStart, events_from_response, response_from_events
from pingpong._json import from_json
from pingpong._outcomes import Attempt, Candidate, Decision, Outcome, Query, Report, Reservation, Signals
from pingpong._plans import Call, Check, CostBounds, Plan, PriceRange, Step, cost_bounds
from pingpong._policies import CALL_SLOTS, REQUEST_SLOTS, Ledger, RequestMiddleware, Router
from pingpong._requests import EmbedRequest, Request, check_request, check_texts, estimate_text_tokens, needs_of
from pingpong._responses import EmbedResponse, TokenCount
from pingpong._retries import FullJitter
from pingpong._wire import Transport

if TYPE_CHECKING:
    from pingpong._registry import Registry

OVERESTIMATE = 4
"""The token estimate is at most this many times the true count (99th percentile 2.45), for lower cost bounds."""


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

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Event:
        return await self._events.__anext__()

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
        client, request, seen = self._client, self._request, list[Event]()
        started_s, started_at = client.clock.monotonic_s(), client.clock.utc_now()
        last: Event | None = None
        try:
            request, plan, self._run = await client.start(request, is_stream=True)
            async with aclosing(client.runner.items(plan, request, self._run, is_stream=True)) as items:
                async for item in items:
                    for event in _events_of(item):
                        seen.append(event)
                        if event.kind == "end":
                            last = event
                        else:
                            yield event
            latency_ms = (client.clock.monotonic_s() - started_s) * 1000
            self._result = self._run.outcome(response_from_events(seen), started_at, latency_ms)
        except PingPongError as error:
            self._result = error
        if self._run is not None:
            self._result = await client.finish(request, self._run, self._result)
        if isinstance(self._result, PingPongError):
            if not seen:
                yield (self._run and self._run.start) or StreamStart(self._result.provider or "", self._result.model or "")
            last = StreamError(self._result, self._result.partial)
        if last is not None:
            yield last


def _events_of(item: Item) -> Any:
    return events_from_response(item.response) if isinstance(item, Whole) else (item,)


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
        from pingpong._models import Models
        from pingpong._registry import Registry
        from pingpong._runner import Runner
        from pingpong._transport import SystemClock

        self.config = config or Config()
        self.env = os.environ if env is None else env
        self.clock = clock or SystemClock()
        plugins = self.config.plugins
        self.registry = registry or Registry(allow=plugins.allow, block=plugins.block, env=self.env)
        self._draw = Random(seed)  # noqa: S311  # spreads retries and makes ids; nothing secret hangs on it
        self._seed = self._draw.getrandbits(32)
        self._is_given, self._http_client = transport is not None, http_client
        self._transport: Transport | None = transport
        may_simulate = transport is None and http_client is None
        self.models = Models(self.registry, self.config, self.env, self._open_transport, may_simulate)
        self.ledger: Ledger = ledger or self._seat("ledger") or MemoryLedger()
        retries = self._seat("retry") or FullJitter()
        self._request_ring: tuple[RequestMiddleware, ...] = self._ring("request", REQUEST_SLOTS)
        at = CALL_SLOTS.index("truncate")
        ring = CallRing(self._ring("call", CALL_SLOTS[:at]), self._ring("call", CALL_SLOTS[at:]))
        self.runner = Runner(
            clock=self.clock, ledger=self.ledger, ring=ring, is_simulated=self.models.is_simulated, retries=retries,
            target=self.models.target, make=self.make, record=self.registry.record,
        )  # fmt: skip
        named = ("max_cost_usd", "validators", "truncator")
        self._defaults = {name: value for name in named if (value := getattr(self.config, name)) not in (None, ())}
        self._routers: dict[str, tuple[Router, Any]] = {}
        signals = self.registry.records("signals").values()
        self._signals = {r.name: self.registry.resolve("signals", r.name, r.factory) for r in signals}

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
        if self._transport is not None and not self._is_given:
            await self._transport.aclose()

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
        asked = _request(request, options)
        started_s, started_at = self.clock.monotonic_s(), self.clock.utc_now()
        asked, plan, run = await self.start(asked, is_stream=False)
        try:
            response = await self.runner.answer(plan, asked, run)
            result: Outcome | PingPongError = run.outcome(response, started_at, (self.clock.monotonic_s() - started_s) * 1000)
        except PingPongError as error:
            result = error
        outcome: Outcome = _given(await self.finish(asked, run, result))
        return outcome

    def stream(self, request: Request | str, **options: Any) -> Stream:
        """The answer as events; use it in `async with`."""
        return Stream(self, _request(request, options))

    async def plan(self, request: Request | str, **options: Any) -> Decision:
        """The decision and its cost bounds; nothing is called."""
        _, _, run = await self.start(_request(request, options), is_stream=False)
        decision = run.decision
        return evolve(decision, bounds=self._bounds(decision))

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
            check_request(request)
        if request.model is None:
            raise InvalidRequestError(f'{operation} needs a model: model="provider:model".')
        decision = self._decision("model", Call(request.model), self._query(request), _pinned)
        run = self._run(request, decision)
        try:
            result = await self.runner.single(operation, request, run)
        except PingPongError as error:
            result = error
        return _given(await self.finish(request, run, result, n_entered=0))

    async def start(self, request: Request, *, is_stream: bool) -> tuple[Request, Plan, Run]:
        """Through the request ring to a plan. For `Stream`."""
        check_request(request)
        defaults = {name: value for name, value in self._defaults.items() if getattr(request, name) in (None, ())}
        if defaults:
            request = evolve(request, **defaults)
        n_entered = 0
        try:
            for middleware in self._request_ring:
                with blamed(type(middleware).__name__):
                    request = await middleware.before(request)
                n_entered += 1
            decision = self._decide(request, is_stream=is_stream)
            return request, decision.plan, self._run(request, decision)
        except PingPongError as error:
            await self._left(request, error, n_entered)
            raise

    async def finish(self, request: Any, run: Run, result: Any, n_entered: int | None = None) -> Any:
        """Wait for the ledger, complete an error, tell the request ring; gives the result, or what broke here. For `Stream`."""
        try:
            with blamed("The ledger"):
                await self.ledger.settled([a.attempt_id for a in run.attempts])
        except PingPongError as error:
            result = _first_error(result, error)
        result = await self._left(request, _completed(result, run), n_entered)
        return _completed(result, run)

    async def _left(self, request: Request, result: Any, n_entered: int | None) -> Any:
        """Tell the ring, innermost first; what breaks stops no other and hides no earlier error."""
        for middleware in reversed(self._request_ring[:n_entered]):
            try:
                with blamed(type(middleware).__name__):
                    await middleware.after(request, result)
            except PingPongError as error:
                result = _first_error(result, error)
        return result

    def _run(self, request: Any, decision: Decision) -> Run:
        timeout_s = self.config.timeout_s if request.timeout_s is None else request.timeout_s
        if not timeout_s > 0:
            raise InvalidRequestError(f"timeout_s must be a number of seconds above 0, not {timeout_s}.")
        cap_usd = getattr(request, "max_cost_usd", None)
        return Run(
            request_id=self._new_id(), decision=decision, deadline_s=self.clock.monotonic_s() + timeout_s,
            draw=self._draw, new_id=self._new_id, max_cost_usd=self.config.max_cost_usd if cap_usd is None else cap_usd,
        )  # fmt: skip

    def _new_id(self) -> str:
        return f"{self._draw.getrandbits(96):024x}"

    def _decide(self, request: Request, *, is_stream: bool) -> Decision:
        if request.model is not None:
            return self._decision("model", Call(self.models.card(request.model).id), self._query(request), _pinned)
        name = request.strategy or self.config.strategy
        if name not in self._routers:
            made: Router = self.make("routers", name, {})
            with blamed(f"The router {name!r}"):
                self._routers[name] = (made, made.prepare(self.models.cards))
        router, prepared = self._routers[name]
        signals = Signals(
            needs=needs_of(request, is_stream=is_stream),
            input_tokens=estimate_text_tokens("".join(m.text for m in request.messages)),
            is_stream=is_stream,
            more={name: _extracted(name, extract, request) for name, extract in self._signals.items()},
        )
        query = self._query(request, signals=signals, prepared=prepared, seed=self._seed)
        with blamed(f"The router {name!r}"):
            plan = router.route(query)
        if not isinstance(plan, Plan):
            raise PluginError(f"The router {name!r} gave {type(plan).__name__}, which is no plan.")
        return self._decision(name, plan, query, router.explain)

    def _query(self, request: Any, **known: Any) -> Query:
        now = self.clock.utc_now()
        return Query(request=request, cards=self.models.cards, state=self.models.state(now.date()), now=now, **known)

    def _decision(self, strategy: str, plan: Plan, query: Query, explain: Callable[[Query], tuple[Candidate, ...]]) -> Decision:
        validators: tuple[str, ...] = getattr(query.request, "validators", ())
        if validators:
            plan = Check(plan, [Step(name) for name in validators])
        return Decision(strategy=strategy, plan=plan, query=query, is_simulated=self.is_simulated, explain=explain)

    def _bounds(self, decision: Decision) -> CostBounds:
        request = decision.query.request

        def price(model: str, reads_answer: bool) -> PriceRange:
            target = self.models.target(model)
            card = target.card
            with blamed(f"Driver {target.driver.name!r}"):
                tokens = target.driver.estimate_tokens(request, card)
            output = request.max_output_tokens or card.max_output_tokens
            low = cost_bound_usd(tokens // OVERESTIMATE, 0, card.price)
            if output is None:
                return low, None
            return low, cost_bound_usd(tokens + output if reads_answer else tokens, output, card.price)

        return cost_bounds(decision.plan, price)

    def make(self, kind: str, name: str, params: Mapping[str, Any]) -> Any:
        """A plugin's object by kind and name, its table first. Raises `ConfigError`: unknown name or parameters."""
        record = self.registry.record(kind, name)
        tables = getattr(self.config, kind, None)
        if isinstance(tables, Mapping):
            params = {**tables.get(name, {}), **params}
        factory = self.registry.resolve(kind, name, record.factory)
        plugin = f"The {kind.removesuffix('s')} {name!r}"
        try:
            with blamed(plugin, but=(TypeError, ValueError)):
                return factory(**params)
        except (TypeError, ValueError) as exc:
            raise ConfigError(f"{plugin} does not take these parameters: {exc}") from exc

    def _ring(self, ring: str, slots: Collection[str]) -> Any:
        records = [r for r in self.registry.records("middleware").values() if r.ring == ring and r.slot in slots]
        ordered = sorted(records, key=lambda r: list(slots).index(r.slot))
        return tuple(self.make("middleware", r.name, {"clock": self.clock}) for r in ordered)

    def _seat(self, ring: str) -> Any:
        names = [r.name for r in self.registry.records("middleware").values() if r.ring == ring]
        if len(names) > 1:
            raise ConfigError(f"{' and '.join(names)} both take the {ring} seat; block one of their plugins.")
        return self.make("middleware", names[0], {"clock": self.clock}) if names else None

    def _open_transport(self) -> Transport:
        if self._transport is None:
            self._transport = self._made_transport()
        return self._transport

    def _made_transport(self) -> Transport:
        if self.is_simulated:
            from pingpong._models import TransportContext

            record = next(r for r in self.registry.records("transports").values() if r.is_simulator)
            factory = self.registry.resolve("transports", record.name, record.factory)
            context = TransportContext(
                clock=self.clock, seed=self._seed, options=self.config.transport, cards=self.models.cards,
                drivers=self.models.drivers,
            )  # fmt: skip
            with blamed(f"The transport {record.name!r}"):
                simulator: Transport = factory(context)
            return simulator
        from pingpong._transport import HttpxTransport, TransportOptions

        try:
            options: TransportOptions = from_json(TransportOptions, dict(self.config.transport))
        except InvalidRequestError as exc:
            raise ConfigError(f"{self.config.path or 'configuration'}: [transport]: {exc}") from exc
        return HttpxTransport(self._http_client, clock=self.clock, options=options)


def _request(request: Request | str, options: Mapping[str, Any]) -> Request:
    return Request(request, **options) if isinstance(request, str) else evolve(request, **options) if options else request


def _given(result: Any) -> Any:
    """The result to the caller: returned, or raised."""
    if isinstance(result, PingPongError):
        raise result
    return result


def _first_error(result: Any, error: PingPongError) -> PingPongError:
    """The earlier error of the two; an answer that is not given out is kept as `partial`."""
    if isinstance(result, PingPongError):
        return result
    error.partial = getattr(result, "response", None)
    return error


def _completed(result: Any, run: Run) -> Any:
    if isinstance(result, PingPongError):
        result.attempts, result.decision = tuple(run.attempts), run.decision
    return result


def _extracted(name: str, extract: Callable[[Request], Any], request: Request) -> Any:
    with blamed(f"The signal {name!r}"):
        return extract(request)


def _pinned(query: Query) -> tuple[Candidate, ...]:
    """Reasons where the caller named the model."""
    model = query.request.model
    why = query.state.unavailable
    return tuple(
        Candidate(c.id, True, "the request names it")
        if model in (c.id, *(f"{c.provider}:{a}" for a in c.aliases))
        else Candidate(c.id, False, why.get(c.id, "the request names another model"))
        for c in query.cards
    )
