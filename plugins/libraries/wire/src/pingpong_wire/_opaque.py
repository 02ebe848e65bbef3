"""What travels in `Opaque`: a JSON object that one provider wants back unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pingpong import InvalidRequestError, Opaque, UnsupportedParameter

from pingpong_wire._json import json_text, object_from_json


def attachment(provider: str, fields: Mapping[str, Any]) -> Opaque | None:
    """What keeps these fields for the provider, None where there are none."""
    return Opaque(provider, json_text(fields)) if fields else None


def attached(opaque: Opaque | None, provider: str) -> dict[str, Any]:
    """
    The fields that `attachment` keeps; {} without one, and for another provider's, which is theirs alone.

    Raises:
        InvalidRequestError: It bears this provider's name and holds no JSON object.
    """
    if opaque is None or opaque.provider != provider:
        return {}
    return object_from_json(
        opaque.json, lambda fault: InvalidRequestError(f"An Opaque of {provider} {fault}; pass it back as the driver wrote it.")
    )


def refuse_opaque(part: Opaque, where: str) -> NoReturn:
    """
    Refuse a part that `where` has no place for; what may be dropped the kernel has dropped before.

    Raises:
        UnsupportedParameter: Always.
    """
    raise UnsupportedParameter(
        f'A part that only {part.provider} understands has no place on {where}; remove it, or set on_unsupported="drop".'
    )
