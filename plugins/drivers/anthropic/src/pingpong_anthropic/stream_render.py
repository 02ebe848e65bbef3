"""
A streamed message out of events. Pure.

A field of a block that becomes known after the block began, and that the wire has no delta for (a tool call's `caller`),
is told in `content_block_stop`; clients ignore fields they do not know.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from typing import Any

from pingpong import Event, Part, PartEnd, ReasoningDelta, StreamEnd, StreamError, StreamStart, TextDelta, ToolCallDelta
from pingpong_wire import json_bytes, json_text

from pingpong_anthropic.errors import body_from_error
from pingpong_anthropic.responses import answer_block, rest_from_opaque
from pingpong_anthropic.usage import stop_reason_from, wire_from_usage

_IN_DELTA = frozenset({"container", "stop_details"})
"""What the closing delta holds; the rest stands beside it in `message_delta`."""

_GROWING = frozenset({"text", "thinking", "citations", "signature", "input"})


def sse(data: dict[str, Any]) -> bytes:
    """One server-sent event, named by its type."""
    return b"event: " + str(data["type"]).encode() + b"\ndata: " + json_bytes(data) + b"\n\n"


class MessageStreamRenderer:
    """Renders one stream; see `pingpong.StreamRenderer`."""

    def __init__(self) -> None:
        self._wire_index: dict[int, int] = {}

    def render(self, event: Event) -> bytes:
        """
        The bytes that tell this event.

        Raises:
            UnsupportedCapability: The part is an image, sound or file.
        """
        match event:
            case StreamStart():
                return sse({"type": "message_start", "message": _opening(event)})
            case TextDelta():
                return self._delta(event.index, {"type": "text", "text": ""}, {"type": "text_delta", "text": event.text})
            case ReasoningDelta():
                thinking = {"type": "thinking", "thinking": "", "signature": ""}
                return self._delta(event.index, thinking, {"type": "thinking_delta", "thinking": event.text})
            case ToolCallDelta():
                block = {"type": "tool_use", "id": event.call_id, "name": event.name, "input": {}}
                return self._delta(event.index, block, {"type": "input_json_delta", "partial_json": event.arguments})
            case PartEnd():
                return self._part_end(event.index, event.part)
            case StreamEnd():
                return _closing(event)
            case StreamError():
                return sse(body_from_error(event.error))

    def _delta(self, part: int, block: dict[str, Any], delta: dict[str, Any]) -> bytes:
        opening = b"" if part in self._wire_index else self._block_start(part, block)
        return opening + sse({"type": "content_block_delta", "index": self._wire_index[part], "delta": delta})

    def _block_start(self, part: int, block: dict[str, Any]) -> bytes:
        index = self._wire_index[part] = len(self._wire_index)
        return sse({"type": "content_block_start", "index": index, "content_block": block})

    def _part_end(self, part: int, content: Part) -> bytes:
        block = answer_block(content)
        if block is None:
            return b""
        is_open = part in self._wire_index
        grows = block["type"] in ("text", "thinking", "tool_use")
        out = b""
        if not is_open:
            start = {n: _EMPTY.get(n, v) for n, v in block.items() if n != "citations"} if grows else block
            out = self._block_start(part, start)
        index = self._wire_index[part]
        for delta in _late_deltas(block, is_open) if grows else ():
            out += sse({"type": "content_block_delta", "index": index, "delta": delta})
        stop: dict[str, Any] = {"type": "content_block_stop", "index": index}
        late = {n: v for n, v in block.items() if n not in _GROWING | {"type", "id", "name"}}
        if is_open and late:
            stop["content_block"] = late
        return out + sse(stop)


_EMPTY: dict[str, Any] = {"text": "", "thinking": "", "signature": "", "input": {}}


def _late_deltas(block: dict[str, Any], is_told: bool) -> list[dict[str, Any]]:
    """What is still to be told of a block once its deltas came, or of all of it where none did."""
    deltas: list[dict[str, Any]] = []
    if not is_told:
        for kind in ("text", "thinking"):
            if block.get(kind):
                deltas.append({"type": f"{kind}_delta", kind: block[kind]})
        if block.get("input"):
            deltas.append({"type": "input_json_delta", "partial_json": json_text(block["input"])})
    deltas += ({"type": "citations_delta", "citation": citation} for citation in block.get("citations") or ())
    if block.get("signature"):
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return deltas


def _opening(event: StreamStart) -> dict[str, Any]:
    return {
        "id": event.response_id,
        "type": "message",
        "role": "assistant",
        "model": event.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        # Events tell usage at the end; clients want the table now, and take the last counts.
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _closing(event: StreamEnd) -> bytes:
    rest, usage = rest_from_opaque(event.opaque)
    delta: dict[str, Any] = {
        "stop_reason": stop_reason_from(event.finish_reason, event.raw_finish_reason, event.stop_sequence),
        "stop_sequence": event.stop_sequence,
        **{n: v for n, v in rest.items() if n in _IN_DELTA},
    }
    beside = {n: v for n, v in rest.items() if n not in _IN_DELTA}
    closing = {"type": "message_delta", "delta": delta, "usage": wire_from_usage(event.usage, usage), **beside}
    return sse(closing) + sse({"type": "message_stop"})
