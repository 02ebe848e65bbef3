"""The record, the factory, credentials, the estimate and the cards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from pingpong import (
    Audio,
    Card,
    Driver,
    DriverOptions,
    EndpointRecord,
    File,
    FinishReason,
    Image,
    Message,
    MissingCredential,
    Opaque,
    OutputSchema,
    PluginError,
    Request,
    Response,
    Role,
    Secret,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    WireRequest,
    assistant,
    events_from_response,
    params_from_path,
    response_from_events,
    user,
)
from pingpong_contract.cards import main as cards_main
from pingpong_gemini._settings import PROVIDER_OPTIONS
from pingpong_gemini.driver import make
from pingpong_gemini.plugin import RECORD, pingpong_drivers

CARDS = json.loads((files("pingpong_gemini") / "models.json").read_text())["cards"]


def test_the_hook_returns_the_record() -> None:
    """One driver, named after its distribution."""
    assert pingpong_drivers() == [RECORD]
    assert RECORD.name == "gemini"


def test_every_endpoint_of_the_record_is_made(driver: Driver, card: Card) -> None:
    """The driver's endpoints are the record's, in its order, and requests go to the declared paths."""
    assert tuple(e.record for e in driver.endpoints) == RECORD.endpoints
    chat: Any = driver.endpoints[0]
    wire: WireRequest = chat.codec.encode(Request("hi"), card, is_stream=False)
    assert params_from_path(RECORD.endpoints[0].path, wire.path) == {"model": card.model}
    assert (wire.method, wire.headers["content-type"]) == ("POST", "application/json")


def test_an_endpoint_that_is_not_written_is_a_plugin_error() -> None:
    """A record of another version is named, not guessed at."""
    record = evolve(RECORD, endpoints=(evolve(RECORD.endpoints[0], name="newer"),))
    with pytest.raises(PluginError):
        make(record, DriverOptions(), {})


def test_declared_options_are_the_ones_that_are_read() -> None:
    """The record's provider options of the chat endpoints are those that the dialect tells from unknown fields."""
    assert {e.provider_options for e in RECORD.endpoints if e.operation != "embed"} == {PROVIDER_OPTIONS}


@pytest.mark.parametrize(
    ("options", "env", "expected"),
    [
        (DriverOptions(), {"GEMINI_API_KEY": "a", "GOOGLE_API_KEY": "b"}, {"x-goog-api-key": "a"}),
        (DriverOptions(), {"GOOGLE_API_KEY": "b"}, {"x-goog-api-key": "b"}),
        (DriverOptions(api_key=Secret("c")), {"GEMINI_API_KEY": "a"}, {"x-goog-api-key": "c"}),
        (
            DriverOptions(api_key=Secret("c"), headers={"X-Team": "t", "X-Goog-Api-Key": "no"}),
            {},
            {"x-team": "t", "x-goog-api-key": "c"},
        ),
    ],
)
def test_the_key_goes_into_its_header(options: DriverOptions, env: dict[str, str], expected: dict[str, str]) -> None:
    """The explicit key beats the environment, and the user's headers are added without touching the key."""
    credentials = make(RECORD, options, env).credentials
    assert credentials.is_present
    assert asyncio.run(_headers(credentials)) == expected
    assert "'c'" not in repr(credentials)


async def _headers(credentials: Any) -> dict[str, str]:
    return dict(await credentials.headers())


