"""Stream events and their fold. Grammar: one start, then content, then one end or error; nothing after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from attrs import frozen

from pingpong._errors import PingPongError
from pingpong._messages import Opaque, Part, Reasoning, Text, ToolCall
from pingpong._responses import FinishReason, Response, Usage


@frozen
class StreamStart:
    """The model began to answer."""

    kind: ClassVar[str] = "start"
    provider: str
    model: str
    response_id: str | None = None
    request_id: str | None = None


@frozen
class TextDelta:
    """More visible text of part `index` (0-based position in `Response.parts`)."""

    kind: ClassVar[str] = "text"
    index: int
    text: str


@frozen
class ReasoningDelta:
    """More reasoning text of part `index`."""

    kind: ClassVar[str] = "reasoning"
    index: int
    text: str


@frozen
class ToolCallDelta:
    """
    More of the tool call that is part `index`.

    The first one of a call carries `call_id` and `name` (later ones may repeat them); `arguments` is a fragment of JSON text.
    """

    kind: ClassVar[str] = "tool_call"
    index: int
    call_id: str
    name: str
    arguments: str


@frozen
class PartEnd:
    """Part `index` is complete; `part` is all of it, with what the deltas cannot carry (signatures, media, opaque content)."""

    kind: ClassVar[str] = "part_end"
    index: int
    part: Part


@frozen
class StreamEnd:
    """The provider's terminal marker came: the answer is whole."""

    kind: ClassVar[str] = "end"
    finish_reason: FinishReason
    raw_finish_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage | None = None
    opaque: Opaque | None = None


@frozen
class StreamError:
    """The stream failed; `partial` is what had arrived, usage included where the provider had said it."""

    kind: ClassVar[str] = "error"
    error: PingPongError
    partial: Response | None = None


MARKS = (StreamStart, StreamEnd, StreamError)
"""The events that are no content."""

_DELTAS = (TextDelta, ReasoningDelta, ToolCallDelta)
ContentEvent = TextDelta | ReasoningDelta | ToolCallDelta | PartEnd
Event = StreamStart | ContentEvent | StreamEnd | StreamError


def response_from_events(events: Iterable[Event]) -> Response:
    """
    Fold a stream, whole or cut, into the response it told.

    A part without its `PartEnd` is rebuilt from its deltas. Without a `StreamEnd`, `finish_reason` and `usage` are None.
    """
    start: StreamStart | None = None
    end: StreamEnd | None = None
    whole: dict[int, Part] = {}
    deltas: list[TextDelta | ReasoningDelta | ToolCallDelta] = []
    for event in events:
        if isinstance(event, _DELTAS):
            deltas.append(event)
        elif isinstance(event, PartEnd):
            whole[event.index] = event.part
        elif isinstance(event, StreamStart):
            start = event
        elif isinstance(event, StreamEnd):
            end = event
    cut: dict[int, list[TextDelta | ReasoningDelta | ToolCallDelta]] = {}
    for delta in [d for d in deltas if d.index not in whole]:
        cut.setdefault(delta.index, []).append(delta)
    by_index = {**whole, **{i: _part_from_deltas(of_part) for i, of_part in cut.items()}}
    parts = tuple(by_index[i] for i in sorted(by_index))
    return Response(
        provider=start.provider if start else "",
        model=start.model if start else "",
        response_id=start.response_id if start else None,
        request_id=start.request_id if start else None,
        parts=parts,
        finish_reason=end.finish_reason if end else None,
        raw_finish_reason=end.raw_finish_reason if end else None,
        stop_sequence=end.stop_sequence if end else None,
        usage=end.usage if end else None,
        opaque=end.opaque if end else None,
    )


def _part_from_deltas(deltas: list[TextDelta | ReasoningDelta | ToolCallDelta]) -> Part:
    first = deltas[0]
    if isinstance(first, ToolCallDelta):
        calls = [d for d in deltas if isinstance(d, ToolCallDelta)]
        return ToolCall(first.call_id, first.name, "".join(d.arguments for d in calls) or "{}")
    text = "".join(d.text for d in deltas if not isinstance(d, ToolCallDelta))
    return Text(text) if isinstance(first, TextDelta) else Reasoning(text)


def events_from_response(response: Response) -> Iterator[Event]:
    """The stream that tells a response: one delta a part at most. `response_from_events` gives the response back."""
    yield StreamStart(response.provider, response.model, response.response_id, response.request_id)
    for i, part in enumerate(response.parts):
        if isinstance(part, Text) and part.text:
            yield TextDelta(i, part.text)
        elif isinstance(part, Reasoning) and part.text:
            yield ReasoningDelta(i, part.text)
        elif isinstance(part, ToolCall):
            yield ToolCallDelta(i, part.call_id, part.name, part.arguments)
        yield PartEnd(i, part)
    yield stream_end(response)


def stream_end(response: Response) -> StreamEnd:
    """The terminal event of the stream that tells a response."""
    return StreamEnd(
        response.finish_reason or FinishReason.unknown,
        response.raw_finish_reason,
        response.stop_sequence,
        response.usage,
        response.opaque,
    )
