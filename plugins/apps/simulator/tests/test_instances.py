"""JSON values out of schemas: whatever the schema, the value is valid for it."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import InvalidRequestError
from pingpong_simulator.instances import Hints, instance
from pingpong_simulator.patterns import text_from_pattern

HINTS = Hints("42", ("Paris", "Tokyo"), (7.0, 2.5), "Paris in celsius, 7 or 2.5")


def _objects(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.text("abcd", min_size=1, max_size=3)
    return st.dictionaries(names, children, max_size=4).flatmap(
        lambda p: (
            st.sets(st.sampled_from(sorted(p))).map(lambda r: {"type": "object", "properties": p, "required": sorted(r)})
            if p
            else st.just({"type": "object"})
        )
    )


_LEAVES = st.one_of(
    st.integers(-50, 50).flatmap(lambda n: st.integers(0, 60).map(lambda w: {"type": "integer", "minimum": n, "maximum": n + w})),
    st.integers(-5, 5).map(lambda n: {"type": "number", "exclusiveMinimum": n, "exclusiveMaximum": n + 1}),
    st.integers(1, 9).map(lambda n: {"type": "integer", "multipleOf": n, "exclusiveMinimum": n}),
    st.integers(0, 9).map(lambda n: {"type": "string", "minLength": n, "maxLength": n + 3}),
    st.sampled_from(["date", "uuid", "email", "uri"]).map(lambda f: {"type": "string", "format": f}),
    st.sampled_from([r"^[A-Z]{2}\d{3}$", r"^(red|green)-x+$", r"\d+\.\d{2}", r"^(?:a|b){2,4}[^a-z]?$"]).map(
        lambda p: {"type": "string", "pattern": p}
    ),
    st.lists(st.integers() | st.text(max_size=4), min_size=1, max_size=4).map(lambda v: {"enum": v}),
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"const": {"a": 1}}, {"type": ["string", "null"]}, {"type": "string"}]
    ),
)


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arrays = st.tuples(children, st.integers(0, 3)).map(lambda t: {"type": "array", "items": t[0], "minItems": t[1]})
    either = st.lists(children, min_size=1, max_size=3).map(lambda b: {"anyOf": b})
    return st.one_of(arrays, either, _objects(children))


@given(st.recursive(_LEAVES, _nested, max_leaves=12))
def test_instances_are_valid(schema: dict[str, Any]) -> None:
    """An independent validator accepts the value made for any schema of these forms."""
    assert jsonschema.Draft202012Validator(schema).is_valid(instance(schema, HINTS))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, {"city": "Paris"}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, {"a": "Paris", "b": "Tokyo"}),
        ({"type": "object", "properties": {"answer": {"type": "integer"}, "n": {"type": "number"}}}, {"answer": 42, "n": 7}),
        ({"enum": ["fahrenheit", "celsius"]}, "celsius"),
        (
            {
                "$ref": "#/$defs/P",
                "$defs": {"P": {"type": "object", "properties": {"x": {"$ref": "#/$defs/Q"}}}, "Q": {"const": 1}},
            },
            {"x": 1},
        ),
        (
            {
                "allOf": [
                    {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            {"a": 1, "b": 2},
        ),
        ({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 100}]}, 100),
        ({"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True}, ["Paris", "Tokyo", "example"]),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": False}, [1, 2]),
        (
            {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["a"], "minProperties": 2},
            {"a": 1, "b": 2},
        ),
        (True, "42"),
    ],
)
def test_instances_take_words_from_the_prompt(schema: Any, expected: Any) -> None:
    """References, unions and bounds are honoured, and fitting words of the prompt fill the places."""
    assert instance(schema, HINTS) == expected


def test_a_tree_that_refers_to_itself_ends() -> None:
    """A recursive schema whose recursion is optional has a value."""
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}
    assert jsonschema.Draft202012Validator(node).is_valid(instance(node, HINTS))
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}, "required": ["children"]}
    assert jsonschema.Draft202012Validator(tree).is_valid(instance(tree, HINTS))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"$ref": "https://example.com/x"},
        {"$ref": "#/$defs/missing"},
        {"type": "wrong"},
        {"enum": []},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "string", "pattern": "(?=x)y"},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": True},
        {"type": "array", "items": {"type": "wrong"}, "minItems": 1},
        {"anyOf": [{"type": "wrong"}]},
    ],
)
def test_impossible_schemas_are_refused(schema: dict[str, Any]) -> None:
    """A schema that contradicts itself, never ends or leads outside is the caller's error."""
    with pytest.raises(InvalidRequestError, match="JSON Schema"):
        instance(schema, HINTS)


@pytest.mark.parametrize("pattern", [r"^\w+@\w+\.(com|org)$", r"[\]a]+", r"x??y*?z{2}", r"^(?P<n>\d)\b-", r"a|b", r"", r"[^\w]"])
def test_patterns_are_matched(pattern: str) -> None:
    """A text is found for the usual patterns."""
    text = text_from_pattern(pattern)
    assert text is not None
    assert re.search(pattern, text)


@pytest.mark.parametrize("pattern", ["(?!a)b", "(a", "[a", r"(a)\1b{999}", "a)", "\\"])
def test_patterns_beyond_it_are_declined(pattern: str) -> None:
    """What it cannot make, it says so by None."""
    assert text_from_pattern(pattern) is None
