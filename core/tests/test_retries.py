"""The kernel's own retry policy: bounds of the wait, the provider's word, the deadline."""

from __future__ import annotations

import math

import pingpong as pp
import pytest
from hypothesis import given
from hypothesis import strategies as st

retryable = st.sampled_from([pp.ServerError, pp.Overloaded, pp.ConnectionFailed, pp.StreamTruncated, pp.ProviderTimeout])
draws = st.floats(0, 1, exclude_max=True)
counts = st.integers(1, 50)


@given(retryable, counts, draws)
def test_the_wait_is_below_an_exponential_cap(error: type[pp.PingPongError], attempts: int, draw: float) -> None:
    """A wait is the draw's share of a cap that doubles each time, up to 20 s."""
    wait_s = pp.FullJitter().next(attempts, error("x"), left_s=math.inf, draw=draw)
    assert wait_s is not None
    assert 0 <= wait_s <= min(20.0, 0.05 * 2.0 ** (attempts - 1))


@given(counts, draws)
def test_the_wait_never_falls_with_the_attempts(attempts: int, draw: float) -> None:
    """For one draw, the next wait is as long at least."""
    policy, error = pp.FullJitter(), pp.ServerError("x")
    waits = [policy.next(n, error, left_s=math.inf, draw=draw) for n in (attempts, attempts + 1)]
    assert waits[0] is not None
    assert waits[1] is not None
    assert waits[0] <= waits[1]


@given(draws)
def test_a_rate_limit_waits_longer(draw: float) -> None:
    """After a 429 the first cap is a second instead of 50 ms."""
    policy = pp.FullJitter()
    assert policy.next(1, pp.RateLimited("x"), left_s=99, draw=draw) == draw
    assert policy.next(1, pp.ServerError("x"), left_s=99, draw=draw) == draw * 0.05


@given(retryable, counts, draws, st.floats(0, 100))
def test_no_wait_is_shorter_than_the_provider_asks(error: type[pp.PingPongError], n: int, draw: float, asked_s: float) -> None:
    """`retry_after_s` is the least wait, beyond the cap too."""
    wait_s = pp.FullJitter().next(n, error("x", retry_after_s=asked_s), left_s=math.inf, draw=draw)
    assert wait_s is not None
    assert wait_s >= asked_s


@given(retryable, counts, draws, st.floats(0, 30), st.none() | st.floats(0, 100))
def test_no_wait_outlives_the_deadline(
    error: type[pp.PingPongError], n: int, draw: float, left_s: float, asked_s: float | None
) -> None:
    """Where the wait would use up all that is left, there is no further attempt."""
    wait_s = pp.FullJitter().next(n, error("x", retry_after_s=asked_s), left_s=left_s, draw=draw)
    assert wait_s is None or wait_s < left_s


@pytest.mark.parametrize(
    "error",
    [
        pp.InvalidRequestError("x"),
        pp.AuthenticationError("x"),
        pp.QuotaExhausted("x"),
        pp.QuotaExhausted("x", retryable=True, retry_after_s=1),
        pp.BudgetExceeded("x"),
        pp.DeadlineExceeded("x"),
        pp.PluginError("x"),
        pp.ServerError("x", retryable=False),
    ],
)
def test_what_cannot_pass_is_not_tried_again(error: pp.PingPongError) -> None:
    """Neither the caller's faults, nor limits of ours, nor an empty account get a second attempt."""
    assert pp.FullJitter().next(1, error, left_s=math.inf, draw=0.0) is None


def test_many_attempts_do_not_overflow() -> None:
    """The cap holds for any number of attempts."""
    assert pp.FullJitter().next(10_000, pp.ServerError("x"), left_s=math.inf, draw=0.5) == 10.0
