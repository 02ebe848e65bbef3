"""Bodies that clients send, read by the dialect."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pingpong import (
    InvalidRequestError,
    Message,
    OutputSchema,
    Role,
    Text,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    WireRequest,
    user,
)
from pingpong_anthropic.count_tokens import CountTokensDialect
from pingpong_anthropic.messages import MessagesDialect
from pingpong_anthropic.options import COUNT_TOKENS_FIELDS, MESSAGES_OPTIONS
from pingpong_anthropic.plugin import RECORD

BASE: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "q"}]}


def wire(**fields: Any) -> WireRequest:
    """A request whose body is the smallest one with these fields."""
    return WireRequest("POST", "/v1/messages", {}, msgspec.json.encode({**BASE, **fields}))


def test_the_smallest_body_is_a_request() -> None:
    """Model, limit and one message are enough."""
    parsed = MessagesDialect().parse(wire(), {})
    assert ("m", False, (user("q"),), 5) == (
        parsed.model,
        parsed.is_stream,
        parsed.request.messages,
        parsed.request.max_output_tokens,
    )
    assert MessagesDialect().parse(wire(stream=True), {}).is_stream


def test_results_among_other_content_become_messages_of_their_own() -> None:
    """The wire mixes results and words in one turn; messages do not, and the order stays."""
    content = [{"type": "tool_result", "tool_use_id": "t1", "content": "2", "is_error": False}, {"type": "text", "text": "and?"}]
    call = {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": [call]}, {"role": "user", "content": content}]
    messages = MessagesDialect().parse(wire(messages=turns), {}).request.messages
    assert (
        user("q"),
        Message(Role.assistant, (ToolCall("t1", "add", '{"a":1}'),)),
        Message(Role.tool, (ToolCallResponse("t1", "2", "add"),)),
        Message(Role.user, (Text("and?"),)),
    ) == messages


def test_an_empty_turn_is_an_empty_message() -> None:
    """A turn without blocks is read as such."""
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": []}]
    assert Message(Role.assistant, ()) == MessagesDialect().parse(wire(messages=turns), {}).request.messages[1]


def test_both_places_of_an_output_schema_are_read() -> None:
    """Older clients send `output_format`, newer ones `output_config.format`."""
    schema = {"type": "object"}
    told = {"type": "json_schema", "schema": schema}
    for fields in ({"output_format": told}, {"output_config": {"format": told}}):
        assert OutputSchema(schema) == MessagesDialect().parse(wire(**fields), {}).request.output_schema


THINKING: list[tuple[dict[str, Any], tuple[Any, Any, Any]]] = [
    ({"output_config": {"effort": "low"}}, ("low", None, {})),
    ({"thinking": {"type": "disabled"}}, ("none", None, {})),
    ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, ("low", None, {"thinking": {"type": "disabled"}})),
    ({"thinking": {"type": "between_tools"}}, (None, None, {"thinking": {"type": "between_tools"}})),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}},
        (None, 1024, {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}}),
    ),
    ({"output_config": {"effort": None, "format": None}}, (None, None, {})),
]


@pytest.mark.parametrize(("fields", "told"), THINKING)
def test_thinking_is_read_as_effort_and_budget(fields: dict[str, Any], told: tuple[Any, Any, Any]) -> None:
    """What effort and budget cannot say stays an option of the provider."""
    request = MessagesDialect().parse(wire(**fields), {}).request
    options = request.provider_options.get("anthropic", {})
    assert told == (request.reasoning_effort, request.reasoning_budget_tokens, options)


def test_parallel_calls_alone_leave_the_choice_unset() -> None:
    """`auto` beside a word on parallel calls is no choice of its own, as the wire has no other place for that word."""
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    request = MessagesDialect().parse(wire(tool_choice=choice), {}).request
    assert (request.tool_choice, request.parallel_tool_calls) == (None, False)
    named = MessagesDialect().parse(wire(tool_choice={"type": "tool", "name": "f"}), {}).request
    assert (ToolChoice("named", "f"), None) == (named.tool_choice, named.parallel_tool_calls)


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": "x"}, r"max_tokens"),
    ({"max_tokens": 0}, r"max_tokens"),
    ({"model": ""}, r"model"),
    ({"messages": []}, r"messages"),
    ({"messages": [{"role": "robot", "content": "q"}]}, r"messages\[0\].role"),
    ({"messages": [{"role": "user", "content": [{"text": "q"}]}]}, r"messages.0.content: type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, r"messages.0.content: text"),
    ({"messages": [{"role": "user", "content": ["q"]}]}, r"messages.0.content: a content block"),
    ({"messages": [{"role": "user", "content": [IMAGE]}]}, r"source.data is not base64"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, r"source is missing"),
    (
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": 3}]}]},
        r"neither a string nor a list",
    ),
    ({"system": [{"type": "text"}]}, r"system: text"),
    ({"temperature": 1.5}, r"temperature"),
    ({"foo": 1}, r"foo"),
    ({"tools": [{"name": "f"}]}, r"tools.0: .*input_schema"),
    ({"tool_choice": {"type": "tool"}}, r"name"),
    ({"thinking": {"type": "much"}}, r"thinking"),
]


@pytest.mark.parametrize(("fields", "what"), BAD)
def test_a_bad_field_is_named(fields: dict[str, Any], what: str) -> None:
    """A body that the endpoint does not take is refused by the name of its field."""
    with pytest.raises(InvalidRequestError, match=what):
        MessagesDialect().parse(wire(**fields), {})


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"a":', b"<html>"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    """Anything but a JSON object is an invalid request, never a crash."""
    with pytest.raises(InvalidRequestError, match="The request body"):
        MessagesDialect().parse(WireRequest("POST", "/v1/messages", {}, body), {})


def test_the_limit_is_required_for_messages_alone() -> None:
    """`max_tokens` must be there for an answer and must not for a count."""
    body = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "q"}]})
    with pytest.raises(InvalidRequestError, match="max_tokens: Field required"):
        MessagesDialect().parse(WireRequest("POST", "/v1/messages", {}, body), {})
    parsed = CountTokensDialect().parse(WireRequest("POST", "/v1/messages/count_tokens", {}, body), {})
    assert parsed.request.max_output_tokens is None
    with pytest.raises(InvalidRequestError, match="max_tokens: Extra inputs"):
        CountTokensDialect().parse(wire(), {})


def test_the_record_lists_the_options_that_the_wire_takes() -> None:
    """What the driver declares and what its halves know are the same names."""
    assert {MESSAGES_OPTIONS} == {endpoint.provider_options for endpoint in RECORD.endpoints}
    assert {"model", "messages", "system"} <= COUNT_TOKENS_FIELDS
