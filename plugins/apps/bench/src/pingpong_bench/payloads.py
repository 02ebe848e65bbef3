"""What goes over the wire in every measurement: one prompt, one answer, one stream. Pure, and standard library only."""

from __future__ import annotations

import json
from typing import Any

MODEL = "gpt-5-mini"
PROMPT = "Design a rate limiter for a public API."
KEY = "sk-of-nobody-on-127.0.0.1"
TEXT = "A token bucket refills at a steady rate. " * 8
INPUT_TOKENS, OUTPUT_TOKENS = 24, 80

CALL: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]}
"""The body of every call."""

STREAM: dict[str, Any] = {**CALL, "stream": True, "stream_options": {"include_usage": True}}
"""The body of every stream."""

DONE = b"data: [DONE]\n\n"


def _usage(output_tokens: int) -> dict[str, Any]:
    total = INPUT_TOKENS + output_tokens
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": output_tokens, "total_tokens": total}


def answer_body() -> bytes:
    """The answer, with every member that OpenAI sends (https://platform.openai.com/docs/api-reference/chat/object)."""
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    details = {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {
            **_usage(OUTPUT_TOKENS),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": details,
        },
        "service_tier": "default",
        "system_fingerprint": None,
    }
    return json.dumps(answer).encode()


def stream_text(n_words: int) -> str:
    """What a stream of so many words says."""
    return "".join(f" word{i}" for i in range(n_words))


def stream_events(n_words: int) -> list[bytes]:
    """Server-sent events as OpenAI sends them: the role, one event a word, the finish reason, the usage, the mark of the end."""
    finish: dict[str, Any] = {"choices": [_choice({}, "stop")], "usage": None, "obfuscation": "abc"}
    bodies = [
        _content({"role": "assistant", "content": ""}),
        *(_content({"content": f" word{i}"}) for i in range(n_words)),
        finish,
        {"choices": [], "usage": _usage(n_words)},
    ]
    return [b"data: " + json.dumps(_CHUNK | body).encode() + b"\n\n" for body in bodies] + [DONE]


def n_events(n_words: int) -> int:
    """Events of such a stream that hold JSON."""
    return n_words + 3


_CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1760000000,
    "model": MODEL,
    "service_tier": "default",
    "system_fingerprint": None,
}


def _choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


def _content(delta: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [_choice(delta, None)], "usage": None, "obfuscation": "abcdefgh"}
