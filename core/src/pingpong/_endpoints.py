"""Which endpoint of a model serves a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from pingpong._cards import Card
from pingpong._drivers import Driver, EndpointRecord, Operation
from pingpong._errors import InvalidRequestError, UnsupportedCapability, UnsupportedParameter
from pingpong._messages import Opaque
from pingpong._requests import OPTION_NEEDS, Capability, Request, content_needs, needs_of, options_set, without_options
from pingpong._wire import Transport


@frozen
class Served:
    """One endpoint of a model, with what both of them carry."""

    endpoint: Any
    carried: frozenset[Capability]


@frozen
class Target:
    """A model that can be called: its card, its driver, the way there, and its endpoints in the card's order of preference."""

    card: Card
    driver: Driver
    transport: Transport
    served: Mapping[Operation, tuple[Served, ...]] = field(init=False, repr=False)

    @served.default
    def _served(self) -> Mapping[Operation, tuple[Served, ...]]:
        by_name = {e.record.name: e for e in self.driver.endpoints}
        served: dict[Operation, tuple[Served, ...]] = {}
        for endpoint in (by_name[name] for name in self.card.endpoints if name in by_name):
            record = endpoint.record
            one = Served(endpoint, record.capabilities & self.card.capabilities)
            served[record.operation] = (*served.get(record.operation, ()), one)
        return served

    def endpoints(self, operation: Operation) -> tuple[Served, ...]:
        """Those that do this."""
        return self.served.get(operation, ())


@frozen
class Choice:
    """The endpoint, the request as it will be sent there, and the options that were left out."""

    endpoint: Any
    request: Any
    dropped: tuple[str, ...] = ()


def choose_endpoint(target: Target, operation: Operation, request: Any, *, is_stream: bool) -> Choice:
    """
    The first endpoint of the card's order that can serve the request, or the chat endpoint that it pins.

    Raises:
        UnsupportedCapability: No endpoint carries what the content needs.
        UnsupportedParameter: An option that none of those honours, or a name the driver does not know.
    """
    if operation != "chat":
        if not (served := target.endpoints(operation)):
            raise UnsupportedCapability(f"{target.card.id} has no endpoint to {operation}.", provider=target.card.provider)
        return Choice(served[0].endpoint, request)
    own = request.provider_options.get(target.driver.name, {})
    pinned = own.get("endpoint")
    chat = target.endpoints("chat")
    if pinned is not None:
        chat = tuple(s for s in chat if s.endpoint.record.name == pinned)
    needs = needs_of(request, is_stream=is_stream)
    able = [s for s in chat if needs <= s.carried]
    if not able:
        raise _refusal(target.card, chat, request, needs, pinned)
    foreign = {p.provider for m in request.messages for p in m.parts if isinstance(p, Opaque)} - {target.driver.name}
    if foreign:
        request = _without_foreign(target.card, request, foreign)
    if own:
        _check_provider_options(target.card, able[0].endpoint.record, own)
    if request.on_unsupported == "raise":
        return Choice(able[0].endpoint, request)
    gone = tuple(f"parts of {name}" for name in sorted(foreign))
    lacking = [tuple(o for o in options_set(request) if OPTION_NEEDS[o] not in s.carried) for s in able]
    lacks = min(lacking, key=bool)
    return Choice(able[lacking.index(lacks)].endpoint, without_options(request, lacks), (*lacks, *gone))


def _without_foreign(card: Card, request: Request, foreign: set[str]) -> Request:
    """The request without the parts that only other providers understand, where the caller lets them be dropped."""
    if request.on_unsupported == "raise":
        message = (
            f"The messages hold parts that only {' and '.join(sorted(foreign))} understands and {card.id} does not; "
            'leave them out, or set on_unsupported="drop".'
        )
        raise UnsupportedParameter(message, provider=card.provider, model=card.model)
    kept = [
        evolve(m, parts=tuple(p for p in m.parts if not (isinstance(p, Opaque) and p.provider in foreign)))
        for m in request.messages
    ]
    return evolve(request, messages=tuple(m for m in kept if m.parts))


def _refusal(
    card: Card, chat: Sequence[Served], request: Request, needs: frozenset[Capability], pinned: str | None
) -> InvalidRequestError:
    where: dict[str, Any] = {"provider": card.provider, "model": card.model}
    if not chat:
        what = f"endpoint {pinned!r}" if pinned else "chat endpoint"
        return UnsupportedCapability(f"{card.id} has no {what}.", **where)
    content = content_needs(request) | (needs & {Capability.streaming})
    best = next((s.carried for s in chat if content <= s.carried), None)
    if best is None:
        missing = ", ".join(sorted(content - chat[0].carried))
        message = f"{card.id} cannot do this: {missing}. Choose a model with it (pingpong models), or leave it out."
        return UnsupportedCapability(message, **where)
    options = ", ".join(o for o in options_set(request) if OPTION_NEEDS[o] not in best)
    message = f'{card.id} does not take {options}; leave it out, or set on_unsupported="drop".'
    return UnsupportedParameter(message, **where)


def _check_provider_options(card: Card, record: EndpointRecord, options: Mapping[str, Any]) -> None:
    for name in options:
        if name != "endpoint" and name not in record.provider_options:
            known = ", ".join(sorted(record.provider_options)) or "none"
            message = f"{record.name} of {card.provider} takes no provider option {name!r}; it takes {known}."
            raise UnsupportedParameter(message, provider=card.provider, model=card.model)
