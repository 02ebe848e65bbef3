"""JSON of every record: what goes out comes back, money is text, bytes are base64, secrets never show."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pingpong as pp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong.testing import FakeTransport, fake_card, fake_client, fake_price

words = st.text('ab 漢🙂\n"\\', max_size=8)
maybe_words = st.none() | words
opaques = st.builds(pp.Opaque, words, words)
maybe_opaque = st.none() | opaques
media: dict[str, Any] = {
    "data": st.none() | st.binary(max_size=8),
    "url": maybe_words,
    "media_type": maybe_words,
    "opaque": maybe_opaque,
}
leaves: Any = (
    st.builds(pp.Text, words, maybe_opaque)
    | st.builds(pp.Reasoning, words, maybe_opaque)
    | st.builds(pp.Image, detail=maybe_words, **media)
    | st.builds(pp.Audio, transcript=maybe_words, **media)
    | st.builds(pp.File, name=maybe_words, **media)
    | st.builds(pp.ToolCall, words, words, words, maybe_opaque)
    | opaques
)
parts: Any = leaves | st.builds(
    pp.ToolCallResponse, words, st.lists(leaves, max_size=2).map(tuple), maybe_words, st.booleans(), maybe_opaque
)
some_parts = st.lists(parts, max_size=3).map(tuple)
messages = st.builds(pp.Message, st.sampled_from(pp.Role), some_parts, st.booleans())
counts = st.integers(0, 10**9)
floats = st.floats(0, 100)
schemas = st.dictionaries(words, st.integers() | words | st.lists(st.booleans()), max_size=2)
money = st.decimals(0, 10**6, places=9)

requests = st.builds(
    pp.Request,
    st.lists(messages, max_size=3),
    model=maybe_words,
    strategy=maybe_words,
    tools=st.lists(st.builds(pp.Tool, words, words, schemas, st.none() | st.booleans()), max_size=2),
    tool_choice=st.none() | st.sampled_from([pp.ToolChoice(), pp.ToolChoice("named", "t")]),
    parallel_tool_calls=st.none() | st.booleans(),
    output_schema=st.none() | st.builds(pp.OutputSchema, schemas, words, maybe_words, st.booleans()),
    max_output_tokens=st.none() | st.integers(1, 10**6),
    temperature=st.none() | floats,
    top_k=st.none() | counts,
    stop=st.lists(words, max_size=2),
    reasoning_effort=st.none() | st.sampled_from(["none", "max"]),
    on_unsupported=st.sampled_from(["raise", "drop"]),
    provider_options=st.dictionaries(words, schemas, max_size=2),
    max_cost_usd=st.none() | money,
    timeout_s=st.none() | floats,
    tags=st.dictionaries(words, words, max_size=2),
)
usages = st.builds(
    pp.Usage,
    **dict.fromkeys(pp.TOKEN_CLASSES, counts),
    other_units=st.dictionaries(words, counts, max_size=2),
    is_estimated=st.booleans(),
)
maybe_usage = st.none() | usages
reasons = st.sampled_from(pp.FinishReason)
responses = st.builds(
    pp.Response,
    provider=words,
    model=words,
    parts=some_parts,
    finish_reason=st.none() | reasons,
    raw_finish_reason=maybe_words,
    stop_sequence=maybe_words,
    usage=maybe_usage,
    response_id=maybe_words,
    request_id=maybe_words,
    opaque=maybe_opaque,
)
indices = st.integers(0, 9)
events: Any = (
    st.builds(pp.StreamStart, words, words, maybe_words, maybe_words)
    | st.builds(pp.TextDelta, indices, words)
    | st.builds(pp.ReasoningDelta, indices, words)
    | st.builds(pp.ToolCallDelta, indices, words, words, words)
    | st.builds(pp.PartEnd, indices, parts)
    | st.builds(pp.StreamEnd, reasons, maybe_words, maybe_words, maybe_usage, maybe_opaque)
)
days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
prices = st.builds(
    pp.Price,
    input_usd_per_mtok=money,
    output_usd_per_mtok=money,
    cache_read_usd_per_mtok=st.none() | money,
    other_usd_per_unit=st.dictionaries(words, money, max_size=2),
    tiers=st.lists(
        st.builds(pp.PriceTier, above_input_tokens=counts, input_usd_per_mtok=money, output_usd_per_mtok=money), max_size=2
    ).map(tuple),
    source_url=words,
    as_of=days,
)
cards = st.builds(
    pp.Card,
    provider=words,
    model=words,
    endpoints=st.lists(words, max_size=2).map(tuple),
    context_tokens=st.none() | counts,
    capabilities=st.frozensets(st.sampled_from(pp.Capability)),
    rate_limits=st.builds(pp.RateLimits, requests_per_min=st.none() | counts),
    price=st.none() | prices,
    aliases=st.lists(words, max_size=2).map(tuple),
    skill=st.none() | st.floats(0, 1),
    retired=st.none() | days,
)


def again(kind: Any, value: Any) -> Any:
    """The record out of the text of its JSON."""
    return pp.from_json(kind, json.loads(json.dumps(pp.to_json(value), allow_nan=False)))


@given(parts)
def test_a_part_survives_json(part: Any) -> None:
    """Whatever kind of part, on its own it says which, and comes back."""
    assert again(pp.Part, part) == part


@given(messages)
def test_a_message_survives_json(message: pp.Message) -> None:
    """Parts keep kind, order and what is nested in them."""
    assert again(pp.Message, message) == message


@given(requests)
def test_a_request_survives_json(request: pp.Request) -> None:
    """Every option comes back, of the same type."""
    assert again(pp.Request, request) == request


@given(responses)
def test_a_response_survives_json(response: pp.Response) -> None:
    """An answer comes back with parts, usage and ids."""
    assert again(pp.Response, response) == response


@given(events)
def test_an_event_survives_json(event: Any) -> None:
    """Each event says its kind and comes back."""
    assert pp.to_json(event)["type"] == event.kind
    assert again(pp.Event, event) == event


@given(cards)
def test_a_card_survives_json(card: pp.Card) -> None:
    """Capabilities, dates and exact prices come back."""
    assert again(pp.Card, card) == card


@given(usages)
def test_usage_survives_json(usage: pp.Usage) -> None:
    """Token classes and other units come back."""
    assert again(pp.Usage, usage) == usage


@pytest.mark.parametrize(
    "record",
    [
        pp.EmbedRequest(["a", "b"], model="a:b", dimensions=3, tags={"k": "v"}),
        pp.EmbedResponse(provider="p", model="m", vectors=((0.5, 1.0), (-1.0, 0.0)), usage=pp.Usage(uncached_input_tokens=1)),
        pp.TokenCount(provider="p", model="m", input_tokens=3),
        pp.Verdict(
            validator="v", score=0.5, findings=(pp.Finding("why", 0, 2),), replacement=pp.Response(provider="p", model="m")
        ),
        pp.CostBounds(Decimal("0.1"), None, 2),
        pp.Config(models=("a:b",), max_cost_usd=Decimal("0.10"), plugins=pp.PluginFilter(allow=("x",))),
        pp.Signals(needs=frozenset({pp.Capability.tools}), more={"turns": 1}),
        pp.State(unavailable={"a:b": "no key"}, budget_left_usd=Decimal(1)),
        pp.Candidate("a:b", True, "cheapest", Decimal("0.1")),
        pp.EndpointRecord(name="chat", operation="chat", path="/chat", capabilities=frozenset({pp.Capability.stop})),
    ],
    ids=lambda r: type(r).__name__,
)
def test_other_records_survive_json(record: Any) -> None:
    """So do all the others that a host may store."""
    assert again(type(record), record) == record


@pytest.mark.anyio
async def test_what_was_done_survives_json() -> None:
    """Reservations and attempts of real runs come back equal: they are what a ledger on disk holds."""
    client = fake_client(FakeTransport({"fake:small": [pp.ServerError("down"), "hello"]}))
    await client.complete("hi", model="fake:small", tags={"k": "v"})
    await client.embed("hi", model="fake:small")
    for entry in client.ledger.entries:
        assert again(type(entry), entry) == entry


@pytest.mark.parametrize("value", ["0", "0.000000001", "12345678901234567890.123456789", "1E+3", "1E-9"])
def test_money_is_exact_text(value: str) -> None:
    """Money goes out as plain decimal text, without an exponent, and comes back exact."""
    bounds = pp.CostBounds(Decimal(value), None, 1)
    text = pp.to_json(bounds)["low_usd"]
    assert isinstance(text, str)
    assert "E" not in text
    assert again(pp.CostBounds, bounds).low_usd == Decimal(value)


@pytest.mark.parametrize("value", [0.1, 1.0, True, float("nan"), "much", "", [], {}])
def test_money_that_is_no_text_is_refused(value: Any) -> None:
    """Floats have lost the exact figure already, so they and other things are refused with the path."""
    with pytest.raises(pp.InvalidRequestError, match=r"\$\.max_cost_usd"):
        pp.from_json(pp.Config, {"max_cost_usd": value})


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_money_that_is_no_number_is_refused(value: str) -> None:
    """`NaN` and infinity are decimals, but no amounts."""
    with pytest.raises(pp.InvalidRequestError, match=r"\$\.max_cost_usd"):
        pp.from_json(pp.Config, {"max_cost_usd": value})


def test_whole_amounts_may_be_numbers() -> None:
    """An integer is exact."""
    assert pp.from_json(pp.Config, {"max_cost_usd": 2}).max_cost_usd == Decimal(2)


def test_bytes_are_base64() -> None:
    """Bytes are standard base64 text; anything else is refused with the path."""
    image = pp.Image(data=b"\xfb\xff\x00", media_type="image/png")
    assert pp.to_json(image)["data"] == "+/8A"
    with pytest.raises(pp.InvalidRequestError, match=r"\$\.data"):
        pp.from_json(pp.Image, {"data": "not base64!"})


def test_times_have_a_zone() -> None:
    """Times are RFC 3339 with their zone, dates ISO 8601; both come back, also from TOML's own dates."""
    card = fake_card(retired=date(2026, 3, 1))
    assert pp.to_json(card)["retired"] == "2026-03-01"
    assert pp.from_json(pp.Card, {**pp.to_json(card), "retired": date(2026, 3, 1)}) == card
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    query = pp.Query(request=pp.Request("hi"), cards=(card,), state=pp.State(), now=now)
    assert pp.to_json(query)["now"] == "2026-01-02T03:04:05+00:00"


