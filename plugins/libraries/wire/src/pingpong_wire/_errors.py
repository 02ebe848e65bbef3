"""What every error map needs: the class by status, by the provider's code, the wait, and a message of bounded length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pingpong import (
    AuthenticationError,
    ConflictError,
    ContextLengthExceeded,
    InvalidRequestError,
    MalformedResponse,
    NotFoundError,
    Overloaded,
    PermissionDenied,
    PingPongError,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    ServerError,
)

MAX_RETRY_AFTER_S = 86_400.0
_MAX_MESSAGE_CHARS = 500

_BY_STATUS: Mapping[int, type[PingPongError]] = {
    401: AuthenticationError,
    402: QuotaExhausted,
    403: PermissionDenied,
    404: NotFoundError,
    408: ProviderTimeout,
    409: ConflictError,
    413: ContextLengthExceeded,
    429: RateLimited,
    503: Overloaded,
    504: ProviderTimeout,
    529: Overloaded,
}

_NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def class_of_status(status: int) -> type[PingPongError]:
    """
    The class that an HTTP status alone tells.

    A redirect or another status that is no failure gives `MalformedResponse`: an answer that the protocol does not have.
    """
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return ServerError
    return InvalidRequestError if status >= 400 else MalformedResponse


def class_of_code(by_code: Mapping[str, type[PingPongError]], *codes: str | None) -> type[PingPongError] | None:
    """The class of the first code that the table knows, None where it knows none of them."""
    return next((by_code[code] for code in codes if code is not None and code in by_code), None)


def shortened(message: str) -> str:
    """At most 500 characters of a provider's message."""
    return message[:_MAX_MESSAGE_CHARS]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """
    How long the provider asks to wait, in seconds, 0 to 86,400; None where it does not say, or says nonsense.

    `retry-after-ms` comes before `retry-after`, which is seconds or a date. A date counts from the answer's own `date`, since
    codecs have no clock; one in the past is nonsense.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    seconds = _seconds(headers.get("retry-after-ms"), 1000)
    if seconds is None:
        seconds = _seconds(headers.get("retry-after"), 1)
    if seconds is None:
        seconds = _seconds_until(headers.get("retry-after"), headers.get("date"))
    return None if seconds is None else min(seconds, MAX_RETRY_AFTER_S)


def retry_after_text(seconds: float) -> str:
    """The value of a `retry-after` header that `retry_after_s` reads back exactly."""
    return repr(float(seconds)).removesuffix(".0")


def _seconds(text: str | None, per_second: int) -> float | None:
    text = (text or "").strip()
    return float(text) / per_second if _NUMBER.fullmatch(text) else None


def _seconds_until(then: str | None, now: str | None) -> float | None:
    try:
        seconds = (parsedate_to_datetime(then or "") - parsedate_to_datetime(now or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds >= 0 else None
