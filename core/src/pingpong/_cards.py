"""Model cards and exact prices: what is declared of a model, with source and date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from attrs import field, frozen

from pingpong._errors import InvalidRequestError
from pingpong._requests import Capability
from pingpong._responses import Usage

_PER_TOKEN = Decimal(1_000_000)
_FREE = Decimal(0)


@frozen(kw_only=True)
class _Rates:
    """US dollars per million tokens of each class; None where the class has no price of its own."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cache_read_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    cache_write_1h_usd_per_mtok: Decimal | None = None
    input_audio_usd_per_mtok: Decimal | None = None


@frozen(kw_only=True)
class PriceTier(_Rates):
    """Prices in US dollars per million tokens that hold once a request's input exceeds `above_input_tokens`."""

    above_input_tokens: int


@frozen(kw_only=True)
class Price(_Rates):
    """
    What a model costs, in US dollars per million tokens of each class.

    Attributes:
        reasoning_usd_per_mtok: None means reasoning costs what output costs.
        other_usd_per_unit: Price of one of each of `Usage.other_units`.
        tiers: Dearer prices for long inputs, ascending.
        source_url, as_of: Where the figures were read, and when.
    """

    output_audio_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    other_usd_per_unit: dict[str, Decimal] = field(factory=dict)
    tiers: tuple[PriceTier, ...] = ()
    source_url: str
    as_of: date


# The rate of each of `TOKEN_CLASSES`, in their order.
_RATE_NAMES = (
    "input_usd_per_mtok", "cache_read_usd_per_mtok", "cache_write_usd_per_mtok", "cache_write_1h_usd_per_mtok",
    "input_audio_usd_per_mtok", "output_usd_per_mtok", "reasoning_usd_per_mtok", "output_audio_usd_per_mtok",
)  # fmt: skip


def _rates(price: Price, input_tokens: int) -> _Rates:
    reached = price.tiers and [tier for tier in price.tiers if input_tokens > tier.above_input_tokens]
    return reached[-1] if reached else price


def cost_usd(usage: Usage | None, price: Price | None) -> Decimal | None:
    """
    Price one attempt's usage.

    Returns:
        US dollars, exact, never rounded; None where usage or price is unknown, or the usage counts a class
        or unit that the price has no figure for.

    Source: adr/0008.
    """
    if usage is None or price is None:
        return None
    rates = _rates(price, usage.input_tokens)
    total = _FREE
    for i, tokens in enumerate(usage.token_counts):
        if tokens:
            rate = getattr(rates, _RATE_NAMES[i], None)
            if rate is None and _RATE_NAMES[i] == "reasoning_usd_per_mtok":
                rate = rates.output_usd_per_mtok
            if rate is None:
                return None
            total += tokens * rate
    total /= _PER_TOKEN
    for unit, count in usage.other_units.items():
        if count:
            if unit not in price.other_usd_per_unit:
                return None
            total += count * price.other_usd_per_unit[unit]
    return total


def cost_bound_usd(input_tokens: int, output_tokens: int, price: Price | None) -> Decimal | None:
    """The most that so many tokens can cost, whatever classes they turn out to be; None where the price is unknown."""
    if price is None:
        return None
    rates = _rates(price, input_tokens)
    dearest_in = max(
        rates.input_usd_per_mtok, rates.cache_write_usd_per_mtok or _FREE, rates.cache_write_1h_usd_per_mtok or _FREE
    )
    dearest_out = max(rates.output_usd_per_mtok, price.reasoning_usd_per_mtok or _FREE)
    return (input_tokens * dearest_in + output_tokens * dearest_out) / _PER_TOKEN


@frozen(kw_only=True)
class RateLimits:
    """The provider's published limits, per minute; None where not published."""

    requests_per_min: int | None = None
    input_tokens_per_min: int | None = None
    output_tokens_per_min: int | None = None


@frozen(kw_only=True)
class Card:
    """
    What is declared of one model.

    Attributes:
        provider, model: Together the full id `provider:model`.
        endpoints: Names of the driver's endpoints that serve it, in order of preference.
        context_tokens: Input and output together; None where not published.
        max_output_tokens: The most it writes in one answer; None where not published.
        capabilities: What the model can do; an endpoint must carry it too.
        price: None where unknown; a call under any cap is then refused.
        aliases: Other names the provider takes for it.
        skill: 0..1, declared, how often it answers well; None where nobody measured.
        retired: When the provider stopped, or will stop, serving it.
        source_url, as_of: Where sizes and capabilities were read, and when.
    """

    provider: str
    model: str
    endpoints: tuple[str, ...]
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    rate_limits: RateLimits = RateLimits()
    price: Price | None = None
    aliases: tuple[str, ...] = ()
    skill: float | None = None
    released: date | None = None
    retired: date | None = None
    source_url: str = ""
    as_of: date | None = None

    @property
    def id(self) -> str:
        """The full model id, `provider:model`."""
        return f"{self.provider}:{self.model}"


def split_model_id(model_id: str) -> tuple[str, str]:
    """
    Split `provider:model` at its first colon; model names may hold further colons and slashes.

    Raises:
        InvalidRequestError: No colon, or nothing before or behind it.
    """
    provider, colon, model = model_id.partition(":")
    if not (colon and provider and model):
        raise InvalidRequestError(f"{model_id!r} is no model id; write provider:model, as in openai:gpt-5-mini.")
    return provider, model
