"""
What an answer of OpenAI's embeddings endpoint says, numbers or base64.

Source: https://platform.openai.com/docs/api-reference/embeddings/object
"""

from __future__ import annotations

import base64
import json
import struct

from pingpong import WireResponse

from pingpong_contract.oracles import openai_errors
from pingpong_contract.oracles._expected import Expected, Vectors
from pingpong_contract.oracles._reading import mapping, text_of


def expected(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What the recorded answer says; embeddings never stream."""
    if response.status >= 300:
        return openai_errors.expected(response)
    body = json.loads(text_of(response.body))
    rows = sorted(body["data"], key=lambda row: int(row["index"]))
    return Vectors(tuple(_vector(row["embedding"]) for row in rows), mapping(body.get("usage")).get("prompt_tokens"))


def _vector(value: str | list[float]) -> tuple[float, ...]:
    if isinstance(value, list):
        return tuple(float(x) for x in value)
    data = base64.b64decode(value)
    return struct.unpack(f"<{len(data) // 4}f", data)
