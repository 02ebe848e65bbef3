"""
The hooks a plugin may implement, all in the entry-point group `pingpong`.

A plugin is a module with functions of these names, marked with `hookimpl`. Hooks are synchronous, run once at
start-up, do no I/O, and return frozen records that name their factory as `"package.module:attribute"`.
pluggy finds plugins; it never carries a request (adr/0003).
"""

from __future__ import annotations

import pluggy

from pingpong._drivers import DriverRecord

hookspec = pluggy.HookspecMarker("pingpong")
hookimpl = pluggy.HookimplMarker("pingpong")


@hookspec
def pingpong_drivers() -> list[DriverRecord]:  # type: ignore[empty-body]  # a specification has no body
    """Drivers this plugin brings."""