def test_capabilities_are_sorted() -> None:
    """The same card gives the same text, so generated files can be compared."""
    card = fake_card()
    assert pp.to_json(card)["capabilities"] == sorted(pp.Capability)
    assert json.dumps(pp.to_json(card)) == json.dumps(pp.to_json(fake_card()))


def test_secrets_are_masked() -> None:
    """A secret goes out masked, wherever it stands."""
    assert pp.to_json(pp.Secret("sk-1")) == "Secret('***')"
    assert "sk-1" not in json.dumps(pp.to_json({"a": [pp.Secret("sk-1")]}))


def test_an_error_tells_all_but_its_answer() -> None:
    """An error's JSON has the fields that a caller acts on; `kind` first, nothing of the partial answer."""
    error = pp.RateLimited(
        "slow down", provider="a", model="b", status=429, code="tpm", request_id="r", retry_after_s=1.5,
        partial=pp.Response(provider="a", model="b", parts=(pp.Text("SECRET"),)),
    )  # fmt: skip
    assert pp.to_json(error) == {
        "kind": "rate_limited", "message": "slow down", "retryable": True, "fault": "provider", "provider": "a", "model": "b",
        "status": 429, "code": "tpm", "request_id": "r", "retry_after_s": 1.5,
    }  # fmt: skip


