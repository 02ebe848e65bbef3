"""
A `Response` out of the body of a message, and back. Pure.

`Response.opaque` holds, keys sorted, what the message says beside its content: container, context management, and under
`usage` what the counts have no place for.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from pingpong import MalformedResponse, Opaque, Response, UnsupportedCapability
from pingpong_wire import attachment

from pingpong_anthropic.blocks import block_from_part, parts_from_content
from pingpong_anthropic.usage import finish_reason_from_wire, stop_reason_from, usage_from_wire, usage_rest, wire_from_usage
from pingpong_anthropic.wire import PROVIDER, WireError, fields_from_opaque

_TOLD = frozenset({"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"})


def malformed(what: object, **context: Any) -> MalformedResponse:
    """The error for an answer that breaks the protocol; `what` names a field, never its content."""
    return MalformedResponse(f"Anthropic's answer breaks its protocol: {what}.", provider=PROVIDER, **context)


def text_or_none(value: Any) -> str | None:
    """The value where it is a string."""
    return value if isinstance(value, str) else None


def rest_of_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """What a message, or the delta at its end, says that no canonical field tells."""
    return {name: value for name, value in message.items() if name not in _TOLD and value is not None}


def opaque_from_rest(rest: Mapping[str, Any], usage: object) -> Opaque | None:
    """`Response.opaque`."""
    kept = usage_rest(usage)
    # A stream tells these fields in another order than a whole message does.
    return attachment(PROVIDER, msgspec.to_builtins({**rest, "usage": kept} if kept else rest, order="sorted"))


def response_from_message(message: Mapping[str, Any], request_id: str | None, raw: bytes) -> Response:
    """
    The response that a whole message tells.

    Raises:
        MalformedResponse: A field that it needs is missing or of the wrong kind.
    """
    stop_reason = text_or_none(message.get("stop_reason"))
    try:
        if not isinstance(message.get("content"), list):
            raise WireError("content is missing or not a list")
        parts = parts_from_content(message["content"])
    except WireError as exc:
        raise malformed(exc, request_id=request_id) from exc
    return Response(
        provider=PROVIDER,
        model=text_or_none(message.get("model")) or "",
        parts=parts,
        finish_reason=finish_reason_from_wire(stop_reason),
        raw_finish_reason=stop_reason,
        stop_sequence=text_or_none(message.get("stop_sequence")),
        usage=usage_from_wire(message.get("usage")),
        response_id=text_or_none(message.get("id")),
        request_id=request_id,
        opaque=opaque_from_rest(rest_of_message(message), message.get("usage")),
        raw=raw,
    )


def rest_from_opaque(opaque: Opaque | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `opaque_from_rest` kept: of the message, and of its usage."""
    rest = fields_from_opaque(opaque)
    usage = rest.pop("usage", None)
    return rest, usage if isinstance(usage, dict) else {}


def message_from_response(response: Response) -> dict[str, Any]:
    """
    The message that tells a response.

    Raises:
        UnsupportedCapability: It holds images or files, which no message of this wire can.
    """
    rest, usage = rest_from_opaque(response.opaque)
    blocks = (answer_block(part) for part in response.parts)
    return {
        "id": response.response_id,
        "type": "message",
        "role": "assistant",
        "model": response.model,
        "content": [block for block in blocks if block is not None],
        "stop_reason": stop_reason_from(response.finish_reason, response.raw_finish_reason, response.stop_sequence),
        "stop_sequence": response.stop_sequence,
        "usage": wire_from_usage(response.usage, usage),
        **rest,
    }


def answer_block(part: Any) -> dict[str, Any] | None:
    """
    The block of one part of an answer; None for another provider's `Opaque` part, which others leave out.

    Raises:
        UnsupportedCapability: The part is an image, sound or file.
    """
    if isinstance(part, Opaque) and part.provider != PROVIDER:
        return None
    block = block_from_part(part)
    if block.get("type") in ("image", "document"):
        raise UnsupportedCapability("A message of Anthropic's wire holds no images or files.", provider=PROVIDER)
    return block
