"""
Errors between `google.rpc.Status` bodies and the closed tree, in both directions.

    {"error": {"code": 429, "message": "...", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "...RetryInfo", ...}]}}

A stream request may get the same as the one element of a JSON array. Classified by the reason in `ErrorInfo`, the violated
quota, the status name and the HTTP status, in this order.

Source: https://cloud.google.com/apis/design/errors, https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

import re
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
    MalformedResponse,
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
from pingpong_wire import class_of_code, class_of_status, json_bytes, json_or_none, retry_after_s, shortened

from pingpong_gemini._json import PROVIDER, Json, camel

_TYPE = "type.googleapis.com/google.rpc."
_JSON_HEADERS = {"content-type": "application/json; charset=UTF-8"}
REQUEST_ID = "x-goog-request-id"

_TOO_LONG = re.compile(r"The input token count( \(\d+\))? exceeds the maximum number of tokens allowed")
"""
How the message of an INVALID_ARGUMENT begins where the input exceeds the context: the API tells it apart in no other way
(adr/0014). Recorded traffic shows the form with the count.
"""

_BLOCK_REASONS = frozenset({"SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "JAILBREAK", "MODEL_ARMOR"})
"""Members of `PromptFeedback.BlockReason`, when they come as the reason of an error."""

_OF_REASON: dict[str, type[PingPongError]] = {
    "API_KEY_INVALID": AuthenticationError,
    **dict.fromkeys(_BLOCK_REASONS, ContentPolicyError),
}

_KEY = re.compile(r"(api_key:|AIza|AQ\.)[\w.-]+")
"""Google repeats the key in some messages ("Consumer 'api_key:…' has been suspended")."""

_OF_NAME: dict[str, type[PingPongError]] = {
    "UNAUTHENTICATED": AuthenticationError,
    "PERMISSION_DENIED": PermissionDenied,
    "NOT_FOUND": NotFoundError,
    "ABORTED": ConflictError,
    "ALREADY_EXISTS": ConflictError,
    "RESOURCE_EXHAUSTED": RateLimited,
    "UNAVAILABLE": Overloaded,
    "DEADLINE_EXCEEDED": ProviderTimeout,
    "CANCELLED": ProviderTimeout,
    # Sent for regions and free tiers in which the API is not offered.
    "FAILED_PRECONDITION": PermissionDenied,
    "INTERNAL": ServerError,
    "UNKNOWN": ServerError,
    "DATA_LOSS": ServerError,
}

_INVALID = "INVALID_ARGUMENT"
_STATUS_NAME = {
    400: _INVALID,
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: _INVALID,
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_STATUS_NAMES = frozenset((*_OF_NAME, *_STATUS_NAME.values(), "OUT_OF_RANGE", "OK"))

_STATUS_OF_CLASS: tuple[tuple[type[PingPongError], int], ...] = (
    (UnknownModelError, 404),
    (InvalidRequestError, 400),
    (AuthenticationError, 401),
    (PermissionDenied, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (RateLimited, 429),
    (QuotaExhausted, 429),
    (BudgetExceeded, 429),
    (ProviderTimeout, 504),
    (DeadlineExceeded, 504),
    (Overloaded, 503),
)


def error_from_wire(wire: WireResponse) -> PingPongError:
    """The error that an answer means, whatever its status and body."""
    return error_from_body(json_or_none(wire.body), status=wire.status, headers=wire.headers)


def error_from_body(document: object, *, status: int | None, headers: Mapping[str, str]) -> PingPongError:
    """
    The error that a parsed body means.

    Args:
        document: `{"error": {...}}`, a list of one such object, or anything else.
        status: HTTP status of the answer; None, or one that is no failure, leaves it to the code in the body.
        headers: Lower-case names.
    """
    if isinstance(document, list):
        document = document[0] if document else None
    error = camel(camel(document).get("error"))
    details = [d for d in error.get("details") or () if isinstance(d, dict)] if isinstance(error.get("details"), list) else []
    body_code = error.get("code")
    if (status is None or status < 400) and isinstance(body_code, int) and 400 <= body_code <= 599:
        status = body_code
    name = error.get("status") if isinstance(error.get("status"), str) else None
    reason = _detail(details, "ErrorInfo").get("reason")
    message = error.get("message") if isinstance(error.get("message"), str) else ""
    kind = _class(status, name, reason if isinstance(reason, str) else None, details, str(message))
    request_id = headers.get(REQUEST_ID) or _detail(details, "RequestInfo").get("requestId")
    return kind(
        _message(status, str(message)),
        # The API does not offer what was asked, so asking again is of no use.
        retryable=False if status == 501 else None,
        provider=PROVIDER,
        status=status,
        code=reason if isinstance(reason, str) else name,
        request_id=request_id if isinstance(request_id, str) else None,
        retry_after_s=_retry_after_s(details, headers),
    )


def _class(status: int | None, name: str | None, reason: str | None, details: list[Json], message: str) -> type[PingPongError]:
    known = class_of_code(_OF_REASON, reason)
    if known is not None:
        return known
    if name == _INVALID and _TOO_LONG.match(message):
        return ContextLengthExceeded
    if status == 402 or (status == 429 and _is_quota_spent(details)):
        return QuotaExhausted
    if name in _OF_NAME and (status is None or status <= 400 or status >= 500):
        return _OF_NAME[name]
    if status is None or status < 400:
        return MalformedResponse if name is None else InvalidRequestError
    # 499 is how Google's gateways write CANCELLED (https://cloud.google.com/apis/design/errors#handling_errors).
    return ProviderTimeout if status == 499 else class_of_status(status)


def _is_quota_spent(details: list[Json]) -> bool:
    """Whether a quota is used up that minutes of waiting do not refill: one counted by the day, or one of zero."""
    violations = _detail(details, "QuotaFailure").get("violations")
    found = [camel(v) for v in violations] if isinstance(violations, list) else []
    return any("PerDay" in str(v.get("quotaId")) or str(v.get("quotaValue")) == "0" for v in found)


def _detail(details: list[Json], kind: str) -> Json:
    return camel(next((d for d in details if d.get("@type") == _TYPE + kind), None))


def _message(status: int | None, message: str) -> str:
    text = _KEY.sub(r"\1***", message.strip())
    if not text:
        return (
            f"Gemini answered with HTTP status {status} and no message."
            if status
            else "Gemini reported an error without a message."
        )
    return shortened(text)


def _retry_after_s(details: list[Json], headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, >= 0, at most a day: `RetryInfo`, else the headers; None for none and for garbage."""
    delay = str(_detail(details, "RetryInfo").get("retryDelay", ""))
    told = retry_after_s({"retry-after": delay.removesuffix("s")}) if delay.endswith("s") else None
    return retry_after_s(headers) if told is None else told


