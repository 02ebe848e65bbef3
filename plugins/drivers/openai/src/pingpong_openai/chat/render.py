"""Answers as the wire tells them: whole bodies and streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import (
    Audio,
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
)
from pingpong_wire import base64_text, json_text

from pingpong_openai.chat.answer import WIRE, finish_from_wire
from pingpong_openai.chat.shapes import KEPT
from pingpong_openai.chat.usage import wire_from_usage
from pingpong_openai.errors import error_body
from pingpong_openai.ids import made_up_id
from pingpong_openai.jsonwire import attached

_WORDS = {
    FinishReason.stop: "stop",
    FinishReason.length: "length",
    FinishReason.tool_calls: "tool_calls",
    FinishReason.content_filter: "content_filter",
    FinishReason.refusal: "stop",
}


def word_from_finish(finish: FinishReason | None, raw: str | None) -> str:
    """The wire's word: the provider's own where it means the same here, else ours, else the bare canonical name."""
    finish = finish or FinishReason.unknown
    if raw is not None and finish_from_wire(raw, is_refusal=finish is FinishReason.refusal) is finish:
        return raw
    return _WORDS.get(finish, str(finish))


def call_on_wire(provider: str, call: ToolCall) -> dict[str, Any]:
    """One entry of `tool_calls`."""
    if attached(call.opaque, provider, WIRE).get("type") == "custom":
        return {"id": call.call_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def is_legacy(provider: str, call: ToolCall) -> bool:
    """Whether the call came as the deprecated `function_call`, which has no id."""
    return attached(call.opaque, provider, WIRE).get("type") == "function_call"


def _sound(provider: str, part: Audio) -> dict[str, Any]:
    given = attached(part.opaque, provider, WIRE)
    return {
        "id": given.get("id") or made_up_id("audio", 0),
        "data": base64_text(part.data or b""),
        "transcript": part.transcript or "",
        "expires_at": given.get("expires_at") or 0,
    }


def message_from_parts(provider: str, parts: tuple[Part, ...], finish: FinishReason | None) -> dict[str, Any]:
    """The assistant message that says these parts; of a refusal, the last text is the refusal's."""
    texts = [part for part in parts if isinstance(part, Text)]
    annotations = [note for text in texts for note in attached(text.opaque, provider, WIRE).get("annotations", ())]
    refusal = texts.pop().text if finish is FinishReason.refusal and texts else None
    calls = [part for part in parts if isinstance(part, ToolCall)]
    sounds = [part for part in parts if isinstance(part, Audio)]
    has_other = refusal is not None or bool(calls) or bool(sounds)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(text.text for text in texts) or (None if has_other else ""),
        "refusal": refusal,
        "annotations": annotations,
    }
    if reasoning := "".join(part.text for part in parts if isinstance(part, Reasoning)):
        message["reasoning_content"] = reasoning
    if modern := [call_on_wire(provider, call) for call in calls if not is_legacy(provider, call)]:
        message["tool_calls"] = modern
    for call in calls:
        if is_legacy(provider, call):
            message["function_call"] = {"name": call.name, "arguments": call.arguments}
    for sound in sounds:
        message["audio"] = _sound(provider, sound)
    return message


def other_choices(provider: str, parts: tuple[Part, ...]) -> list[dict[str, Any]]:
    """Further answers of the same request, as they came."""
    kept = (attached(part, provider, WIRE).get("choice") for part in parts if isinstance(part, Opaque))
    return [choice for choice in kept if isinstance(choice, dict)]


def body_from_response(provider: str, response: Response) -> dict[str, Any]:
    """The body of a non-streamed answer."""
    given = attached(response.opaque, provider, WIRE)
    body: dict[str, Any] = {
        "id": response.response_id or made_up_id("chatcmpl", 0),
        "object": "chat.completion",
        "created": 0,
        "model": response.model,
        "choices": [
            {
                "index": 0,
                "message": message_from_parts(provider, response.parts, response.finish_reason),
                "logprobs": given.get("logprobs"),
                "finish_reason": word_from_finish(response.finish_reason, response.raw_finish_reason),
            },
            *other_choices(provider, response.parts),
        ],
        **{name: given[name] for name in KEPT if name in given},
    }
    if response.usage is not None:
        body["usage"] = wire_from_usage(response.usage)
    return body


