"""What the distribution declares."""

from __future__ import annotations

from importlib.metadata import entry_points

from pingpong import Registry
from pingpong.hookspecs import GROUP


def test_every_record_can_be_made() -> None:
    """The installed entry point brings records with a help line, whose factories work without parameters."""
    registry = Registry(found=entry_points(group=GROUP, name="truncators"))
    for kind in ("truncators",):
        records = registry.records(kind)
        assert records
        assert all(record.help for record in records.values())
        assert all(registry.resolve(kind, name, record.factory)() is not None for name, record in records.items())