def test_a_missing_key_names_its_variables(driver: Driver) -> None:
    """Without a key the error says which variables would hold it."""
    assert not driver.credentials.is_present
    with pytest.raises(MissingCredential, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
        asyncio.run(_headers(driver.credentials))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://127.0.0.1:1/x/"])
def test_the_base_url_can_be_set(url: str) -> None:
    """Trailing slashes do not matter; without one given, it is Google's."""
    assert make(RECORD, DriverOptions(base_url=url), {}).base_url == "http://127.0.0.1:1/x"
    assert make(RECORD, DriverOptions(), {}).base_url == "https://generativelanguage.googleapis.com"


def test_the_estimate_counts_everything(driver: Driver, card: Card) -> None:
    """Each kind of content adds to the estimate, and so do tools and schema."""
    call = ToolCall("a", "f", '{"a":1}')
    requests = [
        Request("hi"),
        Request("hi there, this is longer"),
        Request("hi there, this is longer", tools=(Tool("f"),)),
        Request("hi there, this is longer", tools=(Tool("f"),), output_schema=OutputSchema({"type": "object"})),
        Request((user("hi there, this is longer"), assistant((call, Opaque("gemini", '{"executableCode":{"code":"1"}}' * 2))))),
        Request(
            (user("hi there, this is longer"), assistant(call), Message(Role.tool, (ToolCallResponse("a", "x " * 90, "f"),)))
        ),
        Request(user(Image(data=b"1", media_type="image/png"))),
        Request(user((Image(url="u"), Audio(url="u")))),
        Request(user((Image(url="u"), Audio(url="u"), File(data=b"x" * 3000, media_type="application/pdf")))),
    ]
    estimates = [driver.estimate_tokens(request, card) for request in requests]
    assert estimates == sorted(set(estimates))


def test_the_cards_are_generated_from_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    """The package data is what the generator makes of models.toml."""
    assert cards_main([str(Path(__file__).parents[1]), "--check"]) == 0, capsys.readouterr()


def test_every_card_can_be_served() -> None:
    """Each card names endpoints of the record, and each of its capabilities is carried by one of them."""
    carried = {e.name: e.capabilities for e in RECORD.endpoints}
    for card in CARDS:
        assert card["endpoints"]
        assert set(card["capabilities"]) <= set().union(*(carried[name] for name in card["endpoints"]))


@pytest.mark.parametrize("card", [c for c in CARDS if c.get("price")], ids=lambda c: c["model"])
def test_prices_are_complete(card: dict[str, Any]) -> None:
    """A model that hears has a price for audio, tiers are dearer, and every figure has its source and date."""
    price = card["price"]
    assert price["source_url"].startswith("https://")
    assert price["as_of"] >= "2026-07-01"
    assert ("audio_input" in card["capabilities"]) == ("input_audio_usd_per_mtok" in price)
    for tier in price.get("tiers", ()):
        assert tier["above_input_tokens"] == 200_000
        assert float(tier["input_usd_per_mtok"]) > float(price["input_usd_per_mtok"])


def test_importing_the_plugin_loads_no_codec(python: Callable[[str], str]) -> None:
    """Listing needs the record alone."""
    code = "import sys, pingpong_gemini.plugin; print([m for m in sys.modules if m.startswith(('pingpong_gemini', 'msgspec'))])"
    assert python(code).strip() == "['pingpong_gemini', 'pingpong_gemini.plugin']"


@pytest.mark.parametrize("record", RECORD.endpoints, ids=lambda record: record.name)
def test_options_without_a_price_are_options(record: EndpointRecord) -> None:
    """What makes the cost unknown is among what the endpoint takes, and a plain setting is not among it."""
    assert record.unpriced_options <= record.provider_options
    assert record.unpriced_options.isdisjoint({"labels", "safetySettings", "store", "taskType"})


def test_what_costs_beyond_the_card_has_no_price() -> None:
    """Candidates, hosted tools, tiers and cached content make the cost of a chat unknown."""
    unpriced = [e.unpriced_options for e in RECORD.endpoints if e.operation == "chat"]
    assert unpriced == [{"cachedContent", "generationConfig", "serviceTier", "tools"}] * 2


@pytest.mark.parametrize("name", ["generateContent", "streamGenerateContent"])
def test_half_a_surrogate_pair_does_not_cost_the_answer(name: str) -> None:
    """An escape that stands alone is legal JSON: one character is lost, whole and streamed, and nothing else."""
    endpoint: Any = next(e for e in make(RECORD, DriverOptions(), {}).endpoints if e.record.name == name)
    answer = Response(provider="gemini", model="m", parts=(Text("a@ b"),), finish_reason=FinishReason.stop)
    whole = endpoint.dialect.render(answer)
    assert b"a@ b" in whole.body
    decoded = endpoint.codec.decode(evolve(whole, body=whole.body.replace(b"@", rb"\ud83d")))
    renderer, decoder = endpoint.dialect.stream_renderer(), endpoint.codec.stream_decoder({})
    body = b"".join(map(renderer.render, events_from_response(answer)))
    streamed = response_from_events([*decoder.feed(body.replace(b"@", rb"\ud83d")), *decoder.close()])
    assert [part.text for part in (*decoded.parts, *streamed.parts)] == ["a\ufffd b", "a\ufffd b"]
