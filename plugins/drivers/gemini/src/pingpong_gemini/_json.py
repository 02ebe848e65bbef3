"""
JSON objects of this wire: reading them leniently, and the attachments that keep what has no canonical field.

The API is protobuf behind JSON, so a field may be spelt `functionCall` or `function_call`, and answers use the first.
Source: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from pingpong import InvalidRequestError, Opaque

PROVIDER = "gemini"
"""The driver's name, and the mark on every `Opaque` it writes."""

Json = dict[str, Any]

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_SNAKE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def json_text(value: object) -> str:
    """Compact JSON text, keys in their own order."""
    return encode(value).decode()


def json_value(data: bytes | str) -> Any:
    """
    The value of a JSON document.

    Raises:
        ValueError: It is not JSON, or not UTF-8.
    """
    try:
        return _decode(data)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def camel(value: object) -> Json:
    """The object with its own keys in lowerCamelCase; {} for anything that is no object. Values are left as they are."""
    if not isinstance(value, dict):
        return {}
    if "_" not in "".join(value):
        return dict(value)
    return {_SNAKE.sub(lambda m: m.group(1).upper(), key) if "_" in key else key: v for key, v in value.items()}


def opaque_of(value: Json) -> Opaque | None:
    """An attachment that holds the object; None for an empty one."""
    return Opaque(PROVIDER, json_text(value)) if value else None


def attached(opaque: Opaque | None) -> Json:
    """
    The object that this driver attached; {} without one, and for another provider's, which is theirs alone.

    Raises:
        InvalidRequestError: It bears this driver's name and is no JSON object.
    """
    if opaque is None or opaque.provider != PROVIDER:
        return {}
    try:
        value = json_value(opaque.json)
    except ValueError as exc:
        raise InvalidRequestError("An opaque attachment for gemini is not JSON; leave it as the driver wrote it.") from exc
    if not isinstance(value, dict):
        raise InvalidRequestError("An opaque attachment for gemini is no JSON object; leave it as the driver wrote it.")
    return value


def patched(part: Json, patch: Mapping[str, Any]) -> Json:
    """
    The wire part with its attachment put back.

    Objects are merged one level deep, as in `{"functionCall": {"id": null}}`; there null takes a field away.
    """
    out = dict(part)
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            merged = {**out[key], **value}
            out[key] = {k: v for k, v in merged.items() if not (v is None and k in value)}
        else:
            out[key] = value
    return out


def bytes_from_base64(text: object) -> bytes:
    """
    Bytes of base64 text in either alphabet, padded or not: answers use the standard one, Google's clients the URL-safe one.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(text, str):
        raise ValueError("not base64 text")
    plain = text.translate(_STANDARD)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as exc:
        raise ValueError("not base64 text") from exc


_STANDARD = str.maketrans("-_", "+/")


def base64_text(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode()
