"""Which endpoint of a model serves a request, and what becomes of options it cannot carry."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pingpong as pp
import pytest
from attrs import evolve
from pingpong import Capability as C
from pingpong.testing import (
    FAKE_ENDPOINTS,
    FAKE_RECORDS,
    FakeClock,
    FakeTransport,
    factory_path,
    fake_card,
    fake_driver,
    fake_plugin,
)

pytestmark = pytest.mark.anyio

ALL = frozenset(C)


def client_for(
    endpoints: Mapping[str, Collection[C]], order: Sequence[str] | None = None, can: Collection[C] = ALL, **options: Any
) -> tuple[pp.Client, FakeTransport]:
    """A client of one model whose chat endpoints carry these capabilities; the card lists them in `order`."""
    chat = FAKE_ENDPOINTS[0]
    records = [
        evolve(FAKE_RECORDS[0], name=name, capabilities=frozenset(carried), provider_options=frozenset({f"{name}_option"}))
        for name, carried in endpoints.items()
    ]
    made = tuple(evolve(chat, record=record) for record in records)

    def factory(record: pp.DriverRecord, options: pp.DriverOptions, env: Mapping[str, str]) -> pp.Driver:
        return evolve(fake_driver(record, options, env), endpoints=made)

    card = fake_card(endpoints=tuple(order or endpoints), capabilities=frozenset(can))
    record = pp.DriverRecord(
        name="fake", factory=factory_path(factory), cards=(card,), endpoints=tuple(records), env_vars=("FAKE_KEY",)
    )
    transport = FakeTransport()
    registry = pp.Registry(found=[fake_plugin("drivers", drivers=[record])])
    seams: dict[str, Any] = {"env": {"FAKE_KEY": "k"}, "clock": FakeClock(), "seed": 1, **options}
    return pp.Client(registry=registry, transport=transport, **seams), transport


async def used(client: pp.Client, request: pp.Request | str = "hi", **options: Any) -> str:
    return (await client.complete(request, model="fake:small", **options)).attempts[0].endpoint


async def test_the_cards_order_decides() -> None:
    """The first endpoint of the card that can serve is used, whatever the driver's order."""
    endpoints = {"one": ALL, "two": ALL}
    assert await used(client_for(endpoints)[0]) == "one"
    assert await used(client_for(endpoints, ["two", "one"])[0]) == "two"


async def test_an_endpoint_the_driver_lacks_is_passed_over() -> None:
    """A card may name an endpoint that this version of the driver does not have."""
    assert await used(client_for({"one": ALL}, ["newer", "one"])[0]) == "one"


@pytest.mark.parametrize(
    "options",
    [
        {"tools": [pp.Tool("clock")]},
        {"output_schema": pp.OutputSchema({"type": "object"})},
        {"temperature": 0.0},
        {"top_p": 1.0},
        {"top_k": 1},
        {"seed": 0},
        {"presence_penalty": 0.0},
        {"frequency_penalty": 0.0},
        {"reasoning_effort": "low"},
        {"reasoning_budget_tokens": 0},
        {"parallel_tool_calls": False},
        {"tool_choice": pp.ToolChoice("auto")},
        {"stop": "x"},
    ],
)
async def test_an_option_leads_to_the_endpoint_that_carries_it(options: Any) -> None:
    """An endpoint that cannot honour what is asked is passed over, also where the value is 0 or False."""
    assert await used(client_for({"one": (), "two": ALL})[0], **options) == "two"


async def test_streaming_and_content_lead_to_the_endpoint_that_carries_them() -> None:
    """So do streaming and the parts of messages."""
    client, _ = client_for({"one": (), "two": ALL})
    outcome = await client.stream("hi", model="fake:small").outcome()
    assert outcome.attempts[0].endpoint == "two"
    image = pp.Request([pp.user((pp.Text("see"), pp.Image(url="https://x.test/a.png")))])
    assert await used(client, image) == "two"


async def test_the_card_must_be_able_too() -> None:
    """What the wire carries helps nothing where the model cannot do it."""
    client, transport = client_for({"one": ALL}, can=ALL - {C.tools})
    with pytest.raises(pp.UnsupportedCapability, match="fake:small cannot do this: tools") as caught:
        await client.complete("hi", model="fake:small", tools=[pp.Tool("clock")])
    assert (caught.value.provider, caught.value.model) == ("fake", "small")
    assert transport.requests == []


