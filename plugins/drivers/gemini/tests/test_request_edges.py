"""Requests that go one way only: what is changed on the way out, refused, or read in other spellings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from attrs import evolve
from pingpong import (
    File,
    Image,
    InvalidRequestError,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    ReasoningEffort,
    Request,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    UnsupportedParameter,
    assistant,
    system,
    tool_result,
    user,
)

NO_ID = Opaque("gemini", '{"thoughtSignature":"c2ln","functionCall":{"id":null}}')
HI = {"role": "user", "parts": [{"text": "hi"}]}


def test_system_messages_are_hoisted_in_order(body_of: Callable[..., Any]) -> None:
    """System messages anywhere keep their content and order in the one system instruction."""
    body = body_of(Request((user("hi"), system("a"), assistant("b"), system("c"), user("d"))))
    assert [p["text"] for p in body["systemInstruction"]["parts"]] == ["a", "c"]
    assert [c["role"] for c in body["contents"]] == ["user", "model", "user"]


def test_answers_of_parallel_calls_share_one_content(body_of: Callable[..., Any]) -> None:
    """Tool messages in a row become one content, named and matched by their calls."""
    calls = (ToolCall("call_0", "f", "{}", NO_ID), ToolCall("b", "g", "{}"))
    answers = (Message(Role.tool, (ToolCallResponse("call_0", "x"),)), tool_result(calls[1], "y"))
    body = body_of(Request((user("hi"), assistant(calls), *answers)))
    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"name": "f", "response": {"output": "x"}}},
        {"functionResponse": {"id": "b", "name": "g", "response": {"output": "y"}}},
    ]


@pytest.mark.parametrize(("effort", "budget"), [("none", 0), ("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24576)])
def test_older_models_take_a_budget_for_an_effort(body_of: Callable[..., Any], effort: Any, budget: int) -> None:
    """Before Gemini 3, an effort is sent as the documented number of tokens."""
    config = body_of(Request("hi", reasoning_effort=effort), "gemini-2.5-flash")["generationConfig"]["thinkingConfig"]
    assert config["thinkingBudget"] == budget
    assert config.get("includeThoughts", False) == (budget > 0)


@pytest.mark.parametrize(
    ("request_", "model", "kind"),
    [
        (Request("hi", reasoning_effort="none"), "gemini-3.6-flash", UnsupportedParameter),
        (Request("hi", reasoning_effort="max"), "gemini-3.6-flash", UnsupportedParameter),
        (Request("hi", reasoning_effort="xhigh"), "gemini-2.5-pro", UnsupportedParameter),
        (Request("hi", reasoning_effort="low", reasoning_budget_tokens=1), "gemini-2.5-pro", InvalidRequestError),
        (Request((user("hi"), assistant(Opaque("openai", "{}")))), "m", UnsupportedParameter),
        (Request((user("hi"), assistant(ToolCall("a", "f", "{")))), "m", InvalidRequestError),
        (Request((user("hi"), assistant(ToolCall("a", "f", "[]")))), "m", InvalidRequestError),
        (Request(Message(Role.tool, (ToolCallResponse("a", "x"),))), "m", InvalidRequestError),
        (Request(user(Image(data=b"x"))), "m", InvalidRequestError),
        (Request(user(File(opaque=Opaque("openai", '{"file_id":"x"}')))), "m", InvalidRequestError),
        (Request(user(Text("x", Opaque("gemini", "[]")))), "m", InvalidRequestError),
        (Request(user(Text("x", Opaque("gemini", "{")))), "m", InvalidRequestError),
        (Request(Message(Role.tool, (ToolCallResponse("a", Image(url="https://x"), "f"),))), "m", InvalidRequestError),
        (Request(Message(Role.tool, (ToolCallResponse("a", ToolCall("a", "f", "{}"), "f"),))), "m", InvalidRequestError),
        (Request("hi", provider_options={"gemini": {"tools": {}}}), "m", InvalidRequestError),
        (Request("hi", provider_options={"gemini": {"generationConfig": []}}), "m", InvalidRequestError),
    ],
)
def test_what_the_wire_cannot_carry_is_refused(
    body_of: Callable[..., Any], request_: Request, model: str, kind: type[InvalidRequestError]
) -> None:
    """Content and options without a place on this wire raise a typed error before anything is sent."""
    with pytest.raises(kind) as caught:
        body_of(request_, model)
    assert type(caught.value) is kind


def test_another_providers_attachments_are_left_out(body_of: Callable[..., Any]) -> None:
    """Foreign attachments never reach the wire."""
    theirs = Opaque("openai", '{"id":"x"}')
    parts = (Reasoning("", theirs), Text("a", theirs), ToolCall("c", "f", "{}", theirs))
    body = body_of(Request((user("hi"), assistant(parts))), "gemini-2.5-flash")
    assert body["contents"][1]["parts"] == [{"text": "a"}, {"functionCall": {"id": "c", "name": "f", "args": {}}}]


@pytest.mark.parametrize("on_unsupported", ["raise", "drop"])
@pytest.mark.parametrize("part", [Opaque("openai", "{}"), ToolCallResponse("c", (Opaque("openai", "{}"),), "f")])
def test_a_foreign_part_is_refused(body_of: Callable[..., Any], part: Part, on_unsupported: Literal["raise", "drop"]) -> None:
    """Content only another provider understands is never left out unsaid; what may be dropped the kernel drops."""
    with pytest.raises(UnsupportedParameter, match="only openai understands"):
        body_of(Request(user((Text("q"), part)), on_unsupported=on_unsupported))


@pytest.mark.parametrize("on_unsupported", ["raise", "drop"])
@pytest.mark.parametrize(
    ("effort", "model"),
    [("none", "gemini-3.6-flash"), ("max", "gemini-3.6-flash"), ("xhigh", "gemini-2.5-pro"), ("none", "gemini-2.5-pro")],
)
def test_an_effort_that_a_model_does_not_take_is_refused_by_name(
    body_of: Callable[..., Any], effort: ReasoningEffort, model: str, on_unsupported: Literal["raise", "drop"]
) -> None:
    """The error names the option to leave out, dropping allowed or not."""
    with pytest.raises(UnsupportedParameter) as caught:
        body_of(Request("hi", reasoning_effort=effort, on_unsupported=on_unsupported), model)
    assert caught.value.options == ("reasoning_effort",)


def test_calls_of_other_models_are_marked_where_calls_are_signed(
    body_of: Callable[..., Any], parsed: Callable[[object], Request]
) -> None:
    """Gemini 3 gets the documented mark on a turn's first call, which the dialect reads over; older models get none."""
    request = Request((user("hi"), assistant((Text("a"), ToolCall("x", "f", "{}"), ToolCall("y", "f", "{}")))))
    body = body_of(request)
    marks = [part.get("thoughtSignature") for part in body["contents"][1]["parts"]]
    assert marks == [None, "skip_thought_signature_validator", None]
    assert parsed(body) == request
    assert "skip" not in json.dumps(body_of(request, "gemini-2.5-pro"))


