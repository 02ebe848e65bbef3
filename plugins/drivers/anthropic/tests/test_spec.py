"""Request bodies against the provider's published API description."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from pingpong import (
    Card,
    File,
    Image,
    Opaque,
    OutputSchema,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    assistant,
    system,
    tool_result,
    user,
)
from pingpong_anthropic.count_tokens import CountTokensCodec
from pingpong_anthropic.messages import MessagesCodec
from pingpong_contract.corpus import CORPUS_VARIABLE
from pingpong_contract.specs import validate_openapi

FOLDER = Path(os.environ.get(CORPUS_VARIABLE, "")) / "specs" / "anthropic" / "openapi.json"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_file() and os.environ.get("CI") != "true", reason=f"no API description: {CORPUS_VARIABLE} is unset"
)
OLD = Card(provider="anthropic", model="claude-haiku-4-5", endpoints=("messages",), max_output_tokens=64000)
NEW = Card(provider="anthropic", model="claude-sonnet-4-6", endpoints=("messages",), max_output_tokens=64000)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
CALL = ToolCall("toolu_1", "add", '{"a":1}', Opaque("anthropic", '{"caller":{"type":"direct"}}'))
BROKEN = ToolCall("toolu_2", "add", '{"a":')
TOOLS = (Tool("add", "adds", SCHEMA, is_strict=True), Tool("now"))
CITATION = (
    '{"citations":[{"type":"char_location","cited_text":"x","document_index":0,"document_title":null,'
    '"start_char_index":0,"end_char_index":1}]}'
)
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}

REQUESTS: dict[str, Request] = {
    "plain": Request("q"),
    "system": Request((system("a"), system("b"), user("q"), system("later"), assistant("a"), user("r"))),
    "sampling": Request("q", temperature=0.5, top_p=0.9, top_k=5, stop=("a", "b"), max_output_tokens=5),
    "media": Request(
        user(
            (
                Text("see", Opaque("anthropic", '{"cache_control":{"type":"ephemeral","ttl":"1h"}}')),
                Image(data=b"x", media_type="image/png"),
                Image(url="https://x.test/a.png"),
                File(data=b"%PDF", media_type="application/pdf", name="a.pdf"),
                File(data=b"text", media_type="text/markdown"),
                File(url="https://x.test/a.pdf"),
                File(opaque=Opaque("anthropic", '{"source":{"type":"content","content":"c"},"citations":{"enabled":true}}')),
            )
        )
    ),
    "tools": Request(
        (
            user("q"),
            assistant(
                (
                    Reasoning("hm", Opaque("anthropic", '{"signature":"s"}')),
                    Reasoning("", Opaque("anthropic", '{"type":"redacted_thinking","data":"d"}')),
                    Text("so", Opaque("anthropic", CITATION)),
                    Opaque("anthropic", '{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}}'),
                    CALL,
                    BROKEN,
                )
            ),
            tool_result(CALL, (Text("2"), Image(url="https://x.test/a.png"))),
            tool_result(BROKEN, "no", is_error=True),
        ),
        tools=TOOLS,
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
    ),
    "named tool": Request("q", tools=TOOLS, tool_choice=ToolChoice("named", "add"), parallel_tool_calls=True),
    "no tool": Request("q", tools=TOOLS, tool_choice=ToolChoice("none"), parallel_tool_calls=True),
    "parallel": Request("q", tools=TOOLS, parallel_tool_calls=False),
    "schema": Request("q", output_schema=OutputSchema(SCHEMA)),
    "no thinking": Request("q", reasoning_effort="none"),
    "effort": Request("q", reasoning_effort="max", output_schema=OutputSchema(SCHEMA)),
    "budget": Request("q", reasoning_budget_tokens=1024),
    "options": Request(
        "q",
        tools=TOOLS,
        provider_options={
            "anthropic": {
                "metadata": {"user_id": "u"},
                "service_tier": "standard_only",
                "cache_control": {"type": "ephemeral"},
                "inference_geo": "us",
                "container": "c",
                "tools": [SEARCH],
                "tool_options": {"add": {"defer_loading": True}},
            }
        },
    ),
}
BETA = {
    "betas": ["context-management-2025-06-27"],
    "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
    "mcp_servers": [{"type": "url", "name": "s", "url": "https://x.test"}],
    "speed": "fast",
    "output_config": {"task_budget": {"type": "tokens", "total": 20000}},
}
FILE = File(opaque=Opaque("anthropic", '{"source":{"type":"file","file_id":"file_1"}}'))


@pytest.mark.parametrize("card", [OLD, NEW], ids=["old model", "new model"])
@pytest.mark.parametrize("name", REQUESTS)
def test_every_body_is_what_the_description_says(name: str, card: Card) -> None:
    """Bodies of both endpoints, streamed or not, are valid by the published description."""
    for is_stream in (False, True):
        wire = MessagesCodec().encode(REQUESTS[name], card, is_stream=is_stream)
        assert validate_openapi(FOLDER, "post", "/v1/messages", msgspec.json.decode(wire.body)) == []
    wire = CountTokensCodec().encode(REQUESTS[name], card, is_stream=False)
    assert validate_openapi(FOLDER, "post", "/v1/messages/count_tokens", msgspec.json.decode(wire.body)) == []


def test_beta_bodies_are_what_the_beta_description_says() -> None:
    """Beta features follow the beta form of both endpoints."""
    request = Request(user((Text("q"), FILE)), reasoning_effort="low", provider_options={"anthropic": BETA})
    for codec in (MessagesCodec(), CountTokensCodec()):
        wire = codec.encode(request, NEW, is_stream=False)
        assert validate_openapi(FOLDER, "post", wire.target, msgspec.json.decode(wire.body)) == []


def test_the_description_would_notice() -> None:
    """A misspelt field is reported, so that the tests above can fail."""
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "q"}], "stop": ["x"]}
    assert validate_openapi(FOLDER, "post", "/v1/messages", body)
