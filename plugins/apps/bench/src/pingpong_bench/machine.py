"""What a figure depends on: the machine and the versions of what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class Machine:
    """
    Where it was measured.

    Attributes:
        cores: Those that this process may use.
        load: Processes that ran or waited, over the minute before the run; None where the system does not tell.
        versions: By distribution; only those that are installed.
    """

    python: str
    platform: str
    processor: str
    cores: int
    load: float | None = None
    versions: dict[str, str]

    def __str__(self) -> str:
        load = "" if self.load is None else f", load {self.load:.1f}"
        return f"{self.python} on {self.platform}, {self.processor}, {self.cores} core{'s' * (self.cores != 1)}{load}"


def machine_of(distributions: Iterable[str]) -> Machine:
    """This machine, with the versions of these distributions."""
    return Machine(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        versions={name: found for name in distributions if (found := _version(name))},
    )


def _version(distribution: str) -> str:
    with suppress(PackageNotFoundError):
        return version(distribution)
    return ""


def _processor() -> str:
    """Its name as Linux tells it, else as the platform module does."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
