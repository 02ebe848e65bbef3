"""What a client is made of: objects of the installed plugins, made with the options that the configuration gives them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from attrs import frozen

from pingpong._clock import Clock
from pingpong._config import Config
from pingpong._errors import ConfigError, PingPongError, PluginError, blamed
from pingpong._registry import Registry


@frozen
class Plugins:
    """Makes what one client needs of its registry."""

    registry: Registry
    config: Config
    clock: Clock

    def make(self, kind: str, name: str, params: Mapping[str, Any]) -> Any:
        """A plugin's object by kind and name, its table first. Raises `ConfigError`: unknown name or parameters."""
        record = self.registry.record(kind, name)
        tables = getattr(self.config, kind, None)
        if isinstance(tables, Mapping):
            params = {**tables.get(name, {}), **params}
        factory = self.registry.resolve(kind, name, record.factory)
        plugin = f"The {kind.removesuffix('s')} {name!r}"
        try:
            with blamed(plugin, but=(TypeError, ValueError)):
                return factory(**params)
        except (TypeError, ValueError) as exc:
            where = f"{self.config.path}: [{kind}.{name}]: " if isinstance(tables, Mapping) and self.config.path else ""
            raise ConfigError(f"{where}{plugin} does not take these parameters: {exc}") from exc

    def check_tables(self) -> None:
        """Raise `ConfigError` for a table that no plugin reads, unless the plugin of that name is there and not loaded."""
        out = {p.name for p in self.registry.plugins if p.state != "loaded"}
        for kind in ("drivers", "routers", "fusers", "middleware"):
            for name in getattr(self.config, kind):
                if name not in self.registry.records(kind) and name not in out:
                    known = ", ".join(sorted(self.registry.records(kind))) or "none"
                    where = self.config.path or "configuration"
                    raise ConfigError(f"{where}: [{kind}.{name}] is read by no plugin; there are {known}.")

    def ring(self, ring: str, slots: Collection[str] = ("",)) -> tuple[Any, ...]:
        """The middleware in these slots of a ring, outermost first."""
        records = [r for r in self.registry.records("middleware").values() if r.ring == ring and r.slot in slots]
        ordered = sorted(records, key=lambda r: list(slots).index(r.slot))
        return tuple(self.make("middleware", r.name, {"clock": self.clock}) for r in ordered)

    def seat(self, ring: str) -> Any:
        """What fills a seat, None where nothing does. Raises `ConfigError` where two would."""
        names = [r.name for r in self.registry.records("middleware").values() if r.ring == ring]
        if len(names) > 1:
            raise ConfigError(f"{' and '.join(names)} both take the {ring} seat; block one of their plugins.")
        return next(iter(self.ring(ring)), None)

    def driver(self, name: str, env: Mapping[str, str]) -> Any:
        """A driver by name. Raises `ConfigError` for a wrong option, `PluginError` if it breaks."""
        record = self.registry.record("drivers", name)
        factory = self.registry.resolve("drivers", name, record.factory)
        options = self.registry.resolve("drivers", name, record.options)
        table = self.config.options(options, f"drivers.{name}", self.config.drivers.get(name, {}))
        try:
            return factory(record, table, env)
        except PingPongError:
            raise
        except Exception as exc:
            raise PluginError(f"Driver {name!r} cannot be made: {type(exc).__name__}: {exc}") from exc
