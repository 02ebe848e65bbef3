"""Requests between canonical form and the wire: one table for both directions, and what goes one way only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pingpong import (
    Audio,
    Card,
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

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
NO_ID = Opaque("gemini", '{"thoughtSignature":"c2ln","functionCall":{"id":null}}')
SIGNED = Opaque("gemini", '{"thoughtSignature":"c2ln"}')
HI = {"role": "user", "parts": [{"text": "hi"}]}
CALLS = (ToolCall("call_0", "f", '{"a":1}', NO_ID), ToolCall("id1", "f", "{}"))

BOTH_WAYS: dict[str, tuple[Request, dict[str, Any]]] = {
    "text": (Request("hi"), {"contents": [HI]}),
    "system": (
        Request((system((Text("a"), Text("b"))), user("hi"))),
        {"systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]}, "contents": [HI]},
    ),
    "numbers": (
        Request(
            "hi",
            max_output_tokens=1,
            temperature=0.0,
            top_p=0.5,
            top_k=3,
            seed=0,
            presence_penalty=0.1,
            frequency_penalty=-0.1,
            stop=("x", "y"),
        ),
        {
            "contents": [HI],
            "generationConfig": {
                "maxOutputTokens": 1,
                "temperature": 0.0,
                "topP": 0.5,
                "topK": 3,
                "seed": 0,
                "presencePenalty": 0.1,
                "frequencyPenalty": -0.1,
                "stopSequences": ["x", "y"],
            },
        },
    ),
    "media": (
        Request(
            user(
                (
                    Image(data=b"\xff\xfe\x00", media_type="image/png"),
                    Audio(data=b"a", media_type="audio/wav"),
                    File(data=b"p", media_type="application/pdf"),
                    File(url="https://example.com/v", media_type="video/mp4"),
                    File(url="https://example.com/f", opaque=Opaque("gemini", '{"videoMetadata":{"fps":2}}')),
                )
            )
        ),
        {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"inlineData": {"mimeType": "image/png", "data": "//4A"}},
                        {"inlineData": {"mimeType": "audio/wav", "data": "YQ=="}},
                        {"inlineData": {"mimeType": "application/pdf", "data": "cA=="}},
                        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://example.com/v"}},
                        {"fileData": {"fileUri": "https://example.com/f"}, "videoMetadata": {"fps": 2}},
                    ],
                }
            ]
        },
    ),
    "tools": (
        Request("hi", tools=(Tool("f", "does", SCHEMA), Tool("g")), tool_choice=ToolChoice("named", "f")),
        {
            "contents": [HI],
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "f", "description": "does", "parametersJsonSchema": SCHEMA},
                        {"name": "g", "parametersJsonSchema": {"type": "object", "properties": {}}},
                    ]
                }
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        },
    ),
    "strict tools": (
        Request("hi", tools=(Tool("f", "does", SCHEMA, True),)),
        {
            "contents": [HI],
            "tools": [{"functionDeclarations": [{"name": "f", "description": "does", "parametersJsonSchema": SCHEMA}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}},
        },
    ),
    **{
        f"tool choice {choice.mode}": (
            Request("hi", tool_choice=choice),
            {"contents": [HI], "toolConfig": {"functionCallingConfig": {"mode": word}}},
        )
        for choice, word in ((ToolChoice("auto"), "AUTO"), (ToolChoice("none"), "NONE"), (ToolChoice("required"), "ANY"))
    },
    "schema": (
        Request("hi", output_schema=OutputSchema(SCHEMA)),
        {"contents": [HI], "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}},
    ),
    "effort": (
        Request("hi", reasoning_effort="low"),
        {"contents": [HI], "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"}}},
    ),
    "budget": (
        Request("hi", reasoning_budget_tokens=512),
        {"contents": [HI], "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 512}}},
    ),
    "no budget": (
        Request("hi", reasoning_budget_tokens=0),
        {"contents": [HI], "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
    ),
    "thoughts hidden": (
        Request(
            "hi",
            reasoning_effort="high",
            provider_options={"gemini": {"generationConfig": {"thinkingConfig": {"includeThoughts": False}}}},
        ),
        {"contents": [HI], "generationConfig": {"thinkingConfig": {"includeThoughts": False, "thinkingLevel": "high"}}},
    ),
    "provider options": (
        Request(
            "hi",
            temperature=1.0,
            provider_options={
                "gemini": {
                    "tools": [{"googleSearch": {}}],
                    "toolConfig": {"includeServerSideToolInvocations": True},
                    "generationConfig": {"responseModalities": ["TEXT"]},
                    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
                    "cachedContent": "cachedContents/x",
                }
            },
        ),
        {
            "contents": [HI],
            "tools": [{"googleSearch": {}}],
            "toolConfig": {"includeServerSideToolInvocations": True},
            "generationConfig": {"responseModalities": ["TEXT"], "temperature": 1.0},
            "cachedContent": "cachedContents/x",
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        },
    ),
    "several allowed functions": (
        Request(
            "hi",
            provider_options={
                "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}}}
            },
        ),
        {"contents": [HI], "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}}},
    ),
    "conversation with parallel calls, one of them without an id": (
        Request(
            (
                user("hi"),
                assistant(
                    (*CALLS, Reasoning("r", SIGNED), Text("", SIGNED), Opaque("gemini", '{"executableCode":{"code":"1"}}'))
                ),
                Message(
                    Role.tool,
                    (
                        ToolCallResponse("call_0", "one", "f"),
                        ToolCallResponse("id1", (Text("two"), Image(data=b"i", media_type="image/png")), "f", True),
                    ),
                ),
                user("go on"),
            )
        ),
        {
            "contents": [
                HI,
                {
                    "role": "model",
                    "parts": [
                        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
                        {"functionCall": {"id": "id1", "name": "f", "args": {}}},
                        {"text": "r", "thought": True, "thoughtSignature": "c2ln"},
                        {"text": "", "thoughtSignature": "c2ln"},
                        {"executableCode": {"code": "1"}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "f", "response": {"output": "one"}}},
                        {
                            "functionResponse": {
                                "id": "id1",
                                "name": "f",
                                "response": {"error": "two"},
                                "parts": [{"inlineData": {"mimeType": "image/png", "data": "aQ=="}}],
                            }
                        },
                    ],
                },
                {"role": "user", "parts": [{"text": "go on"}]},
            ]
        },
    ),
}


@pytest.mark.parametrize(("request_", "body"), BOTH_WAYS.values(), ids=BOTH_WAYS)
@pytest.mark.parametrize("name", ["generateContent", "streamGenerateContent"])
def test_requests_go_to_the_wire_and_back(
    endpoint: Callable[[str], Any], card: Card, name: str, request_: Request, body: dict[str, Any]
) -> None:
    """A request becomes this body, at this place, and the dialect reads the same request out of it."""
    wire = endpoint(name).codec.encode(request_, card, is_stream=name != "generateContent")
    assert json.loads(wire.body) == body
    assert wire.target == f"/v1beta/models/gemini-3.6-flash:{name}" + ("?alt=sse" if name != "generateContent" else "")
    parsed = endpoint(name).dialect.parse(wire, {"model": card.model})
    assert (parsed.request, parsed.model, parsed.is_stream) == (request_, card.model, name != "generateContent")
