"""
How good a simulated model is, how often that makes it right, and how long it takes. Pure.

Skill is the card's own where it states one. Else it is the rank of the model's price among all priced models that chat,
from 0.35 for the cheapest to 0.95 for the dearest; models of one price share one rank, an unknown price counts as the middle.
The price is that of three tokens in to one out. This orders models; it claims nothing about the real ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random

from attrs import frozen
from pingpong import Card

_LOWEST, _HIGHEST = 0.35, 0.95
_MIDDLE_RANK = 0.5
_STEEPNESS = 10.0
"""How sharply being right falls off where difficulty passes skill: from 0.88 at 0.2 below to 0.12 at 0.2 above."""

_FIRST_TOKEN_MS = (80.0, 300.0)
_TOKENS_PER_S = (400.0, 120.0)
"""From the cheapest to the dearest model; brisk beside real ones, so that trying things out is no wait."""


@frozen
class Pace:
    """How fast a model answers: time to the first token, and tokens a second after it."""

    first_token_s: float
    tokens_per_s: float


def ranks_from(cards: Sequence[Card]) -> Mapping[str, float]:
    """Price rank 0..1 of every card by full id."""
    prices = {card.id: _price(card) for card in cards}
    ladder = sorted({price for price in prices.values() if price is not None})
    last = max(len(ladder) - 1, 1)
    rank = {price: i / last for i, price in enumerate(ladder)}
    return {card_id: _MIDDLE_RANK if price is None else rank[price] for card_id, price in prices.items()}


def _price(card: Card) -> Decimal | None:
    """What three tokens in and one out cost; None for models that write nothing."""
    if card.price is None or not card.price.output_usd_per_mtok:
        return None
    return 3 * card.price.input_usd_per_mtok + card.price.output_usd_per_mtok


def skill_of(card: Card, rank: float) -> float:
    """Skill 0..1, stated or by price rank."""
    return card.skill if card.skill is not None else _LOWEST + (_HIGHEST - _LOWEST) * rank


def chance_of_right(skill: float, difficulty: float) -> float:
    """How likely a model of this skill answers a task of this difficulty rightly: a logistic curve of their distance."""
    return 1 / (1 + math.exp(-_STEEPNESS * (skill - difficulty)))


def pace_of(rank: float, scale: float, draw: Random) -> Pace:
    """
    The pace of one answer, a fifth faster or slower by draw.

    Args:
        scale: 1 is the usual latency, 0 is none at all.
    """
    factor = scale * draw.uniform(0.8, 1.2)
    if factor == 0:
        return Pace(0.0, math.inf)
    return Pace(_between(_FIRST_TOKEN_MS, rank) / 1000 * factor, _between(_TOKENS_PER_S, rank) / factor)


def _between(ends: tuple[float, float], rank: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * rank
