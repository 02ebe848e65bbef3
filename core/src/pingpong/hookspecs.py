"""
The hooks a plugin may implement, all in the entry-point group `pingpong`.

A plugin is a module with functions of these names, marked with `hookimpl`. Hooks are synchronous, run once at
start-up, do no I/O, and return frozen records that name their factory as `"package.module:attribute"`.
pluggy finds plugins; it never carries a request (adr/0003).
"""
# mypy: disable-error-code="empty-body"
# Specifications have no body: pluggy reads their names and arguments only.

from __future__ import annotations

import pluggy

from pingpong._drivers import DriverRecord
from pingpong._policies import CommandRecord, MiddlewareRecord, PolicyRecord, SignalRecord, StoreRecord, TransportRecord

GROUP = "pingpong"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def pingpong_drivers() -> list[DriverRecord]:
    """Drivers: model providers. Names are the provider part of model ids."""


@hookspec
def pingpong_routers() -> list[PolicyRecord]:
    """Routers; their factories return a `Router`. Names are what users give as a strategy."""


@hookspec
def pingpong_validators() -> list[PolicyRecord]:
    """Validators and detectors; their factories return a `Validator`."""


@hookspec
def pingpong_truncators() -> list[PolicyRecord]:
    """Truncators; their factories return a `Truncator`."""


@hookspec
def pingpong_fusers() -> list[PolicyRecord]:
    """Fusers for ensembles; their factories return a `Fuser`."""


@hookspec
def pingpong_signals() -> list[SignalRecord]:
    """Pure extractors of what a router may want to know of a request."""


@hookspec
def pingpong_middleware() -> list[MiddlewareRecord]:
    """Middleware, each naming its ring and slot."""


@hookspec
def pingpong_stores() -> list[StoreRecord]:
    """Stores of journals, counters and blobs."""


@hookspec
def pingpong_transports() -> list[TransportRecord]:
    """Transports that may take the place of the default one."""


@hookspec
def pingpong_commands() -> list[CommandRecord]:
    """Commands of the command line."""
