"""Errors of the provider and of the kernel, both ways."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import msgspec
import pingpong
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import (
    AuthenticationError,
    BudgetExceeded,
    ConfigError,
    ConflictError,
    ContentPolicyError,
    ContextLengthExceeded,
    DeadlineExceeded,
    InvalidRequestError,
    MalformedResponse,
    MissingCredential,
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
from pingpong_anthropic.count_tokens import CountTokensCodec, CountTokensDialect
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect

Answer = Callable[..., WireResponse]
Kind = type[PingPongError]

BY_TYPE: list[tuple[int, str, Kind]] = [
    (400, "invalid_request_error", InvalidRequestError),
    (401, "authentication_error", AuthenticationError),
    (402, "billing_error", QuotaExhausted),
    (403, "permission_error", PermissionDenied),
    (404, "not_found_error", NotFoundError),
    (409, "conflict_error", ConflictError),
    (413, "request_too_large", ContextLengthExceeded),
    (429, "rate_limit_error", RateLimited),
    (500, "api_error", ServerError),
    (504, "timeout_error", ProviderTimeout),
    (529, "overloaded_error", Overloaded),
    (503, "api_error", Overloaded),
    (413, "invalid_request_error", ContextLengthExceeded),
    (200, "overloaded_error", Overloaded),
    (400, "brand_new_error", InvalidRequestError),
]


@pytest.mark.parametrize(("status", "kind", "error"), BY_TYPE)
def test_every_type_of_error_has_its_class(answer: Answer, status: int, kind: str, error: Kind) -> None:
    """Type first, status where the type says little; code, request id and message are kept."""
    body = {"type": "error", "error": {"type": kind, "message": "what happened"}, "request_id": "req_body"}
    got = MessagesCodec().error(answer(body, status))
    assert (error, status, kind, "req_body", "what happened", "anthropic") == (
        type(got),
        got.status,
        got.code,
        got.request_id,
        got.message,
        got.provider,
    )
    assert error.is_retryable_by_default is got.retryable
    assert got.message == pickle.loads(pickle.dumps(got)).message  # noqa: S301  # our own pickle


BY_STATUS: list[tuple[int, Kind]] = [
    (400, InvalidRequestError),
    (401, AuthenticationError),
    (402, QuotaExhausted),
    (403, PermissionDenied),
    (404, NotFoundError),
    (408, ProviderTimeout),
    (409, ConflictError),
    (413, ContextLengthExceeded),
    (418, InvalidRequestError),
    (422, InvalidRequestError),
    (429, RateLimited),
    (500, ServerError),
    (502, ServerError),
    (503, Overloaded),
    (504, ProviderTimeout),
    (529, Overloaded),
    (302, MalformedResponse),
]


@pytest.mark.parametrize(("status", "error"), BY_STATUS)
@pytest.mark.parametrize("body", [b"", b"<html>secret prompt</html>", b'{"err', b"\xff\xfe", b"[]", b'{"error":"x"}'])
def test_a_body_that_says_nothing_is_classified_by_status(status: int, error: Kind, body: bytes) -> None:
    """HTML, empty, truncated and binary bodies map by status, and none of them is repeated."""
    got = CountTokensCodec().error(WireResponse(status, {}, body))
    assert (error, status, None) == (type(got), got.status, got.code)
    assert f"Anthropic answered HTTP {status} without saying why." == got.message


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("prompt is too long: 3333404 tokens > 200000 maximum", ContextLengthExceeded),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease both", ContextLengthExceeded),
        ("messages: prompt is too long: 3333404 tokens > 200000 maximum", InvalidRequestError),
        ("prompt is too long", InvalidRequestError),
        ("prompt is too long: shorten it", InvalidRequestError),
        ("input length and `max_tokens` exceed context limit", InvalidRequestError),
        ("Your credit balance is too low to access the Anthropic API.", InvalidRequestError),
        ("Output blocked by content filtering policy", InvalidRequestError),
    ],
)
def test_only_an_input_too_long_is_told_by_its_words(answer: Answer, message: str, error: Kind) -> None:
    """The API's whole sentence decides, figures included, and no other sentence does (adr/0014)."""
    got = MessagesCodec().error(answer({"error": {"type": "invalid_request_error", "message": message}}, 400))
    assert error is type(got)


@pytest.mark.parametrize(
    ("kind", "status", "error"), [("api_error", 500, ServerError), ("invalid_request_error", 409, ConflictError)]
)
def test_the_words_decide_nothing_beside_another_type_or_status(answer: Answer, kind: str, status: int, error: Kind) -> None:
    """What type or status tell is not overruled by what the message says."""
    fields = {"type": kind, "message": "prompt is too long: 3333404 tokens > 200000 maximum"}
    assert error is type(MessagesCodec().error(answer({"error": fields}, status)))


