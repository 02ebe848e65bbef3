"""JSON, base64, opaque values, counts, credentials and the token estimate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import (
    ApiKey,
    Audio,
    Card,
    File,
    Image,
    InvalidRequestError,
    MalformedResponse,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    Role,
    Secret,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    UnsupportedParameter,
    Usage,
    user,
)
from pingpong_wire import (
    KeyAndHeaders,
    attached,
    attachment,
    base64_text,
    bytes_from_base64,
    count,
    count_or_zero,
    estimate_tokens,
    json_bytes,
    json_or_none,
    json_text,
    object_from_json,
    parsed,
    refuse_opaque,
    usage_or_none,
)

DEEP = b"[" * 100_000
BROKEN = [b"", b"{", b"\xff", b'{"secret":', DEEP]


def test_json_is_compact_and_keeps_its_order() -> None:
    """Keys stay where they were put; read-only mappings are as good as dicts."""
    assert json_bytes({"b": 1, "a": MappingProxyType({"é": None})}) == '{"b":1,"a":{"é":null}}'.encode()
    assert json_text([1, "x"]) == '[1,"x"]'


@pytest.mark.parametrize("value", [{"a": object()}, {"a": "\ud800"}])
def test_what_is_no_json_is_the_callers_error(value: object) -> None:
    """An object of some class and half a surrogate pair have no JSON form."""
    with pytest.raises(InvalidRequestError):
        json_bytes(value)


def _malformed(fault: str) -> MalformedResponse:
    return MalformedResponse(f"The answer {fault}.")


@pytest.mark.parametrize("data", BROKEN)
def test_broken_json_is_told_without_its_content(data: bytes) -> None:
    """The error is of the class asked for and says what is wrong, never what stood there."""
    with pytest.raises(MalformedResponse, match=r"^The answer is not JSON\.$"):
        object_from_json(data, _malformed)
    assert json_or_none(data) is None


def test_an_object_is_wanted() -> None:
    """Another JSON value is refused, an object given."""
    with pytest.raises(InvalidRequestError, match="is not a JSON object"):
        object_from_json("[1]", InvalidRequestError)
    assert object_from_json(b'{"a":1}', InvalidRequestError) == {"a": 1}
    assert json_or_none(b"[1]") == [1]


def test_another_shape_is_told_by_its_place() -> None:
    """A typed decoder's complaint names the path."""
    decoder = msgspec.json.Decoder(dict[str, int])
    assert parsed(b'{"a":1}', decoder, _malformed) == {"a": 1}
    with pytest.raises(MalformedResponse, match=r"another shape: Expected `int`, got `str`"):
        parsed(b'{"a":"secret"}', decoder, _malformed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'{"a":"a\ud83d b"}', "a\ufffd b"),
        (r'{"a":"\uDE00"}', "\ufffd"),
        (r'{"a":"\ud83d\ud83d\ude00"}', "\ufffd\U0001f600"),
        (r'{"a":"\ude00\ud83d\ude00\ud83d"}', "\ufffd\U0001f600\ufffd"),
        (r'{"a":"\\ud83d \ud83d\n"}', "\\ud83d \ufffd\n"),
        (r'{"a":"\\\ud83d\"é"}', '\\\ufffd"é'),
    ],
)
def test_half_a_surrogate_pair_costs_one_character(text: str, expected: str) -> None:
    """A lone half is legal JSON: it becomes U+FFFD, and pairs, escaped backslashes and all else stay."""
    for data in (text, text.encode()):
        assert object_from_json(data, _malformed) == {"a": expected}
        assert json_or_none(data) == {"a": expected}
        assert parsed(data, msgspec.json.Decoder(dict[str, str]), _malformed) == {"a": expected}


@given(st.text(st.characters(codec=None), max_size=20))
def test_any_text_that_the_standard_library_writes_is_read(text: str) -> None:
    """Halves of pairs, alone or not, mean what UTF-16 makes of them."""
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert object_from_json(json.dumps({"a": text}), _malformed) == {"a": expected}


@pytest.mark.parametrize("data", [rb'{"a":"\ud83d"', rb'{"a":"\ud83d","b":"\x"}', rb'{"a":"\ud8', rb'["\ud83d",' + DEEP])
def test_what_is_broken_besides_stays_broken(data: bytes) -> None:
    """Mending a lone half makes no JSON of what is none, however deep."""
    with pytest.raises(MalformedResponse, match=r"^The answer is not JSON\.$"):
        object_from_json(data, _malformed)
    assert json_or_none(data) is None


def test_another_shape_with_half_a_pair_is_told_by_its_place() -> None:
    """The typed complaint is the same, mended or not."""
    with pytest.raises(MalformedResponse, match=r"another shape: Expected `int`, got `str`"):
        parsed(rb'{"\ud83d":1,"a":"secret"}', msgspec.json.Decoder(dict[str, int]), _malformed)


