"""The factory, credentials, cards and the token estimate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from pingpong import (
    Card,
    DriverOptions,
    EndpointRecord,
    File,
    FinishReason,
    Image,
    MissingCredential,
    Opaque,
    OutputSchema,
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
from pingpong_anthropic.driver import make
from pingpong_anthropic.options import has_old_tokenizer
from pingpong_anthropic.plugin import RECORD, pingpong_drivers
from pingpong_anthropic.tokens import estimate_tokens
from pingpong_contract.cards import cards_from_toml, json_from_cards


def headers_of(options: DriverOptions, env: Mapping[str, str]) -> Mapping[str, str]:
    """What the credentials put on a request."""
    return asyncio.run(_headers(options, env))


async def _headers(options: DriverOptions, env: Mapping[str, str]) -> Mapping[str, str]:
    return await make(RECORD, options, env).credentials.headers()


def test_the_hook_declares_the_driver() -> None:
    """One record, with both endpoints by the names that recorded traffic has."""
    assert pingpong_drivers() == [RECORD]
    driver = make(RECORD, DriverOptions(), {})
    assert [e.record.name for e in driver.endpoints] == ["messages", "messages/count_tokens"]
    assert (driver.name, driver.base_url) == ("anthropic", "https://api.anthropic.com")


@pytest.mark.parametrize("base_url", ["https://h.test/x", "https://h.test/x/", "https://h.test/x/v1", "https://h.test/x/v1/"])
def test_a_base_url_may_end_with_the_version(base_url: str) -> None:
    """With or without `/v1` and slashes, the address is the same."""
    assert make(RECORD, DriverOptions(base_url=base_url), {}).base_url == "https://h.test/x"


def test_the_key_goes_into_its_header() -> None:
    """An option beats the environment, and headers of the host come along without replacing the key."""
    env = {"ANTHROPIC_API_KEY": " from-env "}
    assert headers_of(DriverOptions(), env) == {"x-api-key": "from-env"}
    given = DriverOptions(api_key=Secret("given"), headers={"X-Team": "a", "X-Api-Key": "no"})
    assert headers_of(given, env) == {"x-api-key": "given", "x-team": "a"}
    assert make(RECORD, given, {}).credentials.is_present
    assert not make(RECORD, DriverOptions(), {}).credentials.is_present


def test_a_missing_key_names_its_variable() -> None:
    """Without a key the error says which variable would hold it."""
    with pytest.raises(MissingCredential, match="ANTHROPIC_API_KEY"):
        headers_of(DriverOptions(), {})


def test_cards_are_what_the_table_says() -> None:
    """The shipped cards are generated from models.toml, sources and all."""
    folder = Path(__file__).parents[1]
    shipped = files("pingpong_anthropic").joinpath("models.json").read_text(encoding="utf-8")
    assert json_from_cards(cards_from_toml(folder / "models.toml", "anthropic")) == shipped


def test_retired_models_stay_with_their_date() -> None:
    """Haiku 3.5, Sonnet 3.5 and Opus 3 are still cards, and say when they ended."""
    cards = json.loads(files("pingpong_anthropic").joinpath("models.json").read_text(encoding="utf-8"))["cards"]
    retired = {card["model"]: card.get("retired") for card in cards}
    assert (retired["claude-3-5-haiku-20241022"], retired["claude-3-5-sonnet-20241022"], retired["claude-3-opus-20240229"]) == (
        "2026-02-19",
        "2025-10-28",
        "2026-01-05",
    )
    assert all(card["price"]["source_url"] and card["as_of"] for card in cards)
    names = [name for card in cards for name in (card["model"], *card.get("aliases", ()))]
    assert len(names) == len(set(names))


OLD = Card(provider="anthropic", model="claude-haiku-4-5", endpoints=("messages",))
NEW = Card(provider="anthropic", model="claude-opus-5-5", endpoints=("messages",))
CALL = ToolCall("t", "f", '{"a":1}')
TOOLS = (Tool("f"),)
BASE = Request("How many tokens is this?")
LARGER: list[Request] = [
    Request("How many tokens is this? And this?"),
    Request((user("How many tokens is this?"), assistant("Six."))),
    Request("How many tokens is this?", tools=TOOLS),
    Request("How many tokens is this?", output_schema=OutputSchema({"type": "object"})),
    Request("How many tokens is this?", reasoning_effort="high"),
    Request("How many tokens is this?", provider_options={"anthropic": {"tools": [{"type": "web_search_20250305"}]}}),
    Request((user("How many tokens is this?"), user((Image(url="https://x.test"),)))),
    Request((user("How many tokens is this?"), user((File(data=b"x" * 99, media_type="application/pdf"),)))),
    Request((user("How many tokens is this?"), user((Opaque("anthropic", '{"type":"container_upload"}'),)))),
    Request((user("How many tokens is this?"), assistant((CALL,)), tool_result(CALL, "1"))),
]


@pytest.mark.parametrize("larger", LARGER)
def test_more_content_is_more_tokens(larger: Request) -> None:
    """Everything that a request can hold adds to the estimate."""
    assert estimate_tokens(BASE, OLD) < estimate_tokens(larger, OLD)


def test_newer_models_count_more() -> None:
    """The tokenizer since 4.7 gives more tokens for the same text; citations cost extra."""
    long = Request("word " * 1000)
    assert estimate_tokens(long, OLD) * 1.2 < estimate_tokens(long, NEW)
    assert has_old_tokenizer("claude-sonnet-4-6")
    assert not has_old_tokenizer("claude-opus-4-7")
    plain = File(data=b"x", media_type="text/plain")
    cited = File(data=b"x", media_type="text/plain", opaque=Opaque("anthropic", '{"citations":{"enabled":true}}'))
    assert estimate_tokens(Request(user((plain,))), OLD) < estimate_tokens(Request(user((cited,))), OLD)


@pytest.mark.parametrize("record", RECORD.endpoints, ids=lambda record: record.name)
def test_options_without_a_price_are_options(record: EndpointRecord) -> None:
    """What makes the cost unknown is among what the endpoint takes, and a plain setting is not among it."""
    assert record.unpriced_options <= record.provider_options
    assert record.unpriced_options.isdisjoint({"betas", "cache_control", "metadata", "thinking"})


def test_what_costs_beyond_the_card_has_no_price() -> None:
    """Tiers, speed, fallbacks, server tools and compaction make the cost of a message unknown."""
    messages = RECORD.endpoints[0]
    named = {"compaction", "container", "context_management", "fallbacks", "mcp_servers", "service_tier", "speed", "tools"}
    assert named <= messages.unpriced_options


@pytest.mark.parametrize("name", ["messages"])
def test_half_a_surrogate_pair_does_not_cost_the_answer(name: str) -> None:
    """An escape that stands alone is legal JSON: one character is lost, whole and streamed, and nothing else."""
    endpoint: Any = next(e for e in make(RECORD, DriverOptions(), {}).endpoints if e.record.name == name)
    answer = Response(provider="anthropic", model="m", parts=(Text("a@ b"),), finish_reason=FinishReason.stop)
    whole = endpoint.dialect.render(answer)
    assert b"a@ b" in whole.body
    decoded = endpoint.codec.decode(evolve(whole, body=whole.body.replace(b"@", rb"\ud83d")))
    renderer, decoder = endpoint.dialect.stream_renderer(), endpoint.codec.stream_decoder({})
    body = b"".join(map(renderer.render, events_from_response(answer)))
    streamed = response_from_events([*decoder.feed(body.replace(b"@", rb"\ud83d")), *decoder.close()])
    assert [part.text for part in (*decoded.parts, *streamed.parts)] == ["a\ufffd b", "a\ufffd b"]
