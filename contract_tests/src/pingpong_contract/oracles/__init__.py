"""
Oracles: what recorded bytes say, one per wire format, judged from the providers' published documentation alone.

They read whole bodies with a splitter of their own and the standard library's `json`; no line is shared with a driver.
"""

from __future__ import annotations

import re
from typing import Protocol

from pingpong import WireResponse

from pingpong_contract.oracles import anthropic_messages, gemini, openai_chat, openai_embeddings, openai_responses
from pingpong_contract.oracles._expected import Answer, Call, Count, Expected, Failure, Tokens, Vectors

__all__ = ["Answer", "Call", "Count", "Expected", "Failure", "Oracle", "Tokens", "Vectors", "oracle_from_path"]


class Oracle(Protocol):
    """Reads one recorded answer; never raises for what a provider really sent."""

    def __call__(self, response: WireResponse, *, is_streaming: bool) -> Expected:
        """What the bytes say."""
        ...


_ORACLES: tuple[tuple[str, Oracle], ...] = (
    (r"/chat/completions", openai_chat.expected),
    (r"/responses", openai_responses.expected),
    (r"/responses/input_tokens", openai_responses.expected_count),
    (r"/embeddings", openai_embeddings.expected),
    (r"/messages", anthropic_messages.expected),
    (r"/messages/count_tokens", anthropic_messages.expected_count),
    (r":(generateContent|streamGenerateContent)", gemini.expected),
    (r":countTokens", gemini.expected_count),
    (r":(embedContent|batchEmbedContents)", gemini.expected_vectors),
)


def oracle_from_path(path: str) -> Oracle | None:
    """The oracle for the wire format that a request's path stands for, whatever its host and prefix; None where there is none."""
    return next((oracle for ending, oracle in _ORACLES if re.search(ending + "$", path)), None)
