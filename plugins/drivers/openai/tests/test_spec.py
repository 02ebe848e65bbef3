"""Every kind of request body against OpenAI's published API description."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
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
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    assistant,
    system,
    tool_result,
    user,
)
from pingpong_contract.specs import validate_openapi

CORPUS = os.environ.get("PINGPONG_WIRE_CORPUS", "")
SPEC = Path(CORPUS) / "specs" / "openai" / "openapi.yaml"

pytestmark = pytest.mark.skipif(not CORPUS, reason="PINGPONG_WIRE_CORPUS names no folder with the published descriptions")

CALL = ToolCall("c1", "f", '{"a":1}')
OPTIONS: dict[str, Any] = {
    "tools": (Tool("f", "d", {"type": "object", "properties": {}}, True), Tool("g")),
    "tool_choice": ToolChoice("named", "f"),
    "parallel_tool_calls": False,
    "output_schema": OutputSchema({"type": "object"}, "n", "d"),
    "max_output_tokens": 50,
    "temperature": 0.5,
    "top_p": 1,
    "reasoning_effort": "low",
}
MEDIA = (
    Text("a"),
    Image(url="http://x.test/y.png", detail="low"),
    Image(data=b"x", media_type="image/png"),
    File(data=b"p", media_type="application/pdf"),
    File(opaque=Opaque("openai", '{"file_id":"file-1"}')),
)


def _kept(wire: str, **value: Any) -> Opaque:
    return Opaque("openai", json.dumps({wire: value}))


def _chat_messages() -> tuple[Message, ...]:
    custom = ToolCall("c2", "g", "free", _kept("chat", type="custom"))
    legacy = ToolCall("c3", "h", "{}", _kept("chat", type="function_call"))
    cached = Text("t", _kept("chat", prompt_cache_breakpoint={"mode": "explicit"}))
    return (
        system("s"),
        user((*MEDIA, cached, Audio(data=b"d", media_type="audio/wav"))),
        assistant((Reasoning("elsewhere"), Text("t", _kept("chat", annotations=[{"n": 1}])), CALL, custom)),
        tool_result(CALL, "ok"),
        tool_result(custom, (Text("a"), Text("b")), is_error=True),
        assistant((legacy,)),
        tool_result(legacy, "bad", is_error=True),
        assistant((Audio(opaque=_kept("chat", id="audio_1")),)),
        assistant((Reasoning("only"),)),
    )


def _responses_messages() -> tuple[Message, ...]:
    call = ToolCall("c1", "f", '{"a":1}', _kept("responses", id="fc_1"))
    custom = ToolCall("c2", "g", "free", _kept("responses", id="ctc_1", type="custom_tool_call"))
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
    said = (
        Reasoning("why", _kept("responses", id="rs_1", encrypted_content="abc")),
        _kept("responses", item=search),
        Text("t", _kept("responses", id="msg_1", phase="final_answer")),
        Text("no", _kept("responses", id="msg_2", type="refusal")),
        call,
        custom,
    )
    image = Image(opaque=Opaque("openai", '{"file_id":"file-1"}'))
    return (
        system("s"),
        user((*MEDIA, image, File(url="http://x.test/a.pdf", name="a.pdf"))),
        assistant(said),
        tool_result(call, "ok"),
        tool_result(custom, (Text("a"), Image(url="http://x.test/y.png")), is_error=True),
        assistant((Reasoning("elsewhere"), Text("plain", _kept("responses", phase="commentary")))),
        user("x"),
    )


def _faults(endpoint: Any, request: Any, card: Card, *, is_stream: bool = False) -> list[str]:
    wire = endpoint.codec.encode(request, card, is_stream=is_stream)
    return validate_openapi(SPEC, "post", endpoint.record.path.removeprefix("/v1"), json.loads(wire.body))


@pytest.mark.parametrize("is_stream", [False, True])
def test_chat_bodies_are_as_published(chat: Any, card: Card, reasoning_card: Card, is_stream: bool) -> None:
    """Every part, option and role of chat completions."""
    options = {**OPTIONS, "stop": ("x",), "seed": 1, "presence_penalty": 0.1, "frequency_penalty": 0.2}
    extra = {"openai": {"n": 2, "logprobs": True, "service_tier": "flex", "tools": [{"type": "custom", "custom": {"name": "g"}}]}}
    request = Request(_chat_messages(), provider_options=extra, **options)
    for model in (card, reasoning_card):
        assert _faults(chat, request, model, is_stream=is_stream) == []


@pytest.mark.parametrize("is_stream", [False, True])
def test_responses_bodies_are_as_published(responses: Any, card: Card, reasoning_card: Card, is_stream: bool) -> None:
    """Every part, option and item of the responses endpoint."""
    extra = {
        "openai": {
            "include": ["message.output_text.logprobs"],
            "text": {"verbosity": "low"},
            "reasoning": {"summary": "auto"},
            "tools": [{"type": "web_search"}],
        }
    }
    request = Request(_responses_messages(), provider_options=extra, **OPTIONS)
    for model in (card, reasoning_card):
        assert _faults(responses, request, model, is_stream=is_stream) == []


def test_embedding_bodies_are_as_published(embeddings: Any, card: Card) -> None:
    """Inputs, dimensions and the user."""
    assert _faults(embeddings, EmbedRequest(("a", "b"), dimensions=3, provider_options={"openai": {"user": "u"}}), card) == []
