"""
Errors of the wire and of the kernel, both ways. Pure.

Classified by the error's `type`, by `details.error_code`, and by status where these say nothing.

Source: https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import (
    AuthenticationError,
    BudgetExceeded,
    ConflictError,
    ContentPolicyError,
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
_GENERIC: Mapping[str, type[PingPongError]] = {"invalid_request_error": InvalidRequestError, "api_error": ServerError}
"""Types that say little: a status that says more wins."""
_SAYS_LITTLE = (InvalidRequestError, ServerError, MalformedResponse)

_BY_PREFIX: tuple[tuple[str, type[PingPongError]], ...] = (
    ("prompt is too long", ContextLengthExceeded),
    ("input length and `max_tokens` exceed context limit", ContextLengthExceeded),
    ("Your credit balance is too low", QuotaExhausted),
    ("Output blocked by content filtering policy", ContentPolicyError),
)
"""
How messages of `invalid_request_error` begin that the API tells apart in no other way: same type, same status, no code.
Recorded traffic shows the first; the others are quoted in the provider's documentation and support pages.
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
    if kind == "invalid_request_error":
        for prefix, cls in _BY_PREFIX:
            if message.startswith(prefix):
                return cls
    by_status = class_of_status(status)
    return _GENERIC.get(kind, by_status) if by_status in _SAYS_LITTLE else by_status


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
    InvalidRequestError: (400, "invalid_request_error"),
    LimitError: (400, "invalid_request_error"),
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
    if isinstance(error, ContextLengthExceeded) and (error.code == "request_too_large" or error.status == 413):
        return 413, "request_too_large"
    return next(_RENDERED[cls] for cls in type(error).__mro__ if cls in _RENDERED)


def body_from_error(error: PingPongError) -> dict[str, Any]:
    """The error body, as an answer or an event of a stream holds it."""
    kind, message = _status_and_type(error)[1], error.message
    if kind == "invalid_request_error":
        own = [prefix for prefix, cls in _BY_PREFIX if isinstance(error, cls)]
        if own and not message.startswith(tuple(own)):
            message = f"{own[0]}: {message}"
    fields: dict[str, Any] = {"type": kind, "message": message}
    if error.code is not None and error.code != kind:
        fields["details"] = {"error_code": error.code}
    return {"type": "error", "error": fields, "request_id": error.request_id}
