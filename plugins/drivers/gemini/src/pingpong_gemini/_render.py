"""
Answers as the API writes them: whole, as server-sent events with CRLF line ends, and as a growing JSON array.

The server half of `_answer` and `_stream`.
"""

from __future__ import annotations

from pingpong import (
    Event,
    FinishReason,
    Opaque,
    Part,
    PartEnd,
    Reasoning,
    ReasoningDelta,
    Response,
    StreamEnd,
    StreamError,
    StreamStart,
    Text,
    TextDelta,
    ToolCall,
    Usage,
    WireResponse,
)
from pingpong_wire import json_bytes

from pingpong_gemini._errors import REQUEST_ID, status_body
from pingpong_gemini._finish import block_word, finish_to_wire
from pingpong_gemini._json import PROVIDER, Json, attached, camel
from pingpong_gemini._parts import further_candidate, part_to_wire
from pingpong_gemini._usage import usage_to_wire

JSON_HEADERS = {"content-type": "application/json; charset=UTF-8"}
SSE_HEADERS = {"content-type": "text/event-stream"}


def response_to_wire(response: Response) -> WireResponse:
    """The 200 answer of `generateContent`."""
    end = StreamEnd(
        response.finish_reason or FinishReason.unknown, response.raw_finish_reason, None, response.usage, response.opaque
    )
    parts = [wire for part in response.parts if (wire := _answer_part(part)) is not None]
    has_calls = any(isinstance(part, ToolCall) for part in response.parts)
    body = {**_last_document(end, parts, has_calls=has_calls), **_names(response.model, response.response_id)}
    if further := [candidate for part in response.parts if (candidate := further_candidate(part)) is not None]:
        body["candidates"] = [*body.get("candidates", ()), *further]
    return WireResponse(200, headers_of(response.request_id, JSON_HEADERS), json_bytes(body))


def _answer_part(part: Part) -> Json | None:
    """As `part_to_wire`, but None for another provider's opaque part: whoever reads the answer could not use it."""
    return None if isinstance(part, Opaque) and part.provider != PROVIDER else part_to_wire(part)


def headers_of(request_id: str | None, headers: Json) -> Json:
    """The headers, with the id of the request where there is one."""
    return {**headers, REQUEST_ID: request_id} if request_id else headers


def _names(model: str, response_id: str | None) -> Json:
    return {**({"modelVersion": model} if model else {}), **({"responseId": response_id} if response_id else {})}


def _last_document(end: StreamEnd, parts: list[Json], *, has_calls: bool) -> Json:
    """What ends an answer: the last parts, why it ended, attachments and counts. A refused prompt has no candidate."""
    rest = attached(end.opaque)
    candidate = rest.pop("candidate", {})
    extra_usage = rest.pop("usageMetadata", {})
    block = block_word(camel(rest.get("promptFeedback")).get("blockReason"))
    is_blocked = block is not None and block == end.raw_finish_reason and end.finish_reason is FinishReason.content_filter
    body: Json = {}
    if parts or not is_blocked:
        finish = finish_to_wire(end.finish_reason, end.raw_finish_reason, has_calls=has_calls)
        content = {"content": {"parts": parts, "role": "model"} if parts else {}}
        body["candidates"] = [{**content, **({} if is_blocked else {"finishReason": finish}), "index": 0, **candidate}]
    body.update(rest)
    usage = _usage(end.usage, extra_usage)
    if usage:
        body["usageMetadata"] = usage
    return body


def _usage(usage: Usage | None, extra: Json) -> Json:
    return {**(usage_to_wire(usage) if usage is not None else {}), **extra}


class GeminiStreamRenderer:
    """Wire bytes out of the events of one stream."""

    def __init__(self, *, is_sse: bool) -> None:
        self._is_sse = is_sse
        self._is_first = True
        self._names: Json = {}
        self._written: set[int] = set()
        self._has_calls = False

    def render(self, event: Event) -> bytes:
        """The bytes that tell this event; b"" for a start, which shows with the first content, and for parts of a tool call."""
        if isinstance(event, StreamStart):
            self._names = _names(event.model, event.response_id)
            return b""
        if isinstance(event, TextDelta | ReasoningDelta):
            self._written.add(event.index)
            part = Text(event.text) if isinstance(event, TextDelta) else Reasoning(event.text)
            return self._content(part_to_wire(part))
        if isinstance(event, PartEnd):
            if (candidate := further_candidate(event.part)) is not None:
                return self._frame({"candidates": [candidate], **self._names}, is_last=False)
            return self._content(self._end_of(event.index, event.part))
        if isinstance(event, StreamEnd):
            # The API ends a stream with an empty text beside the finish reason.
            document = _last_document(event, [], has_calls=self._has_calls)
            for candidate in document.get("candidates", ()):
                candidate["content"] = {"parts": [{"text": ""}], "role": "model"}
            return self._frame({**document, **self._names}, is_last=True)
        if isinstance(event, StreamError):
            return self._frame(status_body(event.error), is_last=True)
        return b""

    def _end_of(self, index: int, part: Part) -> Json | None:
        """What deltas have not said of a part: its signature, beside an empty text; the whole of one without deltas."""
        self._has_calls = self._has_calls or isinstance(part, ToolCall)
        if isinstance(part, Text | Reasoning) and index in self._written:
            if part.opaque is None:
                return None
            return _answer_part(type(part)("", part.opaque))
        return _answer_part(part)

    def _content(self, part: Json | None) -> bytes:
        if part is None:
            return b""
        candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
        return self._frame({"candidates": [candidate], **self._names}, is_last=False)

    def _frame(self, document: Json, *, is_last: bool) -> bytes:
        data = json_bytes(document)
        if self._is_sse:
            return b"data: " + data + b"\r\n\r\n"
        before, self._is_first = (b"[" if self._is_first else b",\r\n"), False
        return before + data + (b"]" if is_last else b"")
