"""
The registry: finds plugins by entry point, loads each behind a fence, and hands out their records.

Discovery reads metadata only. A plugin's module is imported when records are first asked for; a blocked one never is.
What is broken is named with its distribution and version, and skipped (adr/0003).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

import pluggy
from attrs import evolve, field, frozen

from pingpong import hookspecs
from pingpong._errors import ConfigError, PluginError

# What plugins can bring, by hook.
KINDS: tuple[str, ...] = tuple(n.removeprefix("pingpong_") for n in vars(hookspecs) if n.startswith("pingpong_"))


Found = Mapping[str, list[Any]]


@frozen(kw_only=True)
class PluginStatus:
    """
    One plugin as it was found.

    Attributes:
        name: Its entry point's name.
        distribution, version: What installed it; "?" where metadata is broken.
        state: `blocked` plugins were not imported; `failed` ones are skipped, or some of their records are.
        reason: Why it is not `loaded`, and what to do.
        load_ms: CPU time of its import and hooks.
        records: Names of its records by kind.
    """

    name: str
    distribution: str
    version: str
    state: Literal["loaded", "failed", "blocked"] = "loaded"
    reason: str = ""
    load_ms: float = 0.0
    records: Mapping[str, tuple[str, ...]] = field(factory=dict)

    @property
    def origin(self) -> str:
        """`distribution version`, for messages."""
        return f"{self.distribution} {self.version}"


def _listed(text: str | None) -> frozenset[str]:
    return frozenset(n.strip() for n in (text or "").split(",") if n.strip())


class Registry:
    """
    The plugins of one client.

    Args:
        allow: Names of plugins or distributions to load, none others; None allows all.
        block: Names of plugins or distributions never to import.
        env: `PINGPONG_PLUGINS` (allow), `PINGPONG_DISABLE` (block), comma-separated, add to the arguments;
            `PINGPONG_STRICT_PLUGINS=1` makes a broken plugin fatal.
        found: Entry points instead of the installed ones.
    """

    def __init__(
        self,
        *,
        allow: Collection[str] | None = None,
        block: Collection[str] = (),
        env: Mapping[str, str] | None = None,
        found: Iterable[EntryPoint] | None = None,
    ) -> None:
        env = env or {}
        allowed = _listed(env.get("PINGPONG_PLUGINS"))
        self._allow = frozenset(allow) if allow is not None else allowed or None
        self._block = frozenset(block) | _listed(env.get("PINGPONG_DISABLE"))
        self._is_strict = env.get("PINGPONG_STRICT_PLUGINS") == "1"
        self._found = found
        self._plugins: list[PluginStatus] | None = None
        self._records: dict[str, dict[str, Any]] = {}
        self._origins: dict[tuple[str, str], str] = {}

    @property
    def plugins(self) -> tuple[PluginStatus, ...]:
        """Every plugin found, loaded or not, by name."""
        return tuple(self._loaded())

    def records(self, kind: str) -> Mapping[str, Any]:
        """The records of one of `KINDS`, by name, in the order of their plugins' names."""
        self._loaded()
        return self._records.get(kind, {})

    def record(self, kind: str, name: str) -> Any:
        """
        One record.

        Raises:
            ConfigError: No plugin brings it; the message suggests the nearest name and says what failed to load.
        """
        self._loaded()
        if name in self._records.get(kind, {}):
            return self._records[kind][name]
        known = sorted(self._records.get(kind, {}))
        from difflib import get_close_matches

        near = get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known) or 'none'}."
        broken = [f"{p.name} ({p.origin}) is {p.state}: {p.reason}" for p in self.plugins if p.state != "loaded"]
        raise ConfigError(f"There is no {kind.removesuffix('s')} named {name!r}.{hint} {' '.join(broken)}".strip())

    def resolve(self, kind: str, name: str, target: str) -> Any:
        """
        Import `package.module:attribute`, named by a record of this kind and name.

        Raises:
            PluginError: It cannot be imported; names the plugin's distribution and version.
        """
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (Exception, SystemExit) as exc:
            self._loaded()
            origin = self._origins.get((kind, name), "?")
            raise PluginError(f"{kind.removesuffix('s')} {name!r} of {origin}: cannot load {target}: {exc!r}.") from exc

    def _loaded(self) -> list[PluginStatus]:
        if self._plugins is None:
            points = entry_points(group=hookspecs.GROUP) if self._found is None else self._found
            manager = pluggy.PluginManager(hookspecs.GROUP)
            manager.add_hookspecs(hookspecs)
            unique = {(p.name, p.value): p for p in points}
            loaded = [self._load(manager, point) for _, point in sorted(unique.items())]
            self._plugins = self._kept(loaded)
            failed = [p for p in self._plugins if p.state == "failed"]
            if failed and self._is_strict:
                raise PluginError(" ".join(f"Plugin {p.name} of {p.origin}: {p.reason}" for p in failed))
        return self._plugins

    def _load(self, manager: pluggy.PluginManager, point: EntryPoint) -> tuple[PluginStatus, Found]:
        dist = point.dist
        status = PluginStatus(name=point.name, distribution=dist.name if dist else "?", version=dist.version if dist else "?")
        names = {status.name, status.distribution}
        if names & self._block:
            return evolve(status, state="blocked", reason="it is on the block list."), {}
        if self._allow is not None and not names & self._allow:
            return evolve(status, state="blocked", reason="it is not on the allow list."), {}
        started, key = time.process_time(), f"{point.name}={point.value}"
        try:
            module = point.load()
            manager.register(module, name=key)
            manager.check_pending()
            found = {kind: records for kind in KINDS if (records := _records_of(manager, module, kind))}
        except (Exception, SystemExit) as exc:
            if manager.has_plugin(key):
                manager.unregister(name=key)
            return evolve(status, state="failed", reason=f"{type(exc).__name__}: {exc}"), {}
        load_ms = (time.process_time() - started) * 1000
        names_of = {kind: tuple(r.name for r in records) for kind, records in found.items()}
        return evolve(status, load_ms=load_ms, records=names_of), found

    def _kept(self, loaded: list[tuple[PluginStatus, Found]]) -> list[PluginStatus]:
        """Keep the records, and refuse every name that two plugins claim, to both of them."""
        claims: dict[tuple[str, str], list[tuple[Any, PluginStatus]]] = {}
        for status, found in loaded:
            for kind, records in found.items():
                for record in records:
                    claims.setdefault((kind, record.name), []).append((record, status))
        reasons: dict[int, str] = {}
        for (kind, name), owners in claims.items():
            if len(owners) == 1:
                [(record, status)] = owners
                self._records.setdefault(kind, {})[name] = record
                self._origins[kind, name] = status.origin
                continue
            both = " and ".join(f"{status.name} ({status.origin})" for _, status in owners)
            text = f"{kind.removesuffix('s')} {name!r} is claimed by {both}; block or uninstall one."
            reasons |= {id(status): text for _, status in owners}
        statuses = [status for status, _ in loaded]
        return [evolve(p, state="failed", reason=reasons[id(p)]) if id(p) in reasons else p for p in statuses]


def _records_of(manager: pluggy.PluginManager, module: Any, kind: str) -> list[Any]:
    hook = getattr(manager.hook, f"pingpong_{kind}")
    records = [r for impl in hook.get_hookimpls() if impl.plugin is module for r in impl.function()]
    for record in records:
        if not isinstance(getattr(record, "name", None), str):
            raise TypeError(f"pingpong_{kind} returned {type(record).__name__}, not a record with a name")
    return records
