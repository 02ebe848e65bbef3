"""A token bucket and a breaker for the call ring, so that what is measured is what a host would run. Never installed."""

from __future__ import annotations

import pingpong as pp
from attrs import define
from pingpong.hookspecs import hookimpl

CAPACITY_TOKENS = 1e9


@define
class Bucket:
    """Tokens that come back with time, held before an attempt and settled after it."""

    clock: pp.Clock
    level: float = CAPACITY_TOKENS
    at_s: float = 0.0

    async def before(self, info: pp.Reservation) -> None:
        """Hold the request's tokens."""
        now_s = self.clock.monotonic_s()
        self.level = min(CAPACITY_TOKENS, self.level + (now_s - self.at_s) * 1e6)
        self.at_s = now_s
        if self.level < info.input_tokens:
            raise pp.RateLimited("There are no tokens left.")
        self.level -= info.input_tokens

    def after(self, info: pp.Reservation, attempt: pp.Attempt, response: pp.Response | None) -> None:
        """Settle by what was used."""
        used = attempt.usage.input_tokens if attempt.usage else 0
        self.level += info.input_tokens - used


@define
class Breaker:
    """Opens after five failures in a row."""

    clock: pp.Clock
    failures: int = 0

    async def before(self, info: pp.Reservation) -> None:
        """Refuse while open."""
        if self.failures >= 5:
            raise pp.Overloaded("The breaker is open.")

    def after(self, info: pp.Reservation, attempt: pp.Attempt, response: pp.Response | None) -> None:
        """Count."""
        self.failures = 0 if attempt.status == "success" else self.failures + 1


@hookimpl
def pingpong_middleware() -> list[pp.MiddlewareRecord]:
    """Both of them."""
    return [
        pp.MiddlewareRecord(name="bucket", ring="call", slot="limits", factory=f"{__name__}:Bucket", waits=False),
        pp.MiddlewareRecord(name="breaker", ring="call", slot="breaker", factory=f"{__name__}:Breaker", waits=False),
    ]
