"""
What every transport is held to, in one line of a test file:

    TestContract = for_transport(lambda clock, options: MyTransport(clock=clock, options=options), backends=("asyncio",))

Each check opens transports of its own and speaks to scripted servers on 127.0.0.1. A failure names the check, the rule,
what was expected and what was seen. The checks `T-seen-…` need the extra `cassettes`; `PINGPONG_FULL=1` cancels ten times
as many calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from pingpong_contract.transports import (
    _bodies,
    _cancelling,
    _closing,
    _encodings,
    _failures,
    _limits,
    _requests,
    _reuse,
    _secure,
    _seen,
    _storms,
    _times,
)
from pingpong_contract.transports._lab import Maker, run_check
from pingpong_contract.transports._verdict import Check

__all__ = ["CHECKS", "Check", "Maker", "for_transport", "run_check"]

_MODULES = (_bodies, _cancelling, _closing, _encodings, _failures, _limits, _requests, _reuse, _secure, _seen, _storms, _times)

CHECKS: Mapping[str, Check] = {
    found.id: found for module in _MODULES for found in vars(module).values() if isinstance(found, Check)
}
"""Every check by its id."""


def for_transport(
    make: Maker, backends: Sequence[str] = ("asyncio", "trio"), *, left_out: Mapping[str, str] | None = None
) -> type:
    """
    A pytest class that tries every check on a transport; assign it to a name that begins with `Test`.

    Args:
        make: A new transport from a clock and options; called inside the event loop that it will run in.
        backends: The event loops that the transport runs on.
        left_out: By check id, why the transport does not keep this rule; a check on the list that passes fails.
    """
    reasons = dict(left_out or {})
    if unknown := reasons.keys() - CHECKS.keys():
        raise ValueError(f"left_out names no check: {', '.join(sorted(unknown))}")

    class TestTransport:
        """The contract of one transport."""

        @pytest.mark.parametrize("backend", backends)
        @pytest.mark.parametrize("check_id", CHECKS)
        def test_rule(self, check_id: str, backend: str) -> None:
            """The transport keeps the rule that the check names."""
            broken = ""
            try:
                run_check(CHECKS[check_id], make, backend)
            except AssertionError as failure:
                broken = str(failure)
            if broken and check_id in reasons:
                pytest.xfail(reasons[check_id])
            if broken:
                pytest.fail(broken, pytrace=False)
            if check_id in reasons:
                pytest.fail(f"{check_id} is left out ({reasons[check_id]}) but holds; take it off the list.", pytrace=False)

    return TestTransport
