"""The record, what `make` makes of it, and the estimate."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from typing import Any

import anyio
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
    MissingCredential,
    Opaque,
    OutputSchema,
    Reasoning,
    Request,
    Response,
    Secret,
    Text,
    Tool,
    ToolCall,
    assistant,
    events_from_response,
    response_from_events,
    tool_result,
    user,
)
from pingpong_openai.driver import base_url_from, make
from pingpong_openai.options import OpenAIOptions
from pingpong_openai.plugin import RECORD, pingpong_drivers


def _headers(driver: Driver) -> dict[str, str]:
    return dict(anyio.run(driver.credentials.headers))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com"),
        ("https://api.openai.com/v1/", "https://api.openai.com"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("https://proxy.test/openai", "https://proxy.test/openai"),
    ],
)
def test_a_base_url_may_end_in_v1(given: str, expected: str) -> None:
    """OpenAI's clients write it with /v1, our paths hold that."""
    assert base_url_from(given) == expected


def test_base_url_of_option_beats_environment_beats_default() -> None:
    """The nearest setting wins."""
    env = {"OPENAI_BASE_URL": "http://env.test/v1"}
    assert make(RECORD, OpenAIOptions(base_url="http://option.test"), env).base_url == "http://option.test"
    assert make(RECORD, OpenAIOptions(), env).base_url == "http://env.test"
    assert make(RECORD, DriverOptions(), {}).base_url == "https://api.openai.com"


def test_key_and_headers_reach_the_wire() -> None:
    """The key as bearer, organisation and project by option or environment, and the caller's own headers."""
    options = OpenAIOptions(api_key=Secret("sk-1"), project="proj", headers={"X-Trace": "on", "Authorization": "no"})
    driver = make(RECORD, options, {"OPENAI_ORG_ID": "org", "OPENAI_PROJECT_ID": "other"})
    assert driver.credentials.is_present
    assert _headers(driver) == {
        "authorization": "Bearer sk-1",
        "openai-organization": "org",
        "openai-project": "proj",
        "x-trace": "on",
    }


def test_a_missing_key_names_its_variable() -> None:
    """Nothing is read or sent; the error says what to set."""
    driver = make(RECORD, OpenAIOptions(), {})
    assert not driver.credentials.is_present
    with pytest.raises(MissingCredential, match="OPENAI_API_KEY"):
        _headers(driver)
    assert "sk-2" not in repr(make(RECORD, OpenAIOptions(api_key=Secret("sk-2")), {}))


def test_listing_imports_only_the_plugin_module() -> None:
    """The record is read without msgspec or the driver's own modules."""
    code = (
        "import sys, pingpong_openai.plugin as p; p.pingpong_drivers();"
        "print([m for m in sys.modules if m.startswith(('pingpong_openai.', 'msgspec', 'httpx'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pingpong_openai.plugin']"


def test_every_card_names_endpoints_of_the_record() -> None:
    """Cards and record agree, each chat model can be reached, and the models the product began with are retired."""
    cards: list[dict[str, Any]] = json.loads(files("pingpong_openai").joinpath("models.json").read_text())["cards"]
    names = {endpoint.name for endpoint in pingpong_drivers()[0].endpoints}
    assert all(card["endpoints"] and set(card["endpoints"]) <= names for card in cards)
    retired = {card["model"]: card.get("retired") for card in cards}
    assert {name: retired[name] for name in ("gpt-4", "gpt-4o", "gpt-4o-mini")} == {
        "gpt-4": "2026-10-23",
        "gpt-4o": "2027-01-14",
        "gpt-4o-mini": "2027-01-14",
    }


def test_the_estimate_grows_with_every_part(driver: Driver, card: Card) -> None:
    """Each part, tool and schema adds tokens; a longer text adds more."""
    call = ToolCall("c", "f", '{"a":1}')
    file = File(data=b"x" * 300, media_type="application/pdf")
    messages = [
        user("hello"),
        user((Image(url="http://x.test/i.png"), file, File(url="http://x.test/f"), Audio(data=b"xyz", media_type="audio/wav"))),
        assistant((Reasoning("why"), call, Opaque("openai", "{}"))),
        tool_result(call, "result"),
    ]
    sizes = [driver.estimate_tokens(Request(tuple(messages[: n + 1])), card) for n in range(4)]
    assert sizes == sorted(set(sizes))
    plain = driver.estimate_tokens(Request("hello"), card)
    extra = Request("hello", tools=(Tool("f", "does it"),), output_schema=OutputSchema({"type": "object"}))
    assert plain < driver.estimate_tokens(Request("hello world, how are you"), card) < driver.estimate_tokens(extra, card) + 40
    assert driver.estimate_tokens(extra, card) > plain


@pytest.mark.parametrize("record", RECORD.endpoints, ids=lambda record: record.name)
def test_options_without_a_price_are_options(record: EndpointRecord) -> None:
    """What makes the cost unknown is among what the endpoint takes, and a plain setting is not among it."""
    assert record.unpriced_options <= record.provider_options
    assert record.unpriced_options.isdisjoint({"metadata", "store", "user", "verbosity"})


def test_what_costs_beyond_the_card_has_no_price() -> None:
    """Further answers, hosted tools, tiers and input that OpenAI keeps make the cost unknown."""
    chat, responses, _ = RECORD.endpoints
    assert {"n", "service_tier", "tools", "web_search_options", "modalities", "prediction"} <= chat.unpriced_options
    assert {"service_tier", "tools", "conversation", "previous_response_id", "prompt"} <= responses.unpriced_options


def test_background_responses_are_not_offered() -> None:
    """Nothing polls, so asking for one would give an empty answer as a success."""
    assert "background" not in RECORD.endpoints[1].provider_options


@pytest.mark.parametrize("name", ["chat/completions", "responses"])
def test_half_a_surrogate_pair_does_not_cost_the_answer(name: str) -> None:
    """An escape that stands alone is legal JSON: one character is lost, whole and streamed, and nothing else."""
    endpoint: Any = next(e for e in make(RECORD, DriverOptions(), {}).endpoints if e.record.name == name)
    answer = Response(provider="openai", model="m", parts=(Text("a@ b"),), finish_reason=FinishReason.stop)
    whole = endpoint.dialect.render(answer)
    assert b"a@ b" in whole.body
    decoded = endpoint.codec.decode(evolve(whole, body=whole.body.replace(b"@", rb"\ud83d")))
    renderer, decoder = endpoint.dialect.stream_renderer(), endpoint.codec.stream_decoder({})
    body = b"".join(map(renderer.render, events_from_response(answer)))
    streamed = response_from_events([*decoder.feed(body.replace(b"@", rb"\ud83d")), *decoder.close()])
    assert [part.text for part in (*decoded.parts, *streamed.parts)] == ["a\ufffd b", "a\ufffd b"]
