"""
Which models may serve a request, and why the others may not. Pure.

Cards become rows of plain integers once per table of models, so that deciding over hundreds of them stays cheap:
capabilities are a bit mask, prices whole femto-dollars (1e-15 US dollars) per token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from attrs import frozen
from pingpong import Candidate, Capability, Card, Price, Query, Refuse, cost_bound_usd

FEMTO_PER_USD = 10**15
MAX_REASONS = 4
"""How many different reasons a refusal tells; the decision holds all."""

_BITS = {capability: 1 << i for i, capability in enumerate(Capability)}


class Row(NamedTuple):
    """
    One card, made ready.

    Attributes:
        abilities: Bit mask of capabilities.
        context_tokens, max_output_tokens: 0 where not published.
        input_rate, output_rate: The dearest a token can be, femto-dollars; -1 where the price is unknown.
    """

    model: str
    provider: str
    abilities: int
    context_tokens: int
    max_output_tokens: int
    input_rate: int
    output_rate: int


@frozen
class Table:
    """
    The cards as rows, once for each band of input sizes that has prices of its own.

    Attributes:
        bands: Shape (n_bands,), ascending; rows hold for inputs above the first member, in tokens.
    """

    bands: tuple[tuple[int, tuple[Row, ...]], ...]

    def rows(self, input_tokens: int) -> tuple[Row, ...]:
        """The rows with the prices of an input of this size, in the cards' order."""
        rows = self.bands[0][1]
        for above_tokens, dearer in self.bands[1:]:
            if input_tokens > above_tokens:
                rows = dearer
        return rows


def table_from_cards(cards: tuple[Card, ...]) -> Table:
    """What `prepare` gives."""
    steps = {tier.above_input_tokens for card in cards if card.price for tier in card.price.tiers}
    return Table(tuple((above, tuple(_row(card, above) for card in cards)) for above in (0, *sorted(steps - {0}))))


def _row(card: Card, above_tokens: int) -> Row:
    abilities = sum(_BITS[c] for c in card.capabilities)
    input_rate, output_rate = _rates(card.price, above_tokens) if card.price else (-1, -1)
    return Row(
        card.id, card.provider, abilities, card.context_tokens or 0, card.max_output_tokens or 0, input_rate, output_rate
    )  # fmt: skip


def _rates(price: Price, above_tokens: int) -> tuple[int, int]:
    """What each token costs at most, in the band of input sizes that begins there; rounded up to a whole femto-dollar."""
    n = above_tokens + 1
    of_input = _bound(price, n, 0)
    rates = (of_input / n, _bound(price, n, 1) - of_input)
    input_rate, output_rate = (int((usd * FEMTO_PER_USD).to_integral_value(ROUND_CEILING)) for usd in rates)
    return input_rate, output_rate


