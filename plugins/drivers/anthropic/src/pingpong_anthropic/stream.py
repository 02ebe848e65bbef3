"""
Events out of a streamed message. Pure.

The provider's terminal marker is `message_stop`; a body that ends before it was cut.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from attrs import define, evolve, field
from pingpong import (
    Event,
    Part,
    PartEnd,
    ReasoningDelta,
    Response,
    SseEvent,
    StreamEnd,
    StreamStart,
    StreamTruncated,
    TextDelta,
    ToolCallDelta,
)
from pingpong_wire import object_from_json, partial_answer

from pingpong_anthropic.blocks import part_from_block
from pingpong_anthropic.errors import error_from_body
from pingpong_anthropic.responses import malformed, opaque_from_rest, rest_of_message, text_or_none
from pingpong_anthropic.usage import finish_reason_from_wire, usage_from_wire
from pingpong_anthropic.wire import PROVIDER, WireError, input_from_arguments, text_field

Fields = Mapping[str, Any]

_UNSAID: Mapping[str, Fields] = {"text": {"text": ""}, "thinking": {"thinking": ""}}


@define
class _Block:
    """A block whose end has not come: what its start said, and the texts of its deltas."""

    position: int
    fields: dict[str, Any]
    pieces: list[str] = field(factory=list)

    def more(self, kind: str, delta: Fields) -> str:
        """The text of a delta of this kind, kept. Raises `WireError` where the block is of another."""
        if self.fields["type"] != kind:
            raise WireError(f"a {kind}_delta came for a block of another type")
        text = text_field(delta, kind)
        self.pieces.append(text)
        return text

    def part(self) -> Part:
        """The part that the block is so far."""
        joined = "".join(self.pieces)
        kind = self.fields.get("type")
        if kind in ("text", "thinking"):
            return part_from_block({**self.fields, kind: text_field(self.fields, kind) + joined})
        return part_from_block({**self.fields, "input": input_from_arguments(joined)} if joined else self.fields)


class MessageReader:
    """What the events of one stream tell; see `pingpong_wire.StreamReader`."""

    provider = PROVIDER

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.request_id = headers.get("request-id")
        self._headers = headers
        self._open: dict[int, _Block] = {}
        self._n_parts = 0
        self._is_started = False
        self._usage: dict[str, Any] = {}
        self._is_usage_final = False
        self._end: dict[str, Any] = {}
        self._rest: dict[str, Any] = {}

    def partial(self, told: Sequence[Event]) -> Response | None:
        """The answer so far. The start counts hardly any output yet, so the usage it tells is a lower bound."""
        usage = usage_from_wire(self._usage)
        if usage is not None and not self._is_usage_final:
            usage = evolve(usage, is_estimated=True)
        return partial_answer(told, usage)

    def take(self, event: SseEvent) -> Sequence[Event]:
        """What one event tells; an error event is raised as its error."""
        try:
            fields = object_from_json(event.data, _event_fault)
            handler = _HANDLERS.get(text_or_none(fields.get("type")) or event.name)
            return () if handler is None else handler(self, fields)
        except WireError as exc:
            raise malformed(exc) from exc

    def end(self) -> NoReturn:
        """The body ended before `message_stop`."""
        content_type = self._headers.get("content-type", "text/event-stream")
        if not self._is_started and not content_type.startswith("text/event-stream"):
            raise malformed("a stream was asked for and something else came")
        raise StreamTruncated("Anthropic's stream ended before message_stop; what had arrived is in `partial`.")

    def _on_error(self, fields: Fields) -> NoReturn:
        raise error_from_body(fields, 200, self._headers)

    def _on_start(self, fields: Fields) -> Sequence[Event]:
        message = fields.get("message")
        if self._is_started or not isinstance(message, dict):
            raise WireError("message_start came twice, or without its message")
        self._is_started = True
        self._rest.update(rest_of_message(message))
        self._merge_usage(message.get("usage"))
        model, response_id = text_or_none(message.get("model")) or "", text_or_none(message.get("id"))
        return (StreamStart(PROVIDER, model, response_id, self.request_id),)

    def _merge_usage(self, usage: object) -> None:
        # Counts are cumulative, so the last one stands; a null says nothing, but for the one that is always told.
        if isinstance(usage, dict):
            self._usage.update({n: v for n, v in usage.items() if v is not None or n == "output_tokens"})

    def _on_block_start(self, fields: Fields) -> Sequence[Event]:
        index, block = fields.get("index"), fields.get("content_block")
        if not self._is_started or not isinstance(index, int) or not isinstance(block, dict) or index in self._open:
            raise WireError("content_block_start came before message_start or twice, or lacks its index or block")
        # Some servers leave out the empty text that the deltas will fill.
        state = self._open[index] = _Block(self._n_parts, {**_UNSAID.get(text_or_none(block.get("type")) or "", {}), **block})
        state.part()  # a block that is no part fails where it starts
        self._n_parts += 1
        if block["type"] == "text":
            return _told(state, TextDelta, state.fields["text"])
        return _told(state, ReasoningDelta, state.fields["thinking"]) if block["type"] == "thinking" else ()

    def _on_delta(self, fields: Fields) -> Sequence[Event]:
        state, delta = self._open.get(fields.get("index", -1)), fields.get("delta")
        if state is None or not isinstance(delta, dict):
            raise WireError("content_block_delta belongs to no open block, or lacks its delta")
        block, kind = state.fields, delta.get("type")
        if kind == "text_delta":
            return _told(state, TextDelta, state.more("text", delta))
        if kind == "thinking_delta":
            return _told(state, ReasoningDelta, state.more("thinking", delta))
        if kind == "input_json_delta":
            fragment = text_field(delta, "partial_json")
            state.pieces.append(fragment)
            if fragment and block["type"] == "tool_use":
                return (ToolCallDelta(state.position, block["id"], block["name"], fragment),)
        elif kind == "signature_delta":
            block["signature"] = text_field(delta, "signature")
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
        elif kind == "compaction_delta":
            block.update({n: v for n, v in delta.items() if n != "type"})
        return ()

    def _on_block_stop(self, fields: Fields) -> Sequence[Event]:
        state = self._open.pop(fields.get("index", -1), None)
        if state is None:
            raise WireError("content_block_stop belongs to no open block")
        # Our own renderer tells here what it learned after the block's start; the provider sends nothing of the kind.
        late = fields.get("content_block")
        if isinstance(late, dict):
            state.fields.update(late)
        return (PartEnd(state.position, state.part()),)

    def _on_message_delta(self, fields: Fields) -> Sequence[Event]:
        delta = fields.get("delta")
        if not self._is_started or not isinstance(delta, dict):
            raise WireError("message_delta came before message_start, or lacks its delta")
        self._end.update({n: v for n, v in delta.items() if v is not None})
        self._rest.update(rest_of_message(delta))
        self._rest.update({n: v for n, v in rest_of_message(fields).items() if n != "delta"})
        self._merge_usage(fields.get("usage"))
        self._is_usage_final = True
        return ()

    def _on_stop(self, fields: Fields) -> Sequence[Event]:
        if not self._is_started:
            raise WireError("message_stop came before message_start")
        ends: list[Event] = [PartEnd(s.position, s.part()) for s in sorted(self._open.values(), key=lambda s: s.position)]
        stop_reason = text_or_none(self._end.get("stop_reason"))
        end = StreamEnd(
            finish_reason_from_wire(stop_reason),
            stop_reason,
            text_or_none(self._end.get("stop_sequence")),
            usage_from_wire(self._usage),
            opaque_from_rest(self._rest, self._usage),
        )
        return [*ends, end]


def _told(state: _Block, kind: type[TextDelta | ReasoningDelta], text: str) -> Sequence[Event]:
    return (kind(state.position, text),) if text else ()


def _event_fault(fault: str) -> WireError:
    return WireError(f"the data of an event {fault}")


_HANDLERS: Mapping[str, Callable[[MessageReader, Fields], Sequence[Event]]] = {
    "message_start": MessageReader._on_start,
    "content_block_start": MessageReader._on_block_start,
    "content_block_delta": MessageReader._on_delta,
    "content_block_stop": MessageReader._on_block_stop,
    "message_delta": MessageReader._on_message_delta,
    "message_stop": MessageReader._on_stop,
    "error": MessageReader._on_error,
}
"""By event type; `ping` and types not known here mean nothing to us."""
