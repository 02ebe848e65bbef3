"""JSON and `Opaque` helpers that every half of this driver shares, and the names they agree on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from pingpong import InvalidRequestError, Opaque

PROVIDER = "anthropic"

INVALID_JSON_KEY = "INVALID_JSON"
"""
How the provider asks for arguments that are not a JSON object to be carried in a field that must be one.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
"""


class WireError(ValueError):
    """Something on the wire is not what the protocol says; the message names the field, never its content."""


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise InvalidRequestError(f"A {type(value).__name__} among the request's options cannot be written as JSON.")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_sorted_encoder = msgspec.json.Encoder(enc_hook=_plain, order="sorted")


def json_bytes(value: Any) -> bytes:
    """Compact JSON, keys in the order they were put in."""
    return _encoder.encode(value)


def json_text(value: Any) -> str:
    """As `json_bytes`, as text."""
    return _encoder.encode(value).decode()


def object_from_json(data: bytes | str, what: str) -> dict[str, Any]:
    """
    The JSON object in `data`.

    Raises:
        WireError: It is not JSON, or not an object.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise WireError(f"{what} is not valid JSON") from exc
    if not isinstance(value, dict):
        raise WireError(f"{what} is not a JSON object")
    return value


def text_field(fields: Mapping[str, Any], name: str) -> str:
    """
    The string `fields[name]`.

    Raises:
        WireError: It is missing or no string.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise WireError(f"{name} is missing or not a string")
    return value


def opaque_from_fields(fields: Mapping[str, Any], *known: str, is_sorted: bool = False) -> Opaque | None:
    """What `known` leaves over, to be handed back unchanged; nulls are left out, None where nothing remains."""
    rest = {name: value for name, value in fields.items() if value is not None and name not in known}
    if not rest:
        return None
    return Opaque(PROVIDER, _sorted_encoder.encode(rest).decode() if is_sorted else json_text(rest))


def fields_from_opaque(opaque: Opaque | None) -> dict[str, Any]:
    """
    The fields that `opaque_from_fields` kept; none for another provider's.

    Raises:
        InvalidRequestError: It bears this provider's name and does not hold a JSON object.
    """
    if opaque is None or opaque.provider != PROVIDER:
        return {}
    try:
        return object_from_json(opaque.json, "It")
    except WireError as exc:
        raise InvalidRequestError(
            "An Opaque for anthropic does not hold a JSON object; pass back what the driver gave.", provider=PROVIDER
        ) from exc


def input_from_arguments(arguments: str) -> dict[str, Any]:
    """The object that tool call arguments are; what is no object is wrapped under `INVALID_JSON_KEY`."""
    try:
        return object_from_json(arguments, "arguments")
    except WireError:
        return {INVALID_JSON_KEY: arguments}


def arguments_from_input(value: Any) -> str:
    """Tool call arguments as JSON text; takes the wrapping of `input_from_arguments` off."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(inner := value.get(INVALID_JSON_KEY), str):
        try:
            object_from_json(inner, "arguments")
        except WireError:
            return inner or "{}"
    return json_text(value)
