"""The incremental parsers, against slow and plain ones, at every partition."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import NdjsonParser, ResponseTooLarge, SseEvent, SseParser

Feed = Callable[[bytes], list[Any]]

ODD = "\u2028\u2029\u0085\x0b\x0c\x1c"
"""What `str.splitlines` splits at and no standard for streams does."""


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


def reference_sse(data: bytes) -> list[SseEvent]:
    """The standard's algorithm, word for word, over the whole stream."""
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *lines, _unfinished = data.split(b"\n")
    events, buffer, name = [], b"", b""
    for line in lines:
        if line == b"":
            if buffer:
                events.append(SseEvent(name.decode("utf-8", "replace") or "message", buffer[:-1]))
            buffer, name = b"", b""
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                buffer += value + b"\n"
            elif field == b"event":
                name = value
    return events


SSE_CASES: dict[str, tuple[bytes, list[SseEvent]]] = {
    "lf": (b"data: a\n\ndata: b\n\n", [SseEvent("message", b"a"), SseEvent("message", b"b")]),
    "cr": (b"data: a\r\rdata: b\r\r", [SseEvent("message", b"a"), SseEvent("message", b"b")]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [SseEvent("message", b"a"), SseEvent("message", b"b")]),
    "mixed": (b"data: a\r\ndata: b\rdata: c\n\r\n", [SseEvent("message", b"a\nb\nc")]),
    "bom": (b"\xef\xbb\xbfdata: a\n\n", [SseEvent("message", b"a")]),
    "bom-only-once": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    "bom-cut-short": (b"\xef\xbbdata: a\n\ndata: b\n\n", [SseEvent("message", b"b")]),
    "comment": (b": ping\n\ndata: a\n:data: no\n\n", [SseEvent("message", b"a")]),
    "name": (b"event: x\ndata: a\n\ndata: b\n\n", [SseEvent("x", b"a"), SseEvent("message", b"b")]),
    "name-without-data": (b"event: x\n\ndata: a\n\n", [SseEvent("message", b"a")]),
    "lines": (b"data: {\ndata:  1}\n\n", [SseEvent("message", b"{\n 1}")]),
    "no-space": (b"data:a:b\n\n", [SseEvent("message", b"a:b")]),
    "empty-data": (b"data:\n\ndata\n\n", [SseEvent("message", b""), SseEvent("message", b"")]),
    "other-fields": (b"id: 1\nretry: 9\nDATA: no\n data: no\nwhat\ndata: a\n\n", [SseEvent("message", b"a")]),
    "odd": (f"data: a{ODD}b\n\n".encode(), [SseEvent("message", f"a{ODD}b".encode())]),
    "unfinished": (b"data: a\n\ndata: b\n", [SseEvent("message", b"a")]),
    "only-line-ends": (b"\n\n\r\n\r\r\n", []),
    "empty": (b"", []),
}


@pytest.mark.parametrize(("data", "events"), SSE_CASES.values(), ids=SSE_CASES.keys())
def test_sse_table(data: bytes, events: list[SseEvent]) -> None:
    """Each case gives its events whole, byte by byte and at every split; the reference agrees."""
    assert events == reference_sse(data)
    assert events == SseParser().feed(data)
    assert events == fed(SseParser().feed, one_byte_each(data))
    for halves in two_way_splits(data):
        assert events == fed(SseParser().feed, halves)


SSE_BITS = [
    b"data: ",
    b"data:",
    b"data",
    b"event: e",
    b": c",
    b"id: 7",
    b"x",
    b" ",
    b":",
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\n",
    b"\r\n\r\n",
]
sse_streams = st.lists(st.sampled_from([*SSE_BITS, b"\xef\xbb\xbf", b"\xef", b"\xff", *(c.encode() for c in ODD)])).map(b"".join)
cut_places = st.lists(st.integers(0, 1 << 16), max_size=8)


