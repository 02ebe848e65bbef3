"""How oracles read bytes: events, JSON, errors by status. Nothing is shared with the parsers of `pingpong`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pingpong_contract.oracles._expected import Failure

INVALID = frozenset(
    {"invalid_request", "unsupported_parameter", "unsupported_capability", "context_length_exceeded", "content_policy"}
)
"""Kinds that a 400 or 422 may be, where no code says more."""

_KINDS_OF_STATUS = {
    400: INVALID,
    401: frozenset({"authentication"}),
    402: frozenset({"quota_exhausted"}),
    403: frozenset({"permission_denied"}),
    404: frozenset({"not_found"}),
    408: frozenset({"provider_timeout"}),
    409: frozenset({"conflict"}),
    413: frozenset({"invalid_request", "context_length_exceeded"}),
    422: INVALID,
    429: frozenset({"rate_limited", "quota_exhausted"}),
    503: frozenset({"overloaded"}),
    504: frozenset({"provider_timeout"}),
    529: frozenset({"overloaded"}),
}


def kinds_of_status(status: int) -> frozenset[str]:
    """Kinds that an HTTP status allows by itself; other 4xx are the caller's, other 5xx the server's."""
    return _KINDS_OF_STATUS.get(status, frozenset({"server_error"}) if status >= 500 else INVALID)


def text_of(body: bytes) -> str:
    """The body as text, a byte order mark apart; what is not UTF-8 becomes U+FFFD."""
    return body.decode("utf-8-sig", "replace")


def sse(body: bytes) -> list[tuple[str, str]]:
    """
    (event name, data) of each event of a whole stream; an unfinished last one is left out.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    *blocks, _unfinished = text_of(body).replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    events = []
    for block in blocks:
        fields = [line.partition(":")[::2] for line in block.split("\n") if line and not line.startswith(":")]
        data = [value.removeprefix(" ") for name, value in fields if name == "data"]
        names = [value.removeprefix(" ") for name, value in fields if name == "event"]
        if data:
            events.append((names[-1] if names else "message", "\n".join(data)))
    return events


def sse_json(body: bytes) -> list[dict[str, Any]]:
    """The JSON objects of a stream's events, `[DONE]` left out."""
    return [json.loads(data) for _, data in sse(body) if data.strip() != "[DONE]"]


def json_or_none(body: bytes) -> Any:
    """The body's JSON value, None where it has none."""
    try:
        return json.loads(text_of(body))
    except ValueError:
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def arguments_of(text: str) -> object:
    """Arguments of a call that came as JSON text; "" means none, text that is not JSON stays text."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def codes_of(values: Iterable[object]) -> frozenset[str]:
    """The values that can serve as an error's code, as text."""
    return frozenset(str(value) for value in values if value is not None and value != "")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What the headers ask to wait in seconds; None without such a header, or where it holds a date."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            wait_s = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if 0 <= wait_s <= 86400:
            return wait_s
    return None


def failure(status: int, headers: Mapping[str, str], kinds: frozenset[str], codes: Iterable[object]) -> Failure:
    """The failure that a non-2xx answer tells."""
    return Failure(status=status, kinds=kinds, codes=codes_of(codes), retry_after_s=retry_after_s(headers))
