"""The table of models: cards of every driver, what keeps one from being called, and the way to each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from attrs import define, field, frozen

from pingpong._cards import Card, split_model_id
from pingpong._clock import Clock
from pingpong._drivers import Driver, DriverRecord
from pingpong._endpoints import Target
from pingpong._errors import ConfigError, InvalidRequestError, PingPongError, PluginError, UnknownModelError, blamed
from pingpong._http import TransportOptions
from pingpong._json import from_json
from pingpong._outcomes import State
from pingpong._plugins import Plugins
from pingpong._policies import TransportRecord
from pingpong._wire import Transport

# The one plugin that is taken without being named: what else is installed never decides who sends.
_FASTEST = "aiohttp"


@frozen(kw_only=True)
class TransportContext:
    """
    What a transport's factory is given.

    Attributes:
        transport: What `[transport]` says.
        options: For the simulator, its own table.
        drivers: Gives every driver, made on first use.
    """

    clock: Clock
    seed: int
    transport: TransportOptions
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
    """
    Every model of one client, and the way to each.

    Attributes:
        seed: For the simulator.
        given: The transport to use instead of the configured one; whoever gave it closes it.
        http_client: A host's own client for the default transport.
        problems: What is wrong with drivers that are broken.
    """

    plugins: Plugins
    env: Mapping[str, str]
    seed: int
    given: Transport | None
    http_client: Any
    is_simulated: bool = False
    cards: tuple[Card, ...] = ()
    problems: list[PingPongError] = field(factory=list)
    _by_id: dict[str, Card] = field(factory=dict)
    _drivers: dict[str, Driver] = field(factory=dict)
    _targets: dict[str, Target] = field(factory=dict)
    _states: dict[date, State] = field(factory=dict)
    _opened: Transport | None = None

    def __attrs_post_init__(self) -> None:
        self.is_simulated = self.given is None and self.http_client is None and self._wants_simulator()
        cards: list[Card] = []
        for record in self._records("drivers").values():
            try:
                cards += cards_of(record)
            except PluginError as error:
                self.problems.append(error)
        listed = self.plugins.config.models
        order = {name: i for i, name in enumerate(listed)}
        self.cards = tuple(sorted(cards, key=lambda c: order.get(c.id, len(order))))
        for card in reversed(self.cards):
            self._by_id |= {f"{card.provider}:{alias}": card for alias in card.aliases}
        self._by_id |= {card.id: card for card in self.cards}
        if self.plugins.config.transport:
            self._transport_options()
        try:
            for name in listed:
                self.card(name)
        except InvalidRequestError as exc:
            raise ConfigError(f"{self.plugins.config.path or 'configuration'}: models: {exc}") from exc

    def _records(self, kind: str) -> Mapping[str, Any]:
        return self.plugins.registry.records(kind)

    def _wants_simulator(self) -> bool:
        is_wanted = self.plugins.config.simulate
        is_installed = any(r.is_simulator for r in self._records("transports").values())
        if is_wanted and not is_installed:
            raise ConfigError("simulate is set, but no simulator is installed; install pingpong-simulator.")
        if is_wanted is not None:
            return is_wanted
        return is_installed and not any(self.has_key(r) for r in self._records("drivers").values())

    def card(self, model_id: str) -> Card:
        """The card of a full model id or alias. Raises `UnknownModelError` with the nearest names."""
        if model_id in self._by_id:
            return self._by_id[model_id]
        provider, _ = split_model_id(model_id)
        from difflib import get_close_matches

        near = get_close_matches(model_id, self._by_id, 3)
        known = sorted(self._records("drivers"))
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known providers: {', '.join(known) or 'none'}."
        raise UnknownModelError(f"There is no model {model_id!r}. {hint} `pingpong models` lists all.", provider=provider)

    def target(self, model_id: str) -> Target:
        """The way to a model; its driver is imported here, on first use."""
        if model_id not in self._targets:
            card = self.card(model_id)
            try:
                self._targets[model_id] = Target(card, self.driver(card.provider), self._transport())
            except PingPongError as error:
                error.provider, error.model = card.provider, card.model
                raise
        return self._targets[model_id]

    def driver(self, name: str) -> Driver:
        """A driver by name, made with its options. Raises `ConfigError` for a wrong option, `PluginError` if it breaks."""
        if name not in self._drivers:
            self._drivers[name] = self.plugins.driver(name, self.env)
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

    def _transport(self) -> Transport:
        if self.given is not None:
            return self.given
        if self._opened is None:
            from pingpong._transport import HttpxTransport

            options = self._transport_options()
            record = self._chosen(options.name)
            try:
                self._opened = self._made(record, options) if record else None
            except PingPongError as error:
                if options.name is not None or self.is_simulated:
                    raise
                self.problems.append(error)
            self._opened = self._opened or HttpxTransport(self.http_client, clock=self.plugins.clock, options=options)
        return self._opened

    def _chosen(self, name: str | None) -> TransportRecord | None:
        """The transport plugin to use, None for httpx. Raises `ConfigError` where the named one cannot be used here."""
        from pingpong._transport import backend_running

        records: Mapping[str, TransportRecord] = self._records("transports")
        if self.is_simulated:
            return next(r for r in records.values() if r.is_simulator)
        if self.http_client is not None or name == "httpx":
            return None
        backend = backend_running()
        if name is None:
            fastest = records.get(_FASTEST)
            return fastest if fastest is not None and backend in fastest.backends else None
        record: TransportRecord = self.plugins.registry.record("transports", name)
        if record.is_simulator or backend not in record.backends:
            fix = "set simulate = true instead" if record.is_simulator else "leave name out, or name httpx"
            where = self.plugins.config.path or "configuration"
            raise ConfigError(f"{where}: [transport]: {name} sends nothing on {backend or 'no event loop'}; {fix}.")
        return record

    def _made(self, record: TransportRecord, options: TransportOptions) -> Transport:
        plugins = self.plugins
        factory = plugins.registry.resolve("transports", record.name, record.factory)
        context = TransportContext(
            clock=plugins.clock, seed=self.seed, transport=options, options=plugins.config.simulator, cards=self.cards,
            drivers=self.drivers,
        )  # fmt: skip
        with blamed(f"The transport {record.name!r}"):
            transport: Transport = factory(context)
        return transport

    def _transport_options(self) -> TransportOptions:
        return self.plugins.config.options(TransportOptions, "transport", self.plugins.config.transport)

    async def aclose(self) -> None:
        """Close the transport that was opened here."""
        if self._opened is not None:
            await self._opened.aclose()

    def has_key(self, record: DriverRecord) -> bool:
        """Whether a key seems to be at hand, told without importing the driver."""
        table = self.plugins.config.drivers.get(record.name, {})
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
        record: DriverRecord = self.plugins.registry.record("drivers", card.provider)
        chat = {e.name for e in record.endpoints if e.operation == "chat"}
        listed = self.plugins.config.models
        if listed and card.id not in listed:
            return "not among the configured models"
        if not chat & set(card.endpoints):
            return "does not chat"
        if card.retired is not None and card.retired <= today:
            return f"retired on {card.retired.isoformat()}"
        if not self.is_simulated and not self.has_key(record):
            return f"no key: set {' or '.join(record.env_vars) or 'one'}"
        return None