@given(sse_streams, cut_places)
def test_sse_equals_the_reference_at_any_partition(data: bytes, cuts: list[int]) -> None:
    """Whatever the stream and wherever it is cut, the events are the reference's."""
    events = reference_sse(data)
    assert events == fed(SseParser().feed, partitions_of(data, cuts))
    assert events == fed(SseParser().feed, one_byte_each(data))


def outcome(feed: Feed, chunks: Iterable[bytes]) -> list[Any] | str:
    """What was given, or that it was too large."""
    try:
        return fed(feed, chunks)
    except ResponseTooLarge:
        return "too large"


@given(st.lists(st.integers(0, 12), max_size=5), cut_places)
def test_sse_cap_holds_at_any_partition(sizes: list[int], cuts: list[int]) -> None:
    """Whether an event is too large does not depend on how it arrives."""
    data = b"".join(b"data: " + b"x" * size + b"\n" for size in sizes) + b"\n"
    whole = outcome(SseParser(24).feed, [data])
    assert whole == outcome(SseParser(24).feed, partitions_of(data, cuts))
    assert whole == outcome(SseParser(24).feed, one_byte_each(data))


@pytest.mark.parametrize("line", [b"data: " + b"x" * 100, b": " + b"x" * 100, b"data: xxxxxxxx\n" * 20, b"data:\n" * 200])
def test_sse_refuses_an_event_above_the_cap(line: bytes) -> None:
    """One long line, finished or not, many lines, and many empty ones are all bounded."""
    for ending in (b"", b"\n\n"):
        with pytest.raises(ResponseTooLarge, match="100 bytes"):
            SseParser(100).feed(line + ending)


def test_sse_cap_leaves_the_byte_order_mark_out() -> None:
    """A mark that comes in pieces counts as little as one that comes whole."""
    for chunks in ([b"\xef\xbb\xbfdata: 1234"], [b"\xef", b"\xbb", b"\xbfdata: 1234"]):
        assert fed(SseParser(10).feed, chunks) == []


def test_sse_cap_is_per_event() -> None:
    """A stream longer than the cap passes as long as each event fits it."""
    assert len(SseParser(100).feed(b"data: 0123456789\n\n" * 1000)) == 1000


@pytest.mark.parametrize("parser", [SseParser(), NdjsonParser()], ids=["sse", "ndjson"])
def test_a_long_line_is_not_copied_with_every_chunk(parser: SseParser | NdjsonParser) -> None:
    """An unfinished megabyte fed in kilobytes is held in the pieces it came in, so the work is linear."""
    chunks = [b"data: " + b"x" * 1018, *([b"y" * 1024] * 1023)]
    assert fed(parser.feed, chunks) == []
    assert max(len(piece) for piece in parser._pieces) == 1024
    [event] = parser.feed(b"\n\n")
    data = event.data if isinstance(event, SseEvent) else event.removeprefix(b"data: ")
    assert len(data) == 1024 * 1024 - 6


documents = st.lists(
    st.dictionaries(st.text(max_size=3), st.text(alphabet=st.sampled_from('ab"\\{}[],\n' + ODD), max_size=6), max_size=3)
)


@given(documents, st.sampled_from([b"\n", b"\r\n", b"\n \n\n"]), cut_places)
def test_ndjson_at_any_partition(values: list[dict[str, str]], ending: bytes, cuts: list[int]) -> None:
    """Each line is one document; blank lines and the CR of a CRLF are no part of any; a last one needs no line end."""
    lines = [json.dumps(value, ensure_ascii=False).encode() for value in values]
    data = ending.join(lines)
    for chunks in (partitions_of(data, cuts), one_byte_each(data), [data]):
        parser = NdjsonParser()
        assert lines == fed(parser.feed, chunks) + parser.close()
        assert parser.close() == []


def test_ndjson_cap() -> None:
    """A line above the cap is refused, finished or not, whole or in pieces; any number of short ones passes."""
    for chunks in ([b"x" * 11], [b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 5]):
        with pytest.raises(ResponseTooLarge):
            fed(NdjsonParser(10).feed, chunks)
    assert len(NdjsonParser(10).feed(b"0123456789\n" * 50)) == 50
