"""Answers as the responses wire tells them: whole bodies and streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    ToolCallDelta,
    Usage,
)
from pingpong_wire import json_text

from pingpong_openai.errors import error_body
from pingpong_openai.ids import made_up_id
from pingpong_openai.jsonwire import attached
from pingpong_openai.responses.ending import WEB_SEARCHES, status_from_finish, wire_from_usage
from pingpong_openai.responses.items import WIRE, output_from_parts
from pingpong_openai.responses.shapes import KEPT

# What the wire repeats of the request, and its defaults.
_ECHOED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def envelope(request_body: Mapping[str, Any], response_id: str | None, model: str) -> dict[str, Any]:
    """A response object that has only begun, with the echo of the request that official clients read."""
    echo = {name: request_body.get(name, default) for name, default in _ECHOED.items()}
    return {
        "id": response_id or made_up_id("resp", 0),
        "object": "response",
        "created_at": 0,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        **echo,
        "usage": None,
    }


def ended(
    provider: str,
    head: dict[str, Any],
    finish: tuple[FinishReason | None, str | None],
    usage: Usage | None,
    opaque: Opaque | None,
) -> dict[str, Any]:
    """The response object at its end."""
    status, details = status_from_finish(*finish)
    given = attached(opaque, provider, WIRE)
    body = {**head, "status": status, "incomplete_details": details, **{name: given[name] for name in KEPT if name in given}}
    if usage is not None:
        body["usage"] = wire_from_usage(usage)
        if searches := usage.other_units.get(WEB_SEARCHES):
            body["tool_usage"] = {"web_search": {"num_requests": searches}}
    return body


def body_from_response(provider: str, response: Response, request_body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a non-streamed answer; of a refusal, the last text is the refusal's."""
    is_refusal = response.finish_reason is FinishReason.refusal
    refusal = next((p for p in reversed(response.parts) if isinstance(p, Text)), None) if is_refusal else None
    head = envelope(request_body, response.response_id, response.model)
    head["output"] = output_from_parts(provider, response.parts, refusal)
    return ended(provider, head, (response.finish_reason, response.raw_finish_reason), response.usage, response.opaque)


