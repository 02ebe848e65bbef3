"""Errors between `google.rpc.Status` bodies and the closed tree."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pingpong import (
    AuthenticationError,
    BudgetExceeded,
    ConflictError,
    ContentPolicyError,
    ContextLengthExceeded,
    DeadlineExceeded,
    InvalidRequestError,
    MalformedResponse,
    NotFoundError,
    Overloaded,
    PermissionDenied,
    PingPongError,
    PluginError,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    ServerError,
    UnknownModelError,
    WireResponse,
)
from pingpong_gemini._errors import error_from_wire, error_to_wire

RPC = "type.googleapis.com/google.rpc."


def _body(status: str, *details: dict[str, Any], message: str = "No.", code: int | None = None) -> bytes:
    error = {"message": message, "status": status, "details": list(details)}
    return json.dumps({"error": error | ({"code": code} if code else {})}).encode()


def _reason(word: str) -> dict[str, Any]:
    return {"@type": f"{RPC}ErrorInfo", "reason": word}


def _quota(**violation: str) -> dict[str, Any]:
    return {"@type": f"{RPC}QuotaFailure", "violations": [violation]}


CASES: dict[str, tuple[int, bytes, type[PingPongError], str | None, bool]] = {
    "invalid": (400, _body("INVALID_ARGUMENT"), InvalidRequestError, "INVALID_ARGUMENT", False),
    "key": (400, _body("INVALID_ARGUMENT", _reason("API_KEY_INVALID")), AuthenticationError, "API_KEY_INVALID", False),
    "region": (400, _body("FAILED_PRECONDITION"), PermissionDenied, "FAILED_PRECONDITION", False),
    "context": (
        400,
        _body(
            "INVALID_ARGUMENT", message="The input token count (2000000) exceeds the maximum number of tokens allowed (1048576)."
        ),
        ContextLengthExceeded,
        "INVALID_ARGUMENT",
        False,
    ),
    "words": (
        400,
        _body("INVALID_ARGUMENT", message="The input token count of part 3 is wrong."),
        InvalidRequestError,
        "INVALID_ARGUMENT",
        False,
    ),
    "words beside a name": (
        503,
        _body("UNAVAILABLE", message="The input token count exceeds the maximum number of tokens allowed."),
        Overloaded,
        "UNAVAILABLE",
        True,
    ),
    "policy": (400, _body("INVALID_ARGUMENT", _reason("PROHIBITED_CONTENT")), ContentPolicyError, "PROHIBITED_CONTENT", False),
    "no key": (401, _body("UNAUTHENTICATED"), AuthenticationError, "UNAUTHENTICATED", False),
    "no credit": (402, b"", QuotaExhausted, None, False),
    "forbidden": (403, _body("PERMISSION_DENIED", _reason("SERVICE_DISABLED")), PermissionDenied, "SERVICE_DISABLED", False),
    "no model": (404, _body("NOT_FOUND"), NotFoundError, "NOT_FOUND", False),
    "timeout": (408, b"<html>", ProviderTimeout, None, True),
    "conflict": (409, _body("ABORTED"), ConflictError, "ABORTED", True),
    "too large": (413, b"", ContextLengthExceeded, None, False),
    "unprocessable": (422, b"", InvalidRequestError, None, False),
    "rate": (429, _body("RESOURCE_EXHAUSTED", _quota(quotaId="RequestsPerMinute")), RateLimited, "RESOURCE_EXHAUSTED", True),
    "day": (429, _body("RESOURCE_EXHAUSTED", _quota(quotaId="RequestsPerDay-Free")), QuotaExhausted, "RESOURCE_EXHAUSTED", False),
    "zero": (429, _body("RESOURCE_EXHAUSTED", _quota(quotaValue="0")), QuotaExhausted, "RESOURCE_EXHAUSTED", False),
    "cancelled": (499, _body("CANCELLED"), ProviderTimeout, "CANCELLED", True),
    "internal": (500, _body("INTERNAL"), ServerError, "INTERNAL", True),
    "overloaded as 500": (500, _body("UNAVAILABLE"), Overloaded, "UNAVAILABLE", True),
    "not offered": (501, _body("UNIMPLEMENTED"), ServerError, "UNIMPLEMENTED", False),
    "bad gateway": (502, b"\xff", ServerError, None, True),
    "overloaded": (503, _body("UNAVAILABLE"), Overloaded, "UNAVAILABLE", True),
    "deadline": (504, _body("DEADLINE_EXCEEDED"), ProviderTimeout, "DEADLINE_EXCEEDED", True),
    "529": (529, b"{", Overloaded, None, True),
    "in an array": (429, b"[" + _body("RESOURCE_EXHAUSTED") + b"]", RateLimited, "RESOURCE_EXHAUSTED", True),
    "empty array": (500, b"[]", ServerError, None, True),
    "odd fields": (500, b'{"error":{"code":"x","status":1,"message":2,"details":3}}', ServerError, None, True),
    "odd details": (
        429,
        _body("RESOURCE_EXHAUSTED", _quota(), {"@type": f"{RPC}RequestInfo"}),
        RateLimited,
        "RESOURCE_EXHAUSTED",
        True,
    ),
    "redirect": (302, b"", MalformedResponse, None, True),
    "in a 200": (200, _body("INTERNAL", code=500), ServerError, "INTERNAL", True),
    "in a 200 without code": (200, _body("UNAVAILABLE"), Overloaded, "UNAVAILABLE", True),
    "unknown name in a 200": (200, _body("NEWER"), InvalidRequestError, "NEWER", False),
}


@pytest.mark.parametrize(("status", "body", "kind", "code", "retryable"), CASES.values(), ids=CASES)
def test_errors_map(status: int, body: bytes, kind: type[PingPongError], code: str | None, retryable: bool) -> None:
    """Status, status name, reason and quota decide the class; rendered and read again it is the same error."""
    error = error_from_wire(WireResponse(status, {}, body))
    assert type(error) is kind
    assert (error.code, error.retryable, error.provider) == (code, retryable, "gemini")
    if status >= 400:
        assert error.status == status
        again = error_from_wire(error_to_wire(error))
        assert (type(again), again.status, again.retryable) == (kind, status, retryable)
        assert again.code == code or code is None


RETRIES: dict[str, tuple[dict[str, Any] | None, dict[str, str], float | None]] = {
    "RetryInfo": ({"retryDelay": "38.5s"}, {"retry-after": "1"}, 38.5),
    "whole seconds": ({"retryDelay": "7s"}, {}, 7.0),
    "garbage delay": ({"retryDelay": "soon"}, {"retry-after": "2"}, 2.0),
    "delay that is no string": ({"retryDelay": 3}, {}, None),
    "milliseconds": (None, {"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    "float": (None, {"retry-after": "0.5"}, 0.5),
    "date": (None, {"retry-after": "Fri, 20 Nov 2026 10:00:09 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 9.0),
    "past date": (None, {"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
    "date without now": (None, {"retry-after": "Fri, 20 Nov 2026 10:00:09 GMT"}, None),
    "dates that do not compare": (
        None,
        {"retry-after": "Fri, 20 Nov 2026 10:00:09 -0000", "date": "Fri, 20 Nov 2026 10:00:00 GMT"},
        None,
    ),
    "negative": (None, {"retry-after": "-1"}, None),
    "garbage": (None, {"retry-after": "nan"}, None),
    "a year": (None, {"retry-after": "31536000"}, 86400.0),
    "none": (None, {}, None),
}


@pytest.mark.parametrize(("info", "headers", "seconds"), RETRIES.values(), ids=RETRIES)
def test_waiting_times_are_read(info: dict[str, Any] | None, headers: dict[str, str], seconds: float | None) -> None:
    """`RetryInfo` comes first, then the headers; garbage is none, a day is the most, and rendering keeps the time."""
    details = [{"@type": f"{RPC}RetryInfo", **info}] if info else []
    error = error_from_wire(WireResponse(429, headers, _body("RESOURCE_EXHAUSTED", *details)))
    assert error.retry_after_s == seconds
    assert error_from_wire(error_to_wire(error)).retry_after_s == seconds


def test_the_request_id_is_kept() -> None:
    """It comes from the header, else from `RequestInfo`, and goes back into the header."""
    info = {"@type": f"{RPC}RequestInfo", "requestId": "b"}
    assert error_from_wire(WireResponse(500, {}, _body("INTERNAL", info))).request_id == "b"
    error = error_from_wire(WireResponse(500, {"x-goog-request-id": "a"}, _body("INTERNAL", info)))
    assert error.request_id == "a"
    assert error_from_wire(error_to_wire(error)).request_id == "a"


def test_a_message_holds_no_key_and_no_end() -> None:
    """A key that the provider repeats is masked, a long message cut, and a missing one says what was seen."""
    message = f"Consumer 'api_key:AIza{'S' * 35}' has been suspended. Key AIza{'T' * 35}. " + "x" * 600
    text = str(error_from_wire(WireResponse(403, {}, _body("PERMISSION_DENIED", message=message))))
    assert "SSS" not in text
    assert "TTT" not in text
    assert len(text) == 500
    assert "503" in str(error_from_wire(WireResponse(503, {}, b"")))
    assert str(error_from_wire(WireResponse(200, {}, b'{"error":{"status":"INTERNAL"}}')))


OURS: list[tuple[PingPongError, int, type[PingPongError]]] = [
    (UnknownModelError("x"), 404, NotFoundError),
    (InvalidRequestError("x"), 400, InvalidRequestError),
    (ContentPolicyError("x"), 400, ContentPolicyError),
    (ContextLengthExceeded("x"), 400, ContextLengthExceeded),
    (QuotaExhausted("x"), 429, QuotaExhausted),
    (BudgetExceeded("x"), 429, RateLimited),
    (DeadlineExceeded("x"), 504, ProviderTimeout),
    (Overloaded("x"), 503, Overloaded),
    (PluginError("x"), 500, ServerError),
    (ConflictError("x", code="ALREADY_EXISTS"), 409, ConflictError),
    (AuthenticationError("x", code="API_KEY_INVALID", status=400), 400, AuthenticationError),
]


@pytest.mark.parametrize(("error", "status", "kind"), OURS, ids=[type(e).__name__ for e, _, _ in OURS])
def test_errors_without_a_status_are_told(error: PingPongError, status: int, kind: type[PingPongError]) -> None:
    """An error of ours gets the status that says the same on this wire."""
    wire = error_to_wire(error)
    assert (wire.status, type(error_from_wire(wire))) == (status, kind)
    assert "x" in str(error_from_wire(wire))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "status", "details", "@type", "reason", "violations", "message"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(100, 599), st.binary(max_size=40) | json_values.map(lambda v: json.dumps(v).encode()))
def test_error_is_total(status: int, body: bytes) -> None:
    """Any status with any body is an error of ours that says something."""
    error = error_from_wire(WireResponse(status, {"retry-after": "x"}, body))
    assert isinstance(error, PingPongError)
    assert error.message


def test_every_endpoint_maps_errors(endpoint: Callable[[str], Any]) -> None:
    """All five endpoints share one map, in both directions."""
    for name in ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"):
        wire = endpoint(name).dialect.render_error(RateLimited("slow", status=429, retry_after_s=1.5))
        error = endpoint(name).codec.error(wire)
        assert (type(error), error.status, error.retry_after_s, str(error)) == (RateLimited, 429, 1.5, "slow")
