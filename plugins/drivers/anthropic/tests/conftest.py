"""What the tests of this driver share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from pingpong import Card, Request, WireResponse
from pingpong_anthropic.messages import MessagesCodec


@pytest.fixture
def card() -> Card:
    """A model that takes everything: budgets and effort, but no system turns."""
    return Card(provider="anthropic", model="claude-sonnet-4-6", endpoints=("messages",), max_output_tokens=64000)


@pytest.fixture
def new_card() -> Card:
    """A model that takes effort alone, and system turns."""
    return Card(provider="anthropic", model="claude-opus-4-8", endpoints=("messages",), max_output_tokens=128000)


@pytest.fixture
def body_of() -> Callable[..., dict[str, Any]]:
    """The JSON body that a request encodes to."""

    def body(request: Request, card: Card, *, is_stream: bool = False) -> dict[str, Any]:
        value = msgspec.json.decode(MessagesCodec().encode(request, card, is_stream=is_stream).body)
        assert isinstance(value, dict)
        return value

    return body


@pytest.fixture
def answer() -> Callable[..., WireResponse]:
    """A JSON answer."""

    def wire(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> WireResponse:
        return WireResponse(status, headers or {}, msgspec.json.encode(body))

    return wire


@pytest.fixture
def message() -> Callable[..., dict[str, Any]]:
    """A message with these blocks."""

    def fields(*content: object, **more: object) -> dict[str, Any]:
        usage = {"input_tokens": 3, "output_tokens": 2}
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6"}
        return {**head, "content": list(content), "stop_reason": "end_turn", "stop_sequence": None, "usage": usage, **more}

    return fields


@pytest.fixture
def sse() -> Callable[..., bytes]:
    """A streamed body of these events."""

    def body(*events: dict[str, Any]) -> bytes:
        return b"".join(b"event: %s\ndata: %s\n\n" % (e["type"].encode(), msgspec.json.encode(e)) for e in events)

    return body
