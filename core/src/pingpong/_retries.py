"""The kernel's own retry policy: full jitter, the provider's Retry-After, never past the deadline (adr/0007)."""

from __future__ import annotations

from attrs import frozen

from pingpong._errors import PingPongError, QuotaExhausted, RateLimited


@frozen
class FullJitter:
    """
    Wait a random time below an exponential cap before the same model is tried again.

    Attributes:
        base_s: First cap after a failure, seconds.
        rate_limited_base_s: First cap after a 429, seconds.
        cap_s: No cap is larger, seconds.

    Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: full jitter finishes the work with
    the fewest calls; the figures are those of AWS's SDKs.
    """

    base_s: float = 0.05
    rate_limited_base_s: float = 1.0
    cap_s: float = 20.0

    def next(self, attempts: int, error: PingPongError, *, left_s: float, draw: float) -> float | None:
        """Seconds to wait, or None: not retryable, or the wait would outlive the deadline."""
        if not error.retryable or isinstance(error, QuotaExhausted):
            return None
        base = self.rate_limited_base_s if isinstance(error, RateLimited) else self.base_s
        wait_s = draw * min(self.cap_s, base * 2.0 ** min(attempts - 1, 60))
        if error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)
        return wait_s if wait_s < left_s else None
