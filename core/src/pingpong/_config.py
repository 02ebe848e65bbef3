"""Configuration: one TOML file, the environment, or keyword arguments; checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve, field, fields_dict, frozen

from pingpong._credentials import Secret
from pingpong._errors import ConfigError, InvalidRequestError
from pingpong._json import from_json
from pingpong._requests import cap_usd

FILE_NAME = "pingpong.toml"
T = TypeVar("T")
Tables = Mapping[str, Mapping[str, Any]]


@frozen(kw_only=True)
class PluginFilter:
    """Which plugins may be imported, by plugin or distribution name; None allows all."""

    allow: tuple[str, ...] | None = None
    block: tuple[str, ...] = ()


def _sealed(tables: Tables) -> Tables:
    """The drivers' tables with every key in them as a secret; headers are the caller's own to keep from print."""
    return {
        name: {k: Secret(v) if k == "api_key" and v and isinstance(v, str) else v for k, v in table.items()}
        for name, table in tables.items()
    }


@frozen(kw_only=True)
class Config:
    """
    How a client behaves where a request does not say.

    Attributes:
        strategy: A router by name.
        models: Full ids of the models that may be called, in order of preference; empty allows every card.
        timeout_s: Total time for one request, seconds.
        max_cost_usd: Cap over all attempts of one request, US dollars.
        simulate: True for the simulator, False for never; None simulates when no key is found.
        validators, truncator: As in `Request`.
        drivers, routers, fusers, middleware: One table per plugin, checked against its options.
        transport: `TransportOptions`, which HTTP transport among them.
        simulator: Options of the simulator.
        path: The file it was read from, "" for none.
    """

    strategy: str = "fallback"
    models: tuple[str, ...] = ()
    timeout_s: float = 120.0
    max_cost_usd: Decimal | None = field(default=None, converter=cap_usd)
    simulate: bool | None = None
    validators: tuple[str, ...] = ()
    truncator: str | None = None
    plugins: PluginFilter = PluginFilter()
    drivers: Tables = field(factory=dict, converter=_sealed, repr=False)
    routers: Tables = field(factory=dict)
    fusers: Tables = field(factory=dict)
    middleware: Tables = field(factory=dict, repr=False)
    transport: Mapping[str, Any] = field(factory=dict, repr=False)
    simulator: Mapping[str, Any] = field(factory=dict)
    path: str = ""

    def options(self, cls: type[T], section: str, table: Mapping[str, Any]) -> T:
        """A plugin's options out of its table. Raises `ConfigError` with the file and the section."""
        try:
            options: T = from_json(cls, dict(table))
        except InvalidRequestError as exc:
            raise ConfigError(f"{self.path or 'configuration'}: [{section}]: {exc}") from exc
        return options


def config_from_table(table: Mapping[str, Any], path: str) -> Config:
    """
    A configuration out of parsed TOML.

    Raises:
        ConfigError: Names the file, the key path and the nearest known key.
    """
    from difflib import get_close_matches

    unknown = [k for k in table if k not in fields_dict(Config) or k == "path"]
    if unknown:
        near = get_close_matches(unknown[0], [*fields_dict(Config)], 1)
        raise ConfigError(f"{path}: {unknown[0]} is no setting{f'; did you mean {near[0]}?' if near else '.'}")
    try:
        config: Config = from_json(Config, {**table, "path": path})
    except InvalidRequestError as exc:
        raise ConfigError(f"{path}: {exc}. See the configuration reference for what each key takes.") from exc
    if not config.timeout_s > 0:
        raise ConfigError(f"{path}: timeout_s must be a number of seconds above 0, not {config.timeout_s}.")
    return config


def config_from_file(path: Path) -> Config:
    """Read a TOML file. Raises `ConfigError` where it cannot be read or is wrong."""
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: the configuration cannot be read ({exc.strerror}).") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: this is not TOML: {exc}.") from exc
    return config_from_table(table, str(path))


def find_config(env: Mapping[str, str], folder: Path) -> Config:
    """What `PINGPONG_CONFIG` names, or the nearest `pingpong.toml` from `folder` upwards; changed by the environment."""
    named = env.get("PINGPONG_CONFIG")
    paths = [Path(named)] if named else [p for f in (folder, *folder.parents) if (p := f / FILE_NAME).is_file()]
    config = config_from_file(paths[0]) if paths else Config()
    changes: dict[str, Any] = {}
    for name in ("strategy", "timeout_s", "max_cost_usd", "simulate", "truncator"):
        if text := env.get(f"PINGPONG_{name.upper()}"):
            changes[name] = _value(name, text)
    if models := env.get("PINGPONG_MODELS"):
        changes["models"] = tuple(m.strip() for m in models.split(",") if m.strip())
    if transport := env.get("PINGPONG_TRANSPORT"):
        changes["transport"] = {**config.transport, "name": transport}
    return evolve(config, **changes)


def _value(name: str, text: str) -> Any:
    try:
        if name == "timeout_s":
            return float(text)
        if name == "max_cost_usd":
            return from_json(Decimal, text)
        return {"1": True, "true": True, "0": False, "false": False}[text.lower()] if name == "simulate" else text
    except (InvalidRequestError, ValueError, KeyError) as exc:
        raise ConfigError(f"The environment variable PINGPONG_{name.upper()} is {text!r}, which it cannot be.") from exc