def test_a_reference_of_this_provider_is_sent_verbatim(body_of: Callable[..., Any]) -> None:
    """Media that only an attachment names goes out as the attachment says."""
    file = File(opaque=Opaque("gemini", '{"fileData":{"fileUri":"files/1"}}'))
    assert body_of(Request(user(file)))["contents"][0]["parts"] == [{"fileData": {"fileUri": "files/1"}}]


def test_a_tools_answer_without_text_is_an_empty_object(body_of: Callable[..., Any]) -> None:
    """No text is no output, which is not the same as an empty one."""
    body = body_of(Request(Message(Role.tool, (ToolCallResponse("a", (), "f"),))))
    assert body["contents"][0]["parts"][0]["functionResponse"]["response"] == {}


def test_protobuf_spelling_and_short_forms_are_read(parsed: Callable[[object], Request]) -> None:
    """Field names with underscores, a lone part, a bare content and URL-safe base64 mean the same."""
    request = parsed(
        {
            "system_instruction": {"parts": {"text": "s"}},
            "contents": {"parts": [{"inline_data": {"mime_type": "image/png", "data": "__4A"}}]},
            "generation_config": {
                "response_mime_type": "application/json",
                "response_schema": {
                    "type": "OBJECT",
                    "nullable": True,
                    "properties": {"a": {"type": "ARRAY", "items": {"type": "STRING"}, "max_items": "2"}},
                    "any_of": [{"type": "STRING"}, True],
                    "property_ordering": ["a"],
                },
                "thinking_config": {"thinking_level": "HIGH"},
            },
            "tools": [{"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT"}}, {"name": "g"}]}],
        }
    )
    assert request.messages == (system("s"), user(Image(data=b"\xff\xfe\x00", media_type="image/png")))
    assert request.output_schema == OutputSchema(
        {
            "type": ["object", "null"],
            "properties": {"a": {"type": "array", "items": {"type": "string"}, "maxItems": 2}},
            "anyOf": [{"type": "string"}, True],
            "propertyOrdering": ["a"],
        }
    )
    assert request.tools == (Tool("f", parameters={"type": "object"}), Tool("g"))
    assert request.reasoning_effort == "high"
    assert request.provider_options == {"gemini": {"generationConfig": {"thinkingConfig": {"includeThoughts": False}}}}


def test_a_string_is_a_content(parsed: Callable[[object], Request]) -> None:
    """A bare string stands for one user text."""
    assert parsed({"contents": "hi"}) == Request("hi")
    assert parsed({"contents": [{"role": "user", "parts": []}]}) == Request(user(""))


def test_user_content_holds_nothing_of_the_models(parsed: Callable[[object], Request]) -> None:
    """Thoughts and calls in user content stay what they are, as opaque parts."""
    parts = [{"text": "t", "thought": True}, {"functionCall": {"name": "f"}}]
    request = parsed({"contents": [{"parts": parts}]})
    assert [json.loads(p.json) for p in request.messages[0].parts if isinstance(p, Opaque)] == parts


