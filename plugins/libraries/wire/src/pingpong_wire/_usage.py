"""Token counts out of usage objects: one that is garbage makes the whole usage unknown, for half of it would be a wrong price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pingpong import Usage


def usage_or_none(wire: object, read: Callable[[Mapping[str, Any]], Usage]) -> Usage | None:
    """What `read` makes of a usage object; None where there is no object, or `read` met a value that is no count."""
    if not isinstance(wire, dict):
        return None
    try:
        return read(wire)
    except ValueError:
        return None


def count(fields: Mapping[str, Any], name: str) -> int:
    """
    A count that must be there, >= 0.

    Raises:
        ValueError: It is absent, negative or no integer; for `usage_or_none` to catch.
    """
    value = fields.get(name)
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is no count")
    return value


def count_or_zero(fields: object, name: str) -> int:
    """
    As `count`, but 0 where the count is absent or null, or `fields` no object.

    Raises:
        ValueError: As `count`.
    """
    return 0 if not isinstance(fields, dict) or fields.get(name) is None else count(fields, name)


def counts_or_zero(fields: object, names: tuple[str, ...]) -> list[int]:
    """
    As `count_or_zero`, for several counts of one object, in the order of their names.

    Raises:
        ValueError: As `count`.
    """
    if not isinstance(fields, dict):
        return [0] * len(names)
    counts: list[int] = []
    for name in names:
        value = fields.get(name)
        if value is None:
            value = 0
        elif type(value) is not int or value < 0:
            raise ValueError(f"{name} is no count")
        counts.append(value)
    return counts
