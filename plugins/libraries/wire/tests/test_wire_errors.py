"""What every error map needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from pingpong_wire import class_of_code, class_of_status, retry_after_s, retry_after_text, shortened


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, MalformedResponse),
        (302, MalformedResponse),
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (402, QuotaExhausted),
        (403, PermissionDenied),
        (404, NotFoundError),
        (408, ProviderTimeout),
        (409, ConflictError),
        (413, ContextLengthExceeded),
        (418, InvalidRequestError),
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, Overloaded),
        (504, ProviderTimeout),
        (529, Overloaded),
    ],
)
def test_a_status_tells_a_class(status: int, expected: type[PingPongError]) -> None:
    """Every status has a class, and one that is no failure breaks the protocol."""
    assert class_of_status(status) is expected


def test_the_first_known_code_decides() -> None:
    """Unknown and missing codes are passed over; without a known one there is no class."""
    table = {"quota": QuotaExhausted, "busy": Overloaded}
    assert class_of_code(table, None, "new", "busy", "quota") is Overloaded
    assert class_of_code(table, None, "new") is None


NOW = {"date": "Fri, 20 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": ".5"}, 0.5),
        ({"retry-after": "1e-07"}, 1e-07),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "100000000"}, 86_400.0),
        ({"retry-after": "9" * 400}, 86_400.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1_0"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:10 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:10 GMT", **NOW}, 10.0),
        ({"retry-after": "Fri, 20 Nov 2026 09:59:50 GMT", **NOW}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:10 GMT", "date": "yesterday"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:10 -0000", **NOW}, None),
        ({"retry-after": "Fri, 20 Nov 99999999999999999999 10:00:10 GMT", **NOW}, None),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({"retry-after-ms": "-5", "retry-after": "3"}, 3.0),
    ],
)
def test_retry_after_is_read_or_ignored(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, milliseconds or a date against the answer's own date; garbage and the past are ignored."""
    assert retry_after_s(headers) == expected


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} Nov \d{1,6} \d{1,3}:\d\d:\d\d [-+A-Z\d]{1,6}"), st.text())
def test_no_header_breaks_the_reading(text: str, date: str) -> None:
    """Whatever stands there, the wait is none or within a day."""
    seconds = retry_after_s({"retry-after": text, "retry-after-ms": date, "date": date or NOW["date"]})
    assert seconds is None or 0 <= seconds <= 86_400


@given(st.floats(0, 86_400))
def test_a_wait_survives_its_header(seconds: float) -> None:
    """What is written is read back exactly."""
    assert retry_after_s({"retry-after": retry_after_text(seconds)}) == seconds


def test_whole_seconds_are_written_as_the_standard_has_them() -> None:
    """No decimal point where none is needed."""
    assert retry_after_text(3.0) == "3"


def test_a_long_message_is_cut() -> None:
    """500 characters remain; a shorter message stays as it is."""
    assert shortened("m" * 2000) == "m" * 500
    assert shortened("no") == "no"
