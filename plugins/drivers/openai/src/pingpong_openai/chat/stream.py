"""Events out of a streamed chat completion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from pingpong import Event, Opaque, Part, PartEnd, Response, SseEvent, StreamEnd, StreamStart, StreamTruncated, Usage
from pingpong_wire import partial_answer

from pingpong_openai.chat.answer import WIRE, AnswerFold
from pingpong_openai.chat.render import message_from_parts
from pingpong_openai.chat.shapes import COMPLETION, KEPT, Completion, kept_fields
from pingpong_openai.chat.usage import usage_from_wire
from pingpong_openai.errors import error_from_body, error_in
from pingpong_openai.ids import given_id
from pingpong_openai.jsonwire import decoded, kept, kept_if_any


class CompletionFold:
    """The whole answer: first choice, which the response holds, further choices, usage and what is kept of the rest."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self.first = AnswerFold(provider)
        self._folds = {0: self.first}
        self._kept: dict[str, Any] = {}
        self._said: tuple[Any, ...] = ()
        self.usage: Usage | None = None

    def take(self, completion: Completion) -> list[Event]:
        """Events of a chunk, or of a whole body."""
        events: list[Event] = []
        if completion.usage is not None:
            self.usage = usage_from_wire(completion.usage)
        said = kept_fields(completion)
        # Every chunk says them again, so most often there is nothing new.
        if said != self._said:
            self._said = said
            self._kept |= {name: value for name, value in zip(KEPT, said, strict=True) if value}
        for choice in completion.choices or ():
            fold = self._folds.get(choice.index)
            if fold is None:
                fold = self._folds[choice.index] = AnswerFold(self._provider)
            taken = fold.take(choice)
            if choice.index == 0:
                events += taken
        return events

    def parts(self) -> tuple[Part, ...]:
        """The parts of the answer, then one for each further choice."""
        parts = self.first.parts()
        if len(self._folds) > 1:
            parts += tuple(self._other_choice(i) for i in sorted(self._folds.keys() - {0}))
        return parts

    def opaque(self) -> Opaque | None:
        """What is kept of the answer as a whole."""
        logprobs = self.first.logprobs
        return kept_if_any(self._provider, WIRE, {**self._kept, "logprobs": logprobs} if logprobs else self._kept)

    def end(self) -> list[Event]:
        """The ends of all parts and the end of the stream."""
        ends: list[Event] = [PartEnd(i, part) for i, part in enumerate(self.parts())]
        first = self.first
        ends.append(StreamEnd(first.finish_reason, first.raw_finish_reason, usage=self.usage, opaque=self.opaque()))
        return ends

    def _other_choice(self, index: int) -> Opaque:
        # A response holds one answer (`n` above 1 is the provider's), so a further one is kept whole.
        fold = self._folds[index]
        message = message_from_parts(self._provider, fold.parts(), fold.finish_reason)
        choice = {"index": index, "message": message, "finish_reason": fold.raw_finish_reason}
        return kept(self._provider, WIRE, {"choice": {**choice, **({"logprobs": fold.logprobs} if fold.logprobs else {})}})


def start_of(provider: str, completion: Completion, request_id: str | None) -> StreamStart:
    """The start that a first chunk tells."""
    return StreamStart(provider, completion.model or "", given_id(completion.id), request_id)


class ChatReader:
    """
    What the events of one stream tell; `[DONE]` is the terminal marker.

    Source: https://platform.openai.com/docs/api-reference/chat-streaming
    """

    def __init__(self, provider: str, request_id: str | None) -> None:
        self.provider = provider
        self.request_id = request_id
        self._fold = CompletionFold(provider)
        self._is_started = False

    def partial(self, told: Sequence[Event]) -> Response | None:
        """The answer so far, with usage where it came."""
        return partial_answer(told, self._fold.usage)

    def take(self, event: SseEvent) -> Iterable[Event]:
        """What one event tells; an error object is raised as its error."""
        data = event.data.strip()
        if data == b"[DONE]":
            return self._fold.end() if self._is_started else ()
        if not data:
            return ()
        chunk = decoded(data, COMPLETION, self.provider)
        if chunk.error:
            raise error_from_body(self.provider, error_in(chunk.error), None)
        return self._fold.take(chunk) if self._is_started else self._begin(chunk)

    def end(self) -> NoReturn:
        """The body ended before `[DONE]`."""
        raise StreamTruncated(f"{self.provider} ended the stream without [DONE].")

    def _begin(self, chunk: Completion) -> Iterator[Event]:
        # Azure's first chunk has neither id nor choice, only what its filter says of the prompt.
        if chunk.id or chunk.choices:
            self._is_started = True
            yield start_of(self.provider, chunk, self.request_id)
        yield from self._fold.take(chunk)


def response_from_completion(provider: str, completion: Completion, request_id: str | None, raw: bytes) -> Response:
    """The response that a whole body tells, put together by the same code as a stream."""
    fold = CompletionFold(provider)
    fold.take(completion)
    first = fold.first
    return Response(
        provider=provider,
        model=completion.model or "",
        parts=fold.parts(),
        finish_reason=first.finish_reason,
        raw_finish_reason=first.raw_finish_reason,
        usage=fold.usage,
        response_id=given_id(completion.id),
        request_id=request_id,
        opaque=fold.opaque(),
        raw=raw,
    )
