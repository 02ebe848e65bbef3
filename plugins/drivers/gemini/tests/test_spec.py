"""Every body that the driver encodes is valid by the provider's published protobuf description."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from pingpong import (
    Audio,
    Card,
    EmbedRequest,
    File,
    Image,
    Message,
    Opaque,
    OutputSchema,
    Reasoning,
    Request,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    assistant,
    system,
    user,
)
from pingpong_contract.corpus import CORPUS_VARIABLE, corpus_folder
from pingpong_contract.specs import validate_proto

NEWER = ("thinkingLevel",)
"""Taken by the API and not in the published files yet. Source: https://ai.google.dev/gemini-api/docs/thinking"""

SCHEMA = {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}, "additionalProperties": False}
SIGNED = Opaque("gemini", '{"thoughtSignature":"c2ln"}')
CALLS = (
    ToolCall("a", "f", '{"x":[1,null,{"y":"é"}]}', SIGNED),
    ToolCall("call_1", "g", "{}", Opaque("gemini", '{"functionCall":{"id":null}}')),
)
FULL = Request(
    (
        system("s"),
        user(
            (
                Text("hi"),
                Image(data=b"\xff\xfe", media_type="image/png"),
                Audio(data=b"a", media_type="audio/wav"),
                File(data=b"p", media_type="application/pdf"),
                File(url="https://example.com/v", media_type="video/mp4"),
            )
        ),
        assistant(
            (
                Reasoning("r", SIGNED),
                Text("", SIGNED),
                *CALLS,
                Opaque("gemini", '{"executableCode":{"language":"PYTHON","code":"1"}}'),
            )
        ),
        Message(
            Role.tool,
            (
                ToolCallResponse("a", (Text("ok"), Image(data=b"i", media_type="image/png")), "f"),
                ToolCallResponse("call_1", "no", "g", True),
            ),
        ),
    ),
    tools=(Tool("f", "does", SCHEMA, True), Tool("g")),
    max_output_tokens=9,
    temperature=0.5,
    top_p=0.5,
    top_k=4,
    seed=1,
    presence_penalty=0.5,
    frequency_penalty=0.5,
    stop=("x",),
    provider_options={
        "gemini": {
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
            "tools": [{"googleSearch": {}}, {"urlContext": {}}, {"codeExecution": {}}],
            "cachedContent": "cachedContents/x",
            "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "responseModalities": ["TEXT"]},
        }
    },
)
REQUESTS = {
    "text": Request("hi"),
    "everything": FULL,
    **{f"choice {c.mode}": evolve(FULL, tool_choice=c) for c in (ToolChoice("auto"), ToolChoice("none"), ToolChoice("required"))},
    "choice named": evolve(FULL, tool_choice=ToolChoice("named", "f")),
    "schema": Request("hi", output_schema=OutputSchema(SCHEMA)),
    "effort": Request("hi", reasoning_effort="low"),
    "budget": Request("hi", reasoning_budget_tokens=99),
}


@pytest.fixture
def wrong(endpoint: Callable[[str], Any], card: Card) -> Callable[..., list[str]]:
    """What is wrong with the body of a request by a message of the published files."""
    folder = corpus_folder()
    if folder is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no API descriptions: set {CORPUS_VARIABLE} to the corpus folder.")
        pytest.skip(f"no API descriptions: {CORPUS_VARIABLE} names no folder with an index.jsonl")
    protos: Path = folder / "specs/google/generativelanguage/v1beta"

    def check(name: str, message: str, request: Request | EmbedRequest, model: str = card.model) -> list[str]:
        wire = endpoint(name).codec.encode(request, evolve(card, model=model), is_stream=False)
        return validate_proto(protos, message, json.loads(wire.body), newer=NEWER)

    return check


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("generateContent", "GenerateContentRequest"),
        ("streamGenerateContent", "GenerateContentRequest"),
        ("countTokens", "CountTokensRequest"),
    ],
)
def test_chat_bodies_are_valid(wrong: Callable[..., list[str]], name: str, message: str, request_: Request) -> None:
    """Chat and counting send only fields and values that the published messages have."""
    assert wrong(name, message, request_) == []


def test_budgets_for_older_models_are_valid(wrong: Callable[..., list[str]]) -> None:
    """An effort sent as a budget is a field that the published messages have, without exception."""
    assert wrong("generateContent", "GenerateContentRequest", Request("hi", reasoning_effort="low"), "gemini-2.5-pro") == []


@pytest.mark.parametrize(
    ("name", "message", "request_"),
    [
        ("embedContent", "EmbedContentRequest", EmbedRequest("a", dimensions=2)),
        ("embedContent", "BatchEmbedContentsRequest", EmbedRequest(("a", "b"))),
        (
            "batchEmbedContents",
            "BatchEmbedContentsRequest",
            EmbedRequest("a", provider_options={"gemini": {"taskType": "CLUSTERING", "title": "t"}}),
        ),
    ],
)
def test_embedding_bodies_are_valid(wrong: Callable[..., list[str]], name: str, message: str, request_: EmbedRequest) -> None:
    """Both forms of embedding requests are as the published messages have them."""
    assert wrong(name, message, request_) == []


def test_the_check_can_fail(wrong: Callable[..., list[str]]) -> None:
    """A field that the API does not have is found."""
    request = Request("hi", provider_options={"gemini": {"generationConfig": {"topKay": 1}}})
    assert "topKay" in "".join(wrong("generateContent", "GenerateContentRequest", request))
