"""Events out of a streamed response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from pingpong import (
    Event,
    Part,
    PartEnd,
    Reasoning,
    ReasoningDelta,
    Response,
    SseEvent,
    StreamStart,
    StreamTruncated,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from pingpong_wire import partial_answer

from pingpong_openai.errors import error_from_body, error_in
from pingpong_openai.ids import given_id
from pingpong_openai.jsonwire import decoded
from pingpong_openai.responses.ending import end_from_body, usage_from_body
from pingpong_openai.responses.items import CALL_KEY, Key, parts_from_item
from pingpong_openai.responses.shapes import EVENT, Body, StreamEvent

_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
_CALL = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.cancelled"})


def start_of(provider: str, body: Body, request_id: str | None) -> StreamStart:
    """The start that a stream's first response object tells."""
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


class ResponsesReader:
    """
    What the events of one stream tell; `response.completed`, `.incomplete` or `.failed`, or `error`, is the terminal marker.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def __init__(self, provider: str, request_id: str | None) -> None:
        self.provider = provider
        self.request_id = request_id
        self._usage: Usage | None = None
        self._fold = ItemFold(provider)
        self._is_started = False

    def partial(self, told: Sequence[Event]) -> Response | None:
        """The answer so far, with usage where it came."""
        return partial_answer(told, self._usage)

    def take(self, event: SseEvent) -> Iterable[Event]:
        """What one event tells; an error is raised."""
        data = event.data.strip()
        # Some gateways add the other wire's marker, which means nothing here.
        if not data or data == b"[DONE]":
            return ()
        return self._take(decoded(data, EVENT, self.provider))

    def end(self) -> NoReturn:
        """The body ended before a terminal event."""
        raise StreamTruncated(f"{self.provider} ended the stream without a terminal event.")

    def _take(self, event: StreamEvent) -> Iterable[Event]:
        kind = event.type or ""
        if event.response is not None:
            return self._take_response(kind, event.response)
        if kind == "error" or event.error:
            error = error_in(event.error) or {"code": event.code, "message": event.message}
            raise error_from_body(self.provider, error, None)
        if event.item is not None:
            self._fold.add(event.output_index, event.item)
            return self._fold.end(event.output_index, event.item) if kind == "response.output_item.done" else ()
        return self._take_delta(kind, event, event.delta) if isinstance(event.delta, str) and event.delta else ()

    def _take_delta(self, kind: str, event: StreamEvent, delta: str) -> tuple[Event, ...]:
        n = event.output_index
        if kind in _TEXT:
            return (self._fold.text(n, event.content_index, delta),)
        if kind in _CALL:
            return (self._fold.call(n, delta),)
        if kind == "response.reasoning_summary_text.delta":
            return (self._fold.reasoning(n, ("summary", event.summary_index), delta),)
        if kind == "response.reasoning_text.delta":
            return (self._fold.reasoning(n, ("content", event.content_index), delta),)
        return ()

    def _take_response(self, kind: str, body: Body) -> Iterator[Event]:
        if not self._is_started:
            self._is_started = True
            yield start_of(self.provider, body, self.request_id)
        self._usage = usage_from_body(body) or self._usage
        if kind == "response.failed":
            raise error_from_body(self.provider, error_in(body.error), None)
        if kind in _TERMINAL:
            yield from self._fold.end_all(body.output or ())
            yield end_from_body(self.provider, body, body.output or self._fold.items)
