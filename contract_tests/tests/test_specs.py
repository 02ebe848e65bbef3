"""Validation against API descriptions accepts what they describe, and names what they do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pingpong_contract.corpus import interactions
from pingpong_contract.corpus_cases import corpus_or_skip
from pingpong_contract.specs import validate_openapi, validate_proto

DOCUMENT = """
openapi: 3.0.3
paths:
  /chat:
    post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Chat'}}}}}
  /shared:
    post: {requestBody: {$ref: '#/components/requestBodies/Shared'}}
components:
  requestBodies:
    Shared: {content: {application/json: {schema: {$ref: '#/components/schemas/Chat'}}}}
  schemas:
    Chat:
      allOf:
        - $ref: '#/components/schemas/Options'
        - type: object
          required: [messages]
          properties:
            messages: {type: array, items: {oneOf: [{$ref: '#/components/schemas/User'}, {$ref: '#/components/schemas/Tool'}]}}
            schema: {type: object, nullable: true}
            free: {}
    Options:
      type: object
      properties:
        temperature: {type: number, nullable: true, maximum: 2}
    User:
      type: object
      required: [role, content]
      properties: {role: {type: string, enum: [user]}, content: {type: string}}
    Tool:
      type: object
      required: [role, call]
      properties: {role: {type: string, enum: [tool]}, call: {type: string}, content: {type: array, items: {type: string}}}
"""
PROTO = """syntax = "proto3";
package toy.v1;
import "toy/v1/other.proto";
import "toy/v1/absent.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/struct.proto";
message Ask {
  string model = 1 [(google.api.field_behavior) = REQUIRED];
  repeated Part parts = 2;
  Absent absent = 3;
  google.protobuf.Struct extra_fields = 4;
}
"""
OTHER = 'syntax = "proto3";\npackage toy.v1;\nmessage Part { string text = 1; }\n'
USER = {"role": "user", "content": "hi"}


@pytest.fixture(params=["yaml", "json"])
def document(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The toy's description in both notations."""
    import yaml

    file = tmp_path / f"api.{request.param}"
    file.write_text(DOCUMENT if request.param == "yaml" else json.dumps(yaml.safe_load(DOCUMENT)))
    return file


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """The toy's messages; one imported file is missing."""
    (tmp_path / "ask.proto").write_text(PROTO)
    (tmp_path / "other.proto").write_text(OTHER)
    return tmp_path


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [USER], "temperature": 1},
        {"messages": [{"role": "tool", "call": "c", "content": ["x"]}], "temperature": None},
        {"messages": [], "schema": {"any": {"thing": 1}}, "free": {"any": 1}},
        {"messages": [], "schema": None},
    ],
)
def test_described_bodies_are_valid(document: Path, body: dict[str, Any]) -> None:
    """References, alternatives, nullable fields and open objects are followed, through a shared body too."""
    assert validate_openapi(document, "POST", "/chat", body) == []
    assert validate_openapi(document, "post", "/shared", body) == []


WRONG = [
    ({}, "body: 'messages' is a required property"),
    ({"messages": [], "temprature": 1}, "body: Unevaluated properties are not allowed ('temprature' was unexpected)"),
    ({"messages": [], "temperature": 3}, "temperature: 3 is greater than the maximum of 2"),
    ({"messages": [], "temperature": "warm"}, "temperature: expected number"),
    ({"messages": [USER, {"role": "user"}]}, "messages[1]: 'content' is a required property"),
    ({"messages": [{**USER, "name": "x"}]}, "messages[0]: Unevaluated properties are not allowed ('name' was unexpected)"),
    ({"messages": [{"role": "tool", "call": "c", "content": [1]}]}, "messages[0].content[0]: expected string"),
]


@pytest.mark.parametrize(("body", "line"), WRONG)
def test_what_is_not_described_is_named(document: Path, body: dict[str, Any], line: str) -> None:
    """One line names the place inside the alternative that was meant, without its echoes in the parents."""
    assert validate_openapi(document, "POST", "/chat", body) == [line]


def test_newer_fields_can_be_named(document: Path, protos: Path) -> None:
    """Fields that a description does not know yet are left out where a caller says so, at any depth."""
    body = {"messages": [{**USER, "phase": "x"}], "phase": "y"}
    assert validate_openapi(document, "POST", "/chat", body, newer={"phase"}) == []
    assert validate_proto(protos, "Ask", {"parts": [{"text": "a", "phase": 1}]}, newer={"phase"}) == []


def test_an_unknown_operation_is_an_error(document: Path) -> None:
    """A path that the description lacks cannot pass."""
    with pytest.raises(KeyError, match="/nowhere"):
        validate_openapi(document, "POST", "/nowhere", {})


def test_protobuf_messages_are_read_in_their_json_form(protos: Path) -> None:
    """Both spellings of a field, other files' messages and free-form structs are accepted; a missing file is made up."""
    body = {"model": "m", "parts": [{"text": "a"}], "extraFields": {"x": [1]}, "absent": {}}
    assert validate_proto(protos, "Ask", body) == []
    assert validate_proto(protos, "Ask", {"extra_fields": {}}) == []


@pytest.mark.parametrize(
    ("body", "words"), [({"modell": "m"}, '"modell"'), ({"parts": {"text": "a"}}, "must be in []"), ({"model": 1}, "model")]
)
def test_what_a_message_lacks_is_named(protos: Path, body: dict[str, Any], words: str) -> None:
    """Unknown fields and wrong types give one line with the field."""
    (line,) = validate_proto(protos, "Ask", body)
    assert words in line


def test_broken_descriptions_are_errors(protos: Path) -> None:
    """A message that no file defines, and files that do not compile, raise with the name."""
    with pytest.raises(KeyError, match="Nothing"):
        validate_proto(protos, "Nothing", {})
    (protos / "broken.proto").write_text('syntax = "proto3";\npackage toy.v1;\nmessage Broken { strin x = 1; }\n')
    with pytest.raises(ValueError, match=r"broken.proto does not compile"):
        validate_proto(protos, "Broken", {})


RECORDED = [
    ("openai", "/v1/chat/completions", "specs/openai/openapi.yaml", "/chat/completions"),
    ("openai", "/v1/responses", "specs/openai/openapi.yaml", "/responses"),
    ("anthropic", "/v1/messages", "specs/anthropic/openapi.json", "/v1/messages?beta=true"),
]


@pytest.mark.parametrize(("provider", "path", "spec", "operation"), RECORDED)
def test_most_requests_that_a_provider_took_are_valid(provider: str, path: str, spec: str, operation: str) -> None:
    """Published descriptions lag behind, yet at least three in four recorded requests that were answered pass."""
    folder = corpus_or_skip()
    taken = [i for i in interactions(folder, [provider]) if i.request.path == path and i.response.status == 200]
    valid = [i for i in taken if not validate_openapi(folder / spec, "POST", operation, json.loads(i.request.body))]
    assert len(valid) >= 0.75 * len(taken) > 0