async def test_what_no_endpoint_carries_is_listed() -> None:
    """Everything that is missing is named at once, content before options."""
    client, _ = client_for({"one": {C.temperature}})
    with pytest.raises(pp.UnsupportedCapability, match=r"json_schema, tools\."):
        await client.complete(
            "hi", model="fake:small", tools=[pp.Tool("t")], output_schema=pp.OutputSchema({}), seed=1, temperature=0.1
        )
    with pytest.raises(pp.UnsupportedCapability, match="cannot do this: streaming"):
        await client.stream("hi", model="fake:small").outcome()


async def test_an_option_nobody_takes_is_refused_by_name() -> None:
    """The options that are in the way are named, with the way out; those that would pass are not."""
    client, transport = client_for({"one": {C.temperature}})
    with pytest.raises(pp.UnsupportedParameter, match=r'does not take seed, stop; leave it out, or set on_unsupported="drop"'):
        await client.complete("hi", model="fake:small", temperature=0.5, seed=1, stop="x")
    assert transport.requests == []


async def test_dropped_options_are_reported_and_not_sent() -> None:
    """With `drop` the request goes without them, and the outcome lists them, streamed or not."""
    client, transport = client_for({"one": {C.temperature, C.streaming}})
    options: dict[str, Any] = {"temperature": 0.5, "seed": 1, "stop": "x", "on_unsupported": "drop"}
    whole = await client.complete("hi", model="fake:small", **options)
    streamed = await client.stream("hi", model="fake:small", **options).outcome()
    assert set(whole.dropped) == set(streamed.dropped) == {"seed", "stop"}
    for _, wire in transport.requests:
        sent = json.loads(wire.body)["request"]
        assert (sent["temperature"], sent["seed"], sent["stop"]) == (0.5, None, [])


async def test_dropping_prefers_the_endpoint_that_drops_nothing() -> None:
    """An endpoint further down that honours all is used before one that would drop."""
    client, _ = client_for({"one": {C.temperature}, "two": ALL})
    outcome = await client.complete("hi", model="fake:small", seed=1, on_unsupported="drop")
    assert (outcome.attempts[0].endpoint, outcome.dropped) == ("two", ())


async def test_content_is_never_dropped() -> None:
    """`drop` is for options; tools and pictures are refused all the same."""
    client, _ = client_for({"one": ()})
    with pytest.raises(pp.UnsupportedCapability, match="tools"):
        await client.complete("hi", model="fake:small", tools=[pp.Tool("t")], on_unsupported="drop")


async def test_an_endpoint_can_be_pinned() -> None:
    """`provider_options` of the driver may name the endpoint; the others are then not considered."""
    client, _ = client_for({"one": ALL, "two": ()})
    assert await used(client, provider_options={"fake": {"endpoint": "two"}}) == "two"
    with pytest.raises(pp.UnsupportedParameter, match="seed"):
        await used(client, provider_options={"fake": {"endpoint": "two"}}, seed=1)
    with pytest.raises(pp.UnsupportedCapability, match="no endpoint 'three'"):
        await used(client, provider_options={"fake": {"endpoint": "three"}})


async def test_provider_options_are_checked_by_the_endpoint_that_serves() -> None:
    """A name that it does not take is refused with those it takes, and so are options for a driver that is not there."""
    client, _ = client_for({"one": ALL})
    assert await used(client, provider_options={"fake": {"one_option": 1}}) == "one"
    with pytest.raises(pp.UnsupportedParameter, match="provider_options names other, which is no driver here"):
        await used(client, provider_options={"other": {"x": 1}})
    with pytest.raises(pp.UnsupportedParameter, match="one of fake takes no provider option 'flavor'; it takes one_option"):
        await used(client, provider_options={"fake": {"flavor": 1}})


async def test_a_model_that_cannot_chat_says_so() -> None:
    """A model of embeddings only has no chat endpoint."""
    client, _ = client_for({"one": ALL}, ["embed"])
    with pytest.raises(pp.UnsupportedCapability, match="fake:small has no chat endpoint"):
        await used(client)
