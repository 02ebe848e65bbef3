"""Which endpoint of a model serves a request. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from attrs import frozen

from pingpong._cards import Card
from pingpong._drivers import AnyEndpoint, Driver, EndpointRecord, Operation
from pingpong._errors import UnsupportedCapability, UnsupportedParameter
from pingpong._requests import OPTION_NEEDS, Capability, Request, content_needs, options_set, without_options
from pingpong._wire import Transport


@frozen
class Target:
    """A model that can be called: its card, its driver and the way there."""

    card: Card
    driver: Driver
    transport: Transport


@frozen
class Choice:
    """The endpoint, the request as it will be sent there, and the options that were left out."""

    endpoint: Any
    request: Request
    dropped: tuple[str, ...] = ()


def endpoints_of(target: Target, operation: Operation) -> list[AnyEndpoint]:
    """The driver's endpoints for an operation that serve this card; the card's order, then the driver's."""
    order = {name: i for i, name in enumerate(target.card.endpoints)}
    found = [e for e in target.driver.endpoints if e.record.operation == operation and e.record.name in order]
    return sorted(found, key=lambda e: order[e.record.name])


def choose_endpoint(target: Target, request: Request, *, is_stream: bool) -> Choice:
    """
    The first chat endpoint of the card's order that can serve the request, or the one that it pins.

    Raises:
        UnsupportedCapability: No endpoint carries what the content needs.
        UnsupportedParameter: An option that none of those honours, or a name the driver does not know.
    """
    card, own_options = target.card, request.provider_options.get(target.driver.name, {})
    pinned = own_options.get("endpoint")
    needs = content_needs(request) | ({Capability.streaming} if is_stream else set())
    found = [e for e in endpoints_of(target, "chat") if pinned in (None, e.record.name)]
    if not found:
        what = f"endpoint {pinned!r}" if pinned else "chat endpoint"
        raise UnsupportedCapability(f"{card.id} has no {what}.", provider=card.provider, model=card.model)
    able = [e for e in found if needs <= e.record.capabilities and needs <= card.capabilities]
    if not able:
        best = found[0].record.capabilities & card.capabilities
        missing = ", ".join(sorted(needs - best))
        message = f"{card.id} cannot do this: {missing}. Choose a model with it (pingpong models), or leave it out."
        raise UnsupportedCapability(message, provider=card.provider, model=card.model)
    options = options_set(request)
    lacking = [tuple(o for o in options if OPTION_NEEDS[o] not in e.record.capabilities & card.capabilities) for e in able]
    endpoint, lacks = min(zip(able, lacking, strict=True), key=lambda pair: len(pair[1]) > 0)
    if lacks and request.on_unsupported == "raise":
        message = f'{card.id} does not take {", ".join(lacks)}; leave it out, or set on_unsupported="drop".'
        raise UnsupportedParameter(message, provider=card.provider, model=card.model)
    _check_provider_options(card, endpoint.record, own_options)
    return Choice(endpoint, without_options(request, lacks) if lacks else request, lacks)


def _check_provider_options(card: Card, record: EndpointRecord, options: Any) -> None:
    for name in options:
        if name != "endpoint" and name not in record.provider_options:
            near = get_close_matches(name, record.provider_options, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            message = f"{record.name} of {card.provider} takes no provider option {name!r}{hint}"
            raise UnsupportedParameter(message, provider=card.provider, model=card.model)
