"""Requests on the responses wire: what is written, what is read, what is refused."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from attrs import evolve
from pingpong import (
    Audio,
    Card,
    Image,
    InvalidRequestError,
    Message,
    Opaque,
    Request,
    Role,
    Text,
    ToolCallResponse,
    UnsupportedParameter,
    WireRequest,
    assistant,
    system,
    user,
)


def _kept(**value: Any) -> Opaque:
    return Opaque("openai", json.dumps({"responses": value}, separators=(",", ":")))


@pytest.mark.parametrize(
    "message",
    [
        user((Audio(data=b"x", media_type="audio/wav"),)),
        assistant((Image(url="http://x.test/a.png"),)),
        user((ToolCallResponse("c", "x"),)),
        Message(Role.tool, (ToolCallResponse("c", (Audio(data=b"x", media_type="audio/wav"),)),)),
    ],
)
def test_content_without_a_place_is_refused(responses: Any, card: Card, message: Message) -> None:
    """Sound belongs to chat completions; an assistant's pictures to nobody."""
    with pytest.raises(InvalidRequestError):
        responses.codec.encode(Request((user("x"), message)), card, is_stream=False)


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        (Request((user((Text("x"), Opaque("gemini", "{}"))),)), ()),
        (Request((user("x"), assistant((Text("y"), Opaque("anthropic", "{}"))))), ()),
        (Request((user("x"), Message(Role.tool, (Opaque("anthropic", "{}"),)))), ()),
        (Request((user("x"), Message(Role.tool, (ToolCallResponse("c", (Text("y"), Opaque("gemini", "{}"))),)))), ()),
        (Request("x", stop=("a",)), ("stop",)),
        (Request("x", seed=0), ("seed",)),
        (Request("x", presence_penalty=0.0), ("presence_penalty",)),
    ],
)
@pytest.mark.parametrize("on_unsupported", ["raise", "drop"])
def test_what_has_no_place_is_refused_by_name(
    responses: Any, card: Card, request_: Request, options: tuple[str, ...], on_unsupported: Literal["raise", "drop"]
) -> None:
    """Foreign parts and options without a field raise, dropping allowed or not; the error names the options to leave out."""
    with pytest.raises(UnsupportedParameter) as caught:
        responses.codec.encode(evolve(request_, on_unsupported=on_unsupported), card, is_stream=False)
    assert caught.value.options == options


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m"}',
        b'{"input":"x"}',
        b'{"model":"m","input":[5]}',
        b'{"model":"m","input":[{"role":"oracle","content":"x"}]}',
        b'{"model":"m","input":[{"role":"user","content":5}]}',
        b'{"model":"m","input":[{"role":"user","content":[{}]}]}',
        b'{"model":"m","input":[{"role":"user","content":[{"type":"hologram"}]}]}',
        b'{"model":"m","input":[{"role":"assistant","content":5}]}',
        b'{"model":"m","input":[{"type":"function_call","name":"f"}]}',
        b'{"model":"m","input":[{"type":"function_call_output","output":"x"}]}',
        b'{"model":"m","input":"x","tools":[{"type":"function"}]}',
        b'{"model":"m","input":"x","text":5}',
        b'{"model":"m","input":"x","background":true}',
    ],
)
def test_a_bad_request_is_refused(responses: Any, body: bytes) -> None:
    """Whatever a client sends is parsed or refused with the caller's error."""
    with pytest.raises(InvalidRequestError):
        responses.dialect.parse(WireRequest("POST", "/v1/responses", {}, body), {})


def test_an_answer_that_is_waited_for_is_the_default(responses: Any) -> None:
    """`background: false` says nothing, so it becomes no option that would be refused later."""
    wire = WireRequest("POST", "/v1/responses", {}, b'{"model":"m","input":"x","background":false}')
    assert responses.dialect.parse(wire, {}).request == Request("x")


def test_what_clients_send_is_read(responses: Any, card: Card) -> None:
    """Instructions, every spelling of a message, items without ids, media, and options kept under their own names."""
    body = {
        "model": "m",
        "instructions": "be",
        "tools": [{"type": "web_search"}, {"type": "function", "name": "f"}],
        "tool_choice": {"type": "web_search"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "web_search_call.results"],
        "previous_response_id": "resp_0",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
                    {"type": "input_image", "image_url": "data:image/png;base64,eA==", "detail": "high"},
                    {"type": "input_image", "file_id": "file-1"},
                    {"type": "input_file", "file_id": "file-2"},
                    {"type": "input_file", "file_url": "http://x.test/a.pdf"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "eA=="},
                ],
            },
            {"type": "message", "role": "assistant", "content": [{"type": "input_text", "text": "b"}]},
            {"role": "assistant", "content": "c", "phase": "commentary"},
            {"type": "custom_tool_call_output", "call_id": "lost", "output": "d"},
        ],
    }
    wire = WireRequest("POST", "/", {}, json.dumps(body).encode())
    request = responses.dialect.parse(wire, {}).request
    assert request.messages[0] == system("be")
    assert request.messages[2].parts == (Text("b"), Text("c", _kept(phase="commentary")))
    assert request.messages[3].parts[0].opaque == _kept(type="custom_tool_call_output")
    assert (request.reasoning_effort, [tool.name for tool in request.tools]) == ("low", ["f"])
    assert request.provider_options["openai"] == {
        "tools": [{"type": "web_search"}],
        "tool_choice": {"type": "web_search"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "reasoning": {"summary": "auto"},
        "include": ["web_search_call.results"],
        "previous_response_id": "resp_0",
    }
    again = responses.dialect.parse(responses.codec.encode(request, card, is_stream=False), {}).request
    assert again == request
