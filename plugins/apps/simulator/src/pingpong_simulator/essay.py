"""
An answer to an open prompt: advice that holds for most such prompts, and that says of itself that it is simulated. Pure.

It claims nothing of the subject beyond what is written here and true.
"""

from __future__ import annotations

import re
from random import Random

_OPENINGS = (
    "This is a simulated answer: no model was asked, and the advice below is general.",
    "Please note that this answer is simulated; it was put together without a model, from general advice.",
    "(Simulated answer, written without a model. What follows is general advice.)",
)
_ON_SUBJECT = {
    r"rate[- ]?limit": (
        "A token bucket allows bursts up to its size and a steady rate beyond that; a sliding window counts what came lately.",
        "Key the limit by API key or account rather than by address alone, since many users can share one address.",
        "Answer 429 with a Retry-After header when a limit is reached, so that clients know when to come back.",
        "With several servers, keep the counters in one shared store, changed atomically, or each server grants the limit anew.",
    ),
    r"cach(?:e|ing)": (
        "Give every cached value a time to live, and decide what happens when it is stale.",
        "Build the key from all that the value depends on, or one caller may see what belongs to another.",
        "When a popular value expires, let one caller rebuild it while the others wait or take the old one.",
    ),
    r"\bqueue|\bworker|\bjob": (
        "Make each job safe to run twice, since most queues deliver at least once.",
        "Bound the queue and say what happens when it is full; a queue without a bound only hides the overload.",
        "Put jobs that keep failing aside where someone looks at them.",
    ),
    r"\bdatabase|\bsql\b|\bschema": (
        "Write down the questions that the data must answer before choosing tables and indexes.",
        "Let the database hold the rules it can hold: keys, uniqueness, and what must not be null.",
        "Measure with data of a realistic size; small tables make every plan look fast.",
    ),
    r"\btest": (
        "Test what callers can see rather than how it is done, so that tests survive a change inside.",
        "Begin a fix with a test that fails for the right reason.",
        "Keep clock, chance and network out of tests by handing them in.",
    ),
    r"\bapi\b|\bendpoint|\bservice": (
        "Say in the contract which errors a caller can act on, and how.",
        "Put a limit on the size of everything that comes in.",
        "Let a caller repeat a request safely, by an idempotency key where it changes something.",
    ),
}  # fmt: skip
_ON_ANYTHING = (
    "Say in one sentence what should be true when this is done; everything else is measured against it.",
    "List what is fixed (time, money, people, what exists already) apart from what may still be chosen.",
    "Start with the smallest version that someone can use, and look at how it is used before adding to it.",
    "Write down the two or three ways it could fail that would hurt most, and how each would be noticed.",
    "Compare at least two approaches by the same few criteria, and note why the other one was left.",
    "Decide beforehand how you will tell that it works: a figure, a test, or a person who says so.",
    "Keep the steps that cannot be undone for last, and try them on a copy first.",
)
_CLOSINGS = (
    "With a provider's key in the environment, a real model answers this instead.",
    "Set a provider's key to have a real model answer in place of the simulator.",
)
_MAX_POINTS = 6


def essay(prompt: str, draw: Random) -> str:
    """A short answer in numbered points, those on the prompt's subject first."""
    points: list[str] = []
    for pattern, lines in _ON_SUBJECT.items():
        if re.search(pattern, prompt, re.I):
            points += lines
    points = points[: _MAX_POINTS - 2]
    points += draw.sample(_ON_ANYTHING, _MAX_POINTS - len(points))
    numbered = "\n".join(f"{i}. {point}" for i, point in enumerate(points, 1))
    return f"{draw.choice(_OPENINGS)}\n\n{numbered}\n\n{draw.choice(_CLOSINGS)}"
