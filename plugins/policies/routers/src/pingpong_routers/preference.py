"""The strategies `fallback` and `ensemble`: models in the caller's order of preference, providers mixed."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import and_, ge, le
from pingpong import Call, Candidate, Card, Ensemble, Fallback, Plan, Query, Step

from pingpong_routers.fit import (
    Row,
    Table,
    Wants,
    affordable,
    explained,
    fitting,
    highest_cost,
    refusal,
    table_from_cards,
    wants_of,
)

MAX_MODELS = 5


def spread(rows: list[Row], count: int) -> list[Row]:
    """The first of each provider, then what is left, both in order; `count` at most."""
    providers: set[str] = set()
    firsts: list[Row] = []
    for row in rows:
        if row.provider not in providers:
            providers.add(row.provider)
            firsts.append(row)
            if len(firsts) == count:
                return firsts
    rest = (row for row in rows if row not in firsts)
    return firsts + [row for row, _ in zip(rest, range(count - len(firsts)), strict=False)]


@frozen(kw_only=True)
class FallbackRouter:
    """
    Models in order of preference, one of each provider first, so that a provider's outage is no outage.

    Attributes:
        models: How many to name at most, 1 to 5.
        max_attempts: Requests to each of them at most, >= 1.
    """

    models: int = field(default=3, validator=and_(ge(1), le(MAX_MODELS)))
    max_attempts: int = field(default=2, validator=ge(1))

    def prepare(self, cards: tuple[Card, ...]) -> Table:
        """The cards as rows of integers."""
        return table_from_cards(cards)

    def route(self, query: Query) -> Plan:
        """A call of the first model, the next ones on error; a refusal where none will do."""
        rows, wants = _seen(query)
        calls = tuple(Call(row.model, self.max_attempts) for row in self._chosen(rows, wants))
        if len(calls) > 1:
            return Fallback(calls)
        return calls[0] if calls else refusal(rows, wants)

    def explain(self, query: Query) -> tuple[Candidate, ...]:
        """Every model, and its place."""
        rows, wants = _seen(query)
        chosen = {row.model: f"next on error, number {i}" for i, row in enumerate(self._chosen(rows, wants), 1)}
        chosen |= dict.fromkeys([*chosen][:1], "first choice")
        return explained(rows, wants, chosen, "ranked below")

    def _chosen(self, rows: tuple[Row, ...], wants: Wants) -> list[Row]:
        return spread(affordable(fitting(rows, wants), wants), self.models)


@frozen(kw_only=True)
class EnsembleRouter:
    """
    Several models at once, in order of preference, of different providers where there are any.

    Under a cap, only as many as it pays for together.

    Attributes:
        models: How many to ask at most, 1 to 5.
        fuser: Name of the fuser that makes one answer of theirs.
        max_attempts: Requests to each of them at most, >= 1.
    """

    models: int = field(default=3, validator=and_(ge(1), le(MAX_MODELS)))
    fuser: str = "majority"
    max_attempts: int = field(default=2, validator=ge(1))

    def prepare(self, cards: tuple[Card, ...]) -> Table:
        """The cards as rows of integers."""
        return table_from_cards(cards)

    def route(self, query: Query) -> Plan:
        """The models at once, then the fuser; a refusal where none will do."""
        rows, wants = _seen(query, may_stream=False)
        calls = tuple(Call(row.model, self.max_attempts) for row in self._chosen(rows, wants))
        return Ensemble(calls, Step(self.fuser)) if calls else refusal(rows, wants)

    def explain(self, query: Query) -> tuple[Candidate, ...]:
        """Every model, members first found among their providers."""
        rows, wants = _seen(query, may_stream=False)
        chosen = {row.model: f"member {i}" for i, row in enumerate(self._chosen(rows, wants), 1)}
        rest = "ranked below" if wants.cap is None else "ranked below, or the cap does not pay for one more member"
        return explained(rows, wants, chosen, rest)

    def _chosen(self, rows: tuple[Row, ...], wants: Wants) -> list[Row]:
        chosen: list[Row] = []
        left = wants.cap
        for row in spread(affordable(fitting(rows, wants), wants), self.models):
            cost = highest_cost(row, wants)
            if left is None or cost is None:
                chosen.append(row)
            elif cost <= left:
                chosen.append(row)
                left -= cost
        return chosen


def _seen(query: Query, *, may_stream: bool = True) -> tuple[tuple[Row, ...], Wants]:
    wants = wants_of(query, may_stream=may_stream)
    return query.prepared.rows(wants.input_tokens), wants
