"""Money, time and model answers as text for people. Pure."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

_CONTROLS = {i: "\ufffd" for i in (*range(32), *range(127, 160)) if chr(i) not in "\t\n"}


def usd_text(amount: Decimal | None) -> str:
    """US dollars, rounded up, for display only: two digits from a dollar on, four from a cent on, else six."""
    if amount is None:
        return "unknown"
    if not amount:
        return "$0"
    step = Decimal("0.01") if amount >= 1 else Decimal("0.0001") if amount >= Decimal("0.01") else Decimal("0.000001")
    return f"${amount.quantize(step, ROUND_CEILING):,f}"


def exact_usd(amount: Decimal | None) -> str:
    """US dollars, every digit."""
    return "unknown" if amount is None else f"${amount.normalize() + 0:f}"


def time_text(ms: float | None) -> str:
    """Milliseconds below a second, else seconds; "" for None."""
    if ms is None:
        return ""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def count_text(count: int | None) -> str:
    """A number with separators; "" for None."""
    return "" if count is None else f"{count:,}"


def harmless(text: str) -> str:
    """Text for a terminal: control characters, which could move the cursor or change its colours, are replaced."""
    return text.translate(_CONTROLS)
