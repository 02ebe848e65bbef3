"""
The error map of all three endpoints, both ways: by status and the provider's own code, never by prose.

Source: https://platform.openai.com/docs/guides/error-codes, and `ResponseErrorCode` of the published API description.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from pingpong_wire import class_of_code, class_of_status, json_or_none, retry_after_s, retry_after_text, shortened

from pingpong_openai.jsonwire import answer

_BY_CODE: dict[str, type[PingPongError]] = {
    "context_length_exceeded": ContextLengthExceeded,
    "string_above_max_length": ContextLengthExceeded,
    "content_policy_violation": ContentPolicyError,
    "image_content_policy_violation": ContentPolicyError,
    "content_filter": ContentPolicyError,
    "moderation_blocked": ContentPolicyError,
    "invalid_prompt": ContentPolicyError,
    "bio_policy": ContentPolicyError,
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "billing_not_active": QuotaExhausted,
    "rate_limit_exceeded": RateLimited,
    "invalid_api_key": AuthenticationError,
    "unsupported_country_region_territory": PermissionDenied,
    "model_not_found": NotFoundError,
    "server_is_overloaded": Overloaded,
    "slow_down": Overloaded,
    "vector_store_timeout": ProviderTimeout,
}
# Broad words, which some bodies repeat as the code: they decide only where no error status does.
_BY_TYPE: dict[str, type[PingPongError]] = {
    "invalid_request_error": InvalidRequestError,
    "authentication_error": AuthenticationError,
    "permission_error": PermissionDenied,
    "not_found_error": NotFoundError,
    "rate_limit_error": RateLimited,
    "requests": RateLimited,
    "tokens": RateLimited,
    "overloaded_error": Overloaded,
    "timeout": ProviderTimeout,
    "conflict": ConflictError,
    "data_residency_mismatch": InvalidRequestError,
    "invalid_image": InvalidRequestError,
    "invalid_image_format": InvalidRequestError,
    "invalid_base64_image": InvalidRequestError,
    "invalid_image_url": InvalidRequestError,
    "invalid_image_mode": InvalidRequestError,
    "image_too_large": InvalidRequestError,
    "image_too_small": InvalidRequestError,
    "image_parse_error": InvalidRequestError,
    "image_file_too_large": InvalidRequestError,
    "image_file_not_found": InvalidRequestError,
    "unsupported_image_media_type": InvalidRequestError,
    "empty_image_file": InvalidRequestError,
    "failed_to_download_image": InvalidRequestError,
}
# What this wire says where an error of ours, or of another provider, has to be told: (class, status, type, code).
_TOLD: tuple[tuple[type[PingPongError], int, str, str | None], ...] = (
    (ContextLengthExceeded, 400, "invalid_request_error", "context_length_exceeded"),
    (ContentPolicyError, 400, "invalid_request_error", "content_policy_violation"),
    (UnknownModelError, 404, "invalid_request_error", "model_not_found"),
    (InvalidRequestError, 400, "invalid_request_error", None),
    (AuthenticationError, 401, "invalid_request_error", "invalid_api_key"),
    (PermissionDenied, 403, "invalid_request_error", "unsupported_country_region_territory"),
    (NotFoundError, 404, "invalid_request_error", "model_not_found"),
    (ConflictError, 409, "conflict", None),
    (RateLimited, 429, "requests", "rate_limit_exceeded"),
    (QuotaExhausted, 429, "insufficient_quota", "insufficient_quota"),
    (Overloaded, 503, "server_error", "server_is_overloaded"),
    (ProviderTimeout, 504, "timeout", None),
    (PingPongError, 500, "server_error", None),
)


def error_from_wire(provider: str, wire: WireResponse) -> PingPongError:
    """The error that an answer means; total over any status and any body."""
    return error_from_body(provider, error_object(wire.body), wire.status, wire.headers)


def error_from_body(
    provider: str, body: Mapping[str, Any], status: int | None, headers: Mapping[str, str] | None = None
) -> PingPongError:
    """The error that an error object means; inside a stream or a 200 only its code and type tell the class."""
    headers = headers or {}
    code, kind = _word(body.get("code")), _word(body.get("type"))
    text = body.get("message")
    seen = f"HTTP {status}" if status is not None else "an error inside the stream"
    message = text if isinstance(text, str) and text else f"{seen} without a readable error message"
    return _class_of(status, code, kind)(
        shortened(message),
        retryable={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
        provider=provider,
        status=status,
        code=code or kind,
        request_id=headers.get("x-request-id") or None,
        retry_after_s=retry_after_s(headers),
    )


def error_object(body: bytes) -> dict[str, Any]:
    """The `error` object of a body, {} where it has none."""
    value = json_or_none(body)
    return error_in(value.get("error")) if isinstance(value, dict) else {}


def error_in(value: object) -> dict[str, Any]:
    """An `error` value as an object; some servers send the bare message."""
    if isinstance(value, dict):
        return value
    return {"message": value} if isinstance(value, str) else {}


def _word(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _class_of(status: int | None, code: str | None, kind: str | None) -> type[PingPongError]:
    known = class_of_code(_BY_CODE, code, kind)
    if known is not None:
        return known
    if status is None or status < 400:
        return class_of_code(_BY_TYPE, code, kind) or ServerError
    return class_of_status(status)


def render_error(error: PingPongError) -> WireResponse:
    """The answer that tells an error as OpenAI does; `error_from_wire` gives the same kind back."""
    status, body = _told(error)
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = retry_after_text(error.retry_after_s)
    if error.retryable != _class_of(status, body["code"], body["type"]).is_retryable_by_default:
        headers["x-should-retry"] = "true" if error.retryable else "false"
    wire = answer({"error": body}, error.request_id, status)
    return WireResponse(status, {**wire.headers, **headers}, wire.body)


def error_body(error: PingPongError) -> dict[str, Any]:
    """The `error` object that tells an error inside a stream, where no status helps: its words alone give the class back."""
    _, kind, code = _told_as(error)
    words = next((w for w in (error.code, code) if _class_of(None, w, kind) is _class_of(None, code, kind)), code)
    return {"message": error.message, "type": kind, "param": None, "code": words}


def _told_as(error: PingPongError) -> tuple[int, str, str | None]:
    return next((status, kind, code) for cls, status, kind, code in _TOLD if isinstance(error, cls))


def _told(error: PingPongError) -> tuple[int, dict[str, Any]]:
    told_status, kind, told_code = _told_as(error)
    wanted = _class_of(told_status, told_code, kind)
    own_status = error.status if error.status is not None and error.status >= 400 else told_status
    is_ours = error.provider is None and error.code is None and own_status == told_status
    # What came from a provider without a code or type goes out without: a made-up word would come back as the provider's.
    own_kind = kind if error.code is not None else None
    tellings = (
        ((told_status, told_code, kind),)
        if is_ours
        else ((own_status, error.code, own_kind), (own_status, told_code, kind), (told_status, told_code, kind))
    )
    status, code, own_kind = next(telling for telling in tellings if _class_of(*telling) is wanted)
    return status, {"message": error.message, "type": own_kind, "param": None, "code": code}
