"""Stream events: folding them and telling a response by them are inverse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from pingpong import (
    TOKEN_CLASSES,
    Event,
    FinishReason,
    Image,
    Opaque,
    Part,
    PartEnd,
    Reasoning,
    ReasoningDelta,
    Response,
    StreamEnd,
    StreamError,
    StreamStart,
    StreamTruncated,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    assistant,
    events_from_response,
    response_from_events,
)

START = StreamStart("p", "m", "id1", "req1")
opaques = st.none() | st.builds(Opaque, st.just("p"), st.just('{"signature":"s"}'))
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, st.text(), opaques),
    st.builds(Reasoning, st.text(), opaques),
    st.builds(ToolCall, st.text(min_size=1), st.text(min_size=1), st.just('{"a":1}'), opaques),
    st.builds(Image, data=st.binary(max_size=3), media_type=st.just("image/png")),
    st.builds(Opaque, st.just("p"), st.just("{}")),
)
responses = st.builds(
    Response,
    provider=st.just("p"),
    model=st.text(max_size=3),
    parts=st.lists(parts, max_size=5).map(tuple),
    finish_reason=st.sampled_from(FinishReason),
    raw_finish_reason=st.none() | st.text(max_size=3),
    stop_sequence=st.none() | st.text(max_size=3),
    usage=st.none() | st.builds(Usage, **dict.fromkeys(TOKEN_CLASSES, st.integers(0, 99))),
    response_id=st.none() | st.text(max_size=3),
    request_id=st.none() | st.text(max_size=3),
    opaque=opaques,
)


@given(responses)
def test_fold_of_the_telling_is_the_response(response: Response) -> None:
    """`response_from_events(events_from_response(r)) == r`, signatures, media and empty parts included."""
    assert response == response_from_events(events_from_response(response))


@given(responses)
def test_telling_keeps_the_grammar(response: Response) -> None:
    """One start first, one end last, content between, and no part speaks after its end."""
    events = list(events_from_response(response))
    assert [type(e) for e in events if isinstance(e, StreamStart | StreamEnd | StreamError)] == [StreamStart, StreamEnd]
    assert (type(events[0]), type(events[-1])) == (StreamStart, StreamEnd)
    ended: set[int] = set()
    for event in events[1:-1]:
        assert not isinstance(event, StreamStart | StreamEnd | StreamError)
        assert event.index not in ended
        if isinstance(event, PartEnd):
            ended.add(event.index)
    assert ended == set(range(len(response.parts)))


@given(st.lists(st.tuples(st.integers(0, 2), st.text(max_size=3)), max_size=12))
def test_deltas_fold_by_their_index(spoken: list[tuple[int, str]]) -> None:
    """Deltas of several parts may interleave; each part is its own deltas in order, parts stand by index."""
    events: list[Event] = [START, *(TextDelta(i, text) for i, text in spoken), StreamEnd(FinishReason.stop)]
    expected = [Text("".join(text for j, text in spoken if j == i)) for i in sorted({i for i, _ in spoken})]
    assert response_from_events(events).parts == tuple(expected)


@pytest.mark.parametrize(
    ("deltas", "part"),
    [
        ([ReasoningDelta(0, "h"), ReasoningDelta(0, "m")], Reasoning("hm")),
        ([ToolCallDelta(0, "c1", "add", '{"a"'), ToolCallDelta(0, "c1", "add", ":1}")], ToolCall("c1", "add", '{"a":1}')),
        ([ToolCallDelta(0, "c1", "now", "")], ToolCall("c1", "now", "{}")),
        ([TextDelta(0, "cut"), PartEnd(0, Text("whole", Opaque("p", "1")))], Text("whole", Opaque("p", "1"))),
    ],
)
def test_part_from_deltas(deltas: list[Any], part: Part) -> None:
    """Without its end a part is its deltas, arguments never being empty; the end has the last word."""
    assert response_from_events([START, *deltas]).parts == (part,)


@given(responses, st.integers(0, 30))
def test_cut_stream_has_no_finish_reason(response: Response, kept: int) -> None:
    """A stream without its end folds to a partial answer: no finish reason, no usage, and only parts that were told."""
    *told, _end = events_from_response(response)
    error = StreamError(StreamTruncated("cut"))
    partial = response_from_events([*told[:kept], error])
    assert (partial.finish_reason, partial.usage, partial.opaque) == (None, None, None)
    assert len(partial.parts) <= len(response.parts)


def test_fold_of_nothing() -> None:
    """No event at all is an empty partial answer."""
    assert response_from_events(()) == Response(provider="", model="")


def test_missing_finish_reason_is_told_as_unknown() -> None:
    """A partial answer, told whole, ends with `unknown`: never with an invented stop."""
    [_start, end] = events_from_response(Response(provider="p", model="m"))
    assert isinstance(end, StreamEnd)
    assert end.finish_reason is FinishReason.unknown


def test_kinds_are_distinct() -> None:
    """Each event class has its own word for JSON."""
    classes: Iterable[Any] = (StreamStart, TextDelta, ReasoningDelta, ToolCallDelta, PartEnd, StreamEnd, StreamError)
    assert [cls.kind for cls in classes] == ["start", "text", "reasoning", "tool_call", "part_end", "end", "error"]


def test_response_views() -> None:
    """Text, reasoning, tool calls and the message for the next turn are views of the parts; `raw` does not count."""
    call = ToolCall("c1", "add", "{}")
    response = Response(provider="p", model="m", parts=(Reasoning("h"), Text("a"), call, Reasoning("m"), Text("b")), raw=b"x")
    assert (response.text, response.reasoning, response.tool_calls) == ("ab", "hm", (call,))
    assert response.message == assistant(response.parts)
    assert response == evolve(response, raw=None)


@given(st.lists(st.builds(Usage, **dict.fromkeys(TOKEN_CLASSES, st.integers(0, 99)), other_units=st.just({"search": 1}))))
def test_usage_adds_up(usages: list[Usage]) -> None:
    """Classes and units add one by one, sums stay sums, and one estimated attempt makes the total estimated."""
    total = sum(usages, Usage())
    assert total.input_tokens == sum(u.input_tokens for u in usages)
    assert total.output_tokens == sum(u.output_tokens for u in usages)
    assert total.other_units.get("search", 0) == len(usages)
    assert (total + Usage(is_estimated=True)).is_estimated
