"""One answer put together from its message, or from the deltas of it: streamed or not, the same code gives the same parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pingpong import (
    Audio,
    ContentEvent,
    FinishReason,
    MalformedResponse,
    Opaque,
    Part,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from pingpong_wire import bytes_from_base64

from pingpong_openai.chat.shapes import Call, Choice, Function, Logprobs, Sound
from pingpong_openai.ids import given_id
from pingpong_openai.jsonwire import kept_if_any

WIRE = "chat"
"""Key of this wire in opaque values."""

_FINISH = {
    "stop": FinishReason.stop,
    "length": FinishReason.length,
    "tool_calls": FinishReason.tool_calls,
    "function_call": FinishReason.tool_calls,
    "content_filter": FinishReason.content_filter,
}


def finish_from_wire(word: str | None, *, is_refusal: bool) -> FinishReason:
    """Why it ended; the wire says a refusal is a stop, and only the refusal's words tell otherwise."""
    finish = _FINISH.get(word or "", FinishReason.unknown)
    return FinishReason.refusal if is_refusal and finish is FinishReason.stop else finish


class _Open:
    """A part on its way: text pieces for text, reasoning and calls, bytes for sound."""

    id = ""
    name = ""
    type = "function"
    expires_at: int | None = None

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pieces: list[str] = []
        self.sound: list[bytes] = []


class AnswerFold:
    """
    The answer of one choice. `take` gives the events of a delta, `parts` what all of them came to.

    Attributes:
        logprobs: Token probabilities, all of them; {} where none were asked for.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._parts: list[_Open] = []
        self._index: dict[object, int] = {}
        self._annotations: list[Any] = []
        self.logprobs: dict[str, list[Any]] = {}
        self.raw_finish_reason: str | None = None
        self.is_refusal = False

    @property
    def finish_reason(self) -> FinishReason:
        """Why the answer ended, `unknown` where the wire did not say."""
        return finish_from_wire(self.raw_finish_reason, is_refusal=self.is_refusal)

    def take(self, choice: Choice) -> list[ContentEvent]:
        """Events of one delta, or of a whole message."""
        events: list[ContentEvent] = []
        delta = choice.delta or choice.message
        if delta is not None:
            if text := delta.reasoning_content:
                events.append(ReasoningDelta(self._say("reasoning", "reasoning", text), text))
            if text := delta.content:
                events.append(TextDelta(self._say("content", "text", text), text))
            if (text := delta.refusal) and not self._is_repeated(text):
                events.append(TextDelta(self._say("refusal", "text", text), text))
            if delta.annotations:
                self._annotations.extend(delta.annotations)
            if delta.audio is not None:
                self._take_sound(delta.audio)
            if delta.tool_calls:
                for position, call in enumerate(delta.tool_calls):
                    self._take_call(call, position, events)
            if delta.function_call is not None:
                self._take_function(delta.function_call, events)
        if choice.logprobs is not None:
            self._take_logprobs(choice.logprobs)
        if choice.finish_reason is not None:
            self.raw_finish_reason = choice.finish_reason
        return events

    def _open(self, key: object, kind: str) -> tuple[int, _Open]:
        i = self._index.get(key)
        if i is None:
            i = self._index[key] = len(self._parts)
            self._parts.append(_Open(kind))
        return i, self._parts[i]

    def _say(self, key: str, kind: str, text: str) -> int:
        i = self._index.get(key)
        if i is None:
            i, _ = self._open(key, kind)
        self._parts[i].pieces.append(text)
        return i

    def _take_logprobs(self, logprobs: Logprobs) -> None:
        for name, tokens in (("content", logprobs.content), ("refusal", logprobs.refusal)):
            if tokens:
                self.logprobs.setdefault(name, []).extend(tokens)

    def _is_repeated(self, refusal: str) -> bool:
        # A renderer learns only at the end that what it streamed as content was a refusal, and then says it again as one.
        is_first = not self.is_refusal
        self.is_refusal = True
        said = self._index.get("content")
        return is_first and said is not None and "".join(self._parts[said].pieces) == refusal

    def _take_sound(self, sound: Sound) -> None:
        _, part = self._open("audio", "audio")
        part.id = sound.id or part.id
        part.expires_at = sound.expires_at or part.expires_at
        if sound.transcript:
            part.pieces.append(sound.transcript)
        if sound.data:
            part.sound.append(bytes_from_base64(sound.data, self._malformed_sound))

    def _malformed_sound(self, fault: str) -> MalformedResponse:
        return MalformedResponse(f"Sound that {self._provider} sent {fault}.", provider=self._provider)

    def _take_call(self, call: Call, position: int, events: list[ContentEvent]) -> None:
        i, part = self._open(("call", position if call.index is None else call.index), "call")
        part.id = part.id or call.id or ""
        part.type = call.type or part.type
        name, arguments = None, None
        if call.function is not None:
            name, arguments = call.function.name, call.function.arguments
        elif call.custom is not None:
            name, arguments = call.custom.name, call.custom.input
            part.type = call.type or "custom"
        self._take_arguments(i, part, name, arguments, events)

    def _take_function(self, function: Function, events: list[ContentEvent]) -> None:
        i, part = self._open("function_call", "call")
        part.type = "function_call"
        self._take_arguments(i, part, function.name, function.arguments, events)

    def _take_arguments(self, i: int, part: _Open, name: str | None, arguments: str | None, events: list[ContentEvent]) -> None:
        part.name = part.name or name or ""
        part.id = part.id or f"call_{i}"
        if arguments:
            part.pieces.append(arguments)
            events.append(ToolCallDelta(i, part.id, part.name, arguments))

    def parts(self) -> tuple[Part, ...]:
        """What has arrived, as parts; annotations belong to the last text that was said."""
        last_text = next((p for p in reversed(self._parts) if p.kind == "text"), None) if self._annotations else None
        return tuple([self._part(p, self._annotations if p is last_text else ()) for p in self._parts])

    def _part(self, part: _Open, annotations: Sequence[Any]) -> Part:
        text = "".join(part.pieces)
        if part.kind == "text":
            return Text(text, self._kept({"annotations": annotations}) if annotations else None)
        if part.kind == "reasoning":
            return Reasoning(text)
        if part.kind == "call":
            kept = self._kept({"type": part.type}) if part.type != "function" else None
            return ToolCall(part.id, part.name, text or "{}", kept)
        # The wire does not repeat the format that was asked for, so the media type stays unknown.
        return Audio(
            data=b"".join(part.sound) or None,
            transcript=text or None,
            opaque=self._kept({"id": given_id(part.id), "expires_at": part.expires_at}),
        )

    def _kept(self, value: dict[str, Any]) -> Opaque | None:
        return kept_if_any(self._provider, WIRE, {name: item for name, item in value.items() if item})