def test_a_group_of_errors_tells_each() -> None:
    """`AllFailed` names every model's failure in its message."""
    group = pp.AllFailed("All 2 models failed.", [pp.ServerError("x", provider="a", model="b"), pp.Overloaded("y")])
    told = pp.to_json(group)
    assert (told["kind"], told["retryable"]) == ("all_failed", True)
    assert "a:b server_error: x; ?:? overloaded: y" in told["message"]


def test_a_streamed_error_is_json() -> None:
    """An `error` event goes out with its error and what had arrived."""
    event = pp.StreamError(pp.StreamTruncated("cut"), pp.Response(provider="a", model="b", parts=(pp.Text("hel"),)))
    told = json.loads(json.dumps(pp.to_json(event)))
    assert (told["type"], told["error"]["kind"]) == ("error", "stream_truncated")
    assert told["partial"]["parts"] == [{"type": "text", "text": "hel", "opaque": None}]


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (pp.Text, {"text": "x", "colour": "red"}, "colour"),
        (pp.Text, {}, r"missing.*\$\.text"),
        (pp.Part, {"text": "x"}, "needs a type, one of text, reasoning"),
        (pp.Part, "x", "needs a type"),
        (pp.Message, {"role": "nobody", "parts": []}, "nobody"),
        (pp.Message, {"role": "user", "parts": [{"type": "text"}]}, r"\$\.parts\[0\]"),
        (pp.Usage, {"uncached_input_tokens": -1}, "negative"),
        (pp.Card, {"provider": "a", "model": "b", "endpoints": [], "retired": "soon"}, r"\$\.retired"),
        (pp.Card, {"provider": "a", "model": "b", "endpoints": [], "capabilities": ["flying"]}, "flying"),
        (pp.Request, {"messages": [], "temperature": "hot"}, r"\$\.temperature"),
        (pp.ToolChoice, {"mode": "named"}, "give a name"),
    ],
)
def test_wrong_json_is_told_with_its_path(kind: Any, data: Any, message: str) -> None:
    """Everything wrong is one `InvalidRequestError` that says where."""
    with pytest.raises(pp.InvalidRequestError, match=message):
        pp.from_json(kind, data)


def test_several_mistakes_are_told_at_once() -> None:
    """All of them, not the first."""
    with pytest.raises(pp.InvalidRequestError, match=r"\$\.timeout_s.*; .*\$\.max_cost_usd"):
        pp.from_json(pp.Config, {"timeout_s": "soon", "max_cost_usd": 0.5})


def test_a_price_without_a_tier_is_json() -> None:
    """What a card file leaves out takes its default."""
    price = pp.to_json(fake_price())
    del price["tiers"], price["other_usd_per_unit"], price["cache_read_usd_per_mtok"]
    assert pp.from_json(pp.Price, price) == fake_price()