@pytest.mark.parametrize(
    "part",
    [
        {"functionResponse": {"name": "f", "response": {"temperature": 20}}},
        {"functionResponse": {"name": "f", "response": {"output": {"a": 1}}}},
        {"functionResponse": {"id": "x", "name": "f", "response": {"output": "a"}, "willContinue": False}},
        {"functionResponse": {"name": "other", "response": {"error": "no"}}, "partMetadata": {"k": None}},
        {"functionResponse": {"name": "f", "response": {"output": "a"}, "scheduling": "SILENT"}},
        {"functionResponse": {"response": {}}},
        {"functionResponse": {"id": "q", "name": "f", "response": {}, "parts": "x"}},
        {"functionResponse": {"id": "q", "name": "f", "response": {}, "parts": [{}]}},
        {"toolResponse": {"id": "1", "toolType": "FILE_SEARCH"}, "thoughtSignature": "c2ln"},
    ],
)
@pytest.mark.parametrize("call", [{"name": "f"}, {"name": "f", "id": "y"}, {"name": "f", "id": "x", "willContinue": False}])
def test_what_a_client_sends_comes_out_unchanged(
    parsed: Callable[[object], Request], body_of: Callable[..., Any], part: dict[str, Any], call: dict[str, Any]
) -> None:
    """Answers of tools and server-side parts survive reading and writing, with nothing added: no id above all."""
    contents = [HI, {"role": "model", "parts": [{"functionCall": {**call, "args": {}}}]}, {"role": "user", "parts": [part]}]
    assert body_of(parsed({"contents": contents}), "gemini-2.5-flash")["contents"] == contents


def test_a_changed_answer_of_a_tool_changes_the_wire(parsed: Callable[[object], Request], body_of: Callable[..., Any]) -> None:
    """The canonical text wins over the form in which an answer once came."""
    contents = [{"role": "user", "parts": [{"functionResponse": {"id": "a", "name": "f", "response": {"n": 1}}}]}]
    (given,) = parsed({"contents": contents}).messages[0].parts
    assert isinstance(given, ToolCallResponse)
    for text, response in (('{"n":2}', {"n": 2}), ("plain", {"output": "plain"})):
        part = evolve(given, parts=(Text(text),))
        body = body_of(Request(Message(Role.tool, (part,))))
        assert body["contents"][0]["parts"][0]["functionResponse"]["response"] == response


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "JSON"),
        (b"[" * 20_000, "JSON"),
        (b"[]", "object"),
        ({}, "contents"),
        ({"contents": [{"parts": "x"}]}, "contents[0].parts"),
        ({"contents": "hi", "foo": 1}, "foo"),
        ({"contents": "hi", "tools": "x"}, "tools"),
        ({"contents": "hi", "tools": [{"functionDeclarations": [{}]}]}, "functionDeclarations.name"),
        ({"contents": "hi", "tools": [{"functionDeclarations": True}]}, "functionDeclarations"),
        ({"contents": "hi", "generationConfig": {"topK": "1"}}, "generationConfig.topK"),
        ({"contents": "hi", "generationConfig": {"seed": True}}, "generationConfig.seed"),
        ({"contents": "hi", "generationConfig": {"stopSequences": "x"}}, "generationConfig.stopSequences"),
        ({"contents": "hi", "generationConfig": {"candidateCount": 2}}, "generationConfig.candidateCount"),
        ({"contents": "hi", "generationConfig": {"responseJsonSchema": {}}}, "generationConfig.responseJsonSchema"),
    ],
)
def test_a_bad_body_names_the_field(parsed: Callable[[object], Request], body: object, field: str) -> None:
    """What the endpoint does not take is refused with the field's name."""
    with pytest.raises(InvalidRequestError) as caught:
        parsed(body)
    assert field in str(caught.value)


def test_what_has_no_canonical_field_is_kept(parsed: Callable[[object], Request], body_of: Callable[..., Any]) -> None:
    """JSON mode, dynamic budgets and unknown thinking words go into the provider options and back out."""
    body = {
        "contents": [HI],
        "generationConfig": {
            "responseMimeType": "application/json",
            "thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True},
        },
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}},
    }
    assert body_of(parsed(body)) == body


def test_media_in_a_tools_answer_is_read(parsed: Callable[[object], Request]) -> None:
    """Bytes beside a tool's output come after its text."""
    image = {"inlineData": {"mimeType": "image/png", "data": "aQ=="}}
    answer = {"id": "a", "name": "f", "response": {"output": "x"}, "parts": [image]}
    part = parsed({"contents": [{"parts": [{"functionResponse": answer}]}]}).messages[0].parts[0]
    assert part == ToolCallResponse("a", (Text("x"), Image(data=b"i", media_type="image/png")), "f")


def test_one_candidate_may_be_asked_for(parsed: Callable[[object], Request]) -> None:
    """A count of one is what is given anyway."""
    assert parsed({"contents": "hi", "generationConfig": {"candidateCount": 1}}) == Request("hi")


def test_an_enum_is_kept_for_whoever_answers(parsed: Callable[[object], Request]) -> None:
    """A choice among values is no JSON answer: its media type and schema stay options of this provider."""
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["red", "green"]}}
    request = parsed({"contents": "hi", "generationConfig": config})
    assert request.output_schema is None
    assert request.provider_options["gemini"]["generationConfig"] == config
