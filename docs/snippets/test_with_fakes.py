"""A test of your own code, without a network, a key or a wait."""

import anyio
from pingpong import RateLimited
from pingpong.testing import FakeTransport, fake_client


async def ask_twice_at_most() -> tuple[str, list[str]]:
    """The answer, and what became of each attempt."""
    transport = FakeTransport({"fake:small": [RateLimited("slow down"), "hello"]})
    async with fake_client(transport) as client:
        outcome = await client.complete("hi", model="fake:small")
    return outcome.text, [attempt.status for attempt in outcome.attempts]


def test_a_rate_limit_is_tried_again() -> None:
    """The second attempt answers."""
    assert anyio.run(ask_twice_at_most) == ("hello", ["failed", "success"])
