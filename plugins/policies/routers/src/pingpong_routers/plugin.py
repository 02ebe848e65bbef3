"""What this distribution brings, by name."""

from __future__ import annotations

from pingpong import PolicyRecord
from pingpong.hookspecs import hookimpl


@hookimpl
def pingpong_routers() -> list[PolicyRecord]:
    """Three ways to choose."""
    return [
        PolicyRecord(
            name="cheapest",
            factory="pingpong_routers.cheapest:Cheapest",
            help="The models that can cost least for this request, the next one on error.",
        ),
        PolicyRecord(
            name="fallback",
            factory="pingpong_routers.preference:FallbackRouter",
            help="Your models in order of preference, one of each provider first, the next one on error.",
        ),
        PolicyRecord(
            name="ensemble",
            factory="pingpong_routers.preference:EnsembleRouter",
            help="Several models at once, of different providers where there are any; the majority's answer.",
        ),
    ]


@hookimpl
def pingpong_fusers() -> list[PolicyRecord]:
    """One way to make one answer of several."""
    return [
        PolicyRecord(
            name="majority",
            factory="pingpong_routers.majority:Majority",
            help="The answer most models agree on, else the one closest to the others.",
        )
    ]
