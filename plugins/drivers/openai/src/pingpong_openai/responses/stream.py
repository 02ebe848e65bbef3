"""Events out of a streamed response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pingpong import (
    Event,
    Part,
    PartEnd,
    PingPongError,
    Reasoning,
    ReasoningDelta,
    SseParser,
    StreamStart,
    StreamTruncated,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

from pingpong_openai.errors import error_from_body, error_in
from pingpong_openai.ids import given_id
from pingpong_openai.jsonwire import decoded
from pingpong_openai.responses.ending import end_from_body, usage_from_body
from pingpong_openai.responses.items import CALL_KEY, Key, parts_from_item
from pingpong_openai.responses.shapes import EVENT, Body, StreamEvent
from pingpong_openai.streaming import failed

_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
_CALL = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.cancelled"})


def start_of(provider: str, body: Body, request_id: str | None) -> StreamStart:
    """The start that a response object tells."""
    return StreamStart(provider, body.model or "", given_id(body.id), request_id)


class ItemFold:
    """Parts out of items as they are added, filled and done; a part's index is the place of its first appearance."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._items: dict[int, dict[str, Any]] = {}
        self._done: dict[int, dict[str, Any]] = {}
        self._slots: dict[tuple[int, Key], int] = {}
        self._reserved: dict[int, int] = {}
        self._size = 0
        self._told: set[int] = set()

    def add(self, n: int, item: dict[str, Any]) -> None:
        """Item `n` begins; every item has at least one part, whose place is kept for it."""
        if n not in self._items:
            self._items[n] = item
            self._reserved[n] = self._size
            self._size += 1

    def _slot(self, n: int, key: Key) -> int:
        slot = self._slots.get((n, key))
        if slot is None:
            slot = self._reserved.pop(n, -1)
            if slot < 0:
                slot, self._size = self._size, self._size + 1
            self._slots[n, key] = slot
        return slot

    def text(self, n: int, i: int, text: str) -> Event:
        """More visible text of item `n`."""
        slot = self._slot(n, ("content", i))
        self._told.add(slot)
        return TextDelta(slot, text)

    def reasoning(self, n: int, key: Key, text: str) -> Event:
        """More reasoning of item `n`."""
        slot = self._slot(n, key)
        self._told.add(slot)
        return ReasoningDelta(slot, text)

    def call(self, n: int, arguments: str) -> Event:
        """More arguments of the call that is item `n`."""
        slot = self._slot(n, CALL_KEY)
        self._told.add(slot)
        item = self._items.get(n, {})
        return ToolCallDelta(slot, str(item.get("call_id") or ""), str(item.get("name") or ""), arguments)

    def end(self, n: int, item: dict[str, Any]) -> list[Event]:
        """Item `n` is done: its parts, each told whole; what was never told in deltas is told now."""
        if n in self._done:
            return []
        self._done[n] = item
        events: list[Event] = []
        parts = parts_from_item(self._provider, item)
        self._adopt_strays(n, {key for key, _ in parts})
        for key, part in parts:
            slot = self._slot(n, key)
            if slot not in self._told:
                events.extend(_untold(slot, part))
            events.append(PartEnd(slot, part))
        return events

    def _adopt_strays(self, n: int, keys: set[Key]) -> None:
        # Deltas may name another place than the finished item does: reasoning streamed as a summary, kept as content.
        strays = [(place, slot) for place, slot in self._slots.items() if place[0] == n and place[1] not in keys]
        untold = sorted(key for key in keys if (n, key) not in self._slots)
        for (place, slot), key in zip(strays, untold, strict=False):
            del self._slots[place]
            self._slots[n, key] = slot

    def end_all(self, output: Sequence[dict[str, Any]]) -> list[Event]:
        """The items of the whole answer that no event told to be done."""
        return [event for n, item in enumerate(output) for event in self.end(n, item)]

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items that are done, in order."""
        return [self._done[n] for n in sorted(self._done)]


def _untold(slot: int, part: Part) -> list[Event]:
    if isinstance(part, Text) and part.text:
        return [TextDelta(slot, part.text)]
    if isinstance(part, Reasoning) and part.text:
        return [ReasoningDelta(slot, part.text)]
    return [ToolCallDelta(slot, part.call_id, part.name, part.arguments)] if isinstance(part, ToolCall) else []


class ResponsesStreamDecoder:
    """
    Decoder of one stream; `response.completed`, `.incomplete` or `.failed`, or `error`, is its terminal marker.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def __init__(self, provider: str, headers: Mapping[str, str]) -> None:
        self._provider = provider
        self._request_id = headers.get("x-request-id")
        self._parser = SseParser()
        self._fold = ItemFold(provider)
        self._told: list[Event] = []
        self._usage: Usage | None = None
        self._is_over = False

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Events that this chunk completes."""
        already = len(self._told)
        try:
            for event in [] if self._is_over else self._parser.feed(chunk):
                data = event.data.strip()
                # Some gateways add the other wire's marker, which means nothing here.
                if data and data != b"[DONE]":
                    self._take(decoded(data, EVENT, self._provider))
                if self._is_over:
                    break
        except PingPongError as error:
            self._fail(error)
        return self._told[already:]

    def close(self) -> Sequence[Event]:
        """Nothing after a terminal event, else one `StreamTruncated`."""
        if self._is_over:
            return []
        self._fail(StreamTruncated(f"{self._provider} ended the stream without a terminal event.", provider=self._provider))
        return self._told[-1:]

    def _take(self, event: StreamEvent) -> None:
        kind = event.type or ""
        if event.response is not None:
            self._take_response(kind, event.response)
        elif kind == "error" or event.error:
            error = error_in(event.error) or {"code": event.code, "message": event.message}
            self._fail(error_from_body(self._provider, error, None))
        elif event.item is not None:
            self._fold.add(event.output_index, event.item)
            if kind == "response.output_item.done":
                self._told.extend(self._fold.end(event.output_index, event.item))
        elif isinstance(event.delta, str) and event.delta:
            self._take_delta(kind, event, event.delta)

    def _take_delta(self, kind: str, event: StreamEvent, delta: str) -> None:
        n = event.output_index
        if kind in _TEXT:
            self._told.append(self._fold.text(n, event.content_index, delta))
        elif kind in _CALL:
            self._told.append(self._fold.call(n, delta))
        elif kind == "response.reasoning_summary_text.delta":
            self._told.append(self._fold.reasoning(n, ("summary", event.summary_index), delta))
        elif kind == "response.reasoning_text.delta":
            self._told.append(self._fold.reasoning(n, ("content", event.content_index), delta))

    def _take_response(self, kind: str, body: Body) -> None:
        if not self._told:
            self._told.append(start_of(self._provider, body, self._request_id))
        self._usage = usage_from_body(body) or self._usage
        if kind == "response.failed":
            self._fail(error_from_body(self._provider, error_in(body.error), None))
        elif kind in _TERMINAL:
            self._told.extend(self._fold.end_all(body.output or ()))
            self._told.append(end_from_body(self._provider, body, body.output or self._fold.items))
            self._is_over = True

    def _fail(self, error: PingPongError) -> None:
        self._told.append(failed(error, self._told, self._usage))
        self._is_over = True
