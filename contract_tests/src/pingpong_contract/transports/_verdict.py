"""What a check is, and how it says what broke; knows no transport and no server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from pingpong_contract.transports._lab import Lab


class Broken(AssertionError):
    """A rule does not hold: in which case, what was expected, what was seen."""

    def __init__(self, case: str, *, expected: object, seen: object) -> None:
        super().__init__(f"case: {case}\nexpected: {_text(expected)}\nseen: {_text(seen)}")


def _text(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 600 else f"{text[:600]}… ({len(text)} characters)"


def expect(case: str, *, expected: object, seen: object) -> None:
    """Equality, or `Broken`."""
    if expected != seen:
        raise Broken(case, expected=expected, seen=seen)


def expect_that(holds: bool, case: str, *, expected: object, seen: object) -> None:
    """Anything else that must hold, or `Broken`."""
    if not holds:
        raise Broken(case, expected=expected, seen=seen)


@frozen
class Check:
    """
    One rule and how to try it.

    Attributes:
        id: Stable: `T-deadline-head`.
        rule: One sentence.
        bound_s: Longest time it may take; reached only where a transport hangs.
    """

    id: str
    rule: str
    run: Callable[[Lab], Awaitable[None]]
    bound_s: float


def check(check_id: str, *, bound_s: float = 30.0) -> Callable[[Callable[[Lab], Awaitable[None]]], Check]:
    """Make a check of a function; its docstring is the rule."""

    def make(run: Callable[[Lab], Awaitable[None]]) -> Check:
        return Check(check_id, " ".join((run.__doc__ or "").split()), run, bound_s)

    return make