def status_body(error: PingPongError) -> Json:
    """The `{"error": …}` object that tells an error; `error_from_body` maps it back to the same kind."""
    status = error.status or next((s for kind, s in _STATUS_OF_CLASS if isinstance(error, kind)), 500)
    code, message = error.code, error.message
    name = _STATUS_NAME.get(status, "INTERNAL" if status >= 500 else _INVALID)
    details: list[dict[str, Any]] = []
    if isinstance(error, ContextLengthExceeded) and status != 413 and not _TOO_LONG.match(message):
        message = f"The input token count exceeds the maximum number of tokens allowed. {message}"
    if isinstance(error, ContentPolicyError) and code not in _BLOCK_REASONS:
        code = "PROHIBITED_CONTENT"
    if isinstance(error, QuotaExhausted) and status == 429:
        quota = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}
        details.append({"@type": f"{_TYPE}QuotaFailure", "violations": [quota]})
    if code in _STATUS_NAMES:
        name = code
    elif code:
        details.append({"@type": f"{_TYPE}ErrorInfo", "reason": code, "domain": "googleapis.com"})
    if error.retry_after_s is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{error.retry_after_s:.9f}".rstrip("0").rstrip(".") + "s"})
    body: Json = {"code": status, "message": message, "status": name}
    if details:
        body["details"] = details
    return {"error": body}


def error_to_wire(error: PingPongError) -> WireResponse:
    """The answer that tells an error as the API does."""
    body = status_body(error)
    headers = {**_JSON_HEADERS, **({REQUEST_ID: error.request_id} if error.request_id else {})}
    return WireResponse(body["error"]["code"], headers, json_bytes(body))
