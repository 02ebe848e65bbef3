"""Embeddings and token counts: attempts like any other, of one named model."""

from __future__ import annotations

from decimal import Decimal

import pingpong as pp
import pytest
from pingpong.testing import FakeClock, FakeTransport, Silence, fake_card, fake_client

pytestmark = pytest.mark.anyio


async def test_embed_gives_vectors_and_an_entry() -> None:
    """Texts become vectors in order; the attempt is in the ledger with its exact cost and whose it was."""
    transport = FakeTransport()
    client = fake_client(transport)
    request = pp.EmbedRequest(["a", "bcd"], model="fake:small", tenant="t", user="u", tags={"k": "v"})
    response = await client.embed(request)
    assert response.vectors == ((1.0, 1.0), (3.0, 1.0))
    reservation, entry = client.ledger.entries
    assert isinstance(entry, pp.Attempt)
    assert (entry.status, entry.endpoint, entry.model, entry.usage) == ("success", "embed", "fake:small", response.usage)
    assert entry.cost_usd == Decimal("0.00001")
    assert (entry.tenant, entry.user, entry.tags) == ("t", "u", {"k": "v"})
    assert reservation.held_usd == Decimal(sum(map(pp.estimate_text_tokens, request.inputs))) / 10**6
    assert transport.requests[0][1].headers["authorization"] == "Bearer fake-secret"


async def test_embed_takes_a_string_or_a_request_with_changes() -> None:
    """A string is one input; keywords change a request."""
    client = fake_client()
    assert (await client.embed("abc", model="fake:small")).vectors == ((3.0, 1.0),)
    assert (await client.embed(pp.EmbedRequest("ab"), model="fake:small", dimensions=2)).vectors == ((2.0, 1.0),)


async def test_count_tokens_is_free_and_an_entry() -> None:
    """The provider's count is given; the entry costs nothing and has no usage."""
    client = fake_client()
    assert (await client.count_tokens("hi", model="fake:small")).input_tokens == 10
    entry = client.ledger.entries[-1]
    assert isinstance(entry, pp.Attempt)
    assert (entry.status, entry.endpoint, entry.usage, entry.cost_usd) == ("success", "count", None, Decimal(0))


@pytest.mark.parametrize("operation", ["embed", "count_tokens"])
async def test_a_model_has_to_be_named(operation: str) -> None:
    """Neither is routed, so no model is the caller's error."""
    with pytest.raises(pp.InvalidRequestError, match=f"{operation} needs a model"):
        await getattr(fake_client(), operation)("hi")


@pytest.mark.parametrize("operation", ["embed", "count_tokens"])
async def test_a_model_without_the_endpoint_is_refused(operation: str) -> None:
    """A model that cannot do it says so; no request leaves, nothing is held."""
    transport = FakeTransport()
    client = fake_client(transport, cards=[fake_card(endpoints=("chat",))])
    with pytest.raises(pp.UnsupportedCapability, match=f"fake:small has no endpoint to {operation}") as caught:
        await getattr(client, operation)("hi", model="fake:small")
    assert (caught.value.provider, caught.value.attempts) == ("fake", ())
    assert transport.requests == []
    assert client.ledger.entries == []


@pytest.mark.parametrize("operation", ["embed", "count_tokens"])
async def test_both_are_retried_as_a_call_is(operation: str) -> None:
    """A failure that may pass is tried once more after the provider's wait; both attempts are entries."""
    client = fake_client(FakeTransport({"fake:small": [pp.RateLimited("x", retry_after_s=3), "ok"]}))
    await getattr(client, operation)("hi", model="fake:small")
    assert client.clock.naps == [3.0]
    attempts = [e for e in client.ledger.entries if isinstance(e, pp.Attempt)]
    assert [(a.number, a.status, a.error_kind) for a in attempts] == [(1, "failed", "rate_limited"), (2, "success", None)]


@pytest.mark.parametrize("operation", ["embed", "count_tokens"])
async def test_a_failure_carries_attempts_and_decision(operation: str) -> None:
    """What failed is on the error, as for a call."""
    client = fake_client(FakeTransport({"fake:small": [pp.InvalidRequestError("no")]}))
    with pytest.raises(pp.InvalidRequestError) as caught:
        await getattr(client, operation)("hi", model="fake:small")
    assert [a.error_kind for a in caught.value.attempts] == ["invalid_request"]
    assert caught.value.decision is not None
    assert caught.value.decision.plan == pp.Call("fake:small")
    assert (caught.value.provider, caught.value.model) == ("fake", "small")


@pytest.mark.parametrize("operation", ["embed", "count_tokens"])
async def test_a_silent_provider_ends_at_the_deadline(operation: str) -> None:
    """The total time bounds these too."""
    clock = FakeClock()
    client = fake_client(FakeTransport({"fake:small": [Silence()]}, clock), clock=clock)
    with pytest.raises(pp.DeadlineExceeded):
        await getattr(client, operation)("hi", model="fake:small", timeout_s=4)
    assert clock.monotonic_s() == 4


async def test_an_alias_is_resolved() -> None:
    """An alias embeds as its model."""
    client = fake_client(cards=[fake_card("fake:v-1", aliases=("v",))])
    assert (await client.embed("hi", model="fake:v")).model == "v-1"


@pytest.mark.parametrize("inputs", [(), ("\ud800",)])
async def test_inputs_no_provider_could_take_are_refused(inputs: tuple[str, ...]) -> None:
    """No input, or text that is not Unicode, is the caller's error before anything is sent."""
    transport = FakeTransport()
    with pytest.raises(pp.InvalidRequestError):
        await fake_client(transport).embed(pp.EmbedRequest(inputs, model="fake:small"))
    assert transport.requests == []


async def test_a_count_checks_its_request() -> None:
    """An empty prompt is refused here too."""
    with pytest.raises(pp.InvalidRequestError, match="empty"):
        await fake_client().count_tokens(" ", model="fake:small")
