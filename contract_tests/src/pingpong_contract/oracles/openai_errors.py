"""
What OpenAI's error bodies say, in all its APIs.

Source: https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import WireResponse

from pingpong_contract.oracles._expected import Failure
from pingpong_contract.oracles._reading import INVALID, codes_of, failure, json_or_none, kinds_of_status, mapping

_KINDS_OF_CODE = {
    "context_length_exceeded": frozenset({"context_length_exceeded"}),
    "insufficient_quota": frozenset({"quota_exhausted"}),
    "billing_hard_limit_reached": frozenset({"quota_exhausted"}),
    "rate_limit_exceeded": frozenset({"rate_limited"}),
    "invalid_api_key": frozenset({"authentication"}),
    "model_not_found": frozenset({"not_found", "invalid_request"}),
    "content_policy_violation": frozenset({"content_policy"}),
    "content_filter": frozenset({"content_policy"}),
    "invalid_prompt": frozenset({"content_policy", "invalid_request"}),
    "server_error": frozenset({"server_error"}),
    "server_is_overloaded": frozenset({"overloaded"}),
    "slow_down": frozenset({"overloaded", "rate_limited"}),
}


def expected(response: WireResponse) -> Failure:
    """The failure of a non-2xx answer; any body will do."""
    error = mapping(mapping(json_or_none(response.body)).get("error"))
    codes = (error.get("code"), error.get("type"))
    return failure(response.status, response.headers, _kinds(error, kinds_of_status(response.status)), codes)


def inside_200(error: Mapping[str, Any]) -> Failure:
    """The failure that an error object inside a 200 tells."""
    kinds = _kinds(error, frozenset({"server_error", "provider_error", *INVALID}))
    return Failure(status=None, kinds=kinds, codes=codes_of((error.get("code"), error.get("type"))))


def _kinds(error: Mapping[str, Any], otherwise: frozenset[str]) -> frozenset[str]:
    for name in ("code", "type"):
        kinds = _KINDS_OF_CODE.get(str(error.get(name)))
        if kinds is not None:
            return kinds
    return otherwise
