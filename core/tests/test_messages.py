"""Messages, requests' checks on them, and what they need of a model."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st
from pingpong import (
    Audio,
    Capability,
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
    assistant,
    estimate_text_tokens,
    system,
    text_of,
    tool_result,
    user,
)
from pingpong._requests import OPTION_NEEDS, check_request, content_needs, needs_of, options_set, without_options

CALL = ToolCall("c1", "add", '{"a":1}')


@pytest.mark.parametrize(
    ("content", "parts"),
    [("hi", (Text("hi"),)), (Text("hi"), (Text("hi"),)), ([Text("a"), Image(url="u")], (Text("a"), Image(url="u"))), ((), ())],
)
def test_content_becomes_parts(content: Any, parts: tuple[Part, ...]) -> None:
    """A string, one part, a list and a tuple all become a tuple of parts."""
    assert parts == Message("user", content).parts
    assert parts == ToolCallResponse("c1", content).parts


def test_makers_set_the_role() -> None:
    """Each short form gives the message of its role; a tool's result repeats id and name of its call."""
    assert [m.role for m in (system("s"), user("u"), assistant("a"))] == [Role.system, Role.user, Role.assistant]
    assert tool_result(CALL, "2", is_error=True) == Message(Role.tool, (ToolCallResponse("c1", (Text("2"),), "add", True),))


def test_text_leaves_reasoning_out() -> None:
    """The visible text is the text parts, joined without a separator."""
    parts = (Reasoning("hm"), Text("a"), CALL, Text("b"))
    assert text_of(parts) == assistant(parts).text == "ab"


def test_records_are_frozen_and_do_not_print_data() -> None:
    """Nothing can be set on a message, and neither media bytes nor opaque content show in a repr."""
    with pytest.raises(FrozenInstanceError):
        user("hi").role = Role.system  # type: ignore[misc]  # that is the claim
    shown = repr(user((Image(data=b"PIXELS", media_type="image/png"), Opaque("p", '{"SECRET":1}'))))
    assert "PIXELS" not in shown
    assert "SECRET" not in shown


def test_unknown_role_is_refused() -> None:
    """A role outside the four is an error at once."""
    with pytest.raises(ValueError, match="robot"):
        Message("robot", "hi")


C = Capability
WITH_TOOL: dict[str, Any] = {"tools": [Tool("t")]}


@pytest.mark.parametrize(
    ("request_", "needs"),
    [
        (Request("hi", temperature=1, stop="x"), set()),
        (Request("hi", **WITH_TOOL), {C.tools}),
        (Request("hi", output_schema=OutputSchema({})), {C.json_schema}),
        (Request(user((Image(url="u"), Audio(data=b"")))), {C.image_input, C.audio_input}),
        (Request(user((File(url="u"), File(data=b"", media_type="video/mp4")))), {C.file_input, C.video_input}),
        (Request((assistant((CALL,)), tool_result(CALL, (Image(url="u"),)))), {C.tools, C.image_input}),
    ],
)
def test_content_needs(request_: Request, needs: set[Capability]) -> None:
    """Content names what it needs, inside tool results too; options that could be dropped need nothing here."""
    assert needs == content_needs(request_)


def test_needs_of_a_call() -> None:
    """Streaming is a need, and so is each option that is set unless the caller lets it be dropped."""
    request = Request(user((Image(url="u"),)), temperature=1, seed=2)
    assert needs_of(request, is_stream=True) == {C.image_input, C.streaming, C.temperature, C.seed}
    assert needs_of(evolve(request, on_unsupported="drop"), is_stream=False) == {C.image_input}


def test_options_can_be_listed_and_unset() -> None:
    """Every droppable option that is set is listed, and unsetting them all leaves a request without options."""
    values: dict[str, Any] = dict.fromkeys(OPTION_NEEDS, 1)
    values |= {"stop": "x", "tool_choice": ToolChoice("none"), "reasoning_effort": "low", "parallel_tool_calls": False}
    request = Request("hi", **values)
    assert set(options_set(request)) == set(OPTION_NEEDS)
    assert without_options(request, options_set(request)) == Request("hi")
    assert options_set(Request("hi")) == ()


@pytest.mark.parametrize(("mode", "name"), [("named", None), ("auto", "t"), ("required", "t")])
def test_tool_choice_names_a_tool_only_when_named(mode: Any, name: str | None) -> None:
    """A name goes with `named` and with nothing else."""
    with pytest.raises(InvalidRequestError, match="named"):
        ToolChoice(mode, name)


@pytest.mark.parametrize(
    "messages",
    [
        "hi",
        (system("be brief"), user("hi")),
        (user(""), user((Image(url="u"),))),
        (user("hi"), assistant((Reasoning("hm"), CALL)), tool_result(CALL, "")),
        Message("tool", (ToolCallResponse("c1", "2"), Opaque("p", "{}"))),
        user("naïve \U0001f600"),
    ],
)
def test_answerable_requests_pass(messages: Any) -> None:
    """What some provider could answer is let through."""
    check_request(Request(messages))


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ((), "no messages"),
        ("", "empty"),
        (" \n", "empty"),
        (system("only a system prompt"), "empty"),
        (user((CALL,)), "ToolCall belongs to an assistant"),
        (user((Reasoning("hm"),)), "Reasoning belongs to an assistant"),
        (user((ToolCallResponse("c1", "2"),)), "tool message"),
        (Message("tool", "hi"), "tool message"),
        ((user("hi"), user("half \ud83d")), r"messages\[1\].*character 5"),
    ],
)
def test_unanswerable_requests_are_refused(messages: Any, match: str) -> None:
    """What no provider could answer is the caller's error, and the text itself is not repeated."""
    with pytest.raises(InvalidRequestError, match=match) as caught:
        check_request(Request(messages))
    assert "half" not in str(caught.value).split("holds half of a surrogate pair")[0]


@given(st.text(), st.text())
def test_token_estimate_grows_with_the_text(one: str, other: str) -> None:
    """The estimate is positive and longer text never has a smaller one."""
    assert 1 <= estimate_text_tokens(one) <= estimate_text_tokens(one + other)
