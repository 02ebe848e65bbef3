"""The fakes keep their promises: what the tests of others stand on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import pingpong as pp
import pytest
from pingpong.testing import (
    Cut,
    FakeClock,
    FakeTransport,
    Reply,
    Silence,
    collect,
    factory_path,
    fake_card,
    fake_client,
    fake_plugin,
    fake_price,
    fake_registry,
    fake_response,
)

pytestmark = pytest.mark.anyio


async def test_the_clock_moves_only_when_somebody_sleeps() -> None:
    """A sleep is over at once, moves both times, and is remembered."""
    clock = FakeClock()
    await clock.sleep(0)
    assert clock.monotonic_s() == 0
    await clock.sleep(90)
    assert (clock.monotonic_s(), clock.utc_now(), clock.naps) == (90, clock.epoch + timedelta(seconds=90), [0, 90])
    assert clock.utc_now().tzinfo is not None


async def test_a_sleep_is_a_cancellation_point() -> None:
    """Also one of 0 seconds."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await FakeClock().sleep(0)
    assert scope.cancelled_caught


async def test_a_deadline_ends_the_sleep_that_passes_it() -> None:
    """Time stops at the deadline; what ends before it is left alone."""
    clock = FakeClock()
    with clock.deadline(10):
        await clock.sleep(4)
    with pytest.raises(pp.DeadlineExceeded), clock.deadline(10):
        await clock.sleep(float("inf"))
    assert clock.monotonic_s() == 10


async def test_the_nearest_of_nested_deadlines_ends_the_sleep() -> None:
    """Inner and outer ones each raise in their own place, and hold only inside their block."""
    clock = FakeClock()
    with clock.deadline(10):
        with pytest.raises(pp.DeadlineExceeded), clock.deadline(3):
            await clock.sleep(5)
        assert clock.monotonic_s() == 3
        await clock.sleep(2)
    with pytest.raises(pp.DeadlineExceeded), clock.deadline(6), clock.deadline(9):
        await clock.sleep(5)
    await clock.sleep(100)
    assert clock.monotonic_s() == 106


async def test_a_deadline_in_the_past_ends_the_next_sleep() -> None:
    """Time does not go back."""
    clock = FakeClock(now_s=10)
    with pytest.raises(pp.DeadlineExceeded), clock.deadline(3):
        await clock.sleep(0)
    assert clock.monotonic_s() == 10


async def test_an_unknown_model_echoes_its_prompt() -> None:
    """Without a script the answer is the last message's text, streamed too."""
    client = fake_client()
    request = [pp.user("one"), pp.assistant("two"), pp.user("three")]
    assert (await client.complete(pp.Request(request, model="fake:small"))).text == "three"
    assert (await client.stream(pp.Request(request, model="fake:small")).outcome()).text == "three"


async def test_replies_come_in_order_and_the_last_one_stays() -> None:
    """Text, response, error and function are all replies; each model has its own row."""
    script: dict[str, list[Reply]] = {
        "fake:small": ["one", fake_response("two", response_id="r2"), lambda r: r.messages[0].text.upper()],
        "fake:other": [pp.InvalidRequestError("no")],
    }
    transport = FakeTransport(script)
    client = fake_client(transport, cards=[fake_card(), fake_card("fake:other")])
    outcomes = [await client.complete("hi", model="fake:small") for _ in range(4)]
    assert [o.text for o in outcomes] == ["one", "two", "HI", "HI"]
    assert outcomes[1].response.response_id == "r2"
    with pytest.raises(pp.InvalidRequestError):
        await client.complete("hi", model="fake:other")
    assert [m for m, _ in transport.requests] == ["fake:small"] * 4 + ["fake:other"]


async def test_a_function_may_give_a_whole_response() -> None:
    """What a function returns is used as it is."""
    transport = FakeTransport({"fake:small": [lambda r: fake_response("x", finish_reason=pp.FinishReason.refusal)]})
    outcome = await fake_client(transport).complete("hi", model="fake:small")
    assert outcome.response.finish_reason is pp.FinishReason.refusal


