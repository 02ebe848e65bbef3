"""What the wire sends, typed; other fields are skipped while parsing. A streamed delta and a whole message are one shape."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec


class Function(msgspec.Struct):
    """Name and arguments, or a piece of them."""

    name: str | None = None
    arguments: str | None = None


class Custom(msgspec.Struct):
    """A custom tool's name and free-text input, or a piece of them."""

    name: str | None = None
    input: str | None = None


class Call(msgspec.Struct):
    """A tool call, or a piece of one; `index` comes in streams only."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None


class Sound(msgspec.Struct):
    """Spoken output, base64, or a piece of it."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class Message(msgspec.Struct):
    """An assistant message, or a delta of one. `reasoning_content` is what compatible servers send beside OpenAI's fields."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    audio: Sound | None = None
    annotations: list[Any] | None = None


class Logprobs(msgspec.Struct):
    """Token probabilities, kept as they are."""

    content: list[Any] | None = None
    refusal: list[Any] | None = None


class Choice(msgspec.Struct):
    """One answer, or a delta of one."""

    index: int = 0
    message: Message | None = None
    delta: Message | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Completion(msgspec.Struct):
    """The body of an answer, or one event of a stream."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    created: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None
    moderation: Any = None
    metadata: Any = None


COMPLETION = msgspec.json.Decoder(Completion)

KEPT = ("created", "service_tier", "system_fingerprint", "moderation", "metadata")
"""Fields of the answer as a whole that have no canonical place; kept in `Response.opaque`."""

kept_fields: Callable[[Completion], tuple[Any, ...]] = attrgetter(*KEPT)
"""Their values, in the order of `KEPT`."""
