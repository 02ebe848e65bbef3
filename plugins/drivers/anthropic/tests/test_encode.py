"""Requests on the wire, and back through the dialect."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Literal

import pytest
from pingpong import (
    Audio,
    Card,
    File,
    Image,
    InvalidRequestError,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    UnsupportedCapability,
    UnsupportedParameter,
    assistant,
    system,
    tool_result,
    user,
)
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect

Body = Callable[..., dict[str, Any]]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
CALL = ToolCall("toolu_1", "add", '{"a":1}')


def opaque(json: str) -> Opaque:
    """Something of this provider's."""
    return Opaque("anthropic", json)


OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0.0}, {"temperature": 0.0}),
    ({"top_p": 0.5, "top_k": 3}, {"top_p": 0.5, "top_k": 3}),
    ({"stop": ("END", "```")}, {"stop_sequences": ["END", "```"]}),
    ({"max_output_tokens": 1}, {"max_tokens": 1}),
    ({"tools": (Tool("f", parameters=SCHEMA),)}, {"tools": [{"name": "f", "input_schema": SCHEMA}]}),
    (
        {"tools": (Tool("f", "adds", SCHEMA, is_strict=True),)},
        {"tools": [{"name": "f", "description": "adds", "input_schema": SCHEMA, "strict": True}]},
    ),
    ({"tool_choice": ToolChoice("auto")}, {"tool_choice": {"type": "auto"}}),
    ({"tool_choice": ToolChoice("none")}, {"tool_choice": {"type": "none"}}),
    ({"tool_choice": ToolChoice("required")}, {"tool_choice": {"type": "any"}}),
    ({"tool_choice": ToolChoice("named", "f")}, {"tool_choice": {"type": "tool", "name": "f"}}),
    ({"parallel_tool_calls": False}, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
    (
        {"parallel_tool_calls": True, "tool_choice": ToolChoice("required")},
        {"tool_choice": {"type": "any", "disable_parallel_tool_use": False}},
    ),
    ({"output_schema": OutputSchema(SCHEMA)}, {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
    ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    ({"reasoning_effort": "low"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    ({"reasoning_effort": "max"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
    ({"reasoning_budget_tokens": 2048}, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    (
        {"reasoning_budget_tokens": 2048, "reasoning_effort": "high"},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "high"}},
    ),
    ({"provider_options": {"anthropic": {"service_tier": "auto"}}}, {"service_tier": "auto"}),
    ({"provider_options": {"anthropic": {"metadata": {"user_id": "u"}}}}, {"metadata": {"user_id": "u"}}),
    (
        {
            "reasoning_effort": "high",
            "provider_options": {"anthropic": {"output_config": {"task_budget": {"type": "tokens", "total": 9}}}},
        },
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high", "task_budget": {"type": "tokens", "total": 9}}},
    ),
    (
        {"provider_options": {"anthropic": {"thinking": {"type": "adaptive", "display": "summarized"}}}},
        {"thinking": {"type": "adaptive", "display": "summarized"}},
    ),
    ({"provider_options": {"anthropic": {"thinking": {"type": "adaptive"}}}}, {"thinking": {"type": "adaptive"}}),
    (
        {
            "tools": (Tool("f", parameters=SCHEMA),),
            "provider_options": {
                "anthropic": {
                    "tools": [{"type": "web_search_20250305", "name": "web_search"}],
                    "tool_options": {"f": {"cache_control": {"type": "ephemeral"}}},
                }
            },
        },
        {
            "tools": [
                {"name": "f", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}},
                {"type": "web_search_20250305", "name": "web_search"},
            ]
        },
    ),
]


@pytest.mark.parametrize(("options", "wire"), OPTIONS)
def test_an_option_goes_to_its_place_and_comes_back(
    body_of: Body, card: Card, options: dict[str, Any], wire: dict[str, Any]
) -> None:
    """Each option of a request has one place on the wire, and the dialect reads it back."""
    request = Request("hi", **{"max_output_tokens": 64000, **options})
    body = body_of(request, card)
    base = {"model": "claude-sonnet-4-6", "max_tokens": 64000, "messages": [{"role": "user", "content": "hi"}]}
    assert {**base, **wire} == body
    assert request == MessagesDialect().parse(MessagesCodec().encode(request, card, is_stream=False), {}).request


PARTS: list[tuple[Part, dict[str, Any]]] = [
    (Text("a\u2028b\x00😀"), {"type": "text", "text": "a\u2028b\x00😀"}),
    (
        Text("t", opaque('{"cache_control":{"type":"ephemeral"}}')),
        {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
    ),
    (
        Image(data=b"\x89PNG", media_type="image/png"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
    ),
    (Image(url="https://x.test/a.png"), {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}),
    (
        Image(opaque=opaque('{"source":{"type":"file","file_id":"file_1"}}')),
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
    ),
    (
        File(data=b"%PDF", media_type="application/pdf", name="a.pdf"),
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}, "title": "a.pdf"},
    ),
    (
        File(data="é".encode(), media_type="text/plain", opaque=opaque('{"citations":{"enabled":true}}')),
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}, "citations": {"enabled": True}},
    ),
    (
        File(url="https://x.test/a.pdf", media_type="application/pdf"),
        {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
    ),
    (
        File(opaque=opaque('{"source":{"type":"content","content":"c"}}')),
        {"type": "document", "source": {"type": "content", "content": "c"}},
    ),
    (Opaque("anthropic", '{"type":"container_upload","file_id":"file_1"}'), {"type": "container_upload", "file_id": "file_1"}),
]


@pytest.mark.parametrize(("part", "block"), PARTS)
def test_a_users_part_becomes_its_block_and_comes_back(body_of: Body, card: Card, part: Part, block: dict[str, Any]) -> None:
    """Text, media and provider content each have their block, and the dialect reads it back."""
    request = Request(user((Text("see"), part)), max_output_tokens=9)
    assert [{"role": "user", "content": [{"type": "text", "text": "see"}, block]}] == body_of(request, card)["messages"]
    assert request == MessagesDialect().parse(MessagesCodec().encode(request, card, is_stream=False), {}).request


def test_an_answer_goes_back_as_it_came(body_of: Body, card: Card) -> None:
    """Signatures, redacted thinking, citations, callers and server tools survive in an assistant message."""
    parts: tuple[Part, ...] = (
        Reasoning("hm", opaque('{"signature":"sig"}')),
        Reasoning("", opaque('{"type":"redacted_thinking","data":"xx"}')),
        Opaque("anthropic", '{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}'),
        Text("so", opaque('{"citations":[{"type":"char_location"}]}')),
        ToolCall("toolu_1", "add", '{"a":1}', opaque('{"caller":{"type":"direct"}}')),
    )
    request = Request((user("q"), assistant(parts), tool_result(CALL, "2")), max_output_tokens=9)
    wire = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xx"},
        {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}},
        {"type": "text", "text": "so", "citations": [{"type": "char_location"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}, "caller": {"type": "direct"}},
    ]
    assert wire == body_of(request, card)["messages"][1]["content"]
    assert request == MessagesDialect().parse(MessagesCodec().encode(request, card, is_stream=False), {}).request


def test_tool_results_of_neighbouring_messages_share_one_user_turn(body_of: Body, card: Card) -> None:
    """The API wants all results of a turn in one message, errors and images among them."""
    second = ToolCall("toolu_2", "look", "{}")
    image = Image(url="https://x.test/a.png")
    messages = (
        user("q"),
        assistant((CALL, second)),
        tool_result(CALL, "no", is_error=True),
        tool_result(second, (Text("it"), image)),
        user("and?"),
    )
    wire = body_of(Request(messages, max_output_tokens=9), card)["messages"]
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no", "is_error": True},
        {
            "type": "tool_result",
            "tool_use_id": "toolu_2",
            "content": [{"type": "text", "text": "it"}, {"type": "image", "source": {"type": "url", "url": image.url}}],
        },
    ]
    assert [{"role": "user", "content": results}, {"role": "user", "content": "and?"}] == wire[2:]


def test_an_empty_tool_result_stays_empty(body_of: Body, card: Card) -> None:
    """A result without content has none on the wire; one with the empty string has that."""
    messages = (user("q"), assistant((CALL,)), Message(Role.tool, (ToolCallResponse("toolu_1", ()), ToolCallResponse("b", ""))))
    wire = body_of(Request(messages), card)["messages"][2]["content"]
    bare = {"type": "tool_result", "tool_use_id": "toolu_1"}
    assert [bare, {"type": "tool_result", "tool_use_id": "b", "content": ""}] == wire


def test_leading_system_messages_keep_content_and_order(body_of: Body, card: Card) -> None:
    """What stands before the conversation goes to the top level, block by block."""
    body = body_of(Request((system("a"), system("b"), user("q"))), card)
    assert body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert body_of(Request((system("a"), user("q"))), card)["system"] == "a"


def test_a_later_system_message_keeps_its_place(body_of: Body, card: Card, new_card: Card) -> None:
    """Models that take system turns get one; for others it is marked text of the user, in the same place."""
    request = Request((user("q"), system("new rule"), assistant("a"), user("r")), max_output_tokens=9)
    turns = body_of(request, new_card)["messages"]
    assert turns[1] == {"role": "system", "content": "new rule"}
    assert request == MessagesDialect().parse(MessagesCodec().encode(request, new_card, is_stream=False), {}).request
    marked = {"role": "user", "content": "<system>\nnew rule\n</system>"}
    assert marked == body_of(request, card)["messages"][1]


@pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-sonnet-5-20260630", "claude-opus-4-7", "claude-haiku-4-5"])
def test_models_without_system_turns_get_marked_text(body_of: Body, model: str) -> None:
    """The models that refuse system turns never see one."""
    request = Request((user("q"), system("new rule")))
    messages = body_of(request, Card(provider="anthropic", model=model, endpoints=("messages",)))["messages"]
    assert [m["role"] for m in messages] == ["user", "user"]


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-5", "claude-haiku-5-5"])
def test_newer_models_get_system_turns(body_of: Body, model: str) -> None:
    """Models since Opus 4.8, Sonnet 5 apart, get the turn itself."""
    request = Request((user("q"), system("new rule")))
    messages = body_of(request, Card(provider="anthropic", model=model, endpoints=("messages",)))["messages"]
    assert [m["role"] for m in messages] == ["user", "system"]


def test_a_system_message_where_no_turn_may_stand_is_marked_text(body_of: Body, new_card: Card) -> None:
    """A system turn must precede an assistant's or end the list; before a user's it cannot stand."""
    messages = body_of(Request((user("q"), system("rule"), user("r"))), new_card)["messages"]
    assert [m["role"] for m in messages] == ["user", "user", "user"]
    directive = Opaque("anthropic", '{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}')
    messages = body_of(Request((user("q"), system((directive,)), user("r"))), new_card)["messages"]
    assert messages[1]["role"] == "system"


def test_empty_content_is_left_out(body_of: Body, card: Card) -> None:
    """The API refuses empty texts and turns, and they say nothing."""
    messages = (user("q"), assistant(""), user((Text(""), Text("r"), Text("s"))), assistant((Reasoning("unsigned"),)))
    wire = body_of(Request(messages), card)["messages"]
    blocks = [{"type": "text", "text": "r"}, {"type": "text", "text": "s"}]
    assert [{"role": "user", "content": "q"}, {"role": "user", "content": blocks}] == wire


def test_attachments_of_other_providers_stay_out(body_of: Body, card: Card) -> None:
    """What another provider attached to a part never reaches this one, nor does reasoning it signed."""
    foreign = Opaque("openai", '{"id":"rs_1"}')
    messages = (user("q"), assistant((Reasoning("r", foreign), Text("a", foreign))), user("s"))
    assert body_of(Request(messages), card)["messages"][1] == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize("on_unsupported", ["raise", "drop"])
def test_a_foreign_part_is_refused(body_of: Body, card: Card, on_unsupported: Literal["raise", "drop"]) -> None:
    """Content only another provider understands is never left out unsaid; what may be dropped the kernel drops."""
    for part in (Opaque("openai", "{}"), ToolCallResponse("c", (Opaque("openai", "{}"),))):
        with pytest.raises(UnsupportedParameter, match="only openai understands"):
            body_of(Request(user((Text("q"), part)), on_unsupported=on_unsupported), card)


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", "3", "nonsense"])
def test_arguments_that_are_no_object_are_wrapped(body_of: Body, card: Card, arguments: str) -> None:
    """The wire wants an object, and documents how to carry what is none; it comes back as it was."""
    call = ToolCall("toolu_1", "f", arguments)
    request = Request((user("q"), assistant((call,)), tool_result(call, "bad", is_error=True)), max_output_tokens=9)
    assert {"INVALID_JSON": arguments} == body_of(request, card)["messages"][1]["content"][0]["input"]
    assert request == MessagesDialect().parse(MessagesCodec().encode(request, card, is_stream=False), {}).request


def test_max_tokens_is_always_sent(body_of: Body, card: Card) -> None:
    """The wire insists on a limit: the request's, else the card's, else a stated default."""
    assert body_of(Request("q"), card)["max_tokens"] == 64000
    assert body_of(Request("q"), Card(provider="anthropic", model="m", endpoints=("messages",)))["max_tokens"] == 4096


def test_betas_choose_header_and_path(card: Card) -> None:
    """Beta features go into their header and the path's beta form, and come back as an option."""
    request = Request("q", max_output_tokens=9, provider_options={"anthropic": {"betas": ["a-1", "b-2"], "endpoint": "messages"}})
    wire = MessagesCodec().encode(request, card, is_stream=True)
    assert (wire.target, wire.headers["anthropic-beta"]) == ("/v1/messages?beta=true", "a-1,b-2")
    parsed = MessagesDialect().parse(wire, {})
    assert parsed.request.provider_options == {"anthropic": {"betas": ["a-1", "b-2"]}}
    assert parsed.is_stream
    one = MessagesCodec().encode(Request("q", provider_options={"anthropic": {"betas": "a-1"}}), card, is_stream=False)
    assert one.headers["anthropic-beta"] == "a-1"


def test_headers_name_version_and_type_and_hold_no_key(card: Card) -> None:
    """The version header is the codec's; the key is the credentials'."""
    wire = MessagesCodec().encode(Request("q"), card, is_stream=False)
    assert wire.headers == {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    assert wire.target == "/v1/messages"


def test_any_mapping_can_be_a_schema(body_of: Body, card: Card) -> None:
    """Read-only mappings are as good as dicts, and nothing handed in is changed."""
    frozen = MappingProxyType({"type": "object"})
    tools = (Tool("f", parameters=frozen),)
    assert body_of(Request("q", tools=tools), card)["tools"][0]["input_schema"] == {"type": "object"}
    with pytest.raises(InvalidRequestError, match="object among the request's options"):
        body_of(Request("q", provider_options={"anthropic": {"metadata": object()}}), card)


REFUSED: list[tuple[Message, type[Exception]]] = [
    (user((Audio(data=b"x", media_type="audio/wav"),)), UnsupportedCapability),
    (user((File(data=b"x", media_type="application/zip"),)), UnsupportedCapability),
    (user((File(data=b"\xff", media_type="text/plain"),)), InvalidRequestError),
    (user((File(),)), InvalidRequestError),
    (user((Image(data=b"x"),)), InvalidRequestError),
    (user((Text("q", Opaque("anthropic", "[1]")),)), InvalidRequestError),
    (system("only this"), InvalidRequestError),
]


@pytest.mark.parametrize(("message", "error"), REFUSED)
def test_content_that_the_wire_cannot_carry_is_refused(
    body_of: Body, card: Card, message: Message, error: type[Exception]
) -> None:
    """What has no block, no bytes or no meaning here raises before anything is sent."""
    with pytest.raises(error):
        body_of(Request(message), card)


def test_equal_requests_give_equal_bytes(card: Card) -> None:
    """Encoding is deterministic."""
    tools = (Tool("f", "d", SCHEMA),)
    first, second = (Request("q", tools=tools, temperature=0.5) for _ in range(2))
    codec = MessagesCodec()
    assert codec.encode(first, card, is_stream=True) == codec.encode(second, card, is_stream=True)
