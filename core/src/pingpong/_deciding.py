"""From a request to a decision: what the router is told, what it chose, and what that can cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from attrs import define, evolve, field

from pingpong._cards import cost_bound_usd
from pingpong._errors import PluginError, blamed
from pingpong._models import Models
from pingpong._outcomes import Candidate, Decision, Query, Signals
from pingpong._plans import Call, Check, Plan, PriceRange, Step, cost_bounds
from pingpong._policies import Router
from pingpong._requests import Request, estimate_text_tokens, needs_of

# The token estimate is at most this many times the true count (99th percentile 2.45), for lower cost bounds.
OVERESTIMATE = 4


@define(eq=False)
class Decider:
    """Decides for one client. Routers are made on first use; signal plugins are imported at once."""

    models: Models
    seed: int
    _routers: dict[str, tuple[Router, Any]] = field(factory=dict)
    _signals: dict[str, Callable[[Request], Any]] = field(init=False)

    @_signals.default
    def _extractors(self) -> dict[str, Callable[[Request], Any]]:
        registry = self.models.plugins.registry
        return {name: registry.resolve("signals", name, r.factory) for name, r in registry.records("signals").items()}

    def decide(self, request: Any, now: datetime, *, is_stream: bool) -> Decision:
        """The decision; the model itself where the request names one. Raises `PingPongError`."""
        if request.model is not None:
            plan: Plan = _call(self.models.card(request.model).id)
            return self._decision("model", plan, self._query(request, now), _pinned)
        name = request.strategy or self.models.plugins.config.strategy
        router, prepared = self._routers.get(name) or self._prepared(name)
        signals = Signals(
            needs=needs_of(request, is_stream=is_stream),
            input_tokens=estimate_text_tokens("".join(m.text for m in request.messages)),
            is_stream=is_stream,
            more={name: _extracted(name, extract, request) for name, extract in self._signals.items()},
        )
        query = self._query(request, now, signals=signals, prepared=prepared, seed=self.seed)
        with blamed(f"The router {name!r}"):
            plan = router.route(query)
        if not isinstance(plan, Plan):
            raise PluginError(f"The router {name!r} gave {type(plan).__name__}, which is no plan.")
        return self._decision(name, plan, query, router.explain)

    def _prepared(self, name: str) -> tuple[Router, Any]:
        router: Router = self.models.plugins.make("routers", name, {})
        with blamed(f"The router {name!r}"):
            self._routers[name] = (router, router.prepare(self.models.cards))
        return self._routers[name]

    def _query(self, request: Any, now: datetime, **known: Any) -> Query:
        return Query(request=request, cards=self.models.cards, state=self.models.state(now.date()), now=now, **known)

    def _decision(self, strategy: str, plan: Plan, query: Query, explain: Callable[[Query], tuple[Candidate, ...]]) -> Decision:
        validators: tuple[str, ...] = getattr(query.request, "validators", ())
        if validators:
            plan = Check(plan, [Step(name) for name in validators])
        return Decision(strategy=strategy, plan=plan, query=query, is_simulated=self.models.is_simulated, explain=explain)

    def with_bounds(self, decision: Decision) -> Decision:
        """The decision and what its plan can cost."""
        request = decision.query.request

        def price(model: str, reads_answer: bool) -> PriceRange:
            target = self.models.target(model)
            card = target.card
            with blamed(f"Driver {target.driver.name!r}"):
                tokens = target.driver.estimate_tokens(request, card)
            output = request.max_output_tokens or card.max_output_tokens
            low = cost_bound_usd(tokens // OVERESTIMATE, 0, card.price)
            own = request.provider_options.get(target.driver.name, ())
            if output is None or any(not s.endpoint.record.unpriced_options.isdisjoint(own) for s in target.endpoints("chat")):
                return low, None
            return low, cost_bound_usd(tokens + output if reads_answer else tokens, output, card.price)

        return evolve(decision, bounds=cost_bounds(decision.plan, price))


@lru_cache(maxsize=1024)
def _call(model: str) -> Call:
    return Call(model)


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
