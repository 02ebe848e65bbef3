"""What is measured, and how large: calls at three levels of concurrency, a streamed burst and paced streams. Pure."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from pingpong_bench.payloads import n_events


@frozen(kw_only=True)
class Size:
    """
    How much is measured.

    Attributes:
        rounds: Interleaved rounds; medians are over them.
        calls: Calls a round, for each level of concurrency.
        burst_streams, burst_words: Streams a round, one after the other, and their length.
        paced_streams, paced_words: Streams a round, all at once, and their length.
        interval_ms: Between two events of a paced stream.
        kernel_calls: Calls a round over the fake transport.
        listed_drivers: Driver distributions that are laid out to be listed, with 20 cards each.
    """

    rounds: int = 9
    calls: tuple[tuple[int, int], ...] = ((1, 400), (32, 320), (100, 400))
    burst_streams: int = 10
    burst_words: int = 500
    paced_streams: int = 50
    paced_words: int = 100
    interval_ms: float = 10.0
    kernel_calls: int = 1000
    listed_drivers: int = 25


FULL = Size()

QUICK = Size(
    rounds=2,
    calls=((1, 4), (32, 32), (100, 100)),
    burst_streams=1,
    burst_words=20,
    paced_streams=4,
    paced_words=5,
    interval_ms=2.0,
    kernel_calls=20,
)
"""Shows that everything runs. Its figures say nothing: connections and caches are still cold."""


@frozen(kw_only=True)
class Scenario:
    """
    One way to be called.

    Attributes:
        path: Below the server's address: the base URL of the provider.
        n: Calls or streams a round, so many at a time.
        events: Events of one stream; 1 for a call.
        words: What a stream says; 0 for a call.
        interval_ms: Between two events of a stream; 0 where they come at once.
    """

    name: str
    title: str
    kind: Literal["call", "stream"]
    path: str
    n: int
    concurrency: int
    events: int = 1
    words: int = 0
    interval_ms: float = 0.0

    @property
    def unit(self) -> str:
        """What the CPU time is divided by."""
        return "call" if self.kind == "call" else "event"


def scenarios(size: Size) -> tuple[Scenario, ...]:
    """All of them, in the order they are shown."""
    calls = [
        Scenario(name=f"call-{c}", title=f"{c} call{'s' * (c > 1)}", kind="call", path="/v1", n=n, concurrency=c)
        for c, n in size.calls
    ]
    burst = Scenario(
        name="burst",
        title="burst",
        kind="stream",
        path="/v1",
        n=size.burst_streams,
        concurrency=1,
        events=n_events(size.burst_words),
        words=size.burst_words,
    )
    paced = Scenario(
        name="paced",
        title="paced",
        kind="stream",
        path="/paced/v1",
        n=size.paced_streams,
        concurrency=size.paced_streams,
        events=n_events(size.paced_words),
        words=size.paced_words,
        interval_ms=size.interval_ms,
    )
    return (*calls, burst, paced)