class ResponsesStreamRenderer:
    """
    Wire events out of events; each part is an item of its own.

    The wire names an item's id when it begins, canonical events tell it at the part's end: deltas bear a made-up id, the
    finished item its own. Whether a text was a refusal is known last, so a text's end waits for the event after it.
    """

    def __init__(self, provider: str, request_body: Mapping[str, Any]) -> None:
        self._provider = provider
        self._request_body = request_body
        self._head: dict[str, Any] = {}
        self._sequence = 0
        self._numbers: dict[int, int] = {}
        self._count = 0
        self._output: dict[int, dict[str, Any]] = {}
        self._waiting: tuple[int, Text] | None = None
        self._last_text: tuple[int, Text] | None = None

    def render(self, event: Event) -> bytes:
        """The wire events that tell this event."""
        before = b"" if isinstance(event, StreamEnd) else self._end_waiting(is_refusal=False)
        return before + self._render(event)

    def _render(self, event: Event) -> bytes:
        match event:
            case StreamStart():
                self._head = envelope(self._request_body, event.response_id, event.model)
                return self._event("response.created", response=self._head) + self._event(
                    "response.in_progress", response=self._head
                )
            case TextDelta():
                begun = self._begin_text(event.index)
                return begun + self._delta(
                    "response.output_text.delta", event.index, "msg", event.text, content_index=0, logprobs=[]
                )
            case ReasoningDelta():
                begun = self._begin_reasoning(event.index)
                return begun + self._delta(
                    "response.reasoning_summary_text.delta", event.index, "rs", event.text, summary_index=0
                )
            case ToolCallDelta():
                begun = self._begin_call(event.index, event.call_id, event.name)
                return begun + self._delta("response.function_call_arguments.delta", event.index, "fc", event.arguments)
            case PartEnd():
                return self._part_end(event.index, event.part)
            case StreamEnd():
                return self._end(event)
            case StreamError():
                body = error_body(event.error)
                # The published event is flat; the official clients raise on the nested object.
                return self._event("error", code=body["code"], message=body["message"], param=None, error=body)

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return f"event: {kind}\ndata: {json_text(data)}\n\n".encode()

    def _number(self, index: int) -> int:
        if index not in self._numbers:
            self._numbers[index] = self._count
            self._count += 1
        return self._numbers[index]

    def _delta(self, kind: str, index: int, prefix: str, delta: str, **places: Any) -> bytes:
        n = self._number(index)
        return self._event(kind, item_id=made_up_id(prefix, n), output_index=n, delta=delta, **places)

    def _added(self, index: int, item: dict[str, Any]) -> bytes:
        return self._event("response.output_item.added", output_index=self._number(index), item=item)

    def _begin_text(self, index: int) -> bytes:
        if index in self._numbers:
            return b""
        item_id = made_up_id("msg", self._number(index))
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        piece = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return self._added(index, item) + self._event(
            "response.content_part.added", item_id=item_id, output_index=self._number(index), content_index=0, part=piece
        )

    def _begin_reasoning(self, index: int) -> bytes:
        if index in self._numbers:
            return b""
        item_id = made_up_id("rs", self._number(index))
        return self._added(index, {"id": item_id, "type": "reasoning", "summary": []}) + self._event(
            "response.reasoning_summary_part.added",
            item_id=item_id,
            output_index=self._number(index),
            summary_index=0,
            part={"type": "summary_text", "text": ""},
        )

    def _begin_call(self, index: int, call_id: str, name: str) -> bytes:
        if index in self._numbers:
            return b""
        item = {"id": made_up_id("fc", self._number(index)), "type": "function_call", "status": "in_progress"}
        return self._added(index, {**item, "call_id": call_id, "name": name, "arguments": ""})

    def _part_end(self, index: int, part: Part) -> bytes:
        if isinstance(part, Text):
            begun = self._begin_text(index)
            self._waiting = self._last_text = (index, part)
            return begun
        items = output_from_parts(self._provider, (part,), None, first=self._numbers.get(index, self._count))
        if not items:
            return b""
        if isinstance(part, ToolCall):
            n_before = self._begin_call(index, part.call_id, part.name)
            done = self._done("response.function_call_arguments.done", index, "fc", arguments=part.arguments)
            return n_before + done + self._item_done(index, items[0])
        if isinstance(part, Reasoning) and index in self._numbers:
            piece = {"type": "summary_text", "text": part.text}
            done = self._done("response.reasoning_summary_text.done", index, "rs", summary_index=0, text=part.text)
            done += self._done("response.reasoning_summary_part.done", index, "rs", summary_index=0, part=piece)
            return done + self._item_done(index, items[0])
        return self._added(index, items[0]) + self._item_done(index, items[0])

    def _done(self, kind: str, index: int, prefix: str, **fields: Any) -> bytes:
        n = self._number(index)
        return self._event(kind, item_id=made_up_id(prefix, n), output_index=n, **fields)

    def _item_done(self, index: int, item: dict[str, Any]) -> bytes:
        n = self._number(index)
        self._output[n] = item
        return self._event("response.output_item.done", output_index=n, item=item)

    def _end_waiting(self, *, is_refusal: bool) -> bytes:
        if self._waiting is None:
            return b""
        index, part = self._waiting
        self._waiting = None
        item = output_from_parts(self._provider, (part,), part if is_refusal else None, first=self._number(index))[0]
        piece = item["content"][0]
        if piece["type"] == "refusal":
            told = self._done("response.refusal.done", index, "msg", content_index=0, refusal=part.text)
        else:
            told = self._done("response.output_text.done", index, "msg", content_index=0, text=part.text, logprobs=[])
        told += self._done("response.content_part.done", index, "msg", content_index=0, part=piece)
        return told + self._item_done(index, item)

    def _end(self, event: StreamEnd) -> bytes:
        is_refusal = event.finish_reason is FinishReason.refusal
        last = self._end_waiting(is_refusal=is_refusal)
        if is_refusal and self._last_text is not None:
            # Where other parts followed the text, only the whole answer can still call it a refusal.
            index, part = self._last_text
            n = self._number(index)
            self._output[n] = output_from_parts(self._provider, (part,), part, first=n)[0]
        head = {**self._head, "output": [self._output[n] for n in sorted(self._output)]}
        body = ended(self._provider, head, (event.finish_reason, event.raw_finish_reason), event.usage, event.opaque)
        kind = body["status"] if body["status"] in ("completed", "incomplete", "cancelled") else "incomplete"
        return last + self._event(f"response.{kind}", response=body)
