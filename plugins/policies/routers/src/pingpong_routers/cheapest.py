"""The strategy `cheapest`."""

from __future__ import annotations

from heapq import nsmallest

from attrs import field, frozen
from attrs.validators import and_, ge, le
from pingpong import Call, Candidate, Card, Fallback, Plan, Query

from pingpong_routers.fit import Row, Table, Wants, explained, fitting, priced, refusal, table_from_cards, wants_of

MAX_MODELS = 5


@frozen(kw_only=True)
class Cheapest:
    """
    The models whose highest cost for this request is least; equal ones by name. Models of unknown cost come last.

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
        """A call of the cheapest model, the next ones on error; a refusal where none will do."""
        rows, wants = _seen(query)
        chosen = self._chosen(rows, wants)
        calls = tuple(Call(model, self.max_attempts) for model in chosen)
        if len(calls) > 1:
            return Fallback(calls)
        return calls[0] if calls else refusal(rows, wants)

    def explain(self, query: Query) -> tuple[Candidate, ...]:
        """Every model, with its highest cost."""
        rows, wants = _seen(query)
        ranks = ("cheapest", *(f"next on error, number {i} by cost" for i in range(2, MAX_MODELS + 1)))
        return explained(rows, wants, dict(zip(self._chosen(rows, wants), ranks, strict=False)), "can cost more")

    def _chosen(self, rows: tuple[Row, ...], wants: Wants) -> list[str]:
        able = fitting(rows, wants)
        chosen = [model for _, model in nsmallest(self.models, priced(able, wants))]
        if len(chosen) < self.models and wants.cap is None:
            unpriced = sorted({row.model for row in able} - set(chosen))
            chosen += unpriced[: self.models - len(chosen)]
        return chosen


def _seen(query: Query) -> tuple[tuple[Row, ...], Wants]:
    wants = wants_of(query)
    return query.prepared.rows(wants.input_tokens), wants
