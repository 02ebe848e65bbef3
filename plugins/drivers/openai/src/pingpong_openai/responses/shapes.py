"""What the wire sends, typed as far as it is read; items stay JSON, since there are many kinds and most are passed on."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec


class Body(msgspec.Struct):
    """A response object: the body of an answer, and part of many events."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[dict[str, Any]] | None = None
    usage: Any = None
    tool_usage: Any = None
    error: Any = None
    incomplete_details: Any = None
    background: Any = None
    completed_at: Any = None
    conversation: Any = None
    created_at: Any = None
    metadata: Any = None
    moderation: Any = None
    previous_response_id: Any = None
    service_tier: Any = None


class StreamEvent(msgspec.Struct):
    """One event of a stream; each kind fills some of the fields."""

    type: str | None = None
    response: Body | None = None
    item: dict[str, Any] | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: Any = None
    code: Any = None
    message: Any = None
    error: Any = None


BODY = msgspec.json.Decoder(Body)
EVENT = msgspec.json.Decoder(StreamEvent)

KEPT = (
    "background",
    "completed_at",
    "conversation",
    "created_at",
    "metadata",
    "moderation",
    "previous_response_id",
    "service_tier",
)
"""Fields of the answer as a whole that have no canonical place; kept in `Response.opaque`. Echoes of the request are not."""

kept_fields: Callable[[Body], tuple[Any, ...]] = attrgetter(*KEPT)
"""Their values, in the order of `KEPT`."""
