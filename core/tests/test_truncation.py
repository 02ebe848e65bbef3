"""The truncate slot: a request that does not fit its model is made to fit by the truncator it names."""

from __future__ import annotations

from typing import Any

import pingpong as pp
import pytest
from attrs import evolve, frozen
from pingpong.testing import FakeClient, FakeTransport, factory_path, fake_card, fake_client, fake_plugin

pytestmark = pytest.mark.anyio

LONG = "word " * 20
"""About 40 tokens by the estimate, more than the small card's room."""

SMALL = fake_card(context_tokens=60, max_output_tokens=30)
CONVERSATION = [pp.user(LONG), pp.assistant(LONG), pp.user("and now?")]


@frozen
class DropOldest:
    """Drops messages from the front until the rest fits."""

    seen: list[Any]

    def step(self, request: pp.Request, limit_tokens: int, count: pp.CountTokens, answers: Any) -> pp.Truncation:
        self.seen.append((limit_tokens, count(request)))
        for n in range(1, len(request.messages)):
            shorter = evolve(request, messages=request.messages[n:])
            if count(shorter) <= limit_tokens:
                return pp.Truncation(request=shorter, dropped=tuple(range(n)))
        raise pp.CannotFit("The last message alone does not fit.")


@frozen
class Summarise:
    """Asks a model for a summary of everything."""

    def step(self, request: pp.Request, limit_tokens: int, count: pp.CountTokens, answers: Any) -> Any:
        return pp.Ask(request, pp.Call("fake:small"))


def client_for(seen: list[Any], transport: FakeTransport | None = None, card: pp.Card = SMALL, **options: Any) -> FakeClient:
    records = [
        pp.PolicyRecord(name="oldest", factory=factory_path(lambda: DropOldest(seen))),
        pp.PolicyRecord(name="summarise", factory=factory_path(Summarise)),
    ]
    return fake_client(transport, cards=[card], plugins=[fake_plugin("t", truncators=records)], **options)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_messages_are_left_out_and_reported(is_stream: bool) -> None:
    """What is sent fits; the outcome says which messages are gone; the reservation counts what is sent."""
    seen: list[Any] = []
    transport = FakeTransport()
    client = client_for(seen, transport)
    request = pp.Request(CONVERSATION, model="fake:small", truncator="oldest")
    outcome = await (client.stream(request).outcome() if is_stream else client.complete(request))
    assert outcome.truncated == (0, 1)
    assert seen == [(30, sum(pp.estimate_text_tokens(m.text) for m in CONVERSATION))]
    assert b"word" not in transport.requests[0][1].body
    reservation = client.ledger.entries[0]
    assert isinstance(reservation, pp.Reservation)
    assert reservation.input_tokens == pp.estimate_text_tokens("and now?")


async def test_the_output_asked_for_is_left_free() -> None:
    """`max_output_tokens` of the request, not the card's, decides the room for input."""
    seen: list[Any] = []
    request = pp.Request(CONVERSATION, model="fake:small", truncator="oldest", max_output_tokens=10)
    await client_for(seen).complete(request)
    assert seen[0][0] == 50


@pytest.mark.parametrize(
    ("card", "request_"),
    [
        (SMALL, pp.Request("short", model="fake:small", truncator="oldest")),
        (evolve(SMALL, context_tokens=None), pp.Request(CONVERSATION, model="fake:small", truncator="oldest")),
        (SMALL, pp.Request(CONVERSATION, model="fake:small")),
    ],
)
async def test_what_fits_or_names_no_truncator_is_sent_as_it_is(card: pp.Card, request_: pp.Request) -> None:
    """A request that fits, a model of unknown size, and a request without truncator are left alone."""
    seen: list[Any] = []
    outcome = await client_for(seen, card=card).complete(request_)
    assert (seen, outcome.truncated) == ([], ())


async def test_what_cannot_fit_is_refused_before_it_is_sent() -> None:
    """The truncator's refusal is the attempt's error."""
    transport = FakeTransport()
    with pytest.raises(pp.CannotFit, match="alone") as caught:
        await client_for([], transport).complete("word " * 90, model="fake:small", truncator="oldest")
    assert [a.status for a in caught.value.attempts] == ["refused"]
    assert transport.requests == []


async def test_an_unknown_truncator_is_a_configuration_error() -> None:
    """The nearest name is suggested."""
    with pytest.raises(pp.ConfigError, match="'oldest'"):
        await client_for([]).complete("word " * 90, model="fake:small", truncator="oldst")


async def test_a_truncator_asks_only_what_the_plan_allows() -> None:
    """A question that no plan names would break the cost bounds, so it is the plugin's fault."""
    with pytest.raises(pp.PluginError, match="'summarise' asks for what the plan did not allow"):
        await client_for([]).complete("word " * 90, model="fake:small", truncator="summarise")


async def test_the_configurations_truncator_serves_every_request() -> None:
    """A truncator of the configuration is used where the request names none."""
    client = client_for([], config=pp.Config(truncator="oldest"))
    assert (await client.complete(pp.Request(CONVERSATION, model="fake:small"))).truncated == (0, 1)
