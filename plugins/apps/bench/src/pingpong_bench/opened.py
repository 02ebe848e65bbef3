"""What a contender gives to be measured by, and the answer that all of them must give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen

from pingpong_bench.payloads import INPUT_TOKENS, OUTPUT_TOKENS, TEXT, stream_text

Work = Callable[[], Awaitable[Any]]


@frozen
class Answer:
    """What is asked of every contender alike, in no library's own shape."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


@frozen(kw_only=True)
class Opened:
    """
    A contender that is ready.

    Attributes:
        call, stream: One of each, whole, in the contender's own shape; None for what it does not do.
        told: The answer out of that shape. Not measured.
    """

    call: Work | None = None
    stream: Work | None = None
    told: Callable[[Any], Answer]


def expected(words: int) -> Answer:
    """What the scripted provider says: in a stream of so many words, or for 0 in one piece."""
    if words:
        return Answer(stream_text(words), "stop", INPUT_TOKENS, words)
    return Answer(TEXT, "stop", INPUT_TOKENS, OUTPUT_TOKENS)


def answer_of_json(data: Any) -> Answer:
    """The answer in a chat completion, or in the list of a stream's chunks, parsed."""
    if not isinstance(data, list):
        choice, usage = data["choices"][0], data["usage"]
        return Answer(choice["message"]["content"], choice["finish_reason"], usage["prompt_tokens"], usage["completion_tokens"])
    choices = [chunk["choices"][0] for chunk in data if chunk["choices"]]
    text = "".join(c["delta"].get("content") or "" for c in choices)
    reason = next(c["finish_reason"] for c in reversed(choices) if c["finish_reason"])
    usage = next(chunk["usage"] for chunk in reversed(data) if chunk.get("usage"))
    return Answer(text, reason, usage["prompt_tokens"], usage["completion_tokens"])
