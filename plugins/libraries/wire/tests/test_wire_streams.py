"""The frame of stream decoders: framing, the terminal event, errors and what they keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import (
    MAX_EVENT_BYTES,
    Event,
    FinishReason,
    MalformedResponse,
    Overloaded,
    Response,
    ResponseTooLarge,
    SseEvent,
    StreamEnd,
    StreamError,
    StreamStart,
    StreamTruncated,
    TextDelta,
    Usage,
)
from pingpong_wire import EventStream, SseOrJson, partial_answer


class Words:
    """A wire of words: `begin`, `stop`, `busy`, `bad`, anything else is text."""

    provider = "mine"
    request_id: str | None = "req_1"

    def __init__(self) -> None:
        self._usage: Usage | None = None

    def take(self, event: SseEvent) -> Iterator[Event]:
        """What a word tells."""
        word = event.data.decode()
        if word == "begin":
            self._usage = Usage(uncached_input_tokens=3)
            yield StreamStart("mine", "m")
        elif word == "stop":
            yield StreamEnd(FinishReason.stop, usage=self._usage)
            yield TextDelta(0, "after the end")
        elif word == "bad":
            yield TextDelta(0, "said before it broke")
            raise MalformedResponse("A word is bad")
        elif word.startswith("{"):
            raise Overloaded(word, provider="other", request_id="req_2")
        else:
            yield TextDelta(0, word)

    def end(self) -> Iterator[Event]:
        """The wire needs its `stop`."""
        yield TextDelta(0, "last words")
        raise StreamTruncated("No stop came.")

    def partial(self, told: Sequence[Event]) -> Response | None:
        """What was told, with the usage that `begin` brought."""
        return partial_answer(told, self._usage)


def events_of(*chunks: bytes) -> list[Event]:
    """All events of a body in these pieces; calls after the end included."""
    stream = EventStream(Words(), SseOrJson())
    events = [event for chunk in chunks for event in stream.feed(chunk)]
    return [*events, *stream.close(), *stream.feed(b"data: more\n\n"), *stream.close()]


def sse(*words: str) -> bytes:
    """A body of these words."""
    return b"".join(b"data: %s\n\n" % word.encode() for word in words)


def failure(events: Sequence[Event]) -> StreamError:
    """The one error, which is the last event."""
    assert [event for event in events if isinstance(event, StreamEnd | StreamError)] == [events[-1]]
    assert isinstance(events[-1], StreamError)
    return events[-1]


def test_nothing_follows_the_end() -> None:
    """Neither what the same event tells, nor later events, nor the end of the body."""
    events = events_of(sse("begin", "hi", "stop", "bad"))
    assert [event.kind for event in events] == ["start", "text", "end"]


def test_a_cut_stream_keeps_what_arrived() -> None:
    """The error holds parts and usage told so far, and whose stream it was."""
    last = failure(events_of(sse("begin", "hi ")))
    assert isinstance(last.error, StreamTruncated)
    assert (last.error.provider, last.error.request_id) == ("mine", "req_1")
    assert last.partial is last.error.partial
    assert last.partial is not None
    assert (last.partial.text, last.partial.usage) == ("hi last words", Usage(uncached_input_tokens=3))


def test_a_broken_event_is_counted() -> None:
    """The error says which event it was; what that event told before it broke is kept."""
    last = failure(events_of(sse("begin", "bad", "stop")))
    assert last.error.message == "A word is bad (event 2 of the stream)"
    assert last.partial is not None
    assert last.partial.text == "said before it broke"


@pytest.mark.parametrize("begin", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_a_json_object_is_one_event_of_its_own(begin: bytes) -> None:
    """It is told when the body ends; an error in it keeps its own provider and id, and has no partial answer."""
    last = failure(events_of(begin + b'{"error":\n\n', b"1}"))
    assert isinstance(last.error, Overloaded)
    assert (last.error.message, last.partial) == ('{"error":\n\n1}', None)
    assert (last.error.provider, last.error.request_id) == ("other", "req_2")


def test_nothing_at_all_is_a_cut_stream() -> None:
    """An empty body, and one of white space, have no end."""
    assert isinstance(failure(events_of()).error, StreamTruncated)
    assert isinstance(failure(events_of(b"\n \n")).error, StreamTruncated)


BODIES = [b"\r\n \n" + sse("begin", "hi", "stop"), b' {"a": 1}', sse("begin", "é"), b"\n" * 1100 + sse("a")]


@given(st.data())
def test_chunks_do_not_matter(data: st.DataObject) -> None:
    """Any partition of a body gives the same events."""
    body = data.draw(
        st.sampled_from([b"\r\n \n" + sse("begin", "hi", "stop"), b' {"a": 1}', sse("begin", "é"), b"\n" * 1100 + sse("a")])
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert _plain(events_of(*chunks)) == _plain(events_of(body)) == _plain(events_of(*(bytes([b]) for b in body)))


def _plain(events: Sequence[Event]) -> list[object]:
    return [(type(e.error), str(e.error), e.partial) if isinstance(e, StreamError) else e for e in events]


def test_a_large_object_is_refused() -> None:
    """A body that never ends is cut off at the cap."""
    last = failure(events_of(b"{", *[b"x" * (MAX_EVENT_BYTES // 2)] * 2))
    assert isinstance(last.error, ResponseTooLarge)
