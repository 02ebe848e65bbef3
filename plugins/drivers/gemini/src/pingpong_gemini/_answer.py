"""
An answer put together from `GenerateContentResponse` documents: one when not streamed, many when streamed.

Both ways go through here, and the rule for text makes them equal. Text parts in a row are one part until the kind changes or
a part bears a signature, which then belongs to the whole part. So the last piece of a stream, an empty text with the
signature of what was said before, gives what the API itself sends in one piece when it does not stream.
An empty text without a signature says nothing and is left out.

A response holds one answer: the candidate of index 0. Each further one is put together in the same way and kept whole, as an
`Opaque` part after the answer's own (adr/0006).
"""

from __future__ import annotations

from pingpong import (
    Event,
    FinishReason,
    MalformedResponse,
    Opaque,
    Part,
    PartEnd,
    Reasoning,
    ReasoningDelta,
    Response,
    StreamEnd,
    StreamStart,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from pingpong_wire import json_text

from pingpong_gemini._errors import error_from_body
from pingpong_gemini._finish import block_word, finish_from_wire, finish_word
from pingpong_gemini._json import PROVIDER, Json, camel, opaque_of, seen_camel
from pingpong_gemini._parts import CANDIDATE, part_from_wire, part_to_wire, plain_text
from pingpong_gemini._usage import KNOWN as KNOWN_COUNTS
from pingpong_gemini._usage import usage_from_wire

_OF_DOCUMENT = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})
_OF_CANDIDATE = frozenset({"content", "finishReason", "index"})
"""What is read of a document and of a candidate; the rest is kept."""
_PIECEWISE = ("citationMetadata", "logprobsResult")
"""What a stream gives in pieces, each for the text beside it. Anything else that comes again replaces what came before."""


