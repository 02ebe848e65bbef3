"""JSON and `Opaque` helpers that every half of this driver shares, and the names they agree on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import Opaque
from pingpong_wire import attached, attachment, json_text
from pingpong_wire import object_from_json as parsed_object

PROVIDER = "anthropic"

INVALID_JSON_KEY = "INVALID_JSON"
"""
How the provider asks for arguments that are not a JSON object to be carried in a field that must be one.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
"""


class WireError(ValueError):
    """Something on the wire is not what the protocol says; the message names the field, never its content."""


def object_from_json(data: bytes | str, what: str) -> dict[str, Any]:
    """
    The JSON object in `data`.

    Raises:
        WireError: It is not JSON, or not an object.
    """
    return parsed_object(data, lambda fault: WireError(f"{what} {fault}"))


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


def opaque_from_fields(fields: Mapping[str, Any], *known: str) -> Opaque | None:
    """What `known` leaves over, to be handed back unchanged; nulls are left out, None where nothing remains."""
    return attachment(PROVIDER, {name: value for name, value in fields.items() if value is not None and name not in known})


def fields_from_opaque(opaque: Opaque | None) -> dict[str, Any]:
    """
    The fields that `opaque_from_fields` kept; none for another provider's.

    Raises:
        InvalidRequestError: It bears this provider's name and does not hold a JSON object.
    """
    return attached(opaque, PROVIDER)


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
