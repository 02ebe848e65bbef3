"""
JSON and base64, in and out, with errors of the caller's choosing.

Reading takes `error`, which makes the exception out of what is wrong: "is not JSON". What is wrong never repeats the content.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from pingpong import InvalidRequestError

T = TypeVar("T")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise InvalidRequestError(f"A {type(value).__name__} among the request's options cannot be written as JSON.")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_any = msgspec.json.Decoder()

_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
"""An escape inside a string, a whole surrogate pair being one; the group is half of a pair that stands alone."""


def json_bytes(value: object) -> bytes:
    """
    Compact JSON, keys in the order they were put in, so that equal values give equal bytes.

    Raises:
        InvalidRequestError: It holds something JSON has no form for, or half of a surrogate pair.
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as exc:
        raise InvalidRequestError("A text holds half of a surrogate pair, which is not Unicode.") from exc


def json_text(value: object) -> str:
    """As `json_bytes`, as text."""
    return json_bytes(value).decode()


def parsed(data: bytes | str, decoder: msgspec.json.Decoder[T], error: Callable[[str], Exception]) -> T:
    """
    What the JSON says, in the decoder's type.

    Raises:
        Exception: What `error` makes of "is not JSON", or of "is JSON of another shape: …", which names the place.
    """
    try:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError as fault:
            return decoder.decode(_mended(data, fault))
    except msgspec.ValidationError as exc:
        raise error(f"is JSON of another shape: {exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise error("is not JSON") from exc


def _mended(data: bytes | str, fault: msgspec.DecodeError) -> bytes:
    """
    The JSON text with U+FFFD for each half of a surrogate pair that stands alone; raises `fault` where there is none.

    Such an escape is legal JSON, "\\ud83d", and servers that cut texts by UTF-16 units send it; msgspec refuses it. The mended
    text is as long and as deep as what came.

    Source: https://www.rfc-editor.org/rfc/rfc8259#section-8.2
    """
    given = data.encode() if isinstance(data, str) else data
    mended = _ESCAPE.sub(lambda escape: rb"\ufffd" if escape.group(1) else escape.group(), given)
    if mended == given:
        raise fault
    return mended


def object_from_json(data: bytes | str, error: Callable[[str], Exception]) -> dict[str, Any]:
    """
    The JSON object in `data`.

    Raises:
        Exception: What `error` makes of "is not JSON" or "is not a JSON object".
    """
    value = parsed(data, _any, error)
    if not isinstance(value, dict):
        raise error("is not a JSON object")
    return value


def json_or_none(data: bytes | str) -> Any:
    """The JSON value in `data`, None where it is no JSON: for bodies of which nothing is expected."""
    try:
        return parsed(data, _any, ValueError)
    except ValueError:
        return None


def base64_text(data: bytes) -> str:
    """Standard base64 with padding."""
    return b64encode(data).decode()


def bytes_from_base64(text: str, error: Callable[[str], Exception]) -> bytes:
    """
    The bytes of standard base64 with padding.

    Raises:
        Exception: What `error` makes of "is not base64".
    """
    try:
        return b64decode(text, validate=True)
    except ValueError as exc:
        raise error("is not base64") from exc