class Answer:
    """One answer in the making."""

    def __init__(self, request_id: str | None = None) -> None:
        self._request_id = request_id
        self._parts: list[Part] = []
        self._open: type[Text | Reasoning] | None = None
        self._pieces: list[str] = []
        self._is_started = False
        self._model = ""
        self._response_id: str | None = None
        self._raw_finish: str | None = None
        self._has_candidate = False
        self._is_blocked = False
        self._counts: Json = {}
        self._told_usage: Json = {}
        self._rest: Json = {}
        self._further: dict[int, Answer] = {}

    @property
    def is_finished(self) -> bool:
        """Whether the provider said why the answer ended."""
        return self._raw_finish not in (None, "FINISH_REASON_UNSPECIFIED")

    @property
    def has_candidate(self) -> bool:
        """Whether there is an answer at all, were it only the reason why there is none."""
        return self._has_candidate or self._is_blocked

    @property
    def usage(self) -> Usage | None:
        """The last counts that came."""
        return usage_from_wire(self._counts)

    def take(self, document: object) -> list[Event]:
        """
        The events of the next document.

        Raises:
            MalformedResponse: It is not what the API answers.
            PingPongError: It is an error object.
        """
        if not isinstance(document, dict):
            raise MalformedResponse("Gemini's answer is no JSON object.", provider=PROVIDER)
        if "error" in document:
            raise error_from_body(document, status=None, headers={})
        is_plain = _OF_DOCUMENT.issuperset(document)
        body = document if is_plain else camel(document)
        events: list[Event] = [] if self._is_started else [self._start(body)]
        self._take_usage(body.get("usageMetadata"))
        candidates = body.get("candidates") or []
        if not isinstance(candidates, list):
            raise MalformedResponse("Gemini's answer has candidates that are no list.", provider=PROVIDER)
        if not is_plain:
            self._rest.update({name: value for name, value in body.items() if name not in _OF_DOCUMENT})
        for value in candidates:
            candidate = value if isinstance(value, dict) and _OF_CANDIDATE.issuperset(value) else camel(value)
            index = candidate.get("index")
            if isinstance(index, int) and index > 0:
                self._further.setdefault(index, Answer())._take_candidate(candidate, [])
            else:
                self._take_candidate(candidate, events)
        if "promptFeedback" in body:
            self._take_feedback(body["promptFeedback"])
        return events

    def _start(self, body: Json) -> StreamStart:
        model, response_id = body.get("modelVersion"), body.get("responseId")
        self._is_started = True
        self._model = model if isinstance(model, str) else ""
        self._response_id = response_id if isinstance(response_id, str) else None
        return StreamStart(PROVIDER, self._model, self._response_id, self._request_id)

    def _take_usage(self, value: object) -> None:
        """Counts are repeated as they grow, so the last ones hold; other fields as last told. Read when the answer ends."""
        meta = seen_camel(value)
        if not KNOWN_COUNTS.isdisjoint(meta):
            self._counts = meta
        self._told_usage.update(meta)

    def _take_feedback(self, feedback: object) -> None:
        reason = block_word(seen_camel(feedback).get("blockReason"))
        if reason is not None and self._raw_finish is None:
            self._is_blocked = True
            self._raw_finish = reason

    def _take_candidate(self, candidate: Json, events: list[Event]) -> None:
        self._has_candidate = True
        content = candidate.get("content")
        parts = (content.get("parts") if isinstance(content, dict) else None) or []
        if not isinstance(parts, list):
            raise MalformedResponse("Gemini's answer has parts that are no list.", provider=PROVIDER)
        for value in parts:
            self._take_part(value, events)
        if "finishReason" in candidate:
            self._raw_finish = finish_word(candidate["finishReason"]) or self._raw_finish
        if not _OF_CANDIDATE.issuperset(candidate):
            self._take_extras({name: value for name, value in candidate.items() if name not in _OF_CANDIDATE})

    def _take_extras(self, extras: Json) -> None:
        kept: Json = self._rest.setdefault("candidate", {})
        for key, value in extras.items():
            kept[key] = _extended(kept[key], value) if key in _PIECEWISE and key in kept else value

    def _take_part(self, value: object, events: list[Event]) -> None:
        if not isinstance(value, dict):
            raise MalformedResponse("Gemini's answer has a part that is no object.", provider=PROVIDER)
        if (text := plain_text(value)) is not None:
            self._take_text(Text, text, None, events)
            return
        part = part_from_wire(value, len(self._parts) + (self._open is not None))
        if isinstance(part, Text | Reasoning):
            self._take_text(type(part), part.text, part.opaque, events)
            return
        self._end_text(None, events)
        index = len(self._parts)
        self._parts.append(part)
        if isinstance(part, ToolCall):
            events.append(ToolCallDelta(index, part.call_id, part.name, part.arguments))
        events.append(PartEnd(index, part))

    def _take_text(self, kind: type[Text | Reasoning], text: str, opaque: Opaque | None, events: list[Event]) -> None:
        if not text and opaque is None:
            return
        if self._open is not kind:
            self._end_text(None, events)
            self._open = kind
        if text:
            self._pieces.append(text)
            events.append(_DELTA[kind](len(self._parts), text))
        if opaque is not None:
            self._end_text(opaque, events)

    def _end_text(self, opaque: Opaque | None, events: list[Event]) -> None:
        if self._open is None:
            return
        part = self._open("".join(self._pieces), opaque)
        self._open, self._pieces = None, []
        events.append(PartEnd(len(self._parts), part))
        self._parts.append(part)

    def _candidate(self, index: int) -> Json:
        """The candidate as one document has it whole."""
        self._end_text(None, [])
        parts = [wire for part in self._parts if (wire := part_to_wire(part)) is not None]
        content = {"content": {"parts": parts, "role": "model"}} if parts else {}
        finish = {"finishReason": self._raw_finish} if self._raw_finish else {}
        return {**content, **finish, "index": index, **self._rest.get("candidate", {})}

    def end(self) -> list[Event]:
        """The events that end the answer. Call it once, when no document follows."""
        events: list[Event] = []
        self._end_text(None, events)
        events += [PartEnd(len(self._parts) + i, part) for i, part in enumerate(self._further_parts())]
        return [*events, StreamEnd(self._finish(), self._raw_finish, None, self.usage, self._opaque())]

    def response(self, raw: bytes) -> Response:
        """What all events together tell, at once. Call it once, when no document follows."""
        self._end_text(None, [])
        return Response(
            provider=PROVIDER,
            model=self._model,
            parts=(*self._parts, *self._further_parts()),
            finish_reason=self._finish(),
            raw_finish_reason=self._raw_finish,
            usage=self.usage,
            response_id=self._response_id,
            request_id=self._request_id,
            opaque=self._opaque(),
            raw=raw,
        )

    def _further_parts(self) -> list[Part]:
        further = [self._further[index]._candidate(index) for index in sorted(self._further)]
        return [Opaque(PROVIDER, json_text({CANDIDATE: candidate})) for candidate in further]

    def _opaque(self) -> Opaque | None:
        usage = {name: self._told_usage[name] for name in sorted(self._told_usage) if name not in KNOWN_COUNTS}
        return opaque_of({"usageMetadata": usage, **self._rest} if usage else self._rest)

    def _finish(self) -> FinishReason:
        if self._is_blocked:
            return FinishReason.content_filter
        return finish_from_wire(self._raw_finish or "", has_calls=any(isinstance(part, ToolCall) for part in self._parts))


_DELTA: dict[type[Text | Reasoning], type[TextDelta | ReasoningDelta]] = {Text: TextDelta, Reasoning: ReasoningDelta}


def _extended(old: object, new: object) -> object:
    """Two pieces of one attachment: lists are joined, other fields replaced."""
    if isinstance(old, list) and isinstance(new, list):
        return [*old, *new]
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{k: _extended(old[k], v) if k in old else v for k, v in new.items()}}
    return new