def test_a_spend_limit_is_no_rate_limit(answer: Answer) -> None:
    """A limit that waiting does not lift is a quota, whatever its status."""
    fields = {"type": "rate_limit_error", "message": "m", "details": {"error_code": "contract_spend_limit_reached"}}
    got = MessagesCodec().error(answer({"error": fields}, 429))
    assert (QuotaExhausted, "contract_spend_limit_reached", False) == (type(got), got.code, got.retryable)


def test_the_provider_may_say_whether_to_retry(answer: Answer) -> None:
    """`x-should-retry` is the provider's own word on it."""
    body = {"error": {"type": "rate_limit_error", "message": "m"}}
    assert not MessagesCodec().error(answer(body, 429, {"x-should-retry": "false"})).retryable
    assert MessagesCodec().error(answer(body, 400, {"x-should-retry": "true"})).retryable
    assert MessagesCodec().error(answer(body, 429, {"x-should-retry": "maybe"})).retryable


RETRY_AFTER = [
    ({}, None),
    ({"retry-after": "3"}, 3.0),
    ({"retry-after": "1.5"}, 1.5),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": "-1"}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "999999"}, 86400.0),
    ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
    ({"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
    ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
    ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "yesterday"}, None),
    ({"retry-after": "Fri, 20 Nov 2026 10:00:30", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), RETRY_AFTER)
def test_how_long_to_wait_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds and dates are understood; negative, past and senseless ones say nothing."""
    assert seconds == MessagesCodec().error(WireResponse(429, headers, b"")).retry_after_s


def test_a_long_message_is_shortened(answer: Answer) -> None:
    """No error repeats more than 500 characters of what the provider said."""
    got = MessagesCodec().error(answer({"error": {"type": "api_error", "message": "x" * 9999}}, 500))
    assert len(got.message) == 500


@given(st.integers(100, 599), st.binary() | st.text().map(str.encode), st.dictionaries(st.text(), st.text()))
def test_any_answer_is_some_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    """The error map is total over statuses, bodies and headers."""
    assert isinstance(MessagesCodec().error(WireResponse(status, headers, body)), PingPongError)


OWN: list[Kind] = [
    InvalidRequestError,
    AuthenticationError,
    QuotaExhausted,
    PermissionDenied,
    NotFoundError,
    ConflictError,
    ContextLengthExceeded,
    RateLimited,
    ProviderTimeout,
    Overloaded,
    ServerError,
]
MOMENTS = st.none() | st.integers(0, 86400).map(float) | st.floats(0, 86400, allow_nan=False)


@given(st.sampled_from(OWN), st.booleans() | st.none(), MOMENTS, st.none() | st.just("req_1"), st.none() | st.just("own_code"))
def test_a_rendered_error_is_the_same_error(
    kind: Kind, retryable: bool | None, wait_s: float | None, request_id: str | None, code: str | None
) -> None:
    """Kind, retryability, wait, request id and code survive the wire."""
    error = kind("what happened", retryable=retryable, retry_after_s=wait_s, request_id=request_id, code=code)
    wire = MessagesDialect().render_error(error)
    got = MessagesCodec().error(wire)
    assert (kind, wire.status, error.retryable, wait_s, request_id) == (
        type(got),
        got.status,
        got.retryable,
        got.retry_after_s,
        got.request_id,
    )
    assert got.message.endswith("what happened")
    assert code in (None, got.code)
    again = MessagesCodec().error(CountTokensDialect().render_error(got))
    assert (got.status, got.code, got.message, type(got)) == (again.status, again.code, again.message, type(again))


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ContextLengthExceeded("big", status=413), 413, "request_too_large"),
        (ContextLengthExceeded("big", code="request_too_large"), 413, "request_too_large"),
        (ContextLengthExceeded("big"), 413, "request_too_large"),
        (ContextLengthExceeded("prompt is too long: 9 tokens > 8 maximum"), 400, "invalid_request_error"),
        (ContentPolicyError("c"), 400, "invalid_request_error"),
        (UnknownModelError("m"), 404, "not_found_error"),
        (MissingCredential("k"), 401, "authentication_error"),
        (ConfigError("c"), 400, "invalid_request_error"),
        (BudgetExceeded("b"), 402, "billing_error"),
        (DeadlineExceeded("d"), 504, "timeout_error"),
        (PluginError("p"), 500, "api_error"),
        (pingpong.NoRoute("n"), 400, "invalid_request_error"),
        (pingpong.ConnectionFailed("c"), 500, "api_error"),
        (Overloaded("o", status=503), 503, "overloaded_error"),
        (Overloaded("o", status=200), 529, "overloaded_error"),
    ],
)
def test_errors_of_ours_are_told_in_the_providers_words(error: PingPongError, status: int, kind: str) -> None:
    """Every error has a status and a type that the provider's clients know."""
    wire = MessagesDialect().render_error(error)
    body = msgspec.json.decode(wire.body)
    assert (status, kind, "error") == (wire.status, body["error"]["type"], body["type"])
