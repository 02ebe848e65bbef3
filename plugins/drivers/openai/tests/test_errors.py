"""The error map, both ways: by status and code, never by prose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import (
    AuthenticationError,
    ConflictError,
    ContentPolicyError,
    ContextLengthExceeded,
    InvalidRequestError,
    NotFoundError,
    Overloaded,
    PermissionDenied,
    PingPongError,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    ServerError,
    UnknownModelError,
    WireResponse,
)
from pingpong_openai.errors import error_body, error_from_body, error_from_wire, render_error


def _body(code: str | None, kind: str | None = "invalid_request_error") -> bytes:
    return json.dumps({"error": {"message": "no", "type": kind, "param": None, "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, _body(None), InvalidRequestError),
        (422, _body(None), InvalidRequestError),
        (400, _body("context_length_exceeded"), ContextLengthExceeded),
        (413, b"", ContextLengthExceeded),
        (400, _body("content_policy_violation"), ContentPolicyError),
        (400, _body("model_not_found"), NotFoundError),
        (401, _body("invalid_api_key"), AuthenticationError),
        (402, b"<html>", QuotaExhausted),
        (403, _body(None), PermissionDenied),
        (404, _body(None), NotFoundError),
        (408, b"", ProviderTimeout),
        (409, b"", ConflictError),
        (418, b"{}", InvalidRequestError),
        (429, _body("rate_limit_exceeded", "tokens"), RateLimited),
        (429, _body(None, "insufficient_quota"), QuotaExhausted),
        (429, _body("insufficient_quota", "insufficient_quota"), QuotaExhausted),
        (429, b"\xff\xfe", RateLimited),
        (500, _body("server_error", "server_error"), ServerError),
        (502, b"<html>bad gateway</html>", ServerError),
        (503, b'{"error": "overloaded, come back"}', Overloaded),
        (504, b"[1]", ProviderTimeout),
        (529, b'{"error"', Overloaded),
        (302, b"", ServerError),
        (200, _body("rate_limit_exceeded"), RateLimited),
        (200, _body(None, "invalid_request_error"), InvalidRequestError),
    ],
)
def test_status_and_code_give_the_class(status: int, body: bytes, expected: type[PingPongError]) -> None:
    """The provider's code decides where it has one of its own, the status else."""
    error = error_from_wire("openai", WireResponse(status, {}, body))
    assert (type(error), error.status, error.provider) == (expected, status, "openai")


@given(st.integers(100, 599), st.binary(max_size=60), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text()))
def test_any_status_with_any_body_is_an_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    """The map is total, keeps the status, and never repeats a body it could not read."""
    error = error_from_wire("openai", WireResponse(status, headers, body))
    assert error.status == status
    assert error.retry_after_s is None or 0 <= error.retry_after_s <= 86_400


def test_a_long_message_is_cut_and_the_request_id_kept() -> None:
    """500 characters of the provider's words, and its request id."""
    body = json.dumps({"error": {"message": "m" * 2000, "code": 7}}).encode()
    error = error_from_wire("openai", WireResponse(400, {"x-request-id": "req_1", "x-should-retry": "true"}, body))
    assert (error.message, error.request_id, error.code, error.retryable) == ("m" * 500, "req_1", "7", True)


ERRORS: list[Any] = [
    ContextLengthExceeded,
    ContentPolicyError,
    InvalidRequestError,
    AuthenticationError,
    PermissionDenied,
    NotFoundError,
    ConflictError,
    RateLimited,
    QuotaExhausted,
    Overloaded,
    ProviderTimeout,
    ServerError,
]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("wait_s", [None, 2, 0.3])
def test_an_error_comes_back_as_its_kind(kind: type[PingPongError], wait_s: float | None) -> None:
    """Class, retryable, wait and request id survive both halves, whole and inside a stream."""
    error = kind("no", retry_after_s=wait_s, request_id="req_1")
    wire = render_error(error)
    again = error_from_wire("openai", wire)
    assert (type(again), again.retryable, again.retry_after_s) == (kind, error.retryable, wait_s)
    assert (again.message, again.request_id) == ("no", "req_1")
    streamed = error_from_body("openai", error_body(error), None)
    assert (type(streamed), streamed.status) == (kind, None)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (RateLimited, 429, "rate_limit_exceeded"),
        (ServerError, 502, None),
        (InvalidRequestError, 422, "invalid_json_schema"),
        (NotFoundError, 404, "invalid_request_error"),
        (Overloaded, 529, "overloaded_error"),
        (ContextLengthExceeded, 400, "context_length_exceeded"),
    ],
)
def test_status_and_code_of_an_error_survive(kind: type[PingPongError], status: int, code: str | None) -> None:
    """What a provider said is told again as it was."""
    again = error_from_wire("openai", render_error(kind("no", status=status, code=code, retryable=False)))
    assert (type(again), again.status, again.code, again.retryable) == (kind, status, code, False)


def test_an_error_the_wire_cannot_tell_as_it_is_keeps_its_kind() -> None:
    """Another provider's status or code gives way to words that mean the same here."""
    foreign = ContextLengthExceeded("no", status=400, code="invalid_request_error")
    assert type(error_from_wire("openai", render_error(foreign))) is ContextLengthExceeded
    odd = RateLimited("no", status=500)
    assert type(error_from_wire("openai", render_error(odd))) is RateLimited
    unknown = error_from_wire("openai", render_error(UnknownModelError("no")))
    assert (type(unknown), unknown.status) == (NotFoundError, 404)


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (AuthenticationError("no"), 401, "invalid_request_error", "invalid_api_key"),
        (AuthenticationError("no", status=401), 401, "invalid_request_error", "invalid_api_key"),
        (UnknownModelError("no"), 404, "invalid_request_error", "model_not_found"),
        (RateLimited("no", status=429), 429, "requests", "rate_limit_exceeded"),
        (ServerError("no", status=500), 500, "server_error", None),
        (InvalidRequestError("no"), 400, "invalid_request_error", None),
        (RateLimited("no", status=429, provider="openai"), 429, None, None),
        (ServerError("no", status=500, provider="openai"), 500, None, None),
    ],
)
def test_an_error_of_our_own_is_told_in_the_usual_words(
    error: PingPongError, status: int, kind: str | None, code: str | None
) -> None:
    """Type and code are those OpenAI uses for it; one that came from a provider without words goes out without."""
    wire = render_error(error)
    told = json.loads(wire.body)["error"]
    assert (wire.status, told["type"], told["code"]) == (status, kind, code)
