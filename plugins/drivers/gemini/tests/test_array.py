"""The parser of a streamed JSON array, at every partition."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import ResponseTooLarge
from pingpong_gemini import _array
from pingpong_gemini._array import JsonArrayParser

ODD = "\u2028\u2029\u0085\x0b\x0c\x1c"
"""What `str.splitlines` splits at and no standard for streams does."""

Feed = Callable[[bytes], list[Any]]


def fed(feed: Feed, chunks: Iterable[bytes]) -> list[Any]:
    """What all chunks together give."""
    return [item for chunk in chunks for item in feed(chunk)]


def one_byte_each(data: bytes) -> list[bytes]:
    """The finest partition, an empty chunk between any two."""
    return [chunk for i in range(len(data)) for chunk in (data[i : i + 1], b"")]


def two_way_splits(data: bytes) -> list[tuple[bytes, bytes]]:
    """Every partition into two chunks."""
    return [(data[:i], data[i:]) for i in range(len(data) + 1)]


def partitions_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at these places, each taken modulo its length."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


documents = st.lists(
    st.dictionaries(st.text(max_size=3), st.text(alphabet=st.sampled_from('ab"\\{}[],\n' + ODD), max_size=6), max_size=3)
)
cut_places = st.lists(st.integers(0, 1 << 16), max_size=8)


@given(documents, st.integers(0, 2), cut_places)
def test_json_array_at_any_partition(values: list[dict[str, str]], indent: int, cuts: list[int]) -> None:
    """Strings with brackets, quotes and escapes do not mislead it; each element comes once, and the end is seen."""
    elements = [{"v": value, "l": [value, [1, -2.5e3, None]]} for value in values]
    data = json.dumps(elements, indent=indent or None, ensure_ascii=indent == 1).encode()
    for chunks in (partitions_of(data, cuts), one_byte_each(data), [data]):
        parser = JsonArrayParser()
        assert elements == [json.loads(element) for element in fed(parser.feed, chunks)]
        assert parser.is_closed


@pytest.mark.parametrize(
    ("data", "elements", "is_closed"),
    [
        (b"", [], False),
        (b"[]", [], True),
        (b' [ {"a":1} , {"b":2}', [b'{"a":1}', b'{"b":2}'], False),
        (b'[{"a":1},\r\n{"b":', [b'{"a":1}'], False),
        (rb'[{"a":"\\"},{"b":"\"}]"}]', [rb'{"a":"\\"}', rb'{"b":"\"}]"}'], True),
        (b'["{", 1, [{"x":0}], {"a":{"b":{}}}]', [b'{"a":{"b":{}}}'], True),
        (b"<html></html>", [], False),
        (b"}]{", [], False),
    ],
)
def test_json_array_table(data: bytes, elements: list[bytes], is_closed: bool) -> None:
    """Only objects that are elements are given, a cut array is not closed, and what is no array gives nothing."""
    for chunks in ([data], one_byte_each(data), *two_way_splits(data)):
        parser = JsonArrayParser()
        assert elements == fed(parser.feed, chunks)
        assert is_closed == parser.is_closed


def test_json_array_cap_holds_at_any_partition() -> None:
    """An object above the cap is refused whole and in pieces; white space between elements is not held at all."""
    large = b'[{"a":"' + b"x" * 20 + b'"}]'
    for chunks in ([large], one_byte_each(large)):
        with pytest.raises(ResponseTooLarge):
            fed(JsonArrayParser(20).feed, chunks)
    assert fed(JsonArrayParser(20).feed, [b"[", *[b" \n" * 8] * 50, b'{"a":1}', b" " * 100, b"]"]) == [b'{"a":1}']


class _CountingPattern:
    """A pattern that adds up how many bytes its searches passed over."""

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern
        self.searched_bytes = 0

    def search(self, buffer: bytes, begin: int) -> Any:
        match = self._pattern.search(buffer, begin)
        self.searched_bytes += (match.end() if match else len(buffer)) - begin
        return match


def test_json_array_is_scanned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte in one element, fed in kilobytes, is looked at once, not again with every chunk."""
    counting = {name: _CountingPattern(getattr(_array, name)) for name in ("_SYNTAX", "_IN_STRING")}
    for name, pattern in counting.items():
        monkeypatch.setattr(_array, name, pattern)
    data = b'[{"a":"' + b"x" * (1024 * 1024) + b'"}]'
    [element] = fed(JsonArrayParser().feed, [data[i : i + 1024] for i in range(0, len(data), 1024)])
    assert element == data[1:-1]
    assert sum(pattern.searched_bytes for pattern in counting.values()) == len(data)
