"""
Errors of the wire and of the kernel, both ways. Pure.

Classified by `details.error_code`, by the error's `type`, and by status where these say nothing; one error by its words.

Source: https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pingpong import (
    AuthenticationError,
    BudgetExceeded,
    ConflictError,
    ContextLengthExceeded,
    DeadlineExceeded,
    InvalidRequestError,
    LimitError,
    MalformedResponse,
    MissingCredential,
    NotFoundError,
    Overloaded,
    PermissionDenied,
    PingPongError,
    ProviderError,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    ServerError,
    UnknownModelError,
    WireResponse,
)
from pingpong_wire import class_of_code, class_of_status, json_bytes, json_or_none, retry_after_s, retry_after_text, shortened

from pingpong_anthropic.wire import PROVIDER

_BY_CODE: Mapping[str, type[PingPongError]] = {
    "authentication_error": AuthenticationError,
    "billing_error": QuotaExhausted,
    "permission_error": PermissionDenied,
    "not_found_error": NotFoundError,
    "request_too_large": ContextLengthExceeded,
    "rate_limit_error": RateLimited,
    "timeout_error": ProviderTimeout,
    "overloaded_error": Overloaded,
    "conflict_error": ConflictError,
    # `details.error_code` of limits that waiting does not lift (names from the official client's error types).
    "contract_spend_limit_reached": QuotaExhausted,
    "enforced_spend_limit_reached": QuotaExhausted,
    "linked_organization_spend_limit_reached": QuotaExhausted,
    "linked_organization_billing_unavailable": QuotaExhausted,
}
"""By `details.error_code`, then by `type`."""
_INVALID = "invalid_request_error"
_GENERIC: Mapping[str, type[PingPongError]] = {_INVALID: InvalidRequestError, "api_error": ServerError}
"""Types that say little: a status that says more wins."""
_SAYS_LITTLE = (InvalidRequestError, ServerError, MalformedResponse)

_TOO_LONG = re.compile(
    r"prompt is too long: \d+ tokens > \d+ maximum|input length and `max_tokens` exceed context limit: \d+ \+ \d+ > \d+"
)
"""
How the message of an `invalid_request_error` begins where the input, or input and output together, exceed the context: the
API tells it apart in no other way (adr/0014). Recorded traffic shows the first form, https://github.com/docker/docker-agent/issues/569
the second.
"""


def error_from_wire(wire: WireResponse) -> PingPongError:
    """The error that an answer means; total over any status and body."""
    body = json_or_none(wire.body)
    return error_from_body(body if isinstance(body, dict) else {}, wire.status, wire.headers)


def error_from_body(body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> PingPongError:
    """As `error_from_wire`, for a body that is parsed already, such as an error event of a stream."""
    error = body.get("error")
    fields = error if isinstance(error, dict) else {}
    details = fields.get("details")
    kind, message = _text(fields.get("type")), _text(fields.get("message"))
    code = _text(details.get("error_code")) if isinstance(details, dict) else None
    cls = _class(kind or "", code, message or "", status)
    retry = headers.get("x-should-retry")
    retryable = {"true": True, "false": False}.get(retry or "")
    if retryable is None and cls is MalformedResponse:
        # A redirect or an informational answer comes again just the same.
        retryable = False
    return cls(
        shortened(message or f"Anthropic answered HTTP {status} without saying why."),
        retryable=retryable,
        provider=PROVIDER,
        status=status,
        code=code or kind,
        request_id=headers.get("request-id") or _text(body.get("request_id")),
        retry_after_s=retry_after_s(headers),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _class(kind: str, code: str | None, message: str, status: int) -> type[PingPongError]:
    known = class_of_code(_BY_CODE, code, kind)
    if known is not None:
        return known
    if _is_too_long(kind, message, status):
        return ContextLengthExceeded
    by_status = class_of_status(status)
    return _GENERIC.get(kind, by_status) if by_status in _SAYS_LITTLE else by_status


def _is_too_long(kind: str, message: str, status: int) -> bool:
    # An error inside a stream comes with the status of the stream.
    return kind == _INVALID and status in (200, 400) and _TOO_LONG.match(message) is not None


_RENDERED: Mapping[type[PingPongError], tuple[int, str]] = {
    AuthenticationError: (401, "authentication_error"),
    MissingCredential: (401, "authentication_error"),
    QuotaExhausted: (402, "billing_error"),
    BudgetExceeded: (402, "billing_error"),
    PermissionDenied: (403, "permission_error"),
    NotFoundError: (404, "not_found_error"),
    UnknownModelError: (404, "not_found_error"),
    ConflictError: (409, "conflict_error"),
    RateLimited: (429, "rate_limit_error"),
    ProviderTimeout: (504, "timeout_error"),
    DeadlineExceeded: (504, "timeout_error"),
    Overloaded: (529, "overloaded_error"),
    InvalidRequestError: (400, _INVALID),
    LimitError: (400, _INVALID),
    ProviderError: (500, "api_error"),
    PingPongError: (500, "api_error"),
}


def wire_from_error(error: PingPongError) -> WireResponse:
    """The answer that tells an error as the provider does."""
    default, _ = _status_and_type(error)
    status = error.status if error.status is not None and 400 <= error.status <= 599 else default
    headers = {"content-type": "application/json", "x-should-retry": "true" if error.retryable else "false"}
    if error.request_id:
        headers["request-id"] = error.request_id
    if error.retry_after_s is not None:
        headers["retry-after"] = retry_after_text(error.retry_after_s)
    return WireResponse(status, headers, json_bytes(body_from_error(error)))


def _status_and_type(error: PingPongError) -> tuple[int, str]:
    if isinstance(error, ContextLengthExceeded) and not _is_too_long(error.code or _INVALID, error.message, error.status or 400):
        return 413, "request_too_large"
    return next(_RENDERED[cls] for cls in type(error).__mro__ if cls in _RENDERED)


def body_from_error(error: PingPongError) -> dict[str, Any]:
    """The error body, as an answer or an event of a stream holds it."""
    kind = _status_and_type(error)[1]
    fields: dict[str, Any] = {"type": kind, "message": error.message}
    if error.code is not None and error.code != kind:
        fields["details"] = {"error_code": error.code}
    return {"type": "error", "error": fields, "request_id": error.request_id}