class ChatStreamRenderer:
    """Chunks out of events. What the wire wants early and events tell late (kind of call, annotations) follows at the end."""

    def __init__(self, provider: str, *, is_usage_wanted: bool) -> None:
        self._provider = provider
        self._is_usage_wanted = is_usage_wanted
        self._head: dict[str, Any] = {}
        self._positions: dict[int, int] = {}
        self._texts: dict[int, list[str]] = {}

    def render(self, event: Event) -> bytes:
        """The chunks that tell this event."""
        match event:
            case StreamStart():
                self._head = {
                    "id": event.response_id or made_up_id("chatcmpl", 0),
                    "object": "chat.completion.chunk",
                    "created": 0,
                    "model": event.model,
                }
                return self._delta({"role": "assistant", "content": "", "refusal": None})
            case TextDelta():
                self._texts.setdefault(event.index, []).append(event.text)
                return self._delta({"content": event.text})
            case ReasoningDelta():
                return self._delta({"reasoning_content": event.text})
            case ToolCallDelta():
                return self._delta({"tool_calls": [self._call_piece(event)]})
            case PartEnd():
                return self._part_end(event.index, event.part)
            case StreamEnd():
                return self._end(event)
            case StreamError():
                return _sse({"error": error_body(event.error)})

    def _call_piece(self, event: ToolCallDelta) -> dict[str, Any]:
        is_first = event.index not in self._positions
        position = self._positions.setdefault(event.index, len(self._positions))
        if not is_first:
            return {"index": position, "function": {"arguments": event.arguments}}
        function = {"name": event.name, "arguments": event.arguments}
        return {"index": position, "id": event.call_id, "type": "function", "function": function}

    def _part_end(self, index: int, part: Part) -> bytes:
        if isinstance(part, Opaque):
            return b"".join(self._chunk([_as_delta(choice)]) for choice in other_choices(self._provider, (part,)))
        if isinstance(part, Audio):
            return self._delta({"audio": _sound(self._provider, part)})
        given = attached(getattr(part, "opaque", None), self._provider, WIRE)
        if isinstance(part, Text) and given.get("annotations"):
            return self._delta({"annotations": given["annotations"]})
        if isinstance(part, ToolCall):
            is_told = index in self._positions
            position = self._positions.setdefault(index, len(self._positions))
            if not is_told:
                return self._delta({"tool_calls": [{"index": position, **call_on_wire(self._provider, part)}]})
            if given.get("type"):
                return self._delta({"tool_calls": [{"index": position, "type": given["type"]}]})
        return b""

    def _end(self, event: StreamEnd) -> bytes:
        given = attached(event.opaque, self._provider, WIRE)
        self._head |= {name: given[name] for name in KEPT if name in given}
        last: dict[str, Any] = {}
        if event.finish_reason is FinishReason.refusal and self._texts:
            # Only now is it known that the last text was a refusal; `AnswerFold` takes the repetition as that.
            last = {"refusal": "".join(self._texts[max(self._texts)])}
        word = word_from_finish(event.finish_reason, event.raw_finish_reason)
        chunks = [self._delta(last) if last else b""]
        chunks.append(self._chunk([{"index": 0, "delta": {}, "logprobs": given.get("logprobs"), "finish_reason": word}]))
        if self._is_usage_wanted and event.usage is not None:
            chunks.append(_sse({**self._head, "choices": [], "usage": wire_from_usage(event.usage)}))
        return b"".join((*chunks, b"data: [DONE]\n\n"))

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return self._chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])

    def _chunk(self, choices: list[dict[str, Any]]) -> bytes:
        usage = {"usage": None} if self._is_usage_wanted else {}
        return _sse({**self._head, "choices": choices, **usage})


def _as_delta(choice: dict[str, Any]) -> dict[str, Any]:
    message = dict(choice.get("message") or {})
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{"index": i, **call} for i, call in enumerate(calls)]
    return {**{name: value for name, value in choice.items() if name != "message"}, "delta": message}


def _sse(value: object) -> bytes:
    return f"data: {json_text(value)}\n\n".encode()
