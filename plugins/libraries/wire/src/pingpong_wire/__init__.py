"""
What the wires of drivers share: pure functions and small records, no plugin.

Nothing here knows a provider; words and shapes that only one of them has stay in its driver.
"""

from pingpong_wire._credentials import KeyAndHeaders
from pingpong_wire._errors import MAX_RETRY_AFTER_S, class_of_code, class_of_status, retry_after_s, retry_after_text, shortened
from pingpong_wire._json import base64_text, bytes_from_base64, json_bytes, json_or_none, json_text, object_from_json, parsed
from pingpong_wire._opaque import attached, attachment, refuse_opaque
from pingpong_wire._streams import EventStream, SseOrJson, StreamReader, partial_answer
from pingpong_wire._tokens import estimate_tokens
from pingpong_wire._usage import count, count_or_zero, counts_or_zero, usage_or_none

__all__ = [
    "MAX_RETRY_AFTER_S",
    "EventStream",
    "KeyAndHeaders",
    "SseOrJson",
    "StreamReader",
    "attached",
    "attachment",
    "base64_text",
    "bytes_from_base64",
    "class_of_code",
    "class_of_status",
    "count",
    "count_or_zero",
    "counts_or_zero",
    "estimate_tokens",
    "json_bytes",
    "json_or_none",
    "json_text",
    "object_from_json",
    "parsed",
    "partial_answer",
    "refuse_opaque",
    "retry_after_s",
    "retry_after_text",
    "shortened",
    "usage_or_none",
]
