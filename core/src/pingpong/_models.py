"""The table of models: cards of every driver, what keeps one from being called, and the way to each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from attrs import define, field, frozen

from pingpong._cards import Card, split_model_id
from pingpong._clock import Clock
from pingpong._config import Config
from pingpong._drivers import Driver, DriverOptions, DriverRecord
from pingpong._endpoints import Target
from pingpong._errors import ConfigError, InvalidRequestError, PingPongError, PluginError, UnknownModelError
from pingpong._json import from_json
from pingpong._outcomes import State
from pingpong._registry import Registry
from pingpong._wire import Transport


@frozen(kw_only=True)
class TransportContext:
    """What a transport's factory is given. `drivers` gives every driver, made on first use."""

    clock: Clock
    seed: int
    options: Mapping[str, Any]
    cards: tuple[Card, ...]
    drivers: Callable[[], tuple[Driver, ...]]


def cards_of(record: DriverRecord) -> tuple[Card, ...]:
    """
    The cards a driver ships, read without importing its class.

    Raises:
        PluginError: They are missing or malformed.
    """
    if not isinstance(record.cards, str):
        return record.cards
    from importlib.resources import files

    package, _, name = record.cards.partition(":")
    try:
        data = json.loads(files(package).joinpath(name).read_bytes())
        return tuple(from_json(tuple[Card, ...], data["cards"]))
    except (OSError, ValueError, KeyError, TypeError, ImportError, InvalidRequestError) as exc:
        raise PluginError(f"The cards {record.cards} of driver {record.name!r} cannot be read: {exc}") from exc


@define(eq=False)
class Models:
    """Every model of one client. `problems` tells of drivers that are broken."""

    registry: Registry
    config: Config
    env: Mapping[str, str]
    transport: Callable[[], Transport]
    may_simulate: bool
    is_simulated: bool = False
    cards: tuple[Card, ...] = ()
    problems: list[PingPongError] = field(factory=list)
    _by_id: dict[str, Card] = field(factory=dict)
    _drivers: dict[str, Driver] = field(factory=dict)
    _targets: dict[str, Target] = field(factory=dict)
    _states: dict[date, State] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.is_simulated = self.may_simulate and self._wants_simulator()
        cards: list[Card] = []
        for record in self.registry.records("drivers").values():
            try:
                cards += cards_of(record)
            except PluginError as error:
                self.problems.append(error)
        order = {name: i for i, name in enumerate(self.config.models)}
        self.cards = tuple(sorted(cards, key=lambda c: order.get(c.id, len(order))))
        for card in reversed(self.cards):
            self._by_id |= {f"{card.provider}:{alias}": card for alias in card.aliases}
        self._by_id |= {card.id: card for card in self.cards}
        for name in self.config.models:
            self.card(name)

    def _wants_simulator(self) -> bool:
        is_installed = any(r.is_simulator for r in self.registry.records("transports").values())
        if self.config.simulate and not is_installed:
            raise ConfigError("simulate is set, but no simulator is installed; install pingpong-simulator.")
        if self.config.simulate is not None:
            return self.config.simulate
        return is_installed and not any(self.has_key(r) for r in self.registry.records("drivers").values())

    def card(self, model_id: str) -> Card:
        """The card of a full model id or alias. Raises `UnknownModelError` with the nearest names."""
        provider, _ = split_model_id(model_id)
        if model_id in self._by_id:
            return self._by_id[model_id]
        from difflib import get_close_matches

        near = get_close_matches(model_id, self._by_id, 3)
        known = sorted(self.registry.records("drivers"))
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known providers: {', '.join(known) or 'none'}."
        raise UnknownModelError(f"There is no model {model_id!r}. {hint} `pingpong models` lists all.", provider=provider)

    def target(self, model_id: str) -> Target:
        """The way to a model; its driver is imported here, on first use."""
        if model_id not in self._targets:
            card = self.card(model_id)
            try:
                self._targets[model_id] = Target(card, self.driver(card.provider), self.transport())
            except PingPongError as error:
                error.provider, error.model = card.provider, card.model
                raise
        return self._targets[model_id]

    def driver(self, name: str) -> Driver:
        """A driver by name, made with its options. Raises `ConfigError` for a wrong option, `PluginError` if it breaks."""
        if name not in self._drivers:
            record: DriverRecord = self.registry.record("drivers", name)
            factory = self.registry.resolve("drivers", name, record.factory)
            try:
                self._drivers[name] = factory(record, self._options(record), self.env)
            except PingPongError:
                raise
            except Exception as exc:
                raise PluginError(f"Driver {name!r} cannot be made: {type(exc).__name__}: {exc}") from exc
        return self._drivers[name]

    def drivers(self) -> tuple[Driver, ...]:
        """Every driver that has cards and can be made; the others are added to `problems`."""
        made: list[Driver] = []
        for name in dict.fromkeys(c.provider for c in self.cards):
            try:
                made.append(self.driver(name))
            except PluginError as error:
                self.problems.append(error)
        return tuple(made)

    def _options(self, record: DriverRecord) -> DriverOptions:
        cls = self.registry.resolve("drivers", record.name, record.options)
        try:
            options: DriverOptions = from_json(cls, dict(self.config.drivers.get(record.name, {})))
        except InvalidRequestError as exc:
            raise ConfigError(f"{self.config.path or 'configuration'}: [drivers.{record.name}]: {exc}") from exc
        return options

    def has_key(self, record: DriverRecord) -> bool:
        """Whether a key seems to be at hand, told without importing the driver."""
        table = self.config.drivers.get(record.name, {})
        return bool(table.get("api_key") or table.get("api_key_file")) or any(
            self.env.get(v, "").strip() for v in record.env_vars
        )

    def state(self, today: date) -> State:
        """Why models cannot be called, as far as this process knows."""
        if today not in self._states:
            reasons = {c.id: reason for c in self.cards if (reason := self._why_not(c, today))}
            self._states = {today: State(unavailable=reasons)}
        return self._states[today]

    def _why_not(self, card: Card, today: date) -> str | None:
        record: DriverRecord = self.registry.record("drivers", card.provider)
        chat = {e.name for e in record.endpoints if e.operation == "chat"}
        if self.config.models and card.id not in self.config.models:
            return "not among the configured models"
        if not chat & set(card.endpoints):
            return "does not chat"
        if card.retired is not None and card.retired <= today:
            return f"retired on {card.retired.isoformat()}"
        if not self.is_simulated and not self.has_key(record):
            return f"no key: set {' or '.join(record.env_vars) or 'one'}"
        return None
