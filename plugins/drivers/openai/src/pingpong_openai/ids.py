"""
Ids that a dialect makes up where an answer has none.

The wire requires ids, other providers' answers have none, and a made-up one must not come back as if the provider
had given it; `_pp` marks it, and OpenAI's own, long hexadecimal words, cannot hold that.
"""

from __future__ import annotations

import re

_MADE_UP = re.compile(r"[a-z]+_pp\d+")


def made_up_id(prefix: str, n: int) -> str:
    """The id of item `n` of an answer, `msg_pp0`."""
    return f"{prefix}_pp{n}"


def given_id(value: str | None) -> str | None:
    """The provider's id, None where it is empty or made up."""
    return value if value and not _MADE_UP.fullmatch(value) else None
