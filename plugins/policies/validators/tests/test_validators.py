"""The validators `not-empty` and `json-schema`."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pingpong import FinishReason, Image, OutputSchema, Reasoning, Request, Response, Text, ToolCall, Verdict
from pingpong_validators.json_schema import MAX_FINDINGS, JsonSchema
from pingpong_validators.not_empty import NotEmpty

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def answer(*parts: Any) -> Response:
    """A response of these parts; a string is a text."""
    told = tuple(Text(p) if isinstance(p, str) else p for p in parts)
    return Response(provider="p", model="m", parts=told, finish_reason=FinishReason.stop)


def judged(text: str, schema: Any = PERSON) -> Verdict:
    """What `json-schema` says of a text."""
    return JsonSchema().step(Request("q", output_schema=OutputSchema(schema)), answer(text), ())


@pytest.mark.parametrize(
    ("response", "is_rejected"),
    [
        (answer("yes"), False),
        (answer(ToolCall("1", "f", "{}")), False),
        (answer(Image(data=b"x", media_type="image/png")), False),
        (answer("𝟜"), False),
        (answer(), True),
        (answer(""), True),
        (answer(" \n\t\u00a0\u200b\ufeff"), True),
        (answer(Reasoning("only thought")), True),
    ],
)
def test_not_empty(response: Response, is_rejected: bool) -> None:
    """Visible text, tool calls and media are answers; white space, invisible characters and reasoning are not."""
    verdict = NotEmpty().step(Request("q"), response, ())
    assert (verdict.is_rejected, verdict.score, bool(verdict.findings)) == (is_rejected, 1 - is_rejected, is_rejected)


def test_valid_answer_passes() -> None:
    """JSON of the schema scores 1 without findings."""
    assert judged('{"name": "Ada", "age": 36}') == Verdict(validator="json-schema", score=1.0)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ('{"name": 1, "age": -1}', ['$.name breaks type: "string"', "$.age breaks minimum: 0"]),
        ('{"name": "Ada"}', ['$ breaks required: ["name", "age"]']),
        ('{"name": "Ada", "age": 1, "x": 2}', ["$ breaks additionalProperties: false"]),
        ("", ["the answer is not JSON: Expecting value"]),
        ("```json\n{}\n```", ["the answer is not JSON: Expecting value"]),
        ('{"name": "Ada", "age": NaN}', ["the answer is not JSON we can read: NaN is not a JSON number"]),
    ],
)
def test_invalid_answer_is_rejected_with_places(text: str, reasons: list[str]) -> None:
    """Every broken rule is a finding that names its place."""
    verdict = judged(text)
    assert (verdict.score, verdict.is_rejected) == (0.0, True)
    assert [f.reason for f in verdict.findings] == reasons


def test_a_syntax_error_has_its_offset() -> None:
    """The finding points at the character where the text stops being JSON."""
    (finding,) = judged('{"name": }').findings
    assert (finding.start, finding.end) == (9, 9)


def test_a_failed_choice_names_its_closest_branch() -> None:
    """Of an `anyOf` the finding tells the rule of the branch that came closest, not just that none fits."""
    schema = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"n": {"maximum": 3}}}]}
    assert [f.reason for f in judged('{"n": 4}', schema).findings] == ["$.n breaks maximum: 3"]


def test_findings_are_bounded_and_repeat_no_value() -> None:
    """A thousand broken places give 20 findings, and none holds what the answer said."""
    verdict = judged(json.dumps(["my-secret"] * 1000), {"items": {"type": "integer"}})
    assert len(verdict.findings) == MAX_FINDINGS
    assert "my-secret" not in str(verdict)


def test_nothing_to_check_is_said() -> None:
    """Without a schema, or while tools are called, the answer passes and the finding says that nothing was checked."""
    no_schema = JsonSchema().step(Request("q"), answer("x"), ())
    calling = JsonSchema(schema=PERSON).step(Request("q"), answer(ToolCall("1", "f", "{}")), ())
    for verdict in (no_schema, calling):
        assert (verdict.score, verdict.is_rejected) == (1.0, False)
        assert "nothing was checked" in verdict.findings[0].reason


def test_own_schema_wins() -> None:
    """A schema given to the validator is used instead of the request's."""
    request = Request("q", output_schema=OutputSchema(PERSON))
    assert JsonSchema(schema={"type": "integer"}).step(request, answer("7"), ()).score == 1.0


def test_a_wrong_schema_is_refused_when_it_is_made() -> None:
    """What is no JSON Schema raises where the validator is configured."""
    with pytest.raises(ValueError, match="no JSON Schema"):
        JsonSchema(schema={"type": 3})


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "nonsense"}, "the schema is no JSON Schema"),
        ({"$ref": "https://example.com/other"}, "the schema refers to what it does not hold"),
        ({"$ref": "#/$defs/none"}, "the schema refers to what it does not hold"),
        ({"$ref": "#"}, "cannot be checked against the schema: RecursionError"),
    ],
)
def test_a_schema_that_cannot_be_used_rejects(schema: Any, reason: str) -> None:
    """A broken schema of the request never raises and opens no connection; its answer cannot be called valid."""
    verdict = judged("{}", schema)
    assert verdict.is_rejected
    assert reason in verdict.findings[0].reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    text=st.text(max_size=60) | json_values.map(json.dumps), schema=st.dictionaries(st.text(max_size=8), json_values, max_size=3)
)
@example(text="[" * 100_000, schema=PERSON)
@example(text="9" * 5000, schema=PERSON)
@settings(max_examples=200, deadline=None)
def test_total_and_pure(text: str, schema: dict[str, Any]) -> None:
    """Any text against any mapping gives a verdict, the same twice, with offsets inside the text (VAL-01, 02, 10)."""
    for validator in (JsonSchema(), NotEmpty()):
        request = Request("q", output_schema=OutputSchema(schema))
        verdict = validator.step(request, answer(text), ())
        assert verdict == validator.step(request, answer(text), ())
        assert all(0 <= f.start <= len(text) for f in verdict.findings if f.start is not None)


@given(json_values)
@settings(max_examples=100, deadline=None)
def test_own_examples_pass(value: Any) -> None:
    """A value passes the schema that names it and fails the one that forbids it (VAL-03)."""
    text = json.dumps(value)
    assert judged(text, {"const": value}).score == 1.0
    assert judged(text, {"not": {"const": value}}).score == 0.0


def test_a_mebibyte_costs_in_proportion() -> None:
    """Sixteen times the answer costs at most forty times the CPU (VAL-07)."""
    schema = {"items": {"type": "integer"}}

    def cpu_s(count: int) -> float:
        text, best = json.dumps([1] * count), float("inf")
        for _ in range(3):
            started = time.process_time()
            assert judged(text, schema).score == 1.0
            assert NotEmpty().step(Request("q"), answer(text), ()).score == 1.0
            best = min(best, time.process_time() - started)
        return best

    assert cpu_s(32_000) < 40 * cpu_s(2_000)