def _bound(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    return cost_bound_usd(input_tokens, output_tokens, price) or Decimal(0)


@frozen
class Wants:
    """
    What a request needs of a model.

    Attributes:
        needs: Bit mask of capabilities.
        input_tokens: Upper estimate.
        output_tokens: The caller's cap, 0 for none.
        is_shortened: A truncator makes the input fit, so context is no reason.
        cap: The most it may cost, femto-dollars; None for no cap.
        unavailable: As in `State`.
    """

    needs: int
    input_tokens: int
    output_tokens: int
    is_shortened: bool
    cap: int | None
    unavailable: Mapping[str, str]


def wants_of(query: Query, *, may_stream: bool = True) -> Wants:
    """What the query's request needs; not streaming where the plan never streams."""
    request, signals = query.request, query.signals
    needs = sum(_BITS[c] for c in signals.needs)
    if not may_stream:
        needs &= ~_BITS[Capability.streaming]
    caps = [usd for usd in (request.max_cost_usd, query.state.budget_left_usd) if usd is not None]
    return Wants(
        needs=needs,
        input_tokens=signals.input_tokens,
        output_tokens=request.max_output_tokens or 0,
        is_shortened=request.truncator is not None,
        cap=int(min(caps) * FEMTO_PER_USD) if caps else None,
        unavailable=query.state.unavailable,
    )


def fitting(rows: tuple[Row, ...], wants: Wants) -> list[Row]:
    """The rows that may serve, cost apart, in order; exactly those of which `why_not` has nothing to say but the cost."""
    needs, unavailable, output = wants.needs, wants.unavailable, wants.output_tokens
    size = 0 if wants.is_shortened else wants.input_tokens + output
    return [
        row
        for row in rows
        if row[0] not in unavailable
        and row[2] & needs == needs
        and (row[3] >= size or not row[3])
        and (row[4] >= output or not row[4])
    ]


def priced(rows: list[Row], wants: Wants) -> list[tuple[int, str]]:
    """Highest cost in femto-dollars and model of the rows whose cost is known and within the cap, in order."""
    i, o = wants.input_tokens, wants.output_tokens
    costs = [(row[5] * i + row[6] * (o or row[4]), row[0]) for row in rows if row[5] >= 0 and (o or row[4])]
    if wants.cap is None:
        return costs
    cap = wants.cap
    return [cost for cost in costs if cost[0] <= cap]


def affordable(rows: list[Row], wants: Wants) -> list[Row]:
    """The rows that the cap allows, in order: all of them without one."""
    if wants.cap is None:
        return rows
    within = {model for _, model in priced(rows, wants)}
    return [row for row in rows if row[0] in within]


def highest_cost(row: Row, wants: Wants) -> int | None:
    """The most that one attempt can cost, femto-dollars; None where the price or the output limit is unknown."""
    output = wants.output_tokens or row.max_output_tokens
    return row.input_rate * wants.input_tokens + row.output_rate * output if row.input_rate >= 0 and output else None


def usd(femto: int) -> Decimal:
    """US dollars, exact."""
    return (Decimal(femto) / FEMTO_PER_USD).normalize() + 0


def why_not(row: Row, wants: Wants) -> str | None:
    """Why a model may not serve, cost apart; None if it may."""
    if row.model in wants.unavailable:
        return wants.unavailable[row.model]
    if lacks := [c.value for c, bit in _BITS.items() if wants.needs & ~row.abilities & bit]:
        return f"cannot do this: {', '.join(lacks)}"
    size = wants.input_tokens + wants.output_tokens
    if row.context_tokens and not wants.is_shortened and size > row.context_tokens:
        return f"context too small: {row.context_tokens:,} of about {size:,} tokens"
    if row.max_output_tokens and wants.output_tokens > row.max_output_tokens:
        return f"writes at most {row.max_output_tokens:,} of {wants.output_tokens:,} tokens"
    return None


def why_too_dear(row: Row, wants: Wants) -> str | None:
    """Why the cap forbids a model; None if it does not."""
    if wants.cap is None:
        return None
    cost = highest_cost(row, wants)
    if cost is None:
        return "its highest cost is unknown, so it cannot be called under a cost cap"
    return f"could cost ${usd(cost):f}, above the cap of ${usd(wants.cap):f}" if cost > wants.cap else None


def explained(rows: tuple[Row, ...], wants: Wants, chosen: Mapping[str, str], rest: str) -> tuple[Candidate, ...]:
    """Every row as a candidate; `chosen` holds the reasons of those that were, `rest` is the reason of the ranked below."""
    return tuple(
        Candidate(
            row.model,
            row.model in chosen,
            chosen.get(row.model) or why_not(row, wants) or why_too_dear(row, wants) or rest,
            None if (cost := highest_cost(row, wants)) is None else usd(cost),
        )
        for row in rows
    )


def refusal(rows: tuple[Row, ...], wants: Wants) -> Refuse:
    """The plan where no model is left; its message says what to do."""
    if not rows:
        return Refuse("no_route", "No model is known. Install a driver, such as pingpong-openai.")
    reasons = Counter(why_not(row, wants) for row in rows)
    if None in reasons:
        return Refuse("budget", _budget_message(fitting(rows, wants), wants))
    told = [f"{reason} ({count} model{'s' * (count > 1)})" for reason, count in reasons.most_common(MAX_REASONS)]
    rest = f"; and {len(reasons) - MAX_REASONS} more reasons" if len(reasons) > MAX_REASONS else ""
    message = f"No model can take this request: {'; '.join(told)}{rest}."
    return Refuse("no_route", f"{message} Set a key, or change the request; --explain shows every model.")


def _budget_message(rows: list[Row], wants: Wants) -> str:
    cap = f"the cap of ${usd(wants.cap or 0):f}"
    costs = [(cost, row.model) for row in rows if (cost := highest_cost(row, wants)) is not None]
    if not costs:
        return f"No model that can take this request has a known highest cost, so none may be called under {cap}; drop the cap."
    cost, model = min(costs)
    cure = "Raise the cap" if wants.output_tokens else "Set max_output_tokens, or raise the cap"
    return f"No model stays within {cap}: the cheapest, {model}, could cost ${usd(cost):f}. {cure}."
