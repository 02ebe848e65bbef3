"""Events out of a streamed chat completion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from pingpong import (
    Event,
    Opaque,
    PartEnd,
    Response,
    SseEvent,
    StreamEnd,
    StreamStart,
    StreamTruncated,
    Usage,
    response_from_events,
)
from pingpong_wire import partial_answer

from pingpong_openai.chat.answer import WIRE, AnswerFold
from pingpong_openai.chat.render import message_from_parts
from pingpong_openai.chat.shapes import COMPLETION, KEPT, Completion
from pingpong_openai.chat.usage import usage_from_wire
from pingpong_openai.errors import error_from_body, error_in
from pingpong_openai.ids import given_id
from pingpong_openai.jsonwire import decoded, kept, kept_if_any


class CompletionFold:
    """The whole answer: first choice, further choices, usage and what is kept of the rest."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._folds: dict[int, AnswerFold] = {0: AnswerFold(provider)}
        self._kept: dict[str, Any] = {}
        self.usage: Usage | None = None

    @property
    def first(self) -> AnswerFold:
        """The answer that the response holds."""
        return self._folds[0]

    def take(self, completion: Completion) -> list[Event]:
        """Events of a chunk, or of a whole body."""
        events: list[Event] = []
        if completion.usage is not None:
            self.usage = usage_from_wire(completion.usage)
        for name in KEPT:
            if value := getattr(completion, name):
                self._kept[name] = value
        for choice in completion.choices or ():
            fold = self._folds.get(choice.index)
            if fold is None:
                fold = self._folds[choice.index] = AnswerFold(self._provider)
            taken = fold.take(choice)
            if choice.index == 0:
                events.extend(taken)
        return events

    def end(self) -> list[Event]:
        """The ends of all parts and the end of the stream."""
        ends: list[Event] = list(self.first.end())
        for i in sorted(self._folds.keys() - {0}):
            ends.append(PartEnd(len(ends), self._other_choice(i)))
        logprobs = {"logprobs": self.first.logprobs} if self.first.logprobs else {}
        ends.append(
            StreamEnd(
                self.first.finish_reason,
                self.first.raw_finish_reason,
                usage=self.usage,
                opaque=kept_if_any(self._provider, WIRE, {**self._kept, **logprobs}),
            )
        )
        return ends

    def _other_choice(self, index: int) -> Opaque:
        # A response holds one answer (`n` above 1 is the provider's), so a further one is kept whole.
        fold = self._folds[index]
        message = message_from_parts(self._provider, fold.parts(), fold.finish_reason)
        choice = {"index": index, "message": message, "finish_reason": fold.raw_finish_reason}
        return kept(self._provider, WIRE, {"choice": {**choice, **({"logprobs": fold.logprobs} if fold.logprobs else {})}})


def start_of(provider: str, completion: Completion, request_id: str | None) -> StreamStart:
    """The start that a first chunk, or a whole body, tells."""
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

    def take(self, event: SseEvent) -> Iterator[Event]:
        """What one event tells; an error object is raised as its error."""
        data = event.data.strip()
        if data == b"[DONE]":
            if self._is_started:
                yield from self._fold.end()
        elif data:
            yield from self._take_chunk(decoded(data, COMPLETION, self.provider))

    def end(self) -> NoReturn:
        """The body ended before `[DONE]`."""
        raise StreamTruncated(f"{self.provider} ended the stream without [DONE].")

    def _take_chunk(self, chunk: Completion) -> Iterator[Event]:
        if chunk.error:
            raise error_from_body(self.provider, error_in(chunk.error), None)
        # Azure's first chunk has neither id nor choice, only what its filter says of the prompt.
        if not self._is_started and (chunk.id or chunk.choices):
            self._is_started = True
            yield start_of(self.provider, chunk, self.request_id)
        yield from self._fold.take(chunk)


def response_from_completion(provider: str, completion: Completion, request_id: str | None) -> Response:
    """The response that a whole body tells, by the same code as a stream."""
    fold = CompletionFold(provider)
    fold.take(completion)
    return response_from_events([start_of(provider, completion, request_id), *fold.end()])
