"""The clock as a seam: core and middleware read time here and nowhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, given to whoever needs it."""

    def monotonic_s(self) -> float:
        """Seconds since some fixed moment; never goes back. Deadlines and durations count in it."""

    def utc_now(self) -> datetime:
        """The time of day, with zone UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a cancellation point even for 0."""

    def deadline(self, at_s: float) -> AbstractContextManager[None]:
        """
        Cancel what runs inside once `monotonic_s()` reaches `at_s`.

        Raises:
            DeadlineExceeded: On leaving, if that happened.
        """
