"""Requests on the chat completions wire: what is written, what is read, what is refused."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from attrs import evolve
from pingpong import (
    Audio,
    Card,
    File,
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
    user,
)


@pytest.mark.parametrize(
    "message",
    [
        user((Image(opaque=Opaque("openai", '{"file_id":"f"}')),)),
        user((Image(data=b"x"),)),
        user((Audio(url="http://x.test/a.wav"),)),
        user((Audio(data=b"x", media_type="audio/flac"),)),
        user((File(url="http://x.test/a.pdf"),)),
        user((ToolCallResponse("c", "x"),)),
        assistant((Image(url="http://x.test/a.png"),)),
        assistant((Audio(data=b"x"),)),
        Message(Role.tool, (ToolCallResponse("c", (Image(url="http://x.test/a.png"),)),)),
        user((Text("x", Opaque("openai", "{oops")),)),
        user("\ud800"),
    ],
)
def test_content_without_a_place_is_refused(chat: Any, card: Card, message: Message) -> None:
    """What the wire cannot carry is the caller's error, never left out in silence."""
    with pytest.raises(InvalidRequestError):
        chat.codec.encode(Request((message,)), card, is_stream=False)


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        (Request((user((Text("x"), Opaque("gemini", "{}"))),)), ()),
        (Request((user("x"), assistant((Text("y"), Opaque("anthropic", "{}"))))), ()),
        (Request((user("x"), Message(Role.tool, (Opaque("anthropic", "{}"),)))), ()),
        (Request("x", top_k=4), ("top_k",)),
        (Request("x", reasoning_budget_tokens=100), ("reasoning_budget_tokens",)),
        (Request("x", top_k=4, reasoning_budget_tokens=0), ("top_k", "reasoning_budget_tokens")),
    ],
)
@pytest.mark.parametrize("on_unsupported", ["raise", "drop"])
def test_what_has_no_place_is_refused_by_name(
    chat: Any, card: Card, request_: Request, options: tuple[str, ...], on_unsupported: Literal["raise", "drop"]
) -> None:
    """Foreign parts and options without a field raise, dropping allowed or not; the error names the options to leave out."""
    with pytest.raises(UnsupportedParameter) as caught:
        chat.codec.encode(evolve(request_, on_unsupported=on_unsupported), card, is_stream=False)
    assert caught.value.options == options


def test_foreign_attachments_are_left_out(chat: Any, card: Card) -> None:
    """Another provider's signature on a text goes nowhere."""
    wire = chat.codec.encode(Request((user((Text("x", Opaque("anthropic", '{"secret":1}')),)),)), card, is_stream=False)
    assert json.loads(wire.body)["messages"] == [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"model":"m"}',
        b'{"messages":[]}',
        b'{"model":"m","messages":[5]}',
        b'{"model":"m","messages":[{"role":"oracle","content":"x"}]}',
        b'{"model":"m","messages":[{"role":"user","content":5}]}',
        b'{"model":"m","messages":[{"role":"user","content":[{}]}]}',
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}',
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]}',
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x,y"}}]}]}',
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"?","format":"wav"}}]}]}',
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"hologram","hologram":{}}]}]}',
        b'{"model":"m","messages":[{"role":"tool","content":"x"}]}',
        b'{"model":"m","messages":[{"role":"assistant","tool_calls":[5]}]}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":"hot"}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":-1}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":"many"}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":5}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}',
    ],
)
def test_a_bad_request_is_refused_by_name(chat: Any, body: bytes) -> None:
    """Whatever a client sends is parsed or refused with the caller's error."""
    with pytest.raises(InvalidRequestError):
        chat.dialect.parse(WireRequest("POST", "/v1/chat/completions", {}, body), {})


def test_what_clients_send_is_read(chat: Any) -> None:
    """Old and new spellings, media, calls and results, and options kept under their own names."""
    body = {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "max_tokens": 7,
        "stop": "END",
        "response_format": {"type": "json_object"},
        "tool_choice": {"type": "custom", "custom": {"name": "g"}},
        "tools": [{"type": "custom", "custom": {"name": "g"}}, {"type": "function", "function": {"name": "f"}}],
        "messages": [
            {"role": "developer", "content": "be"},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
                    {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="}},
                    {"type": "file", "file": {"filename": "b.pdf", "file_data": "eA=="}},
                ],
            },
            {"role": "assistant", "content": None, "refusal": "no", "audio": {"id": "audio_1"}},
            {"role": "assistant", "function_call": {"name": "old", "arguments": ""}},
            {"role": "function", "name": "old", "content": "done"},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "g", "input": "x"}}]},
        ],
    }
    parsed = chat.dialect.parse(WireRequest("POST", "/", {}, json.dumps(body).encode()), {})
    request = parsed.request
    assert (parsed.is_stream, request.max_output_tokens, request.stop, request.tool_choice) == (True, 7, ("END",), None)
    assert [tool.name for tool in request.tools] == ["f"]
    assert request.provider_options["openai"].keys() == {"tools", "tool_choice", "response_format", "stream_options"}
    image, audio, by_id, named, bare = request.messages[1].parts
    assert (image.data, audio.media_type, named.name, named.data, bare.data) == (b"x", "audio/mpeg", "a.pdf", b"x", b"x")
    assert by_id == File(opaque=Opaque("openai", '{"file_id":"file-1"}'))
    assert request.messages[2].parts[0] == Text("no")
    assert request.messages[4].parts[0] == ToolCallResponse("call_0", "done", "old")
    again = chat.codec.encode(request, Card(provider="openai", model="m", endpoints=()), is_stream=True)
    assert chat.dialect.parse(again, {}).request.messages[3:] == request.messages[3:]


def test_a_cap_of_no_tokens_is_refused(chat: Any) -> None:
    """`max_completion_tokens: 0` is the caller's error, not no cap."""
    body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 0}
    with pytest.raises(InvalidRequestError, match="max_output_tokens is 0"):
        chat.dialect.parse(WireRequest("POST", "/", {}, json.dumps(body).encode()), {})
