"""
JSON objects of this wire: reading them leniently, and the attachments that keep what has no canonical field.

The API is protobuf behind JSON, so a field may be spelt `functionCall` or `function_call`, and answers use the first.
Source: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pingpong import Opaque
from pingpong_wire import attached as fields_attached
from pingpong_wire import attachment, bytes_from_base64

PROVIDER = "gemini"
"""The driver's name, and the mark on every `Opaque` it writes."""

Json = dict[str, Any]

_SNAKE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def camel(value: object) -> Json:
    """The object with its own keys in lowerCamelCase; {} for anything that is no object. Values are left as they are."""
    return dict(seen_camel(value))


def seen_camel(value: object) -> Json:
    """As `camel`, but the object itself where its keys are so already: for reading only."""
    if not isinstance(value, dict):
        return {}
    if "_" not in "".join(value):
        return value
    return {_SNAKE.sub(lambda m: m.group(1).upper(), key) if "_" in key else key: v for key, v in value.items()}


def opaque_of(value: Json) -> Opaque | None:
    """An attachment that holds the object; None for an empty one."""
    return attachment(PROVIDER, value)


def attached(opaque: Opaque | None) -> Json:
    """
    The object that this driver attached; {} without one, and for another provider's, which is theirs alone.

    Raises:
        InvalidRequestError: It bears this driver's name and is no JSON object.
    """
    return fields_attached(opaque, PROVIDER)


def patched(part: Json, patch: Mapping[str, Any]) -> Json:
    """
    The wire part with its attachment put back.

    Objects are merged one level deep, as in `{"functionCall": {"id": null}}`; there null takes a field away.
    """
    if not patch:
        return part
    out = dict(part)
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            merged = {**out[key], **value}
            out[key] = {k: v for k, v in merged.items() if not (v is None and k in value)}
        else:
            out[key] = value
    return out


def bytes_from_wire(text: object) -> bytes:
    """
    Bytes of base64 text in either alphabet, padded or not: answers use the standard one, Google's clients the URL-safe one.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(text, str):
        raise ValueError("not base64 text")
    plain = text.translate(_STANDARD)
    return bytes_from_base64(plain + "=" * (-len(plain) % 4), ValueError)


_STANDARD = str.maketrans("-_", "+/")