@given(st.binary(max_size=50))
def test_bytes_survive_base64(data: bytes) -> None:
    """What is written is read back."""
    assert bytes_from_base64(base64_text(data), _malformed) == data


@pytest.mark.parametrize("text", ["a", "a-b_", "é", "YQ"])
def test_what_is_no_base64_is_told(text: str) -> None:
    """The error is of the class asked for."""
    with pytest.raises(MalformedResponse, match="is not base64"):
        bytes_from_base64(text, _malformed)


def test_fields_are_attached_and_read_back() -> None:
    """One provider's fields are its own; nothing is attached where there is nothing."""
    opaque = attachment("mine", {"a": [1]})
    assert opaque == Opaque("mine", '{"a":[1]}')
    assert attached(opaque, "mine") == {"a": [1]}
    assert attached(opaque, "other") == attached(None, "mine") == {}
    assert attachment("mine", {}) is None


@pytest.mark.parametrize("text", ["[1]", "{"])
def test_a_spoilt_attachment_is_the_callers_error(text: str) -> None:
    """What bears the provider's name and is no object was changed by someone."""
    with pytest.raises(InvalidRequestError, match="pass it back"):
        attached(Opaque("mine", text), "mine")


def test_a_foreign_part_is_refused() -> None:
    """The error says whose it is and what to do."""
    with pytest.raises(UnsupportedParameter, match="only other understands has no place on mine"):
        refuse_opaque(Opaque("other", "{}"), "mine")


def _usage(wire: Mapping[str, Any]) -> Usage:
    return Usage(uncached_input_tokens=count(wire, "in"), reasoning_tokens=count_or_zero(wire.get("more"), "think"))


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ({"in": 1}, Usage(uncached_input_tokens=1)),
        ({"in": 1, "more": {"think": 2}}, Usage(uncached_input_tokens=1, reasoning_tokens=2)),
        ({"in": 1, "more": {"think": None}}, Usage(uncached_input_tokens=1)),
        ({"in": 1, "more": 3}, Usage(uncached_input_tokens=1)),
        ({"in": 1, "more": {"think": -2}}, None),
        ({"in": True}, None),
        ({"in": 1.0}, None),
        ({"in": "1"}, None),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_usage_is_all_counts_or_none(wire: object, expected: Usage | None) -> None:
    """One value that is no count makes the usage unknown; absent details are zero."""
    assert usage_or_none(wire, _usage) == expected


def test_headers_go_with_the_key() -> None:
    """The key wins over a header of its name, and the extra ones do not show."""
    key = ApiKey(header="x-key", key=Secret("k"), env_vars=(), env={}, provider="mine")
    both = KeyAndHeaders(key, {"X-Team": "a", "X-Key": "no"})
    assert both.is_present
    assert asyncio.run(both.headers()) == {"x-team": "a", "x-key": "k"}
    assert "X-Team" not in repr(both)


CARD = Card(provider="mine", model="m", endpoints=("chat",))
CALL = ToolCall("c", "f", '{"a":1}')
PARTS: list[Part] = [
    Text("word"),
    Reasoning("word"),
    CALL,
    ToolCallResponse("c", "word", "f"),
    Image(url="u"),
    Audio(url="u"),
    Audio(data=b"x" * 30, media_type="audio/wav"),
    File(url="u"),
    File(data=b"x" * 30, media_type="application/pdf"),
    Opaque("mine", '{"a":1}'),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_every_part_adds_to_the_estimate(part: Part) -> None:
    """Each kind of part costs something, and a message costs more than its parts."""
    empty = Request(Message(Role.user, ()))
    assert estimate_tokens(empty, CARD) == 4
    assert estimate_tokens(Request(Message(Role.user, (part,))), CARD) > 4


def test_tools_and_schema_add_to_the_estimate() -> None:
    """A file counts by its bytes, a tool and a schema by their JSON text."""
    plain = estimate_tokens(Request("hi"), CARD)
    tooled = estimate_tokens(Request("hi", tools=(Tool("f", "does it"),)), CARD)
    schemed = estimate_tokens(Request("hi", output_schema=OutputSchema({"type": "object"})), CARD)
    assert plain < schemed < tooled
    files = [Request(user(File(data=b"x" * n, media_type="a/b"))) for n in (300, 600)]
    assert estimate_tokens(files[1], CARD) - estimate_tokens(files[0], CARD) == 100


def test_the_providers_own_options_add_to_the_estimate() -> None:
    """What they say may be read by the model; the endpoint's name and another provider's options are not."""
    plain, pinned, theirs, own = (
        estimate_tokens(Request("hi", provider_options=options), CARD)
        for options in ({}, {"mine": {"endpoint": "chat"}}, {"other": {"a": "word"}}, {"mine": {"a": "word"}})
    )
    assert plain == pinned == theirs < own