@pytest.mark.parametrize(
    ("error", "cls", "status"),
    [
        (pp.InvalidRequestError("x"), pp.InvalidRequestError, 400),
        (pp.RateLimited("x", retry_after_s=2.5), pp.RateLimited, 429),
        (pp.ServerError("x"), pp.ServerError, 500),
        (pp.AuthenticationError("x"), pp.ServerError, 500),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_errors_go_over_the_wire(error: Any, cls: Any, status: int, is_stream: bool) -> None:
    """Caller's errors, rate limits with their wait, and all others as 500, are what the client maps back."""
    client = fake_client(FakeTransport({"fake:small": [error]}))
    request = pp.Request("hi", model="fake:small", timeout_s=1)
    with pytest.raises(pp.PingPongError) as caught:
        await (client.stream(request).outcome() if is_stream else client.complete(request))
    assert (type(caught.value), caught.value.status, caught.value.retry_after_s) == (cls, status, error.retry_after_s)


@pytest.mark.parametrize(("n_events", "kinds"), [(0, ["start", "error"]), (2, ["start", "text", "error"])])
async def test_a_cut_stream_has_no_end(n_events: int, kinds: list[str]) -> None:
    """`Cut` breaks off after so many events; not streamed it is the whole response."""
    client = fake_client(FakeTransport({"fake:small": [Cut(fake_response("hello"), n_events)]}))
    async with client.stream("hi", model="fake:small", timeout_s=0.001) as stream:
        events = await collect(stream)
    assert [e.kind for e in events] == kinds
    assert isinstance(events[-1], pp.StreamError)
    assert isinstance(events[-1].error, pp.StreamTruncated)
    assert (await client.complete("hi", model="fake:small")).text == "hello"


async def test_silence_lasts_until_the_deadline() -> None:
    """A reply that never comes waits on the given clock."""
    clock = FakeClock()
    client = fake_client(FakeTransport({"fake:small": [Silence()]}, clock), clock=clock)
    with pytest.raises(pp.DeadlineExceeded):
        await client.stream("hi", model="fake:small", timeout_s=33).outcome()
    assert clock.monotonic_s() == 33


async def test_open_streams_are_counted() -> None:
    """`n_open` is what a leak would leave above 0; closing twice counts once."""
    transport = FakeTransport()
    client = fake_client(transport)
    async with client.stream("hi", model="fake:small") as stream:
        await anext(stream)
        assert transport.n_open == 1
    assert transport.n_open == 0


async def test_every_response_survives_the_fake_wire() -> None:
    """The fake codec and dialect lose nothing: tool calls, reasoning, media, usage, ids."""
    parts = (
        pp.Reasoning("hm", pp.Opaque("fake", "{}")),
        pp.Text("漢字 \u2028"),
        pp.ToolCall("1", "clock", "{}"),
        pp.Image(data=b"\x00", media_type="image/png"),
    )
    usage = pp.Usage(uncached_input_tokens=1, cache_read_tokens=2, reasoning_tokens=3, other_units={"search": 1})
    answer = fake_response(parts=parts, usage=usage, response_id="r", finish_reason=pp.FinishReason.tool_calls)
    client = fake_client(FakeTransport({"fake:small": [answer]}))
    assert (await client.complete("hi", model="fake:small")).response == answer
    assert (await client.stream("hi", model="fake:small").outcome()).response == answer


def test_a_response_has_text_and_usage() -> None:
    """The default answer is whole; fields can be changed."""
    response = fake_response("x", model="m", provider="p", request_id="q")
    assert (response.text, response.provider, response.model, response.request_id) == ("x", "p", "m", "q")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (10, 5)


def test_cards_can_be_changed() -> None:
    """A fake card can do everything at a known price, unless told otherwise; model ids may hold colons."""
    card = fake_card("a:b:c", price=fake_price("3", "4"), skill=0.5)
    assert (card.id, card.provider, card.model, card.skill) == ("a:b:c", "a", "b:c", 0.5)
    assert card.capabilities == frozenset(pp.Capability)
    assert card.price == fake_price("3", "4")


def test_plugins_come_from_nowhere_but_the_test() -> None:
    """A fake registry has the drivers of its cards and the given plugins, and nothing installed."""
    record = pp.PolicyRecord(name="mine", factory=factory_path(dict))
    registry = fake_registry([fake_card("a:x"), fake_card("b:y"), fake_card("a:z")], [fake_plugin("p", routers=[record])])
    assert [p.name for p in registry.plugins] == ["fakes", "p"]
    drivers = registry.records("drivers")
    assert {name: [c.id for c in r.cards] for name, r in drivers.items()} == {"a": ["a:x", "a:z"], "b": ["b:y"]}
    assert registry.resolve("routers", "mine", record.factory) is dict


async def test_the_fake_transport_remembers_that_it_was_closed() -> None:
    """Closing is visible to the test."""
    transport = FakeTransport()
    await transport.aclose()
    assert transport.is_closed


async def test_a_garbled_answer_is_malformed() -> None:
    """A body that is no record is told as such by the fake codec, whole or streamed."""
    from pingpong.testing import FAKE_ENDPOINTS

    codec: Any = FAKE_ENDPOINTS[0].codec
    for body in (b"{", b"[]", b'{"provider": 1}'):
        with pytest.raises(pp.MalformedResponse):
            codec.decode(pp.WireResponse(200, {}, body))


def test_a_streamed_error_and_what_follows_it() -> None:
    """The fake decoder ends with the error that the stream tells, and reads nothing after it."""
    from pingpong.testing import FAKE_ENDPOINTS

    codec, dialect = FAKE_ENDPOINTS[0].codec, FAKE_ENDPOINTS[0].dialect
    renderer, decoder = dialect.stream_renderer(), codec.stream_decoder({})
    told: list[pp.Event] = [
        pp.StreamStart("fake", "small"), pp.TextDelta(0, "hel"), pp.StreamError(pp.Overloaded("busy")), pp.TextDelta(0, "lo"),
    ]  # fmt: skip
    events = [e for event in told for e in decoder.feed(renderer.render(event))] + [*decoder.close()]
    assert [e.kind for e in events] == ["start", "text", "error"]
    last = events[-1]
    assert isinstance(last, pp.StreamError)
    assert (last.error.message, last.partial and last.partial.text) == ("busy", "hel")
